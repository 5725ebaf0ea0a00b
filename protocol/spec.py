"""One experiment dataclass for both sides, and the hash that names a configuration.

An experiment fixes the stages, the forget stage, the unlearning methods, the number of unlearning
steps and the seeds; `settings` holds what belongs to one side (sizes, learning rates), again as a
frozen dataclass. Everything is immutable and hashable to a short digest, so a record can name the
exact configuration that made it.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from protocol import orders
from protocol.errors import InputError, known
from protocol.objectives import OBJECTIVES

# Reference methods, objective -> name. Such a method is no loss on the forget set: it knows the
# retrained model or the history of training. The package that carries a method out adds the entry
# (llm.training.unlearning.add).
REFERENCE_METHODS: dict[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Method:
    """An unlearning method: an objective, its constants, the reduction of its per-example losses.

    objective: a name of `OBJECTIVES` or `REFERENCE_METHODS` · retain: weight of the likelihood of
    retained rows that is learned with every batch; 0 for a local method. Raises InputError for an
    objective or a reduction of another name.
    """

    name: str
    objective: str
    constants: tuple[tuple[str, float], ...] = ()
    reduction: str = "mean"
    retain: float = 0.0

    def __post_init__(self) -> None:
        known("method.objective", self.objective, [*OBJECTIVES, *REFERENCE_METHODS])
        known("method.reduction", self.reduction, ["mean", "tokens"])


# The three methods of the paper, SimNPO at the β of claim N1, and SimNPO in its original form.
METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("GA", "gradient_ascent"),
        Method("NPO", "npo", (("beta", 0.5),)),
        Method("SimNPO", "simnpo", (("beta", 0.2),)),
        Method("SimNPO-beta1", "simnpo", (("beta", 1.0),)),
        Method("SimNPO-original", "simnpo_normalized", (("beta", 2.5), ("gamma", 0.0))),
    )
}
PAPER_METHODS = ("GA", "NPO", "SimNPO")  # those that claims on paths are made about


def named_methods(
    names: Sequence[str], methods: Mapping[str, Method] = METHODS
) -> tuple[Method, ...]:
    """The methods of these names; InputError for an unknown or a repeated name."""
    if isinstance(names, str):
        raise InputError(f"methods: expected a sequence of names; got the string {names!r}")
    twice = [name for name in dict.fromkeys(names) if list(names).count(name) > 1]
    if twice:
        raise InputError(f"methods: expected every method once; got {twice[0]} twice")
    return tuple(methods[known("methods", name, list(methods))] for name in names)


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Orders of the stages of one model, each unlearned by every method.

    world: "linear", "network" or "llm" · base: seed of what all shuffle seeds share (data,
    pretraining) · seeds: shuffle seeds (of the linear model: instances) · steps: number of
    unlearning updates T, so a run has T + 1 points · starts: the orders, by default the paths
    p = 1..P.
    """

    name: str
    world: str
    model: str
    retain: tuple[str, ...]
    forget: str
    methods: tuple[Method, ...]
    steps: int
    seeds: tuple[int, ...]
    settings: Any
    base: int = 0
    starts: tuple[orders.Order, ...] = ()

    def __post_init__(self) -> None:
        for order in self.orders:
            orders.retrained(order, self.forget)
        if self.steps < 1:
            raise InputError(f"steps: expected at least 1 unlearning step; got {self.steps}")
        if not self.seeds:
            raise InputError("seeds: expected at least one seed; got none")
        if not self.methods:
            raise InputError("methods: expected at least one unlearning method; got none")

    @property
    def paths(self) -> tuple[orders.Order, ...]:
        """Paths p = 1..P; element p − 1 is path p."""
        return orders.positions(self.retain, self.forget)

    @property
    def orders(self) -> tuple[orders.Order, ...]:
        """The orders unlearning starts from."""
        return self.starts or self.paths


def canonical(config: Any) -> str:
    """A dataclass or plain data as JSON with sorted keys: equal configurations give equal text."""
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        config = dataclasses.asdict(config)
    return json.dumps(config, sort_keys=True, separators=(",", ":"))


def digest(config: Any) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of `canonical(config)`."""
    return hashlib.sha256(canonical(config).encode()).hexdigest()[:16]
