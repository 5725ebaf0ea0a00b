"""Language models of many architectures: each is right to 1e-4 against plain forward passes, or
refused in one line.
"""

import architectures
import model_tables
import pytest
import templates
import torch
import transformers

KNOWN = "right", "packed", "plain rows", "refused"


@pytest.mark.parametrize("kind", architectures.KINDS)
def test_an_architecture_is_right_or_refused_as_the_page_says(kind, tmp_path) -> None:
    """The checks are those of tests/support/architectures.py; docs/models.md has their outcome."""
    transformers.utils.logging.set_verbosity_error()  # BERT's hint that it is no decoder
    row = architectures.row(kind, tmp_path)
    assert "wrong" not in row
    assert model_tables.line(row) in model_tables.PAGE.read_text()


def test_the_page_has_a_row_for_every_architecture_and_template_and_no_other() -> None:
    lines = model_tables.PAGE.read_text().splitlines()
    kinds = [line for line in lines if line.startswith("| `")]
    assert len(kinds) == len(architectures.KINDS) >= 50
    header, *rows = templates.table()
    assert {model_tables.line(row) for row in [header, *rows]} <= set(lines)
    assert len(rows) >= 15 and not any("wrong" in row for row in rows)


@torch.no_grad()
def test_the_models_of_the_table_would_show_what_is_lost() -> None:
    """Logits that go around what a model does after its output layer are wrong by more than 0.1
    nats.
    """
    for kind in ("granite", "gemma2", "cohere", "falcon_h1"):
        model = architectures.built(kind)
        ids = torch.tensor([[5, 6, 7, 8]])
        hidden = model.base_model(input_ids=ids, use_cache=False)[0]
        around = torch.log_softmax(model.lm_head(hidden), dim=-1)
        own = torch.log_softmax(model(input_ids=ids, use_cache=False).logits, dim=-1)
        assert float((around - own).abs().max()) > 0.1, kind
