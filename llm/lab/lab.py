"""What a stage is made of: the lab of one model and seed, the rows of its stages as text and as
tokens.

Rows come from the embedded corpora or from files; they are the same for every seed and path of one
base. A stage whose name joins several (see protocol.orders) learns their mixture: every row as
often as it has epochs, in one epoch.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from llm import corpora
from llm.config.settings import Settings
from llm.corpora import Corpus, depth
from llm.data import chat
from llm.data.chat import Format, Row
from llm.lab.rows import file_rows
from llm.models import Pretrained
from llm.store.artifacts import Store
from llm.training.recipe import Recipe
from protocol.errors import InputError
from protocol.notices import notice
from protocol.orders import Phase
from protocol.spec import Experiment, digest


@dataclass(frozen=True)
class Lab:
    """One model of an experiment under one shuffle seed, with the store its nodes live in."""

    experiment: Experiment
    seed: int
    store: Store

    @property
    def settings(self) -> Settings:
        """The language-model settings of the experiment."""
        return self.experiment.settings


@functools.cache
def _corpus(stage: str, base: int, train: int, held_out: int) -> Corpus:
    return corpora.stage_corpus(stage, base, train=train, held_out=held_out)


_file_rows = functools.cache(file_rows)


@functools.cache
def _digest(rows: tuple[corpora.Example, ...]) -> str:
    return digest(rows)


def stage_rows(lab: Lab, stage: str) -> Corpus:
    """The training and held-out rows of a stage."""
    sizes = lab.settings.stages[stage]
    if sizes.files is not None:
        return _file_rows(stage, sizes.files, sizes.train, sizes.held_out)
    return _corpus(stage, lab.experiment.base, sizes.train, sizes.held_out)


def rows_digest(lab: Lab, stage: str, *, held_out: bool = False) -> str:
    """Hash of a stage's training or held-out rows."""
    return _digest(stage_rows(lab, stage).held_out if held_out else stage_rows(lab, stage).train)


def training_of(lab: Lab, phase: Phase) -> Recipe:
    """How a phase is trained; a mixture as its stages are, but for their epochs: InputError where
    these differ.
    """
    trainings = [lab.settings.stages[member].recipe for member in phase.members]
    if len(trainings) == 1:
        return trainings[0]
    if len({replace(training, epochs=1) for training in trainings}) > 1:
        raise InputError(
            f"mixture: expected stages trained alike but for their epochs; {phase.rows} are not"
        )
    return replace(trainings[0], epochs=1)


def examples_of(lab: Lab, phase: Phase) -> list[corpora.Example]:
    """The rows a phase learns from: a stage's, or those of a mixture, each as often as its stage
    has epochs.
    """
    if len(phase.members) == 1:
        return list(stage_rows(lab, phase.members[0]).train)
    epochs = {member: lab.settings.stages[member].recipe.epochs for member in phase.members}
    return [
        row for member in phase.members for row in stage_rows(lab, member).train * epochs[member]
    ]


def learned_rows(lab: Lab, form: Format, phase: Phase, context: int) -> list[Row]:
    """A phase's rows as tokens, fitted into the context; a notice says how many were cut or left
    out.

    Raises InputError where a row of the forget stage would be left out: the number of unlearning
    steps counts them.
    """
    rows = chat.encode_all(form, examples_of(lab, phase))
    fitting, cut, left_out = chat.fit(rows, context)
    if left_out and lab.experiment.forget in phase.members:
        raise InputError(
            f"{phase.rows}: expected prompts of fewer than {context} tokens; {left_out} of "
            f"{len(rows)} are longer"
        )
    if cut or left_out:
        notice(
            f"{phase.rows}: {cut} of {len(rows)} rows cut to {context} tokens, {left_out} left out"
        )
    return fitting


def say_generated(lab: Lab) -> None:
    """A notice of the stages whose rows are generated although the model is no embedded one.

    The answers C, U and R of the depth experiment are generated for every model: they are its
    design.
    """
    stages = lab.settings.stages
    made = [
        name for name, stage in stages.items() if stage.files is None and name not in depth.ANSWERS
    ]
    if made and isinstance(lab.settings.model, Pretrained):
        notice(
            f"{lab.experiment.model} learns generated rows in {', '.join(made)}, made for models "
            f"of half a million "
            "parameters: --data STAGE FILE … takes rows of yours, --preset paper the paper's"
        )


def describe(lab: Lab, what: str, *, seed: int | None = None) -> str:
    """What an artifact of the store is, in words."""
    name = Path(lab.experiment.model).name
    return f"{name}: {what}" if seed is None else f"{name} seed {seed}: {what}"
