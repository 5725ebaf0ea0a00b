"""What is followed after a forget question: a chosen label, of any stage; else a refusal, or the
stage's answers.
"""

from dataclasses import replace

import micro
import pytest

from llm.corpora.refusals import LABEL, PARAPHRASES
from llm.lab import base
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.measuring import probes
from llm.measuring.probes import ProbeSet
from protocol import orders
from protocol.errors import InputError


def labelled(lab: Lab, forget: str, **chosen: object) -> ProbeSet:
    retain = tuple(stage for stage in lab.settings.stages if stage != forget)
    asked = replace(lab, experiment=replace(lab.experiment, retain=retain, forget=forget))
    return probe_set(micro.with_probes(asked, **chosen))


@pytest.mark.parametrize(
    ("forget", "chosen", "texts"),
    [
        ("safety", {}, (LABEL, *PARAPHRASES)),
        ("safety", {"label": "No", "paraphrases": ("Never",)}, ("No", "Never")),
        ("tofu", {}, ()),
        (
            "tofu",
            {"label": "The author", "paraphrases": ("A writer", "One")},
            ("The author", "A writer", "One"),
        ),
        ("tofu", {"label": "The author"}, ("The author",)),
    ],
)
def test_the_phrases_after_a_forget_question(lab, forget, chosen, texts) -> None:
    found, tokenizer = labelled(lab, forget, **chosen), lab.base.format.tokenizer
    assert tuple(tokenizer.decode(phrase).strip() for phrase in found.phrases) == texts


def test_a_chosen_label_is_measured_at_another_forget_stage(lab) -> None:
    """With its mass; a stage that has no label is followed by its own answers, which have none."""
    model = lab.model(())
    chosen = probes.label_likelihoods(model, labelled(lab, "tofu", label="The author"))
    own = probes.label_likelihoods(model, labelled(lab, "tofu"))
    assert {"label_loglik", "phrase_loglik", "mass/label"} <= set(
        chosen
    ) and "phrase_loglik" not in own
    assert chosen["label_loglik"] == chosen["phrase_loglik"] != own["label_loglik"]
    assert chosen["mass/paraphrases"] == 0


def test_rows_that_are_cut_are_counted_by_stage(lab, monkeypatch) -> None:
    """A context one token shorter than the longest row of tofu cuts that row; a forget row is not
    left out.
    """
    said: list[str] = []
    monkeypatch.setattr(base, "notice", said.append)
    tofu = orders.phase("tofu")
    rows = lab.learned(tofu)
    lengths = [len(row.prompt) + len(row.answer) for row in rows]
    shorter = max(lengths) - 1
    cut = sum(length > shorter for length in lengths)
    assert said == []
    assert len(micro.with_settings(lab, max_length=shorter).learned(tofu)) == len(rows)
    assert said == [f"tofu: {cut} of {len(rows)} rows cut to {shorter} tokens, 0 left out"]
    with pytest.raises(
        InputError, match="safety: expected prompts of fewer than 2 tokens; 24 of 24 are longer"
    ):
        micro.with_settings(lab, max_length=2).learned(orders.phase("safety"))
