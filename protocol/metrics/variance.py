"""How much of the outcome is due to the order: variance between paths, seeds and bases.

Common random numbers: all paths of a seed share its base, shuffles, unlearning rows and sampling,
so that seeds and paths are crossed and the seed's own effect does not blur the paths'. One value
per base, shuffle and path (fixed step).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from protocol.errors import InputError


class Components(NamedTuple):
    """Variance components, in the square of the values' unit; nan if the design cannot tell."""

    path: float  # σ²_p: between paths, the same under every seed
    base: float  # σ²_b: between bases (another pretraining)
    shuffle: float  # σ²_s: between shuffle seeds of one base, the same for every path
    path_base: float  # σ²_pb: what a base does to one path and not to the others
    rest: float  # σ²_e: what a shuffle does to one path and not to the others, and all else

    @property
    def shares(self) -> "Components":
        """Each as a share of their sum, negative estimates taken as 0; all nan if the sum is 0."""
        parts = np.maximum(np.nan_to_num(np.array(self)), 0.0)
        total = parts.sum()
        shares = parts / total if total > 0 else np.full(5, np.nan)
        return Components(*np.where(np.isnan(np.array(self)), np.nan, shares).tolist())


def variance_components(values: Float[np.ndarray, "bases shuffles paths"]) -> Components:
    """Analysis of variance: paths crossed with bases and with shuffles inside a base, all random.

    B bases, S shuffles each, P paths. Mean squares MS_p, MS_b, MS_s (of shuffles within bases),
    MS_pb, MS_e have the expectations σ²_e + Sσ²_pb + BSσ²_p, σ²_e + Pσ²_s + Sσ²_pb + SPσ²_b, σ²_e +
    Pσ²_s, σ²_e + Sσ²_pb, σ²_e; solved for the components, which may come out negative. With one
    base σ²_b and σ²_pb cannot be known (nan): σ²_p then holds σ²_pb, what the order does to that
    base. Raises InputError for fewer than 2 paths or 2 shuffles.
    """
    bases, shuffles, paths = values.shape
    if paths < 2 or shuffles < 2 or bases < 1:
        raise InputError(
            f"values: expected at least 1 base, 2 shuffles and 2 paths; got {values.shape}"
        )
    grand, by_path, by_base = values.mean(), values.mean(axis=(0, 1)), values.mean(axis=(1, 2))
    by_shuffle, by_both = values.mean(axis=2), values.mean(axis=1)  # (B, S), (B, P)
    path = bases * shuffles * np.sum((by_path - grand) ** 2) / (paths - 1)
    shuffle = paths * np.sum((by_shuffle - by_base[:, None]) ** 2) / (bases * (shuffles - 1))
    left = values - by_shuffle[:, :, None] - by_both[:, None, :] + by_base[:, None, None]
    rest = np.sum(left**2) / (bases * (shuffles - 1) * (paths - 1))
    if bases == 1:
        return Components(
            (path - rest) / shuffles, np.nan, (shuffle - rest) / paths, np.nan, float(rest)
        )
    base = shuffles * paths * np.sum((by_base - grand) ** 2) / (bases - 1)
    mixed = by_both - by_base[:, None] - by_path + grand
    path_base = shuffles * np.sum(mixed**2) / ((bases - 1) * (paths - 1))
    return Components(
        float((path - path_base) / (bases * shuffles)),
        float((base - shuffle - path_base + rest) / (shuffles * paths)),
        float((shuffle - rest) / paths),
        float((path_base - rest) / shuffles),
        float(rest),
    )


class PathEffect(NamedTuple):
    """σ²_p/(σ²_p + σ²_e): of the variance left once the seed is fixed, the share between paths."""

    share: float
    low: float
    high: float


def path_effect(
    values: Float[np.ndarray, "seeds paths"], *, confidence: float = 0.95
) -> PathEffect:
    """Share of variance between paths under common random numbers, with its interval.

    The interval is exact for normal values. With F = MS_p/MS_e of the two-way layout without
    repetition and its degrees of freedom P − 1, (S − 1)(P − 1): σ²_p/σ²_e = (F − 1)/S, its bounds
    (F/F_{1∓α/2} − 1)/S, both taken as at least 0 (the intraclass correlation of Shrout and Fleiss,
    1979, ICC(3, 1)). All 1 where MS_e = 0 < MS_p, all nan if both are 0.
    """
    seeds, paths = values.shape
    components = variance_components(values[None])
    between, rest = components.rest + seeds * components.path, components.rest
    if rest <= 0:
        known = 1.0 if between > 0 else np.nan
        return PathEffect(known, known, known)
    degrees = (paths - 1, (seeds - 1) * (paths - 1))
    tails = (0.5, 0.5 + confidence / 2, 0.5 - confidence / 2)
    divisors = (1.0, *(float(stats.f.ppf(tail, *degrees)) for tail in tails[1:]))
    ratios = [max((between / rest / divisor - 1) / seeds, 0.0) for divisor in divisors]
    share, low, high = (ratio / (1 + ratio) for ratio in ratios)
    return PathEffect(share, low, high)
