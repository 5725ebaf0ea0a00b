"""The configuration of a language-model experiment: frozen dataclasses with documented fields.

`llm.config.presets` has the named configurations. Every field is also an option: `replaced` puts
other values into a configuration, and `retrace llm --help` prints the docstrings.

An embedded model is an `Architecture` and is pretrained here; any other model is `Pretrained`. The
rows of a stage come from the embedded corpora, or from files.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from numbers import Real
from types import NoneType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from llm.corpora.refusals import LABEL, PARAPHRASES
from llm.models import Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.loading import ATTENTION
from llm.training.recipe import Recipe
from protocol.errors import InputError, known

Config = TypeVar("Config")
NUMBERS = {int: "a whole number", float: "a number", bool: "True or False"}


@dataclass(frozen=True)
class Files:
    """The files that hold the rows of a stage."""

    train: tuple[str, ...]
    """Files of training rows."""
    test: tuple[str, ...] = ()
    """Files of held-out rows; without one, held-out rows are drawn from the training files."""
    curation: str | None = None
    """None: the rows are learned as they are. "math": GSM8K answers are rewritten in steps.
    "safety": unsafe requests get refusals and are split 70/30. Both curations are those of
    `retrace data` without an endpoint."""
    skip_bad_rows: bool = False
    """Leave out rows that cannot be used, and say how many, instead of refusing the file."""


@dataclass(frozen=True)
class Stage:
    """The rows of one stage, and how the stage is trained."""

    train: int
    """Number of training rows."""
    held_out: int
    """Number of held-out rows."""
    recipe: Recipe
    """How the stage is trained."""
    files: Files | None = None
    """The files of the rows; None for generated rows."""


@dataclass(frozen=True)
class Probes:
    """What is measured: numbers of questions, how often, and how answers are sampled."""

    every: int = 1
    """Unlearning updates between two measurements; step 0 and the last step are always measured."""
    label: str | None = None
    """Beginning of an answer; its likelihood is measured after questions of the forget stage. By
    default the refusal if the stage safety is forgotten; otherwise the stage's own answers are
    measured instead."""
    paraphrases: tuple[str, ...] | None = None
    """Other beginnings of an answer, averaged with the label. By default the paper's 19 refusals if
    the stage safety is forgotten, otherwise none."""
    forget: int = 16
    """Number of training questions of the forget stage, and number of its held-out questions."""
    tofu: int = 32
    """Number of answers of the stage tofu, and number of answers of the stage math."""
    distance: int = 16
    """Number of held-out rows of each stage on which a model is compared with the retrained one."""
    fixed: int = 32
    """Number of answer positions of each stage at which predictions are kept, to compare paths with
    one another."""
    parameters: bool = False
    """Keep all parameters of every step, for the parameter rate; full fine-tuning or LoRA."""
    sums: int = 100
    """Number of held-out sums that the model answers; 0 for no math panel."""
    samples: int = 5
    """Number of sampled answers to every sum."""
    temperature: float = 0.7
    """Sampling temperature."""
    max_tokens: int = 40
    """Longest sampled answer, in tokens."""
    prompt: str = "{question}"
    """Text around a sum, with {question} in the place of the sum."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not isinstance(value, int | float):
                continue
            zero = name in ("tofu", "sums", "parameters")
            if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
                least = "≥ 0" if zero else "> 0"
                raise InputError(f"{option(name)}: expected a number {least}; got {value}")
        if "{question}" not in self.prompt:
            raise InputError(f"prompt: expected {{question}} in it; got {self.prompt!r}")
        if self.label is not None and not self.label.strip():
            raise InputError("label: expected the beginning of an answer; got an empty one")
        self._check_phrases()

    def _check_phrases(self) -> None:
        paraphrases = [phrase.strip() for phrase in self.paraphrases or ()]
        if not all(paraphrases):
            number = paraphrases.index("") + 1
            raise InputError(f"paraphrases: expected phrases; number {number} is empty")
        phrases = [(self.label or "").strip(), *paraphrases]
        twice = next((phrase for phrase in phrases if phrases.count(phrase) > 1), None)
        if twice is not None:
            expected = "expected phrases other than the label and one another"
            raise InputError(f"paraphrases: {expected}; got {twice!r} twice")

    def phrases(self, forget: str) -> tuple[str, ...]:
        """Label, then paraphrases, after a forget question; () to measure the stage's answers."""
        refusals = forget == "safety"
        label = LABEL if self.label is None and refusals else self.label
        if label is None:
            return ()
        if self.paraphrases is not None:
            return (label, *self.paraphrases)
        others = [phrase for phrase in PARAPHRASES if phrase != label]
        return (label, *others) if refusals else (label,)


