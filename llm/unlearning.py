"""Unlearning runs: from a leaf, one method, every step measured; the measured values are kept in the store.

Step 0 is before unlearning; a run of T updates has T + 1 points. θ_r is the node of the same order without the forget
stage, under the same seed; it also has measures of its own, and its distance to the θ_r of another seed is the noise
floor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from torch import Tensor
from transformers import PreTrainedModel

from llm import chat, probes, scoring, trainer
from llm.nodes import NUMERICS, context_of, leaf, node_key
from llm.stages import Lab, describe, learned_rows, rows_digest
from llm.store import produce
from protocol import orders
from protocol.objectives import objective
from protocol.orders import Order
from protocol.spec import Method, canonical, digest

VALUES = {"step": pl.Int64, "metric": pl.String, "value": pl.Float64}
EXAMPLES = {"step": pl.Int64, "metric": pl.String, "example": pl.Int64, "value": pl.Float64}


@dataclass(frozen=True)
class Measured:
    """What one run measured, without the columns that name the run."""

    values: list[tuple[int, str, float]]
    examples: list[tuple[int, str, int, float]]

    def __add__(self, later: "Measured") -> "Measured":
        return Measured(self.values + later.values, self.examples + later.examples)


def reference_order(lab: Lab) -> Order:
    """The order of θ_r, common to all paths."""
    return orders.retrained(lab.experiment.orders[0], lab.experiment.forget)


@dataclass(frozen=True)
class Start:
    """A leaf before unlearning and what it is held against; each part is made when first asked for."""

    lab: Lab
    order: Order

    @cached_property
    def probed(self) -> probes.ProbeSet:
        """The questions of all probes."""
        return probes.probe_set(self.lab)

    @cached_property
    def reference(self) -> probes.Logits:
        """Predictions of θ_r."""
        return probes.part_logits(leaf(self.lab, reference_order(self.lab)), self.probed)

    @property
    def model(self) -> PreTrainedModel:
        """The leaf, loaded."""
        return leaf(self.lab, self.order)

    @cached_property
    def rows(self) -> list[chat.Row]:
        """The forget stage's training rows."""
        return learned_rows(self.lab, self.probed.form, self.lab.experiment.forget, context_of(self.lab))

    @cached_property
    def reference_logprobs(self) -> Tensor:
        """log π_ref of every forget row under the leaf, NPO's reference: scored once for all methods and steps."""
        model = self.model
        return scoring.row_logprobs(model, self.rows, pad=model.config.pad_token_id)[0]

    @cached_property
    def measured(self) -> Measured:
        """Step 0, the same for all methods."""
        return measure(self.model, self, 0, ends=True)


def measure(model: PreTrainedModel, start: Start, step: int, *, ends: bool) -> Measured:
    """All probes of one step; `ends` adds those taken before and after only (sums, single values)."""
    model.eval()
    values = probes.label_likelihoods(model, start.probed)
    values |= probes.distances(probes.part_logits(model, start.probed), start.reference)
    single = {"tofu_loglik": probes.tofu_likelihoods(model, start.probed)}
    if ends and start.probed.sums:
        single["math_accuracy"] = probes.math_accuracy(model, start.probed, seed=start.lab.seed)
    values |= {name: float(each.mean()) for name, each in single.items() if len(each)}
    examples = [(step, name, i, value) for name, each in single.items() for i, value in enumerate(each.tolist())]
    return Measured([(step, name, value) for name, value in values.items()], examples if ends else [])


def unlearn(model: PreTrainedModel, start: Start, method: Method) -> Iterator[tuple[int, float]]:
    """Unlearn the forget rows in place; yields (updates done, norm of the gradient of the last update).

    Rows, their order and all else random are the same for every path and method of a seed.
    """
    function, constants = objective(method.objective), dict(method.constants)
    norms = trainer.updates(
        model,
        start.rows,
        start.lab.settings.unlearning,
        loss=lambda logp, ref_logp, length: function(logp, ref_logp, length, **constants),
        reduction=method.reduction,
        reference=start.reference_logprobs,
        seed=(start.lab.seed, "unlearning"),
    )
    yield from enumerate(norms, start=1)


def run(start: Start, method: Method) -> Measured:
    """One unlearning run from step 0 to the last, measured at every step."""
    lab, model = start.lab, leaf(start.lab, start.order)
    result = start.measured + Measured([(0, "forget_logp", float(start.reference_logprobs.mean()))], [])
    for step, norm in unlearn(model, start, method):
        before = Measured([(step - 1, "grad_norm", norm)], [])
        result = result + before + measure(model, start, step, ends=step == lab.experiment.steps)
    return result


def _write(measured: Measured, folder: Path) -> None:
    pl.DataFrame(measured.values, schema=VALUES, orient="row").write_parquet(folder / "values.parquet")
    pl.DataFrame(measured.examples, schema=EXAMPLES, orient="row").write_parquet(folder / "examples.parquet")


def read(folder: Path) -> Measured:
    """What a run measured, from its folder in the store."""
    return Measured(*(pl.read_parquet(folder / f"{name}.parquet").rows() for name in ("values", "examples")))


def _measured_key(lab: Lab, **parts: object) -> str:
    """Key of measured values: what was run, and everything that is probed."""
    held_out = {stage: rows_digest(lab, stage, held_out=True) for stage in lab.settings.stages}
    probed = {"probes": canonical(lab.settings.probes), "held out": held_out, "forget": lab.experiment.forget}
    return digest({**parts, **probed, "seed": lab.seed, "numerics": NUMERICS})


def run_folder(start: Start, method: Method) -> Path:
    """The measured values of one method from one leaf, run if need be."""
    lab = start.lab
    key = _measured_key(
        lab,
        kind="unlearning",
        leaf=node_key(lab, start.order),
        reference=node_key(lab, reference_order(lab)),
        method=canonical(method),
        training=canonical(lab.settings.unlearning),
    )
    position = start.order.index(lab.experiment.forget) + 1
    name = describe(lab, f"unlearning p={position} {method.name}", seed=lab.seed)
    return produce(lab.store, key, lambda place: _write(run(start, method), place), description=name)


def retrained_folder(lab: Lab) -> Path:
    """The measured values of θ_r itself."""
    start = Start(lab, reference_order(lab))
    key = _measured_key(lab, kind="retrained", leaf=node_key(lab, start.order))
    name = describe(lab, "retrained", seed=lab.seed)
    return produce(lab.store, key, lambda place: _write(start.measured, place), description=name)


def floor_folder(lab: Lab, other: Lab) -> Path:
    """The noise floor: distances between θ_r and the θ_r of the same experiment under another seed."""
    ours, theirs = Start(lab, reference_order(lab)), Start(other, reference_order(other))

    def make(folder: Path) -> None:
        values = probes.distances(ours.reference, theirs.reference)
        _write(Measured([(0, name, value) for name, value in values.items()], []), folder)

    key = _measured_key(lab, kind="floor", leaf=node_key(lab, ours.order), reference=node_key(other, theirs.order))
    name = describe(lab, f"noise floor, against seed {other.seed}", seed=lab.seed)
    return produce(lab.store, key, make, description=name)
