"""The stages of an experiment: their rows as text, and how they are trained.

Rows come from the embedded corpora or from files; they are the same for every seed and path of one
base. A phase whose name joins several stages (see `protocol.orders`) learns their mixture: every
row as often as its stage has epochs, in one epoch.
"""

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from llm import corpora
from llm.config.settings import Files, Stage
from llm.corpora import Corpus, Example
from llm.training.recipe import Recipe
from protocol.errors import InputError
from protocol.orders import Phase
from protocol.spec import Experiment, digest


@functools.cache
def _generated(stage: str, base: int, train: int, held_out: int) -> Corpus:
    return corpora.stage_corpus(stage, base, train=train, held_out=held_out)


@functools.cache
def from_files(stage: str, files: Files, train: int, held_out: int) -> Corpus:
    """`llm.lab.rows.file_rows`, once in a process; a file is not read again if it changes."""
    from llm.lab.rows import file_rows  # generated rows need no reader of files and no curation

    return file_rows(stage, files, train, held_out)


@functools.cache
def _digest(rows: tuple[Example, ...]) -> str:
    return digest(rows)


@dataclass(frozen=True)
class Stages:
    """The stages of one experiment."""

    experiment: Experiment

    def _of(self, stage: str) -> Stage:
        return self.experiment.settings.stages[stage]

    def rows(self, stage: str) -> Corpus:
        """The training and held-out rows of a stage."""
        sizes = self._of(stage)
        if sizes.files is not None:
            return from_files(stage, sizes.files, sizes.train, sizes.held_out)
        return _generated(stage, self.experiment.base, sizes.train, sizes.held_out)

    def digest(self, stage: str, *, held_out: bool = False) -> str:
        """Hash of a stage's training or held-out rows."""
        rows = self.rows(stage)
        return _digest(rows.held_out if held_out else rows.train)

    def recipe(self, phase: Phase) -> Recipe:
        """How a phase is trained: as its stage is; a mixture as its stages are, in one epoch.

        Raises InputError if the stages of a mixture differ in more than their epochs.
        """
        recipes = [self._of(member).recipe for member in phase.members]
        if len(recipes) == 1:
            return recipes[0]
        if len({replace(recipe, epochs=1) for recipe in recipes}) > 1:
            raise InputError(
                f"mixture: expected stages trained alike but for their epochs; {phase.rows} are not"
            )
        return replace(recipes[0], epochs=1)

    def examples(self, phase: Phase) -> list[Example]:
        """The rows of a phase: a stage's, or a mixture's, each as often as its stage has epochs."""
        if len(phase.members) == 1:
            return list(self.rows(phase.members[0]).train)
        rows: list[Example] = []
        for member in phase.members:
            rows += self.rows(member).train * self._of(member).recipe.epochs
        return rows

    def data(self, phase: Phase) -> list[list[object]]:
        """What keys hold of a phase's rows: for each stage the hash of its rows, and its epochs."""
        return [[self.digest(member), self._of(member).recipe.epochs] for member in phase.members]

    def described(self, what: str, *, seed: int | None = None) -> str:
        """What an artifact of the store is, in words."""
        name = Path(self.experiment.model).name
        return f"{name}: {what}" if seed is None else f"{name} seed {seed}: {what}"
