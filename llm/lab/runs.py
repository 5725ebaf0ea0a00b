"""Measured runs in the store: unlearning runs, the retrained model, and the noise floor between two
of these.

Step 0 is before unlearning; a run of T updates has T + 1 points, or fewer where probes are taken
every so many. A run's folder holds values.parquet and examples.parquet, generations.parquet where
sums were answered, distances.safetensors (predictions at the fixed positions, one tensor (points,
positions, V) a part) and, where asked for, parameters.safetensors. Unlearned weights are not kept
otherwise.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import polars as pl
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from llm.lab.lab import Lab, describe, rows_digest
from llm.lab.nodes import NUMERICS, node_key
from llm.lab.start import Measured, Start, distances, measure
from llm.lab.unlearning import steps_of, unlearned
from llm.store.artifacts import produce
from protocol.orders import Order
from protocol.records import order_name
from protocol.spec import Method

COLUMNS = {
    "values": {"step": pl.Int64, "metric": pl.String, "value": pl.Float64},
    "examples": {"step": pl.Int64, "metric": pl.String, "example": pl.Int64, "value": pl.Float64},
    "generations": {
        "step": pl.Int64,
        "question": pl.Int64,
        "sample": pl.Int64,
        "answer": pl.String,
    },
}


def run(start: Start, method: Method) -> Measured:
    """One unlearning run from step 0 to the last, measured every so many steps and at both ends."""
    steps, every = steps_of(start, method), start.lab.settings.probes.every
    result = start.first + Measured([(0, "forget_logp", float(start.reference_logprobs.mean()))])
    for step, (norm, model) in enumerate(unlearned(start, method), start=1):
        if norm is not None:
            result = result + Measured([(step - 1, "grad_norm", norm)])
        if step % every == 0 or step == steps:
            result = result + measure(model, start, step, ends=step == steps)
    return result


def write(measured: Measured, folder: Path) -> None:
    """Keep what was measured in a folder."""
    for name, schema in COLUMNS.items():
        rows = getattr(measured, name)
        if rows or name != "generations":
            pl.DataFrame(rows, schema=schema, orient="row").write_parquet(
                folder / f"{name}.parquet"
            )
    if measured.outputs:
        stacked = {
            p: torch.stack([told[p] for _, told in measured.outputs])
            for p in measured.outputs[0][1]
        }
        save_file(
            {"steps": torch.tensor([step for step, _ in measured.outputs]), **stacked},
            folder / "distances.safetensors",
        )
    if measured.parameters:
        save_file(
            {"all": torch.stack([told for _, told in measured.parameters])},
            folder / "parameters.safetensors",
        )


def read(folder: Path) -> tuple[list[Any], list[Any]]:
    """Values and examples a run measured, from its folder in the store."""
    values, examples = (
        pl.read_parquet(folder / f"{name}.parquet").rows() for name in ("values", "examples")
    )
    return values, examples


def read_outputs(folder: Path) -> dict[str, Tensor]:
    """Predictions at the fixed positions by part, (points, positions, V), and their steps."""
    return load_file(folder / "distances.safetensors")


def read_parameters(folder: Path) -> Tensor | None:
    """All weights at every step, (points, d); None where they were not kept."""
    file = folder / "parameters.safetensors"
    return load_file(file)["all"] if file.exists() else None


def _spec(lab: Lab, **parts: object) -> dict[str, Any]:
    """What measured values depend on: what was run, and everything that is probed."""
    held_out = {stage: rows_digest(lab, stage, held_out=True) for stage in lab.settings.stages}
    probed = {
        "probes": asdict(lab.settings.probes),
        "held out": held_out,
        "forget": lab.experiment.forget,
    }
    asked = [rows_digest(lab, stage) for stage in lab.settings.stages]
    return {**parts, **probed, "asked": asked, "seed": lab.seed, "numerics": NUMERICS}


def _produce(lab: Lab, what: str, make: Callable[[], Measured], **parts: object) -> Path:
    name = describe(lab, what, seed=lab.seed)
    return produce(
        lab.store, _spec(lab, **parts), lambda folder: write(make(), folder), description=name
    )


def run_folder(start: Start, method: Method) -> Path:
    """The measured values of one method from one leaf, run if need be."""
    lab = start.lab
    sample = {"retained": lab.settings.retained} if method.retain else {}
    return _produce(
        lab,
        f"{method.name} from {order_name(start.order)}",
        lambda: run(start, method),
        kind="unlearning",
        leaf=node_key(lab, start.order),
        reference=node_key(lab, start.reference_order),
        method=asdict(method),
        training=asdict(lab.settings.unlearning),
        **sample,
    )


def retrained_folder(lab: Lab, order: Order) -> Path:
    """The measured values of θ_r itself; `order` is its own."""
    start = Start(lab, order)
    leaf_key = node_key(lab, order)
    return _produce(
        lab, f"retrained {order_name(order)}", lambda: start.first, kind="retrained", leaf=leaf_key
    )


def floor_folder(lab: Lab, order: Order, other: Lab) -> Path:
    """The noise floor: distances between θ_r and the θ_r of the same experiment under another seed."""
    ours, theirs = Start(lab, order), Start(other, order)

    def make() -> Measured:
        values = distances.distances(ours.reference, theirs.reference)
        return Measured([(0, name, value) for name, value in values.items()])

    return _produce(
        lab,
        f"noise floor of {order_name(order)}, against seed {other.seed}",
        make,
        kind="floor",
        leaf=node_key(lab, order),
        reference=node_key(other, order),
    )
