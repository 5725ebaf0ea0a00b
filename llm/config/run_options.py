"""The options of an experiment that are no settings: model, stages, files, methods and seeds."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from llm.config.presets import STAGES
from llm.config.settings import Files, Settings, Stage, option
from llm.models import EMBEDDED
from llm.models.catalogue import CATALOGUE, named
from protocol.errors import InputError, known

ByStage = dict[str, str | tuple[str, ...]]  # files by stage: one, or several
SEEDS = {"tiny-llama": 3, "tiny-qwen2": 2}  # shuffle seeds by default; 1 for any other model
DEFAULT_MODELS = tuple(SEEDS)


@dataclass(frozen=True)
class RunOptions:
    """What is chosen of an experiment apart from its settings."""

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


def several(files: str | tuple[str, ...]) -> tuple[str, ...]:
    """One file, or several, as several."""
    return (files,) if isinstance(files, str) else tuple(files)


def own_stage(name: str, settings: Settings, options: RunOptions) -> Stage:
    """A stage the preset does not have: learned once, with the recipe of the other stages."""
    if name not in options.rows:
        raise InputError(f"rows: expected a number for {name}, as the preset has none; got none")
    others = next(iter(settings.stages.values()))
    return Stage(options.rows[name], 32, replace(others.recipe, epochs=1))


def files_of(name: str, stage: Stage, embedded: bool, options: RunOptions) -> Files | None:
    """The chosen files, else the preset's public files; None for generated rows."""
    if name in options.data:
        files = Files(several(options.data[name]), several(options.test_data.get(name, ())))
    elif stage.files is None or embedded:
        return None
    else:
        files = stage.files
    return replace(files, skip_bad_rows=options.skip_bad_rows)


def check_stages(options: RunOptions, there: Mapping[str, Stage]) -> None:
    """InputError for stages without a preset or a file, and for names that no order can hold."""
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


def seeds_of(model: str, options: RunOptions) -> tuple[int, ...]:
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


def device_of(device: str | None) -> str:
    """cpu or cuda, by default cuda if torch finds a GPU; InputError for a GPU that is not there."""
    device = known("device", device or "auto", ["auto", "cpu", "cuda"])
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


def check_model(model: str) -> None:
    """InputError for a name that can be no model's."""
    if not (model in EMBEDDED or named(model) or Path(model).is_dir() or model.count("/") == 1):
        names = ", ".join([*EMBEDDED, *CATALOGUE])
        raise InputError(
            f"model: expected one of {names}, a directory, or a hub id OWNER/NAME; got {model!r}"
        )


def name_of(model: str) -> str:
    """A model's name in records: the catalogue's, in any case; of a directory its last part."""
    entry = named(model)
    if entry is None:
        return Path(model).name if Path(model).is_dir() else model
    sibling = CATALOGUE[entry].sibling
    return sibling if model.casefold() == sibling.casefold() else entry
