"""`retrace llm positions --preset paper` on the paper's five models: small ones of their layouts,
as the hub has them.

Everything is taken by the names that are typed and those of the preset: hub ids, the sibling's
template, public files.
"""

import json
import time
from pathlib import Path
from unittest import mock

import hub
import micro
import polars as pl
import pytest

import retrace
from llm.config.options import Options, base_experiment
from llm.corpora import Example
from llm.data.chat import encode
from llm.lab import run as lab_run
from llm.lab import stages
from llm.lab.lab import Lab
from llm.models.catalogue import CATALOGUE
from llm.store.artifacts import open_store
from protocol import notices, records

PAPERS = [
    name for name in CATALOGUE if name != "llama-3.2-3b"
]  # of the positions; that one is the depth's
END = {"llama-3": "<|eot_id|>", "llama-2": "</s>", "qwen2.5": "<|im_end|>"}
# Four rows of each stage to learn, two steps of unlearning, one method; all else is the preset's.
SMALL = (
    "--preset paper --quick --methods GA --rows inst 4 tofu 4 math 4 safety 8 --held-out inst 2 "
    "tofu 2 math 2 safety 2 "
    "--learning.epochs 1 --learning.batch 4 --learning.micro-batch 4 "
    "--unlearning.batch 4 --unlearning.micro-batch 4 --device cpu "
    "--probes.forget 2 --probes.tofu 2 --probes.distance 2 --probes.fixed 4 --probes.sums 2 "
    "--probes.samples 1 --probes.max-tokens 3 --out out --runs runs"
)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(notices.LOGGER, "warning", lines.append)
    notices.reset()
    return lines


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_experiment_runs_on_a_model_of_the_papers_layout(
    name, tmp_path, monkeypatch, said, capsys
) -> None:
    """From the hub id to the records: the paper's rows, template, adapter and methods, at every
    path and step.
    """
    monkeypatch.chdir(tmp_path)
    hub.give_model(tmp_path / "hub", name)
    hub.give_files(tmp_path / "hub")
    stages.from_files.cache_clear()  # the same names were other files before
    with (
        hub.standing_in(tmp_path / "hub") as fetched,
        mock.patch.object(lab_run, "run_all", micro.in_turn),
    ):
        retrace.main(["llm", "positions", "--model", CATALOGUE[name].hub_id, *SMALL.split()])
        lab = Lab(base_experiment(name, Options(preset="paper")), 0, open_store(Path("runs")))
        form = lab.base.format
    assert "records: out/records" in capsys.readouterr().out
    assert {
        "PrincetonPLI/Instruct-SkillMix-SDA",
        "locuslab/TOFU",
        "openai/gsm8k",
        "sorry-bench/sorry-bench-202406",
    } <= {"/".join(source.split("/")[:2]) for source in fetched}
    assert not any("generated rows" in line or "Table 2" in line for line in said)

    (family,) = [end for start, end in END.items() if name.startswith(start)]
    row = encode(form, Example("Who?", "The author."))
    assert form.tokenizer.decode(row.answer).strip().endswith(family) and form.end == row.answer[-1]
    assert form.tokenizer.convert_ids_to_tokens(form.end) == family
    assert form.tokenizer.decode(row.answer[:-1]).strip() == "The author."
    assert time.strftime("%Y") not in form.tokenizer.decode(row.prompt), "no date of today"

    (adapter, *_) = tmp_path.glob("runs/artifacts/*/adapter_config.json")
    how = json.loads(adapter.read_text(encoding="utf-8"))
    assert (how["r"], how["lora_alpha"]) == (CATALOGUE[name].rank, CATALOGUE[name].alpha)

    tables = records.read(tmp_path / "out" / "records" / "llm" / "positions").tables.records
    unlearned = tables.filter(pl.col("position") > 0)
    assert set(unlearned["model"]) == {name}
    assert set(unlearned["position"]) == {1, 2, 3, 4} and set(unlearned["method"]) == {"GA"}
    label = unlearned.filter(metric="label_loglik").sort("position", "step")
    assert label["step"].to_list() == [0, 1, 2] * 4
    assert label["value"].is_finite().all() and (label["value"] < 0).all()
    assert {
        "tofu_loglik",
        "math_loglik",
        "phrase_loglik",
        "re_distance/math",
        "math_accuracy",
    } <= set(unlearned["metric"])


@pytest.mark.parametrize("name", PAPERS)
def test_the_layouts_are_those_of_the_real_models(name, tmp_path) -> None:
    """What is known of each: class, tied embeddings, rope, end tokens of base and sibling, a
    template in the base.
    """
    hub.give_model(tmp_path, name)
    base = json.loads(
        (tmp_path / CATALOGUE[name].hub_id / "config.json").read_text(encoding="utf-8")
    )
    kind = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}[
        CATALOGUE[name].architecture.family
    ]
    assert base["architectures"] == [kind]
    assert base["tie_word_embeddings"] == CATALOGUE[name].architecture.tied
    assert (base["rope_parameters"]["rope_type"] == "llama3") == name.startswith("llama-3")
    own = hub.LAYOUTS[name][0](None)
    assert bool(own.chat_template) == name.startswith("qwen")
    if name.startswith("llama-3"):
        end = own.convert_tokens_to_ids("<|eot_id|>")
        assert end not in own.all_special_ids and own.added_tokens_decoder[end].special
