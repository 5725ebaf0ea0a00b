"""The tasks of the networks: stages of classified inputs, drawn by NumPy from a base seed.

The forget stage is the last.

Stages are stacked: inputs (stages, n, ...) with answers (stages, n), and as many held-out inputs
and answers of each.
- `clusters` (MLP, softmax): x = a centre of the stage + √overlap · common factors + own noise; the
  answer is the largest of c linear scores of a teacher, of which a share is common to all stages.
- `associations` (transformer): prompt (stage, filler, key, filler) with answer table_stage[key]; a
  share of the keys has the same value in all stages. Held out are prompts of the same keys in other
  fillers.
- `answers` (softmax): the depth experiment. Every stage has the same prompts and answers them all
  with a class of its own: stage s with class s. The prompts share a common direction; how alike
  answers are, the model says (`Softmax`).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Shaped

from protocol.errors import InputError
from theory.networks.models import Network


class Task(NamedTuple):
    """Stages stacked, the forget stage last."""

    inputs: Shaped[np.ndarray, "stages n *features"]
    answers: Int[np.ndarray, "stages n"]
    test_inputs: Shaped[np.ndarray, "stages m *features"]
    test_answers: Int[np.ndarray, "stages m"]


def _check(rows: int, held_out: int, shared: float) -> None:
    if rows < 1 or held_out < 1:
        raise InputError(f"rows, held_out: expected at least 1 row each; got {rows} and {held_out}")
    if not 0 <= shared <= 1:
        raise InputError(f"shared: expected a share from 0 to 1; got {shared}")


def clusters(
    network: Network, base: int, *, stages: int, rows: int, held_out: int, shared: float
) -> Task:
    """Classified vectors.

    Mean squares per coordinate: centres 1, factors and noise 1/2 each.
    """
    _check(rows, held_out, shared)
    rng = np.random.default_rng([base, 1])
    d, c, n = network.inputs, network.classes, rows + held_out
    common, factors = rng.standard_normal((d, c)), rng.standard_normal((4, d)) / 2
    inputs, answers = np.empty((stages, n, d)), np.empty((stages, n), dtype=np.int32)
    for s in range(stages):
        centre, own = rng.standard_normal(d), rng.standard_normal((d, c))
        spread = np.sqrt(0.5) * (
            rng.standard_normal((n, 4)) @ factors + rng.standard_normal((n, d))
        )
        inputs[s] = centre + spread
        answers[s] = np.argmax(
            spread @ (np.sqrt(shared) * common + np.sqrt(1 - shared) * own), axis=1
        )
    return Task(inputs[:, :rows], answers[:, :rows], inputs[:, rows:], answers[:, rows:])


def associations(
    network: Network, base: int, *, stages: int, rows: int, held_out: int, shared: float
) -> Task:
    """Key -> value tables; the vocabulary is stages, then 8 fillers, then the keys."""
    _check(rows, held_out, shared)
    fillers = 8
    keys = network.inputs - stages - fillers
    if keys < 1 or network.length != 4 or rows + held_out > keys * fillers**2:
        raise InputError(
            f"network: expected prompts of 4 tokens, a vocabulary above {stages + fillers} and at "
            f"most {max(keys, 0) * fillers**2} prompts a stage; got {network} and "
            f"{rows + held_out} prompts"
        )
    rng = np.random.default_rng([base, 2])
    common = rng.integers(network.classes, size=keys)
    inputs = np.empty((stages, rows + held_out, 4), dtype=np.int32)
    answers = np.empty((stages, rows + held_out), dtype=np.int32)
    for s in range(stages):
        own = rng.integers(network.classes, size=keys)
        table = np.where(rng.random(keys) < shared, common, own)
        prompts = rng.permutation(keys * fillers**2)[: rows + held_out]
        key, before, after = np.unravel_index(prompts, (keys, fillers, fillers))
        inputs[s] = np.stack(
            [np.full_like(key, s), stages + before, stages + fillers + key, stages + after], axis=1
        )
        answers[s] = table[key]
    return Task(inputs[:, :rows], answers[:, :rows], inputs[:, rows:], answers[:, rows:])


def answers(network: Network, base: int, *, rows: int, held_out: int, shared: float) -> Task:
    """One class a stage on the same prompts √shared · common + √(1 − shared) · own, E‖x‖² = 1."""
    _check(rows, held_out, shared)
    rng = np.random.default_rng([base, 3])
    n, d, stages = rows + held_out, network.inputs, network.classes
    common = rng.standard_normal(d)
    prompts = (
        np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.standard_normal((n, d))
    ) / np.sqrt(d)
    inputs = np.broadcast_to(prompts, (stages, n, d))
    classes = np.broadcast_to(np.arange(stages, dtype=np.int32)[:, None], (stages, n))
    return Task(inputs[:, :rows], classes[:, :rows], inputs[:, rows:], classes[:, rows:])
