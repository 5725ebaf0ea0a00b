"""L1b from experiments bases/BASE: does the order have an effect that all bases share?

The forget score is averaged over the S seeds of a base; bases and paths are then crossed, and
σ²_p/(σ²_p + σ²_pb + σ²_e/S) is the share of the variance between paths that is common to the bases.
"""

import numpy as np
from jaxtyping import Float

from protocol import metrics
from protocol.claims.claim import Claim
from protocol.claims.statements import STATEMENTS
from protocol.claims.verdicts import agreed
from protocol.readings.bases import Crossed, common_share, crossed
from protocol.readings.curves import LATER, judged_steps
from protocol.records import Tables


def _verdict(effect: metrics.PathEffect) -> str:
    if effect.low > 0:
        return "holds"
    return "fails" if effect.share == 0 else "inconclusive"


def _components(scores: Float[np.ndarray, "bases shuffles paths"], step: int) -> str:
    """The shares of base, seed, path and their products in the whole variance, in words."""
    shares = metrics.variance_components(scores).shares._asdict().items()
    named = ", ".join(f"{name.replace('_', ' × ')} {share:.2f}" for name, share in shares)
    return f"shares of the whole variance at step {step}: {named}"


def _alike(model: Crossed) -> Claim:
    last, half = judged_steps(tuple(model.scores))
    bases, seeds, _ = model.scores[last].shape
    statement = STATEMENTS["L1b"].measured(step=LATER)
    rule = (
        f"lower bound of the exact 95% interval > 0 at steps {half} and {last}; fails if the share "
        "is 0"
    )
    if bases < 2:
        return statement.not_testable(
            world=model.world,
            model=model.model,
            method=model.method,
            rule=rule,
            why="needs at least 2 bases; 1 was run",
        )
    effects = {step: common_share(model.scores[step]) for step in (last, half)}
    details = [
        f"step {step}: {effect.share:.2f} [{effect.low:.2f}, {effect.high:.2f}]"
        for step, effect in effects.items()
    ]
    if seeds > 1:
        details.append(_components(model.scores[last], last))
    effect = effects[last]
    return statement.judged(
        world=model.world,
        model=model.model,
        method=model.method,
        value=effect.share,
        interval=(effect.low, effect.high),
        rule=rule,
        verdict=agreed([_verdict(effect) for effect in effects.values()]),
        details=[*details, f"{bases} bases of {seeds} seeds"],
    )


def judge(tables: Tables) -> list[Claim]:
    """L1b for every model and method that was run on several bases."""
    return [_alike(model) for model in crossed(tables)]
