"""The options of an experiment, on the command line and in a notebook.

`Options` holds what is no setting (stages, files, seeds …) and changes of the settings: a mapping
for each nested dataclass of `llm.config.settings`, a value for each other field. A setting that is
left out is the preset's. `llm.config.options` makes settings and an experiment of the options.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from llm.config.presets import STAGES
from llm.config.settings import Probes, Stage, option
from llm.models.adapters import Adaptation
from llm.training.recipe import Recipe
from protocol.errors import InputError, known

ByStage = dict[str, str | tuple[str, ...]]  # files by stage: one, or several
Changes = Mapping[str, Any]  # values by field; None or no entry: the preset's value
SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # shuffle seeds by default; 1 for any other model
DEFAULT_MODELS = tuple(SEEDS)
# The options that are changes of a dataclass; `learning` changes the recipes of all stages.
GROUPS: dict[str, type] = {
    "learning": Recipe,
    "unlearning": Recipe,
    "pretraining": Recipe,
    "adaptation": Adaptation,
    "probes": Probes,
}
READ_FROM_FILES = ("paraphrases",)  # fields of the groups with an option of their own
# The options that are one field of Settings each.
SCALARS = (
    "precision",
    "device",
    "attention",
    "max_length",
    "eval_batch",
    "retained",
    "shuffle",
    "pretraining_rows",
)


@dataclass(frozen=True)
class Options:
    """What is chosen: the data, how a model is trained and unlearned, and what is measured."""

    preset: str | None = None
    """embedded, paper or authors-code; by default paper for the paper's models, else embedded."""
    revision: str | None = None
    """Revision of a hub id."""
    template: str | None = None
    """Chat template: own, plain, a .jinja file, or a directory or hub id whose tokenizer has one;
    own:NAME or SOURCE:NAME if there are several."""
    system: str | None = None
    """System message before every conversation."""
    stages: tuple[str, ...] = STAGES
    """Stages in the order the retained ones are trained; the forget stage is among them. A stage
    with a name of its own needs its file and its number of rows."""
    forget: str = "safety"
    """The stage to be unlearned."""
    data: ByStage = field(default_factory=dict)
    """Files by stage: STAGE FILE …; a stage is repeated for each of its files. By default the
    public files of the presets paper and authors-code, else generated rows."""
    test_data: ByStage = field(default_factory=dict)
    """Files of held-out rows by stage; by default these rows are drawn from the files of data."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and say how many, instead of refusing the file."""
    rows: dict[str, int] = field(default_factory=dict)
    """Training rows by stage."""
    held_out: dict[str, int] = field(default_factory=dict)
    """Held-out rows by stage."""
    epochs: dict[str, int] = field(default_factory=dict)
    """Epochs by stage."""
    methods: tuple[str, ...] | None = None
    """Unlearning methods; by default the experiment's."""
    include_mixture: bool = False
    """Train the i.i.d. mixture of all stages, too: as many shuffles as there are paths."""
    seeds: int | None = None
    """Number of shuffle seeds, from 0 on; by default 3 for tiny-llama, 2 for tiny-qwen2, else 1."""
    seed_list: tuple[int, ...] | None = None
    """Shuffle seeds by value, in place of their number."""
    base: int = 0
    """Seed of pretraining and generated corpora."""
    paraphrases: str | None = None
    """File of other beginnings of an answer, one a line; by default 19 refusals for the stage
    safety, none for another stage."""
    quick: bool = False
    """One seed, half the pretraining, and few probe questions."""

    # Settings: the docstrings are those of the fields in llm.config.settings.
    learning: Changes = field(default_factory=dict)
    unlearning: Changes = field(default_factory=dict)
    pretraining: Changes = field(default_factory=dict)
    adaptation: Changes = field(default_factory=dict)
    probes: Changes = field(default_factory=dict)
    precision: str | None = None
    device: str | None = None
    attention: str | None = None
    max_length: int | None = None
    eval_batch: int | None = None
    retained: int | None = None
    shuffle: str | None = None
    pretraining_rows: int | None = None


def changes_of(options: Options, group: str) -> dict[str, Any]:
    """The changes of a group without the fields that are left open."""
    changes = getattr(options, group)
    if not isinstance(changes, Mapping):
        raise InputError(f"{group}: expected values by field, as in {{'…': 1}}; got {changes!r}")
    return {name: value for name, value in changes.items() if value is not None}


def several(files: str | tuple[str, ...]) -> tuple[str, ...]:
    """One file, or several, as several."""
    return (files,) if isinstance(files, str) else tuple(files)


def check_stages(options: Options, there: Mapping[str, Stage]) -> None:
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
        stages = ", ".join(options.stages) or "none"
        raise InputError(f"stages: expected the forget stage and at least one other; got {stages}")
    known("forget", options.forget, list(options.stages))
    for argument in ("data", "test_data", "rows", "held_out", "epochs"):
        for name in getattr(options, argument):
            known(option(argument), name, list(options.stages))
    _check_files("data", options.data)
    _check_files("test-data", options.test_data)
    alone = [name for name in options.test_data if name not in options.data]
    if alone:
        raise InputError(
            f"test-data: expected training rows in data, too; {', '.join(alone)} has none"
        )


def _check_files(argument: str, by_stage: ByStage) -> None:
    for name, given in by_stage.items():
        files = several(given)
        if not files or len(set(files)) < len(files):
            got = ", ".join(files) or "none"
            raise InputError(f"{argument}: expected files for {name}, each once; got {got}")


def seeds_of(model: str, options: Options) -> tuple[int, ...]:
    """The shuffle seeds of a model; InputError if there is none, or one twice."""
    if options.seed_list is None:
        usual = 1 if options.quick else SEEDS.get(model, 1)
        count = usual if options.seeds is None else options.seeds
        if count < 1:
            raise InputError(f"seeds: expected at least 1; got {count}")
        return tuple(range(count))
    seeds = options.seed_list
    if options.seeds is not None:
        raise InputError("seed-list: expected in place of seeds; got both: leave one out")
    if not seeds or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        got = ", ".join(map(str, seeds)) or "none"
        raise InputError(f"seed-list: expected seeds from 0 on, each once; got {got}")
    return seeds


def device_of(options: Options) -> str:
    """The chosen device; InputError for a GPU that is not there."""
    device = known("device", options.device or "auto", ["auto", "cpu", "cuda"])
    gpu = torch.cuda.is_available()
    if device == "cuda" and not gpu:
        raise InputError("device: expected a CUDA GPU; torch finds none: take cpu")
    return "cuda" if device != "cpu" and gpu else "cpu"


def phrases_of(source: str) -> tuple[str, ...]:
    """The lines of a file of paraphrases."""
    try:
        lines = Path(source).read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its text is not UTF-8"
        raise InputError(
            f"paraphrases: expected a file with one phrase a line; {source}: {reason}"
        ) from error
    phrases = tuple(line.strip() for line in lines)
    if not all(phrases):
        number = phrases.index("") + 1
        raise InputError(
            f"paraphrases: expected a phrase in every line; line {number} of {source} is empty"
        )
    return phrases
