"""The whole configuration of a language-model experiment, one frozen dataclass;
`llm.config.presets` has the named ones.

An embedded model is an `Architecture`, pretrained here; any other is `Pretrained`. A stage's rows
come from the embedded corpora, or from files.
"""

import math
from dataclasses import dataclass, field

from llm.corpora.refusals import LABEL, PARAPHRASES
from llm.models import Architecture, Pretrained
from llm.models.adapters import Adaptation
from llm.models.loading import ATTENTION
from llm.training.recipe import Recipe
from protocol.errors import InputError, known


@dataclass(frozen=True)
class Files:
    """Rows of a stage out of files; without a test file, held-out rows are drawn from the training
    files.

    curation: None for rows that are learned as they are; "math" for GSM8K answers that are
    rewritten in steps, "safety" for unsafe requests that get a refusal and are split 70/30, both as
    `retrace data` makes them without an endpoint. skip_bad_rows: leave out rows that cannot be
    used, with a notice of how many, instead of refusing the file.
    """

    train: tuple[str, ...]
    test: tuple[str, ...] = ()
    curation: str | None = None
    skip_bad_rows: bool = False


@dataclass(frozen=True)
class Stage:
    """Rows of one stage and how it is trained."""

    train: int
    held_out: int
    recipe: Recipe
    files: Files | None = None


@dataclass(frozen=True)
class Probes:
    """What is measured: numbers of questions, how often, and how answers are sampled."""

    every: int = 1
    """Unlearning updates between two measurements; step 0 and the last are always measured."""
    label: str | None = None
    """Beginning of an answer whose likelihood is followed; None: the refusal's of the stage safety,
    no other's.
    """
    paraphrases: tuple[str, ...] | None = None
    """Other beginnings, measured beside the label; None: the refusal's 19 of the stage safety, no
    other's.
    """
    forget: int = 16
    """Training and as many held-out questions of the forget stage."""
    tofu: int = 32
    """Answers of the stage tofu, and as many of the stage math."""
    distance: int = 16
    """Held-out rows of each stage on which a model is compared with the retrained one."""
    fixed: int = 32
    """Answer positions of each stage at which predictions are kept, to compare paths with one
    another.
    """
    parameters: bool = False
    """Keep all parameters of every step, for the parameter rate; full fine-tuning or LoRA."""
    sums: int = 100
    """Held-out sums to be answered; 0 for no math panel."""
    samples: int = 5
    """Sampled answers of every sum."""
    temperature: float = 0.7
    """Sampling temperature."""
    max_tokens: int = 40
    """Longest sampled answer, in tokens."""
    prompt: str = "{question}"
    """How a sum is asked."""

    def __post_init__(self) -> None:
        positive = ("every", "forget", "distance", "fixed", "samples", "temperature", "max_tokens")
        for name in (*positive, "tofu", "sums"):
            least = "> 0" if name in positive else "≥ 0"
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0 or (name in positive and value == 0):
                raise InputError(f"probes.{name}: expected a number {least}; got {value}")
        if "{question}" not in self.prompt:
            raise InputError(f"probes.prompt: expected {{question}} in it; got {self.prompt!r}")
        if self.label is not None and not self.label.strip():
            raise InputError("label: expected the beginning of an answer; got an empty one")
        phrases = [phrase.strip() for phrase in (self.label or "", *(self.paraphrases or ()))]
        if not all(phrases[1:]):
            raise InputError(
                f"paraphrases: expected phrases; number {phrases.index('', 1)} is empty"
            )
        twice = next(
            (phrase for place, phrase in enumerate(phrases) if phrase in phrases[:place]), None
        )
        if twice is not None:
            raise InputError(
                f"paraphrases: expected phrases other than the label and one another; got "
                f"{twice!r} twice"
            )

    def phrases(self, forget: str) -> tuple[str, ...]:
        """Label, then paraphrases, after a question of the forget stage; none where its own answers
        are followed.
        """
        refusals = forget == "safety"
        label = LABEL if self.label is None and refusals else self.label
        if label is None:
            return ()
        if self.paraphrases is not None:
            return (label, *self.paraphrases)
        return (
            (label, *(phrase for phrase in PARAPHRASES if phrase != label))
            if refusals
            else (label,)
        )


@dataclass(frozen=True)
class Settings:
    """Everything the language-model world needs to run an experiment on one model.

    retained: rows of the retained stages that a weakly local method sees · shuffle: what the order
    of a stage's rows derives from, beside the seed: its own name, or the running epoch as in the
    authors' code, where it depends on the stage's position · attention: the implementation of
    attention, see llm.models.loading.ATTENTION · max_length: most tokens of a row, None for the
    model's context · eval_batch: rows of one forward pass without gradients.
    """

    model: Architecture | Pretrained
    adaptation: Adaptation = Adaptation()
    precision: str = "fp32"
    device: str = "cpu"
    attention: str = "auto"
    max_length: int | None = None
    eval_batch: int = 64
    pretraining_rows: int = 19200
    pretraining: Recipe = field(default_factory=lambda: Recipe(lr=2e-3, decay=0.2))
    stages: dict[str, Stage] = field(default_factory=dict)
    unlearning: Recipe = field(default_factory=lambda: Recipe(lr=2e-4))
    retained: int = 64
    shuffle: str = "stage"
    probes: Probes = Probes()

    def __post_init__(self) -> None:
        known("attention", self.attention, list(ATTENTION))
        if self.attention in ("flash", "flex") and self.device == "cpu":
            raise InputError(
                f"attention: expected auto, eager or sdpa on a CPU, which {self.attention} does "
                f"not train on"
            )
        for argument, number, least in (
            ("max-length", self.max_length, 2),
            ("eval-batch", self.eval_batch, 1),
        ):
            if number is not None and number < least:
                raise InputError(f"{argument}: expected at least {least}; got {number}")
        known("precision", self.precision, ["fp32", "bf16"])
        known("shuffle", self.shuffle, ["stage", "epoch"])
        if self.precision == "bf16" and self.adaptation.kind == "full":
            raise InputError(
                "precision: expected fp32 for full fine-tuning, whose small updates bfloat16 "
                "rounds away; got bf16: "
                "take an adapter (lora, qlora)"
            )
        if self.probes.parameters and self.adaptation.kind == "qlora":
            raise InputError(
                "probes.parameters: expected full fine-tuning or LoRA; got qlora, whose weights "
                "are NF4"
            )
