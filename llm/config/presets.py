"""Named configurations; `llm.config.options` puts the options into them.

embedded: sizes measured to fit 2 cores · paper: Section 4 and Table 2 of arXiv 2510.16629 ·
authors-code: what the published code and its configurations do where they differ from the text. The
last two learn the paper's rows (`llm.config.public`), as many as the public files have. An embedded
model learns generated rows under every preset, as many as `embedded` takes, and answers as briefly
(`on_generated_rows`).
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm.config.methods import METHODS
from llm.config.public import PUBLIC
from llm.config.settings import Probes, Settings, Stage
from llm.models import EMBEDDED
from llm.models.adapters import Adaptation
from llm.models.catalogue import Paper
from llm.training.recipe import Recipe
from protocol.spec import Method

STAGES = ("inst", "tofu", "math", "safety")
STEPS_PROMPT = "{question}\nReason step by step and end with a line '#### ' and the final number."
# Rows of the public files, see `llm.config.public`.
ROWS, HELD_OUT = (4000, 4000, 7000, 4410), (200, 200, 1319, 200)


def _stages(
    rows: Sequence[int], epochs: Sequence[int], held_out: Sequence[int], how: Recipe
) -> dict[str, Stage]:
    return {
        name: Stage(train, held, replace(how, epochs=times))
        for name, train, times, held in zip(STAGES, rows, epochs, held_out, strict=True)
    }


def _public(epochs: Sequence[int], how: Recipe) -> dict[str, Stage]:
    stages = _stages(ROWS, epochs, HELD_OUT, how)
    return {name: replace(stage, files=PUBLIC[name]) for name, stage in stages.items()}


EMBEDDED_SIZE = Settings(
    EMBEDDED["tiny-llama"],
    stages=_stages((320, 400, 1600, 640), (6, 4, 2, 1), (32, 32, 100, 32), Recipe(lr=5e-4)),
)
PAPER = Settings(
    EMBEDDED["tiny-llama"],
    adaptation=Adaptation("lora"),
    stages=_public((10, 4, 2, 2), Recipe(1e-5, batch=128, micro_batch=8)),
    unlearning=Recipe(1e-5, batch=128, micro_batch=8),
    probes=Probes(sums=1319, max_tokens=512, prompt=STEPS_PROMPT),
)
AUTHORS_CODE = replace(
    PAPER,
    adaptation=Adaptation(
        "lora", targets=("q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    ),
    stages=_public(
        (8, 2, 2, 5), Recipe(5e-5, batch=64, micro_batch=8, schedule="cosine", warmup=10)
    ),
    unlearning=Recipe(1e-5, batch=160, micro_batch=8, warmup=5, decay=0.8, floor=0.1),
    shuffle="epoch",
    probes=replace(PAPER.probes, label="Sorry, I can not assist"),
)


def on_generated_rows(settings: Settings) -> Settings:
    """A preset of the paper for an embedded model, with the row counts of the generated corpora.

    The sums and the tokens of an answer are those of the preset `embedded`, too.
    """
    sizes = EMBEDDED_SIZE.stages
    stages = {
        name: replace(stage, train=sizes[name].train, held_out=sizes[name].held_out)
        for name, stage in settings.stages.items()
    }
    few = EMBEDDED_SIZE.probes
    probes = replace(settings.probes, sums=few.sums, max_tokens=few.max_tokens)
    return replace(settings, stages=stages, probes=probes)


PRESETS = {"embedded": EMBEDDED_SIZE, "paper": PAPER, "authors-code": AUTHORS_CODE}
# SimNPO of the paper and of its code has β = 1; the β at which it acts on improbable answers is a
# method of its own.
PAPER_SIMNPO = {
    "SimNPO": Method("SimNPO", "simnpo", (("beta", 1.0),)),
    "SimNPO-beta0.2": Method("SimNPO-beta0.2", "simnpo", (("beta", 0.2),)),
}
PRESET_METHODS: dict[str, Mapping[str, Method]] = {
    "embedded": METHODS,
    "paper": ChainMap(PAPER_SIMNPO, METHODS),
    "authors-code": ChainMap(
        {"GA": Method("GA", "gradient_ascent", reduction="tokens")}, PAPER_SIMNPO, METHODS
    ),
}
# The paper's three, SimNPO as it was published first, and the paper's form at the other β.
METHODS_BY_DEFAULT = {
    "embedded": ("GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta1"),
    "paper": ("GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta0.2"),
    "authors-code": ("GA", "NPO", "SimNPO", "SimNPO-original", "SimNPO-beta0.2"),
}
# A message before every conversation.
SYSTEM = {"authors-code": "You are a helpful assistant."}


@dataclass(frozen=True)
class Depth:
    """How the depth experiment learns C, U and R, and unlearns U."""

    learning: Recipe
    unlearning: Recipe
    adaptation: Adaptation = Adaptation()
    precision: str = "fp32"


_GENTLY = Recipe(lr=0.02, epochs=5, batch=8, schedule="cosine", warmup=0.03, optimizer="sgd")
_WHOLE = Recipe(lr=5e-4, epochs=20, batch=40, schedule="constant", optimizer="sgd")
DEPTH = {
    "embedded": Depth(_GENTLY, _WHOLE),
    "paper": Depth(
        replace(_GENTLY, lr=1e-5, micro_batch=8),
        replace(_WHOLE, lr=5e-5, micro_batch=8),
        Adaptation("qlora", 16, 32, dropout=0.05),
        "bf16",
    ),
}


def table2(settings: Settings, paper: Paper, preset: str) -> Settings:
    """The preset with Table 2's adapter for a model; under `paper` its rates and batches, too."""
    settings = replace(
        settings, adaptation=replace(settings.adaptation, rank=paper.rank, alpha=paper.alpha)
    )
    if preset != "paper":
        return settings
    stages = {
        name: replace(stage, recipe=replace(stage.recipe, lr=paper.lr, batch=paper.batch))
        for name, stage in settings.stages.items()
    }
    unlearning = replace(settings.unlearning, lr=paper.unlearning_lr, batch=paper.unlearning_batch)
    return replace(settings, stages=stages, unlearning=unlearning)
