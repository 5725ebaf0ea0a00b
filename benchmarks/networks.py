"""64 MLPs × 4 orders × 3 algorithms × 3 stages in one compiled program, and by a loop in torch.

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
ORDERS = (
    ("U", "A", "B"),
    ("A", "U", "B"),
    ("A", "B", "U"),
    ("B", "A", "U"),
)

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
    """All metrics (seeds, methods, orders, T + 1), and the seconds; the first call compiles."""
    started = time.perf_counter()
    measured = jax.block_until_ready(ensemble.run(plan, given, paths)[1])
    seconds = time.perf_counter() - started
    names = [name for name in measured if not name.startswith("outputs/")]
    return {name: np.asarray(measured[name]) for name in names}, seconds


def _tensor(array: Any) -> torch.Tensor:
    tensor = torch.from_numpy(np.array(array))
    return tensor if tensor.is_floating_point() else tensor.long()


def _linear(drawn: Any) -> nn.Linear:
    """The layer with the drawn weights, (inputs, outputs) there and (outputs, inputs) in torch."""
    layer = nn.Linear(*drawn["kernel"].shape)
    layer.weight = nn.Parameter(_tensor(drawn["kernel"]).T.contiguous())
    layer.bias = nn.Parameter(_tensor(drawn["bias"]))
    return layer


def _model(given: Data) -> nn.Sequential:
    """The network before training."""
    hidden = _linear(given.start["hidden"])
    head = _linear(given.start["head"])
    return nn.Sequential(hidden, nn.Tanh(), head)


def _train(given: Data, path: Path, lr: float) -> nn.Sequential:
    """The network after a path, a fresh optimizer at the beginning of each stage."""
    model = _model(given)
    inputs = _tensor(given.inputs)
    answers = _tensor(given.answers)
    for rows, begins in zip(_tensor(path.rows), path.begins, strict=True):
        if begins:
            optimizer = torch.optim.Adam(model.parameters(), lr=lr)
        if rows[0] < 0:  # the retrained model has a stage less
            break
        optimizer.zero_grad()
        logits = model(inputs[rows])
        functional.cross_entropy(logits, answers[rows]).backward()
        optimizer.step()
    return model


def _log_likelihood(model: nn.Sequential, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """log π of the answers (n,)."""
    return -functional.cross_entropy(model(x), y, reduction="none")


@torch.no_grad()
def _measure(model: nn.Sequential, retrained: nn.Sequential, prompts: Any) -> dict[str, float]:
    """Every metric of a model, by the names of the records."""
    logits = model(prompts.test)  # (tests, c)
    right = logits.argmax(dim=1) == prompts.test_answers
    label = _log_likelihood(model, prompts.forget, prompts.forget_answers)
    metrics = {
        "label_loglik": label.mean().item(),
        "retain_loglik": -functional.cross_entropy(logits, prompts.test_answers).item(),
        "retain_accuracy": right.double().mean().item(),
    }
    for part, inputs in (("test", prompts.test), ("forget", prompts.held_out_forget)):
        ours, theirs = model(inputs), retrained(inputs)
        probabilities = ours.softmax(dim=1) - theirs.softmax(dim=1)
        gap = ours - theirs
        centred = gap - gap.mean(dim=1, keepdim=True)
        metrics[f"re_distance/{part}"] = probabilities.square().sum(dim=1).mean().item()
        metrics[f"logit_distance/{part}"] = centred.square().sum(dim=1).mean().item()
    return metrics


def _unlearn(
    trained: nn.Sequential, retrained: nn.Sequential, prompts: Any, method: Method, plan: Plan
) -> list[dict[str, float]]:
    """Metrics at steps 0..T of T updates on the forget set."""
    model = copy.deepcopy(trained)
    optimizer = torch.optim.SGD(model.parameters(), lr=plan.lr)
    with torch.no_grad():
        before = _log_likelihood(model, prompts.forget, prompts.forget_answers)
    length = torch.ones_like(before)
    loss_of = objectives.objective(method.objective)
    rows = []
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
    runs: list[list[dict[str, float]]] = []
    for seed in range(paths.rows.shape[0]):
        of_seed = zip(paths.rows[seed], paths.begins[seed], strict=True)
        models = [_train(given, Path(*path), plan.recipe.lr) for path in of_seed]
        for method in plan.methods:
            for model in models[:-1]:
                runs.append(_unlearn(model, models[-1], prompts, method, plan))
    seeds, points = len(paths.rows), plan.steps + 1
    shape = (seeds, len(plan.methods), len(ORDERS), points)
    measured: Metrics = {}
    for name in runs[0][0]:
        values = [row[name] for rows in runs for row in rows]
        measured[name] = np.array(values).reshape(shape)
    return measured, time.perf_counter() - started


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
    whole = (seconds + again) / 2
    loop_whole = loop_seconds / options.loop_seeds * options.seeds
    worst = {}
    for name, values in theirs.items():
        difference = ours[name][: options.loop_seeds] - values
        worst[name] = np.max(np.abs(difference))
    table(
        f"{options.seeds} MLPs × 4 orders × 3 algorithms × 3 stages, {plan.steps} unlearning steps",
        [
            (
                "one compiled program",
                f"{whole:.2f} s",
                f"{first - seconds:.1f} s more to compile",
            ),
            (
                "loop in torch",
                f"{loop_whole:.1f} s",
                f"{loop_seconds:.1f} s for {options.loop_seeds}",
            ),
            (
                "ratio",
                f"{loop_whole / whole:.1f}",
                f"with compilation {loop_whole / first:.1f}",
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
