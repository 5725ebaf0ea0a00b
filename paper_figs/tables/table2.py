"""Table 2: learning rates, batch sizes and LoRA of the fine-tuning and of unlearning, the paper's
models and ours.

Ours are read from the configurations saved beside the records: a row per model and setting, with
the experiments that share it. Where the stages of one setting differ, all their values stand there;
fine-tuning of all weights has no rank.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from paper_figs.published import numbers
from paper_figs.tables.text import MISSING

PAPER = "arXiv 2510.16629"
HEAD = (
    "Model", "Experiments", "Tuning", "SFT lr", "Unlearning lr", "SFT batch", "Unlearning batch", "LoRA rank",
    "LoRA alpha",
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
            str(row["model"]),
            PAPER,
            TUNING["lora"],
            rate(row["sft_lr"]),
            rate(row["unlearn_lr"]),
            str(row["sft_batch"]),
            str(row["unlearn_batch"]),
            str(row["lora_rank"]),
            str(row["lora_alpha"]),
        )
        for row in numbers.table2().iter_rows(named=True)
    ]


def _row(spec: Mapping[str, Any]) -> Row:
    settings = spec["settings"]
    adaptation, unlearning = settings["adaptation"], settings["unlearning"]
    learning = [stage["recipe"] for stage in settings["stages"].values()]
    rank, alpha = (
        MISSING if adaptation["kind"] == "full" else str(adaptation[name])
        for name in ("rank", "alpha")
    )
    return Row(
        spec["model"],
        spec["name"],
        TUNING[adaptation["kind"]],
        _all(rate(one["lr"]) for one in learning),
        rate(unlearning["lr"]),
        _all(str(one["batch"]) for one in learning),
        str(unlearning["batch"]),
        rank,
        alpha,
    )


def ours(specs: Mapping[str, str]) -> list[Row]:
    """Our language models, from configurations as JSON by hash; one row for all experiments of
    equal settings.

    A configuration of another world may be any JSON; only experiments of the language models name
    "llm" as theirs.
    """
    every = map(json.loads, specs.values())
    found = [_row(spec) for spec in every if isinstance(spec, dict) and spec.get("world") == "llm"]
    shared: dict[Row, list[str]] = {}
    for row in found:
        shared.setdefault(row._replace(experiments=""), []).append(row.experiments)
    return sorted(row._replace(experiments=_all(sorted(names))) for row, names in shared.items())
