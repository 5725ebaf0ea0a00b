"""A leaf before unlearning, what it is held against, and one measurement of a model with all
probes.

θ_r is the node of the same order without the forget stage, under the same seed.
"""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.data import chat
from llm.data.grading import flexible_number
from llm.lab import load_check
from llm.lab.lab import Lab, learned_rows
from llm.lab.nodes import context_of, leaf
from llm.lab.questions import probe_set
from llm.measuring import distances, probes, sampling
from llm.measuring.probe_set import ProbeSet
from llm.models.adapters import effective_weights
from llm.models.randomness import generator
from llm.training import logprobs
from protocol import orders
from protocol.notices import notice
from protocol.orders import Order

MANY_CUT = 0.1  # share of sampled answers cut at the token limit, above which a notice says so


@dataclass(frozen=True)
class Measured:
    """What was measured, without the columns that name the run."""

    values: list[tuple[int, str, float]] = field(default_factory=list)
    examples: list[tuple[int, str, int, float]] = field(default_factory=list)
    generations: list[tuple[int, int, int, str]] = field(
        default_factory=list
    )  # step, question, sample, answer
    outputs: list[tuple[int, dict[str, Tensor]]] = field(
        default_factory=list
    )  # step, part -> (positions, V)
    parameters: list[tuple[int, Tensor]] = field(
        default_factory=list
    )  # step, all weights as one vector

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
    """A leaf before unlearning and what it is held against; each part is made when first asked for."""

    lab: Lab
    order: Order

    @property
    def reference_order(self) -> Order:
        """The order of θ_r; its own where the forget stage is not in it."""
        return (
            orders.retrained(self.order, self.lab.experiment.forget)
            if self.position
            else self.order
        )

    @property
    def position(self) -> int:
        """The place of the forget stage, 1-based."""
        return orders.place(self.order, self.lab.experiment.forget)

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
        return distances.part_logits(leaf(self.lab, self.reference_order), self.probed)

    @cached_property
    def rows(self) -> list[chat.Row]:
        """The forget stage's training rows."""
        forget = orders.phase(self.lab.experiment.forget)
        return learned_rows(self.lab, self.probed.form, forget, context_of(self.lab))

    @cached_property
    def retained(self) -> list[chat.Row]:
        """The retained rows a weakly local method sees: drawn from all retained stages, the same
        for all paths.
        """
        stages = [orders.phase(stage) for stage in self.lab.experiment.retain]
        context = context_of(self.lab)
        rows = [
            row
            for stage in stages
            for row in learned_rows(self.lab, self.probed.form, stage, context)
        ]
        drawn = torch.randperm(len(rows), generator=generator(self.lab.seed, "retained sample"))
        return [rows[i] for i in drawn[: self.lab.settings.retained].tolist()]

    @cached_property
    def reference_logprobs(self) -> Tensor:
        """log π_ref of every forget row under the leaf, NPO's reference: scored once for all
        methods and steps.
        """
        model = leaf(self.lab, self.order)
        return logprobs.row_logprobs(
            model, self.rows, pad=model.config.pad_token_id, chunk=self.lab.settings.eval_batch
        )[0]

    @cached_property
    def first(self) -> Measured:
        """Step 0, the same for all methods."""
        return measure(leaf(self.lab, self.order), self, 0, ends=True)


def _on_sums(
    tries: list[list[sampling.Answer]], probed: ProbeSet, *, before: bool
) -> dict[str, Tensor]:
    """What sampled answers to the sums say, by question: shares that are right by either grading,
    and cut.
    """
    right, texts = (
        [row.answer for row in probed.sums],
        [[answer.text for answer in each] for each in tries],
    )
    cut = sampling.share_cut(tries)
    if (
        before and float(cut.mean()) > MANY_CUT
    ):  # a model ruined by unlearning may babble on, whatever the limit
        notice(
            f"math: more than a tenth of the sampled answers are cut at "
            f"{probed.sizes.max_tokens} tokens before any "
            "unlearning; the metric math_cut is their share: raise --probes.max-tokens"
        )
    return {
        "math_accuracy": sampling.share_correct(texts, right),
        "math_accuracy_flexible": sampling.share_correct(texts, right, number=flexible_number),
        "math_cut": cut,
    }


def measure(model: PreTrainedModel, start: Start, step: int, *, ends: bool) -> Measured:
    """All probes of one step; `ends` adds those taken before and after only (sums, single values)."""
    model.eval()
    probed, predicted = start.probed, distances.part_logits(model, start.probed)
    values = probes.label_likelihoods(model, probed, packed=start.packed)
    values |= distances.distances(predicted, start.reference)
    single = probes.answer_likelihoods(model, probed)
    tries = (
        probes.sampled_answers(model, probed, seed=start.lab.seed) if ends and probed.sums else []
    )
    if tries:
        single |= _on_sums(tries, probed, before=step == 0)
    values |= {name: float(each.mean()) for name, each in single.items() if len(each)}
    return Measured(
        [(step, name, value) for name, value in values.items()],
        [
            (step, name, i, value)
            for name, each in single.items()
            for i, value in enumerate(each.tolist())
            if ends
        ],
        [
            (step, question, i, text)
            for question, texts in enumerate(tries)
            for i, (text, _) in enumerate(texts)
        ],
        [(step, distances.kept(predicted, probed.sizes.fixed))],
        [(step, effective_weights(model))] if probed.sizes.parameters else [],
    )
