"""Records of small networks from what `theory.networks.ensemble` computed; arrays (seeds, methods,
paths, points, ...).

Experiment "positions": metrics as in the linear model (protocol/records.py), with held-out prompts
for both parts, logit_distance/part beside re_distance/part, and retain_accuracy (share of right
answers on the held-out prompts of the retained stages). Runs of method "retrained" (step 0) hold
retain_accuracy of the retrained model; of method "floor" (step 0) the distances between the
retrained models of two seeds, order "SEED|SEED". Experiment "mixture": staged paths and as many
shuffles of the i.i.d. mixture of the same rows, orders "staged" and "mixture", by step:
path_distance/part = mean over pairs of paths of one seed of d(u_p, u_q), in probabilities on the
held-out prompts of the part, test or forget; label_variance = variance over paths of the label
log-likelihood; and label_loglik, its mean over paths. Experiments "bases/BASE": label_loglik of the
staged paths on one of several bases. Experiment "rates" (theory/experiments/rates.py): rates of
divergence, of centred logits on the test prompts and of parameters.
"""

import itertools

import numpy as np
import polars as pl
from jaxtyping import Float, Int
from scipy.special import softmax

from protocol import growth, metrics
from protocol.growth import Reading
from protocol.records import Run, gathered, order_name
from protocol.spec import Experiment, digest
from theory.networks.unlearning import HELD_OUT

Found = dict[str, Float[np.ndarray, "seeds methods paths points *shape"]]
Curve = Float[np.ndarray, "runs points"]
NUMBER = 4  # axes of what is one number at each point
RATED = ("GA", "NPO", "SimNPO")  # methods whose rates are read


def _run(
    spec: Experiment, order: str, *, position: int = 0, method: str, seed: int, experiment: str
) -> Run:
    name = digest(spec)
    return Run(
        run=digest([name, experiment, method, seed, order, position]),
        spec=name,
        experiment=experiment,
        world=spec.world,
        model=spec.model,
        order=order,
        position=position,
        reference=order_name(spec.retain),
        method=method,
        seed=seed,
    )


def _frames(runs: list[Run], curves: dict[str, Curve]) -> list[pl.DataFrame]:
    """Records of curves, a row per run."""
    frames = []
    for metric, values in curves.items():
        which, step = np.divmod(np.arange(values.size), values.shape[1])
        frames.append(gathered(runs, which, step=step, metric=metric, value=values.ravel()))
    return frames


def _paths(spec: Experiment) -> list[Run]:
    """A run per seed, method and path, as `Found` has its axes."""
    return [
        _run(
            spec, order_name(order), position=p, method=method.name, seed=seed, experiment=spec.name
        )
        for seed, method, (p, order) in itertools.product(
            spec.seeds, spec.methods, enumerate(spec.orders, start=1)
        )
    ]


def on_base(spec: Experiment, found: Found) -> list[pl.DataFrame]:
    """Records of label_loglik of every run on one of several bases."""
    runs = _paths(spec)
    return _frames(runs, {"label_loglik": found["label_loglik"].reshape(len(runs), -1)})


def positions(spec: Experiment, found: Found) -> tuple[list[pl.DataFrame], list[pl.DataFrame]]:
    """Records of every run; examples of retain_loglik before and after, a seed being one example."""
    runs = _paths(spec)
    curves = {
        m: values.reshape(len(runs), -1) for m, values in found.items() if values.ndim == NUMBER
    }
    which, step = np.repeat(np.arange(len(runs)), 2), np.tile([0, spec.steps], len(runs))
    value, example = curves["retain_loglik"][:, [0, -1]].ravel(), np.zeros_like(which)
    examples = gathered(
        runs, which, step=step, metric="retain_loglik", value=value, example=example
    )
    return _frames(runs, curves), [examples]


def retrained(
    spec: Experiment,
    logits: dict[str, Float[np.ndarray, "seeds prompts c"]],
    answers: Int[np.ndarray, " tests"],
) -> list[pl.DataFrame]:
    """Accuracy of the retrained models, and the distances between any two of them."""
    right = (logits["test"].argmax(axis=-1) == answers).mean(axis=-1, keepdims=True)
    order, seeds = order_name(spec.retain), spec.seeds
    runs = [
        _run(spec, order, method="retrained", seed=seed, experiment=spec.name) for seed in seeds
    ]
    pairs = growth.pairs(len(seeds))
    floors = [
        _run(spec, f"{a}|{b}", method="floor", seed=seeds[a], experiment=spec.name)
        for a, b in pairs
    ]
    between: dict[str, Curve] = {}
    for part in HELD_OUT:
        apart = metrics.centred_logits(logits[part])
        for name, told in (("re_distance", softmax(apart, axis=-1)), ("logit_distance", apart)):
            between[f"{name}/{part}"] = np.array([[_distance(told[a], told[b])] for a, b in pairs])
    return [*_frames(runs, {"retain_accuracy": right}), *_frames(floors, between)]


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """d of predictions (..., m, c)."""
    return np.asarray(np.mean(np.sum((a - b) ** 2, axis=-1), axis=-1))


def control(spec: Experiment, order: str, found: Found) -> list[pl.DataFrame]:
    """How far apart the paths of one seed are; order "staged" or "mixture"."""
    cells = itertools.product(spec.seeds, spec.methods)
    runs = [
        _run(spec, order, method=method.name, seed=seed, experiment="mixture")
        for seed, method in cells
    ]
    label = found["label_loglik"]
    curves = {"label_loglik": label.mean(axis=2), "label_variance": label.var(axis=2, ddof=1)}
    for part in HELD_OUT:
        predicted = softmax(found[f"outputs/{part}"], axis=-1)
        apart = [
            _distance(predicted[:, :, a], predicted[:, :, b])
            for a, b in growth.pairs(label.shape[2])
        ]
        curves[f"path_distance/{part}"] = np.mean(apart, axis=0)
    return _frames(
        runs, {metric: values.reshape(len(runs), -1) for metric, values in curves.items()}
    )


def rates(
    spec: Experiment,
    name: str,
    reading: Reading,
    found: Found,
    logits: dict[str, Float[np.ndarray, "seeds prompts c"]],
) -> list[pl.DataFrame]:
    """Rates of divergence of every pair of paths, on the test prompts and in parameters; `name` of
    their settings.
    """
    frames: list[pl.DataFrame] = []
    target = metrics.centred_logits(logits["test"])
    for number, method in enumerate(spec.methods):
        if method.name in RATED:
            source = growth.Source(
                name, spec.world, spec.model, method.name, spec.orders, spec.retain
            )
            of_pairs, of_paths = growth.read_off(found["outputs/test"][:, number], reading, target)
            secant = [
                growth.secant_rates(parameters) for parameters in found["parameters"][:, number]
            ]
            of_pairs |= growth.in_parameters(np.concatenate(secant), reading.every)
            for runs, measured in zip(
                growth.runs(source, spec.seeds), (of_pairs, of_paths), strict=True
            ):
                frames += growth.frames(runs, measured)
    return frames
