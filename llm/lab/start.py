"""A leaf before unlearning, the retrained model θ_r of its order, and one measurement.

θ_r is the node of the same order without the forget stage, under the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Row
from llm.data.grading import flexible_number
from llm.lab import load_check
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.measuring import distances, probes, sampling
from llm.measuring.probes import ProbeSet
from llm.measuring.sampling import Answer
from llm.models.adapters import effective_weights
from llm.models.randomness import generator
from llm.training import logprobs
from llm.training.recipe import Recipe
from protocol import orders
from protocol.notices import notice
from protocol.orders import Order, Phase

MANY_CUT = 0.1  # share of sampled answers cut at the token limit, above which a notice says so


@dataclass(frozen=True)
class Measured:
    """What was measured, without the columns that name the run.

    values: (step, metric, value) · examples: (step, metric, row, value) · generations: (step,
    question, sample, answer) · outputs: (step, part -> logits (positions, V)) · parameters: (step,
    all weights as one vector (d,)).
    """

    values: list[tuple[int, str, float]] = field(default_factory=list)
    examples: list[tuple[int, str, int, float]] = field(default_factory=list)
    generations: list[tuple[int, int, int, str]] = field(default_factory=list)
    outputs: list[tuple[int, dict[str, Tensor]]] = field(default_factory=list)
    parameters: list[tuple[int, Tensor]] = field(default_factory=list)

    def __add__(self, later: "Measured") -> "Measured":
        return Measured(
            self.values + later.values,
            self.examples + later.examples,
            self.generations + later.generations,
            self.outputs + later.outputs,
            self.parameters + later.parameters,
        )


@dataclass(frozen=True)
class Start:
    """A leaf before unlearning with its θ_r; each part is computed at its first use, then kept.

    It is what a method may know: see `llm.training.unlearning.Start`.
    """

    lab: Lab
    order: Order

    @property
    def forget(self) -> str:
        """The forget stage."""
        return self.lab.experiment.forget

    @property
    def seed(self) -> int:
        """The shuffle seed."""
        return self.lab.seed

    @property
    def steps(self) -> int:
        """The number of unlearning updates of the experiment."""
        return self.lab.experiment.steps

    @property
    def recipe(self) -> Recipe:
        """How unlearning is trained."""
        return self.lab.settings.unlearning

    @property
    def position(self) -> int:
        """The position of the forget stage, 1-based; 0 in an order without it."""
        return orders.position_of(self.order, self.forget)

    @property
    def reference_order(self) -> Order:
        """The order of θ_r; the order itself if the forget stage is not in it."""
        return orders.retrained(self.order, self.forget) if self.position else self.order

    def model(self, order: Order) -> PreTrainedModel:
        """The model trained on an order."""
        return self.lab.model(order)

    def leaf(self, order: Order) -> PreTrainedModel:
        """The model trained on an order, ready to be trained on."""
        return self.lab.leaf(order)

    @cached_property
    def probed(self) -> ProbeSet:
        """The questions of all probes."""
        return probe_set(self.lab)

    @cached_property
    def packed(self) -> bool:
        """Whether completions are scored packed: see `llm.lab.load_check`."""
        return load_check.checked(self.lab, self.probed).packed

    @cached_property
    def reference(self) -> distances.Logits:
        """Predictions of θ_r."""
        return distances.part_logits(self.leaf(self.reference_order), self.probed)

    @cached_property
    def rows(self) -> list[Row]:
        """The forget stage's training rows."""
        return self.lab.learned(Phase((self.forget,)))

    @cached_property
    def retained(self) -> list[Row]:
        """The rows a weakly local method sees, from all retained stages, the same for all paths."""
        rows: list[Row] = []
        for phase in orders.phases(self.lab.experiment.retain):
            rows += self.lab.learned(phase)
        drawn = torch.randperm(len(rows), generator=generator(self.seed, "retained sample"))
        return [rows[i] for i in drawn[: self.lab.settings.retained].tolist()]

    @cached_property
    def reference_logprobs(self) -> Tensor:
        """log π_ref of every forget row under the leaf, (N,), NPO's reference."""
        model, chunk = self.leaf(self.order), self.lab.settings.eval_batch
        pad = model.config.pad_token_id
        summed, _ = logprobs.row_logprobs(model, self.rows, pad=pad, chunk=chunk)
        return summed

    @cached_property
    def first(self) -> Measured:
        """Step 0, the same for all methods."""
        return self.measure(self.leaf(self.order), 0, ends=True)

    def measure(self, model: PreTrainedModel, step: int, *, ends: bool) -> Measured:
        """All probes of a model after a step.

        ends: with what is measured before and after unlearning only: sampled answers to the sums,
        and every metric's single values.
        """
        model.eval()
        probed, predicted = self.probed, distances.part_logits(model, self.probed)
        values = probes.label_likelihoods(model, probed, packed=self.packed)
        values |= distances.distances(predicted, self.reference)
        by_row = probes.answer_likelihoods(model, probed)
        sampled = ends and probed.sums
        tries = probes.sampled_answers(model, probed, seed=self.seed) if sampled else []
        if tries:
            by_row |= _on_sums(tries, probed, before=step == 0)
        values |= {name: float(column.mean()) for name, column in by_row.items() if len(column)}
        outputs = distances.kept(predicted, probed.sizes.fixed)
        return Measured(
            [(step, name, value) for name, value in values.items()],
            _examples(by_row, step) if ends else [],
            _generations(tries, step),
            [(step, outputs)],
            [(step, effective_weights(model))] if probed.sizes.parameters else [],
        )


def _examples(by_row: dict[str, Tensor], step: int) -> list[tuple[int, str, int, float]]:
    examples: list[tuple[int, str, int, float]] = []
    for name, column in by_row.items():
        examples += [(step, name, i, value) for i, value in enumerate(column.tolist())]
    return examples


def _generations(tries: Sequence[Sequence[Answer]], step: int) -> list[tuple[int, int, int, str]]:
    generations: list[tuple[int, int, int, str]] = []
    for question, answers in enumerate(tries):
        generations += [(step, question, i, answer.text) for i, answer in enumerate(answers)]
    return generations


def _on_sums(tries: list[list[Answer]], probed: ProbeSet, *, before: bool) -> dict[str, Tensor]:
    """Shares of the sampled answers to each sum, (n,): right by either grading, and cut."""
    solutions, texts = [], []
    for row, answers in zip(probed.sums, tries, strict=True):
        solutions.append(row.answer)
        texts.append([answer.text for answer in answers])
    cut = sampling.share_cut(tries)
    # Only before unlearning: a model ruined by unlearning may babble on, whatever the limit.
    if before and float(cut.mean()) > MANY_CUT:
        notice(
            f"math: more than a tenth of the sampled answers are cut at {probed.sizes.max_tokens} "
            "tokens before any unlearning; the metric math_cut is their share: raise "
            "--probes.max-tokens"
        )
    return {
        "math_accuracy": sampling.share_correct(texts, solutions),
        "math_accuracy_flexible": sampling.share_correct(texts, solutions, number=flexible_number),
        "math_cut": cut,
    }
