"""Table 2: learning rates, batch sizes and LoRA of fine-tuning and unlearning, published and ours.

Ours are read from the configurations saved with the records: a row per model and setting, with the
experiments that share it. If the stages of one setting differ, the cell lists all their values.
Fine-tuning of all weights has no rank.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from paper_figs.published import numbers
from paper_figs.tables.text import MISSING
from protocol.errors import InputError

PAPER = "arXiv 2510.16629"
HEAD = (
    "Model", "Experiments", "Tuning", "SFT lr", "Unlearning lr", "SFT batch", "Unlearning batch",
    "LoRA rank", "LoRA alpha",
)  # fmt: skip
TUNING = {"full": "all weights", "lora": "LoRA", "qlora": "QLoRA"}


class Row(NamedTuple):
    """One line of the table, as printed."""

    model: str
    experiments: str
    tuning: str
    sft_lr: str
    unlearning_lr: str
    sft_batch: str
    unlearning_batch: str
    lora_rank: str
    lora_alpha: str


def rate(value: float) -> str:
    """A learning rate as the paper writes it: "5e-5", "1.5e-4"."""
    return np.format_float_scientific(value, precision=3, trim="-", exp_digits=1)


def _all(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


def printed() -> list[Row]:
    """The paper's Table 2; all its models were tuned with LoRA."""
    return [
        Row(
            model=str(row["model"]),
            experiments=PAPER,
            tuning=TUNING["lora"],
            sft_lr=rate(row["sft_lr"]),
            unlearning_lr=rate(row["unlearn_lr"]),
            sft_batch=str(row["sft_batch"]),
            unlearning_batch=str(row["unlearn_batch"]),
            lora_rank=str(row["lora_rank"]),
            lora_alpha=str(row["lora_alpha"]),
        )
        for row in numbers.table2().iter_rows(named=True)
    ]


def _row(spec: Mapping[str, Any]) -> Row:
    settings = spec["settings"]
    if not all("recipe" in stage for stage in settings["stages"].values()):
        raise InputError(
            f"records: expected a recipe for each stage of {spec['name']}; the records of "
            f"{spec['model']} are of an earlier version: run the command that wrote them again"
        )
    adaptation, unlearning = settings["adaptation"], settings["unlearning"]
    learning = [stage["recipe"] for stage in settings["stages"].values()]
    lora = adaptation["kind"] != "full"
    return Row(
        model=spec["model"],
        experiments=spec["name"],
        tuning=TUNING[adaptation["kind"]],
        sft_lr=_all(rate(recipe["lr"]) for recipe in learning),
        unlearning_lr=rate(unlearning["lr"]),
        sft_batch=_all(str(recipe["batch"]) for recipe in learning),
        unlearning_batch=str(unlearning["batch"]),
        lora_rank=str(adaptation["rank"]) if lora else MISSING,
        lora_alpha=str(adaptation["alpha"]) if lora else MISSING,
    )


def _of_language_models(specs: Iterable[str]) -> list[Mapping[str, Any]]:
    """Only the language models' configurations name the world "llm"; others may be any JSON."""
    loaded = map(json.loads, specs)
    return [spec for spec in loaded if isinstance(spec, dict) and spec.get("world") == "llm"]


def ours(specs: Mapping[str, str]) -> list[Row]:
    """Our language models, from configurations as JSON by hash; equal settings share a row."""
    experiments: dict[Row, list[str]] = {}
    for spec in _of_language_models(specs.values()):
        row = _row(spec)
        experiments.setdefault(row._replace(experiments=""), []).append(row.experiments)
    return sorted(
        row._replace(experiments=_all(sorted(names))) for row, names in experiments.items()
    )
