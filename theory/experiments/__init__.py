"""Every experiment of the theory side, by the name of its result.

A module here holds one experiment: `Settings` (its whole configuration, and the options of `retrace
theory NAME`), `QUICK` (a small size) and `run(settings, progress) -> Result`. The formulas are in
`theory` itself.
"""

from types import ModuleType

from protocol.progress import Progress
from protocol.records import Result
from theory.experiments import (
    certified,
    depth,
    networks,
    positions,
    rates,
    recency,
    removal,
    retain,
    span,
    theorem,
    theorem_curves,
)

RESULTS: dict[str, ModuleType] = {
    "theorem": theorem,
    "theorem-curves": theorem_curves,
    "positions": positions,
    "rates": rates,
    "recency": recency,
    "span": span,
    "retain": retain,
    "certified": certified,
    "removal": removal,
    "networks": networks,
    "depth": depth,
}


def run(quick: bool, progress: Progress) -> dict[str, Result]:
    """Every experiment at its default settings (quick: at its small ones), by name."""
    return {
        name: module.run(module.QUICK if quick else module.Settings(), progress)
        for name, module in RESULTS.items()
    }