@dataclass(frozen=True)
class Settings:
    """Everything the language-model side needs to run an experiment on one model."""

    model: Architecture | Pretrained
    """The model that learns the stages."""
    adaptation: Adaptation = Adaptation()
    """What is trained: all weights or an adapter."""
    precision: str = "fp32"
    """fp32, or bf16 for models with an adapter."""
    device: str = "cpu"
    """cpu, cuda, or auto: cuda if torch finds a GPU."""
    attention: str = "auto"
    """Implementation of attention: eager, sdpa, flash or flex (on a GPU), or auto for the choice of
    transformers."""
    max_length: int | None = None
    """Most tokens of a row; by default the model's context."""
    eval_batch: int = 64
    """Rows of one forward pass without gradients."""
    pretraining_rows: int = 19200
    """Number of rows on which an embedded model is pretrained."""
    pretraining: Recipe = field(default_factory=lambda: Recipe(lr=2e-3, decay=0.2))
    """How an embedded model is pretrained."""
    stages: dict[str, Stage] = field(default_factory=dict)
    """The stages by name."""
    unlearning: Recipe = field(default_factory=lambda: Recipe(lr=2e-4))
    """How the forget stage is unlearned."""
    retained: int = 64
    """Number of rows of the retained stages that a weakly local method reads."""
    shuffle: str = "stage"
    """What the order of a stage's rows derives from, together with the seed. stage: the stage's
    name. epoch: the running epoch as in the authors' code, so that the order of the rows depends on
    the stage's position."""
    probes: Probes = Probes()
    """What is measured."""

    def __post_init__(self) -> None:
        known("attention", self.attention, list(ATTENTION))
        if self.attention in ("flash", "flex") and self.device == "cpu":
            raise InputError(
                f"attention: expected auto, eager or sdpa on a CPU; {self.attention} needs a GPU"
            )
        least = {"max_length": 2, "eval_batch": 1, "pretraining_rows": 1, "retained": 1}
        for name, smallest in least.items():
            number = getattr(self, name)
            if number is not None and number < smallest:
                raise InputError(f"{option(name)}: expected at least {smallest}; got {number}")
        known("precision", self.precision, ["fp32", "bf16"])
        known("shuffle", self.shuffle, ["stage", "epoch"])
        if self.precision == "bf16" and self.adaptation.kind == "full":
            raise InputError(
                "precision: expected fp32 for full fine-tuning, as bfloat16 rounds its small "
                "updates away; got bf16: take an adapter (--adaptation.kind lora or qlora)"
            )
        if self.probes.parameters and self.adaptation.kind == "qlora":
            raise InputError(
                "probes.parameters: expected full fine-tuning or LoRA; got qlora, whose weights "
                "are NF4"
            )


def option(name: str) -> str:
    """A field's name as the command line writes it."""
    return name.replace("_", "-")


def replaced(config: Config, changes: Mapping[str, Any], path: str = "") -> Config:
    """A dataclass with other values of its fields; None leaves a field as it is.

    path: the option that `config` is the value of, "" for `Settings` itself. A field that is a
    dataclass takes a mapping of changes. Raises InputError with the path of the field for an
    unknown field, a value of another type, and a value that the dataclass refuses.
    """
    hints = get_type_hints(type(config))
    if not isinstance(changes, Mapping):
        raise InputError(f"{path}: expected values by field ({', '.join(hints)}); got {changes!r}")
    values: dict[str, Any] = {}
    for name, value in changes.items():
        known(path or "settings", name, list(hints))
        where = option(f"{path}.{name}" if path else name)
        before = getattr(config, name)
        if value is None:
            continue
        nested = is_dataclass(before)
        values[name] = (
            replaced(before, value, where) if nested else _typed(where, value, hints[name])
        )
    try:
        return replace(config, **values)  # type: ignore[type-var]
    except InputError as error:
        raise InputError(f"{path}.{error}" if path else str(error)) from error


def given_type(hint: Any) -> Any:
    """The type of a value that is given: the type of a field without None."""
    parts = get_args(hint)
    return parts[0] if NoneType in parts else hint


def _typed(where: str, value: Any, hint: Any) -> Any:
    """A value as its field's type; InputError if the value is of another type.

    Notebooks give 1 for 1.0, a list for a tuple, and numbers of NumPy.
    """
    kind = given_type(hint)
    if get_origin(kind) is tuple:
        kind, expected = tuple, "a sequence of texts"
        fits = isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    elif kind is str:
        expected, fits = "a text", isinstance(value, str)
    else:
        expected = NUMBERS[kind]
        fits = isinstance(value, Real) and math.isfinite(value) and kind(value) == value
    if not fits:
        raise InputError(f"{where}: expected {expected}; got {value!r}")
    return kind(value)
