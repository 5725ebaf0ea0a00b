"""Rules that several claims share: from a statistic and its bounds to a verdict."""

from collections.abc import Sequence

MOST_SEEDS = "exact 95% lower bound > 0.5; fails if the upper bound is below"


def holds_if(condition: bool) -> str:
    """ "holds" or "fails", for a claim that is a theorem or an identity."""
    return "holds" if condition else "fails"


def by_threshold(value: float, *, holds_above: float, fails_below: float) -> str:
    """ "holds" above one number, "fails" below another, "inconclusive" between."""
    if value > holds_above:
        return "holds"
    return "fails" if value < fails_below else "inconclusive"


def by_interval(interval: tuple[float, float], *, above: float) -> str:
    """ "holds" if the whole interval is above a number, "fails" if it is below."""
    low, high = interval
    if low > above:
        return "holds"
    return "fails" if high < above else "inconclusive"


def at_least(interval: tuple[float, float], minimum: float) -> str:
    """ "holds" if the lower bound is a minimum or more, "fails" if the upper bound is less."""
    low, high = interval
    if low >= minimum:
        return "holds"
    return "fails" if high < minimum else "inconclusive"


def agreed(verdicts: Sequence[str]) -> str:
    """The common verdict of several readings of one claim; "inconclusive" if they differ."""
    return verdicts[0] if len(set(verdicts)) == 1 else "inconclusive"


def every(verdicts: Sequence[str]) -> str:
    """The verdict of a claim with several parts.

    "holds" if all parts hold; else "fails" if one fails; else "not testable" if one is not
    testable; else "inconclusive".
    """
    if set(verdicts) == {"holds"}:
        return "holds"
    worse = (verdict for verdict in ("fails", "not testable") if verdict in verdicts)
    return next(worse, "inconclusive")
