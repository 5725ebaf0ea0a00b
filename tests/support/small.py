"""Every experiment of the language models at micro size, in this process: what is typed stays as a
page has it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import micro

from llm.config import options
from llm.config.presets import DEPTH
from llm.config.settings import Settings, Stage
from llm.lab import run as lab_run
from llm.models import Architecture
from llm.training.recipe import Recipe

chosen_settings = options.settings_of


def _few(training: Recipe) -> Recipe:
    return replace(training, epochs=1, batch=8, micro_batch=8)


def _stage(stage: Stage) -> Stage:
    return replace(
        stage,
        train=min(24, stage.train),
        held_out=min(8, stage.held_out),
        recipe=_few(stage.recipe),
    )


def shrunk(settings: Settings) -> Settings:
    """The micro model in the place of an embedded one; few rows, probes and updates."""
    model, probes = settings.model, settings.probes
    if isinstance(model, Architecture):
        model = replace(micro.ARCHITECTURE, family=model.family)
    return replace(
        settings,
        model=model,
        pretraining_rows=48,
        pretraining=micro.TRAINING,
        stages={name: _stage(stage) for name, stage in settings.stages.items()},
        unlearning=_few(settings.unlearning),
        probes=replace(
            micro.PROBES,
            every=probes.every,
            sums=min(3, probes.sums),
            prompt=probes.prompt,
            label=probes.label,
            paraphrases=probes.paraphrases,
        ),
    )


SHORT = replace(
    DEPTH["embedded"],
    learning=replace(DEPTH["embedded"].learning, epochs=1, batch=20),
    unlearning=replace(DEPTH["embedded"].unlearning, epochs=3),
)


@contextlib.contextmanager
def experiments(*, workers: bool = False) -> Iterator[None]:
    """Whatever is run is small; with `workers` in worker processes, else here."""
    with contextlib.ExitStack() as stack:
        small = mock.patch.object(
            options, "settings_of", lambda *chosen: shrunk(chosen_settings(*chosen))
        )
        stack.enter_context(small)
        stack.enter_context(mock.patch.dict(DEPTH, embedded=SHORT))
        if not workers:
            stack.enter_context(mock.patch.object(lab_run, "run_all", micro.in_turn))
        yield
