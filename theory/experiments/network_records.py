"""Records of small networks, from the results (seeds, methods, paths, points, ...) of `ensemble`.

Experiment "positions": metrics as in the linear model (protocol/records.py), with held-out prompts
for both parts, logit_distance/part as well as re_distance/part, and retain_accuracy (share of right
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
from jaxtyping import Float, Int
from scipy.special import softmax

from protocol import growth, metrics
from protocol.growth import Reading
from protocol.recorder import Recorder
from protocol.records import Result, Run, order_name
from protocol.spec import Experiment, digest
from theory.networks.unlearning import HELD_OUT

Measured = dict[str, Float[np.ndarray, "seeds methods paths points *shape"]]
NUMBER = 4  # axes of what is one number at each point
RATED = ("GA", "NPO", "SimNPO")  # methods whose rates are read


def recorder(spec: Experiment, experiment: str | None = None) -> Recorder:
    """The recorder of an experiment of one model; by default named as the spec is."""
    return Recorder(
        spec.name if experiment is None else experiment,
        spec.world,
        spec,
        spec=digest(spec),
        model=spec.model,
        reference=spec.retain,
    )


def _run(recorder: Recorder, order: str, method: str, seed: int, position: int = 0) -> Run:
    key = (recorder.experiment, method, seed, order, position)
    return recorder.run(order=order, position=position, method=method, seed=seed, key=key)


def _paths(recorder: Recorder, spec: Experiment) -> list[Run]:
    """A run per seed, method and path, as `Measured` has its axes."""
    names = [(p, order_name(order)) for p, order in enumerate(spec.orders, start=1)]
    return [
        _run(recorder, order, method.name, seed, p)
        for seed, method, (p, order) in itertools.product(spec.seeds, spec.methods, names)
    ]


def on_base(spec: Experiment, measured: Measured) -> Result:
    """Records of label_loglik of every run on one of several bases."""
    recorded = recorder(spec)
    label = measured["label_loglik"][..., : spec.steps + 1]
    recorded.curves(_paths(recorded, spec), {"label_loglik": label})
    return recorded.result()


def positions(recorded: Recorder, spec: Experiment, measured: Measured) -> None:
    """Add every run; examples of retain_loglik before and after, a seed being one example."""
    runs = _paths(recorded, spec)
    curves = {metric: values for metric, values in measured.items() if values.ndim == NUMBER}
    recorded.curves(runs, curves)
    ends = curves["retain_loglik"][..., [0, -1]].reshape(len(runs), 1, 2)
    recorded.examples(runs, {"retain_loglik": ends}, steps=np.array([0, spec.steps]))


def retrained(
    recorded: Recorder,
    spec: Experiment,
    logits: dict[str, Float[np.ndarray, "seeds prompts c"]],
    answers: Int[np.ndarray, " tests"],
) -> None:
    """Add the accuracy of the retrained models, and the distances between any two of them."""
    right = (logits["test"].argmax(axis=-1) == answers).mean(axis=-1, keepdims=True)
    order, seeds = order_name(spec.retain), spec.seeds
    runs = [_run(recorded, order, "retrained", seed) for seed in seeds]
    recorded.curves(runs, {"retain_accuracy": right})
    pairs = growth.pairs(len(seeds))
    floors = [_run(recorded, f"{a}|{b}", "floor", seeds[a]) for a, b in pairs]
    for part in HELD_OUT:
        centred = metrics.centred_logits(logits[part])
        outputs = {"re_distance": softmax(centred, axis=-1), "logit_distance": centred}
        for name, values in outputs.items():
            between = [_distance(values[a], values[b]) for a, b in pairs]
            recorded.curves(floors, {f"{name}/{part}": between})


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """d of predictions (..., m, c)."""
    return np.asarray(np.mean(np.sum((a - b) ** 2, axis=-1), axis=-1))


def control(spec: Experiment, order: str, measured: Measured) -> Result:
    """Records of how far apart the paths of one seed are; order "staged" or "mixture"."""
    recorded = recorder(spec, "mixture")
    cells = itertools.product(spec.seeds, spec.methods)
    runs = [_run(recorded, order, method.name, seed) for seed, method in cells]
    label = measured["label_loglik"]  # (seeds, methods, paths, points)
    recorded.curves(runs, {"label_loglik": label.mean(axis=2)})
    recorded.curves(runs, {"label_variance": label.var(axis=2, ddof=1)})
    pairs = growth.pairs(label.shape[2])
    for part in HELD_OUT:
        predicted = softmax(measured[f"outputs/{part}"], axis=-1)
        apart = [_distance(predicted[:, :, a], predicted[:, :, b]) for a, b in pairs]
        recorded.curves(runs, {f"path_distance/{part}": np.mean(apart, axis=0)})
    return recorded.result()


def rates(
    recorded: Recorder,
    spec: Experiment,
    reading: Reading,
    measured: Measured,
    logits: dict[str, Float[np.ndarray, "seeds prompts c"]],
) -> None:
    """Add the rates of divergence of every pair of paths, on the test prompts and in parameters."""
    target = metrics.centred_logits(logits["test"])
    for number, method in enumerate(spec.methods):
        if method.name not in RATED:
            continue
        outputs = measured["outputs/test"][:, number]
        of_pairs, of_paths = growth.read_off(outputs, reading, target)
        secant = [growth.secant_rates(paths) for paths in measured["parameters"][:, number]]
        of_pairs |= growth.in_parameters(np.concatenate(secant), reading.every)
        growth.record(
            recorded,
            spec.orders,
            spec.seeds,
            method=method.name,
            of_pairs=of_pairs,
            of_paths=of_paths,
        )
