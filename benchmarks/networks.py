"""64 MLPs × 4 orders × 3 algorithms × 3 stages in one compiled program, beside the same loop in
torch.

`python -m benchmarks.networks [--seeds N] [--loop-seeds N] [--threads N]`. Stages A, B and the
forget set U, learned in four orders under every seed, and A, B for the retrained model; then 20
steps of GA, NPO and SimNPO with all metrics at every step. The loop is torch as it is written: a
module, Adam, autograd, a model at a time, the same initial parameters and the same batches; both in
float32. Prints one table with both times and by how much the metrics differ.
"""

import argparse
import copy
import time
from typing import Any, NamedTuple

import jax
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.table import peak_memory, table
from protocol import objectives
from protocol.spec import Method, named_methods
from theory.networks import ensemble, tasks
from theory.networks.ensemble import Data, Plan
from theory.networks.models import Network
from theory.networks.training import Path, Recipe

NAMES, KEPT = ("A", "B", "U"), ("A", "B")
ORDERS = (("U", "A", "B"), ("A", "U", "B"), ("A", "B", "U"), ("B", "A", "U"))

Metrics = dict[str, np.ndarray]


class Sizes(NamedTuple):
    """What is trained and unlearned."""

    network: Network = Network("mlp", inputs=12, classes=4, width=64)
    recipe: Recipe = Recipe("adam", 0.003, 32, 20)
    rows: int = 256
    held_out: int = 128
    steps: int = 20
    lr: float = 0.05


def prepare(sizes: Sizes, seeds: int) -> tuple[Plan, Data, Path]:
    """What both sides take."""
    task = tasks.clusters(
        sizes.network, 0, stages=3, rows=sizes.rows, held_out=sizes.held_out, shared=0.5
    )
    plan = Plan(
        sizes.network,
        sizes.recipe,
        named_methods(("GA", "NPO", "SimNPO")),
        sizes.steps,
        "sgd",
        sizes.lr,
    )
    paths = ensemble.staged_paths(
        NAMES, ORDERS, KEPT, sizes.rows, sizes.recipe, base=0, seeds=range(seeds)
    )
    return plan, ensemble.data(sizes.network, task, 0), paths


def compiled(plan: Plan, given: Data, paths: Path) -> tuple[Metrics, float]:
    """All metrics (seeds, methods, orders, T + 1), and the seconds it took; the first call
    compiles.
    """
    started = time.perf_counter()
    found = jax.block_until_ready(ensemble.run(plan, given, paths)[1])
    seconds = time.perf_counter() - started
    return {
        name: np.asarray(value) for name, value in found.items() if not name.startswith("outputs/")
    }, seconds


def _tensor(array: Any) -> torch.Tensor:
    found = torch.from_numpy(np.array(array))
    return found if found.is_floating_point() else found.long()


def _linear(drawn: Any) -> nn.Linear:
    """The layer with the drawn weights, (inputs, outputs) there and (outputs, inputs) in torch."""
    layer = nn.Linear(*drawn["kernel"].shape)
    layer.weight = nn.Parameter(_tensor(drawn["kernel"]).T.contiguous())
    layer.bias = nn.Parameter(_tensor(drawn["bias"]))
    return layer


def _model(given: Data) -> nn.Sequential:
    return nn.Sequential(_linear(given.start["hidden"]), nn.Tanh(), _linear(given.start["head"]))


def _train(given: Data, path: Path, lr: float) -> nn.Sequential:
    model, inputs, answers = _model(given), _tensor(given.inputs), _tensor(given.answers)
    for rows, begins in zip(_tensor(path.rows), path.begins, strict=True):
        if begins:
            optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        if rows[0] < 0:  # the retrained model has a stage less
            break
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[rows]), answers[rows]).backward()
        optimizer.step()
    return model


