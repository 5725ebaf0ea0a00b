"""Choices in their places: the stages, adapter, probes and device of a preset with what was chosen
instead.

Whatever cannot be chosen is an InputError that names the option.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from llm.config.choices import ByStage, Options
from llm.config.settings import Files, Probes, Settings, Stage
from llm.corpora.refusals import LABEL
from llm.models.adapters import Adaptation
from llm.training.recipe import Recipe
from protocol.errors import InputError, known


def device_of(chosen: str) -> str:
    """The device of a choice; InputError for a GPU that is not there."""
    known("device", chosen, ["auto", "cpu", "cuda"])
    there = torch.cuda.is_available()
    if chosen == "cuda" and not there:
        raise InputError("device: expected a CUDA GPU; torch finds none: take cpu")
    return "cuda" if chosen != "cpu" and there else "cpu"


def trained(training: Recipe, lr: float | None, options: Options) -> Recipe:
    """A training with the chosen rate and batches."""
    changes: dict[str, Any] = {
        "lr": lr,
        "batch": options.batch,
        "micro_batch": options.micro_batch,
    }
    return replace(
        training, **{name: value for name, value in changes.items() if value is not None}
    )


def _own(name: str, settings: Settings, options: Options) -> Stage:
    """A stage the preset does not have: its rows from a file, learned once, the way the others are."""
    if name not in options.rows:
        raise InputError(f"rows: expected a number for {name}, as the preset has none; got none")
    others = next(iter(settings.stages.values()))
    return Stage(options.rows[name], 32, replace(others.recipe, epochs=1))


def several(files: str | tuple[str, ...]) -> tuple[str, ...]:
    """One file, or several, as several."""
    return (files,) if isinstance(files, str) else tuple(files)


def _files(name: str, stage: Stage, embedded: bool, options: Options) -> Files | None:
    """The files that are chosen, else the preset's public ones; an embedded model learns generated
    rows.
    """
    if name in options.data:
        files = Files(several(options.data[name]), several(options.test_data.get(name, ())))
    elif stage.files is None or embedded:
        return None
    else:
        files = stage.files
    return replace(files, skip_bad_rows=options.skip_bad_rows)


def stage_of(name: str, settings: Settings, embedded: bool, options: Options) -> Stage:
    """A stage of the preset, or one of a name of its own, with its rows, epochs and files as
    chosen.
    """
    stage = settings.stages[name] if name in settings.stages else _own(name, settings, options)
    training = trained(stage.recipe, options.lr, options)
    return Stage(
        options.rows.get(name, stage.train),
        options.held_out.get(name, stage.held_out),
        replace(training, epochs=options.epochs.get(name, training.epochs)),
        _files(name, stage, embedded, options),
    )


def _phrases(source: str) -> tuple[str, ...]:
    """The lines of a file of paraphrases."""
    try:
        lines = Path(source).read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "its text is not UTF-8"
        raise InputError(
            f"paraphrases: expected a file with one phrase a line; {source}: {said}"
        ) from error
    phrases = tuple(line.strip() for line in lines)
    if not all(phrases):
        raise InputError(
            f"paraphrases: expected a phrase in every line; line {phrases.index('') + 1} of "
            f"{source} is empty"
        )
    return phrases


def _labelled(probes: Probes, options: Options) -> Probes:
    """The chosen label and paraphrases; those of a preset are refusals, which are no answer of
    another stage.
    """
    if options.forget != "safety":
        if options.paraphrases is not None and options.label is None:
            raise InputError(
                f"paraphrases: expected with --label, as the stage {options.forget} has no "
                f"label; add one"
            )
        probes = replace(probes, label=None, paraphrases=None)
    if options.label is not None:
        probes = replace(probes, label=options.label.strip())
    if options.paraphrases is None:
        return probes
    return replace(probes, label=probes.label or LABEL, paraphrases=_phrases(options.paraphrases))


def probes_of(probes: Probes, options: Options) -> Probes:
    """The preset's probes with the chosen numbers in their place."""
    kinds = {
        name: type(value) for name, value in vars(probes).items() if isinstance(value, int | float)
    }
    chosen: dict[str, Any] = {}
    for name, number in options.probes.items():
        kind = kinds[known("probes", name, list(kinds))]
        if not math.isfinite(number) or (kind is not float and number != int(number)):
            wanted = "a number" if kind is float else "a whole number"
            raise InputError(f"probes: expected {wanted} for {name}; got {number:g}")
        chosen[name] = kind(number)
    if options.math_prompt is not None:
        chosen["prompt"] = options.math_prompt
    return _labelled(replace(probes, **chosen), options)


def check_names(options: Options, there: Mapping[str, Stage]) -> None:
    """InputError for stages that neither the preset (`there`) nor a file has, or that no order
    could name.
    """
    for name in options.stages:
        known("stages", name, list(dict.fromkeys([*there, *options.data])))
        if not re.fullmatch(r"[\w.-]+", name):
            raise InputError(
                f"stages: expected names of letters, digits, dots, - and _; got {name!r}"
            )
    if len(options.stages) < 2:
        chosen = ", ".join(options.stages) or "none"
        raise InputError(f"stages: expected the forget stage and at least one other; got {chosen}")
    known("forget", options.forget, list(options.stages))
    for argument in ("data", "test_data", "rows", "held_out", "epochs"):
        for name in getattr(options, argument):
            known(argument.replace("_", "-"), name, list(options.stages))
    _check_files("data", options.data)
    _check_files("test-data", options.test_data)
    alone = [name for name in options.test_data if name not in options.data]
    if alone:
        raise InputError(
            f"test-data: expected training rows in data, too; {', '.join(alone)} has none"
        )


def _check_files(argument: str, by_stage: ByStage) -> None:
    for name, chosen in by_stage.items():
        files = several(chosen)
        if not files or len(set(files)) < len(files):
            raise InputError(
                f"{argument}: expected files for {name}, each once; got "
                f"{', '.join(files) or 'none'}"
            )


def adapted(adaptation: Adaptation, options: Options) -> Adaptation:
    """A preset's adaptation with every choice in its place; InputError for what has no use."""
    adaptation = replace(
        adaptation,
        kind=options.adaptation or adaptation.kind,
        new_adapter_each_stage=options.new_adapter_each_stage,
    )
    chosen: dict[str, Any] = {
        "rank": options.rank, "alpha": options.alpha, "dropout": options.dropout, "targets": options.lora_targets
    }  # fmt: skip
    given = [name for name, value in chosen.items() if value is not None] + [
        "new_adapter_each_stage"
    ] * options.new_adapter_each_stage
    if given and adaptation.kind == "full":
        name = "lora-targets" if given[0] == "targets" else given[0]
        raise InputError(
            f"{name}: expected with --adaptation lora or qlora; all weights are trained: leave "
            f"it out"
        )
    if options.rank is not None and options.alpha is None:
        chosen["alpha"] = 2 * options.rank
    return replace(
        adaptation, **{name: value for name, value in chosen.items() if value is not None}
    )
