"""Measured runs in the store: unlearning runs, retrained models, noise floors between two of these.

Step 0 is before unlearning; a run of T updates has T + 1 points, or fewer if probes are taken every
few updates. A run's folder holds values.parquet, examples.parquet, generations.parquet (if sums
were answered), outputs.safetensors (logits at the fixed positions, one tensor (points, positions,
V) a part) and, if the settings say so, parameters.safetensors. Unlearned weights are not kept
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

from llm.lab.base import NUMERICS
from llm.lab.lab import Lab
from llm.lab.start import Measured, Start
from llm.measuring import distances
from llm.store.artifacts import produce
from llm.training.unlearning import takes_one_step, unlearned
from protocol.orders import Order
from protocol.records import order_name
from protocol.spec import Method

OUTPUTS, PARAMETERS = "outputs.safetensors", "parameters.safetensors"
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
    """One unlearning run, measured every `Probes.every` steps and at both ends."""
    steps = 1 if takes_one_step(method) else start.steps
    every = start.lab.settings.probes.every
    result = start.first + Measured([(0, "forget_logp", float(start.reference_logprobs.mean()))])
    for step, (norm, model) in enumerate(unlearned(start, method), start=1):
        if norm is not None:
            result = result + Measured([(step - 1, "grad_norm", norm)])
        if step % every == 0 or step == steps:
            result = result + start.measure(model, step, ends=step == steps)
    return result


def write(measured: Measured, folder: Path) -> None:
    """Keep what was measured in a folder."""
    for name, schema in COLUMNS.items():
        rows = getattr(measured, name)
        if rows or name != "generations":
            table = pl.DataFrame(rows, schema=schema, orient="row")
            table.write_parquet(folder / f"{name}.parquet")
    if measured.outputs:
        steps = torch.tensor([step for step, _ in measured.outputs])
        logits = [at_step for _, at_step in measured.outputs]
        stacked = {part: torch.stack([parts[part] for parts in logits]) for part in logits[0]}
        save_file({"steps": steps, **stacked}, folder / OUTPUTS)
    if measured.parameters:
        weights = torch.stack([vector for _, vector in measured.parameters])  # (points, d)
        save_file({"all": weights}, folder / PARAMETERS)


def read(folder: Path) -> tuple[list[Any], list[Any]]:
    """Values and examples a run measured, from its folder in the store."""
    values = pl.read_parquet(folder / "values.parquet")
    examples = pl.read_parquet(folder / "examples.parquet")
    return values.rows(), examples.rows()


def read_outputs(folder: Path) -> dict[str, Tensor]:
    """Logits at fixed positions by part, (points, positions, V), and their "steps" (points,)."""
    return load_file(folder / OUTPUTS)


def read_parameters(folder: Path) -> Tensor | None:
    """All weights at every measured step, (points, d); None if they were not kept."""
    file = folder / PARAMETERS
    return load_file(file)["all"] if file.exists() else None


def _spec(lab: Lab, **parts: object) -> dict[str, Any]:
    """What measured values depend on: what was run, and everything that is probed."""
    stages = lab.stages
    held_out = {stage: stages.digest(stage, held_out=True) for stage in lab.settings.stages}
    probed = {
        "probes": asdict(lab.settings.probes),
        "held out": held_out,
        "forget": lab.experiment.forget,
    }
    training = [stages.digest(stage) for stage in lab.settings.stages]
    return {**parts, **probed, "asked": training, "seed": lab.seed, "numerics": NUMERICS}


def _produce(lab: Lab, what: str, make: Callable[[], Measured], **parts: object) -> Path:
    description = lab.stages.described(what, seed=lab.seed)

    def measured(folder: Path) -> None:
        write(make(), folder)

    return produce(lab.store, _spec(lab, **parts), measured, description=description)


def run_folder(start: Start, method: Method) -> Path:
    """The measured values of one method from one leaf, run if need be."""
    lab = start.lab
    sample = {"retained": lab.settings.retained} if method.retain else {}
    return _produce(
        lab,
        f"{method.name} from {order_name(start.order)}",
        lambda: run(start, method),
        kind="unlearning",
        leaf=lab.key(start.order),
        reference=lab.key(start.reference_order),
        method=asdict(method),
        training=asdict(lab.settings.unlearning),
        **sample,
    )


def retrained_folder(lab: Lab, order: Order) -> Path:
    """The measured values of θ_r itself; `order` is its own."""
    start, what = Start(lab, order), f"retrained {order_name(order)}"
    return _produce(lab, what, lambda: start.first, kind="retrained", leaf=lab.key(order))


def floor_folder(lab: Lab, order: Order, other: Lab) -> Path:
    """The noise floor: distances between θ_r and the θ_r of the experiment under another seed."""
    ours, theirs = Start(lab, order), Start(other, order)

    def make() -> Measured:
        values = distances.distances(ours.reference, theirs.reference)
        return Measured([(0, name, value) for name, value in values.items()])

    what = f"noise floor of {order_name(order)}, against seed {other.seed}"
    leaf, reference = lab.key(order), other.key(order)
    return _produce(lab, what, make, kind="floor", leaf=leaf, reference=reference)