def _log_likelihood(model: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return -functional.cross_entropy(model(x), y, reduction="none")


@torch.no_grad()
def _measure(model: nn.Sequential, retrained: nn.Sequential, prompts: Any) -> dict[str, float]:
    told = model(prompts.test)
    found = {
        "label_loglik": _log_likelihood(model, prompts.forget, prompts.forget_answers)
        .mean()
        .item(),
        "retain_loglik": -functional.cross_entropy(told, prompts.test_answers).item(),
        "retain_accuracy": (told.argmax(dim=1) == prompts.test_answers).double().mean().item(),
    }
    for part, ask in (("test", prompts.test), ("forget", prompts.held_out_forget)):
        ours, theirs = model(ask), retrained(ask)
        probabilities = ours.softmax(dim=1) - theirs.softmax(dim=1)
        apart = (ours - theirs) - (ours - theirs).mean(dim=1, keepdim=True)
        found[f"re_distance/{part}"] = probabilities.square().sum(dim=1).mean().item()
        found[f"logit_distance/{part}"] = apart.square().sum(dim=1).mean().item()
    return found


def _unlearn(
    trained: nn.Sequential, retrained: nn.Sequential, prompts: Any, method: Method, plan: Plan
) -> list[dict[str, float]]:
    model = copy.deepcopy(trained)
    optimizer = torch.optim.SGD(model.parameters(), lr=plan.lr)
    with torch.no_grad():
        before = _log_likelihood(model, prompts.forget, prompts.forget_answers)
    length, loss_of, rows = torch.ones_like(before), objectives.objective(method.objective), []
    for _ in range(plan.steps + 1):
        row = _measure(model, retrained, prompts)
        optimizer.zero_grad()
        logp = _log_likelihood(model, prompts.forget, prompts.forget_answers)
        losses = loss_of(logp, before, length, **dict(method.constants))
        objectives.reduce_losses(losses, length, reduction=method.reduction).backward()
        gradients = [weights.grad for weights in model.parameters() if weights.grad is not None]
        row["grad_norm"] = nn.utils.get_total_norm(gradients).item()
        optimizer.step()
        rows.append(row)
    return rows


def loop(plan: Plan, given: Data, paths: Path, threads: int) -> tuple[Metrics, float]:
    """The same metrics by a loop in torch, and its seconds."""
    torch.set_num_threads(threads)
    started = time.perf_counter()
    prompts = type(given.prompts)(*map(_tensor, given.prompts))
    cells = []
    for seed in range(paths.rows.shape[0]):
        models = [
            _train(given, Path(*(part[seed, p] for part in paths)), plan.recipe.lr)
            for p in range(5)
        ]
        cells += [
            _unlearn(model, models[-1], prompts, method, plan)
            for method in plan.methods
            for model in models[:-1]
        ]
    shape = (paths.rows.shape[0], len(plan.methods), len(ORDERS), plan.steps + 1)
    found = {
        name: np.array([[row[name] for row in rows] for rows in cells]).reshape(shape)
        for name in cells[0][0]
    }
    return found, time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument(
        "--loop-seeds", type=int, default=16, help="seeds the loop runs; its time is per model"
    )
    parser.add_argument(
        "--threads", type=int, default=1, help="threads of torch (1 is faster than 2 at this size)"
    )
    options = parser.parse_args()
    plan, given, paths = prepare(Sizes(), options.seeds)
    _, first = compiled(plan, given, paths)
    ours, seconds = compiled(plan, given, paths)
    few = Path(*(part[: options.loop_seeds] for part in paths))
    theirs, loop_seconds = loop(plan, given, few, options.threads)
    _, again = compiled(plan, given, paths)
    each, loop_each = (seconds + again) / 2 / options.seeds, loop_seconds / options.loop_seeds
    worst = {
        name: np.max(np.abs(ours[name][: options.loop_seeds] - value))
        for name, value in theirs.items()
    }
    table(
        f"{options.seeds} MLPs × 4 orders × 3 algorithms × 3 stages, {plan.steps} unlearning steps",
        [
            (
                "one compiled program",
                f"{(seconds + again) / 2:.2f} s",
                f"{first - seconds:.1f} s more to compile",
            ),
            (
                "loop in torch",
                f"{loop_each * options.seeds:.1f} s",
                f"{loop_seconds:.1f} s for {options.loop_seeds}",
            ),
            (
                "ratio",
                f"{loop_each / each:.1f}",
                f"with compilation {loop_each * options.seeds / first:.1f}",
            ),
            ("largest difference of label_loglik", f"{worst['label_loglik']:.1e}", "nats, float32"),
            (
                "largest difference of re_distance",
                f"{worst['re_distance/forget']:.1e}",
                "forget prompts",
            ),
            ("memory", f"{peak_memory():.2f} GiB", "peak of the process"),
        ],
    )


if __name__ == "__main__":
    main()
