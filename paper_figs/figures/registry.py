"""Every figure, in the order of the report: one line each, the name of its module."""

from importlib import import_module

from paper_figs.drawing.entry import FigureEntry
from protocol.errors import known

MODULES = (
    "overview",
    "figure1",
    "figure2",
    "figure3",
    "figure4",
    "figure5",
    "figure6",
    "figure7",
    "figure8",
    "distance_forget",
    "distance_retained",
    "dose",
    "washout",
    "orders",
    "oracle",
    "gradient",
    "theorem",
    "linear",
    "rates_between_sides",
    "rates",
    "recency",
    "span",
    "retain",
    "certified",
    "removal",
    "networks",
    "path_effect",
    "mixture",
    "depth",
)


def _entry(module: str) -> FigureEntry:
    entry: FigureEntry = import_module(f"paper_figs.figures.{module}").FIGURE
    return entry


FIGURES: list[FigureEntry] = [_entry(module) for module in MODULES]


def chosen(names: tuple[str, ...]) -> tuple[FigureEntry, ...]:
    """The figures of these names ("4" is "figure4"), all if none is given.

    InputError for an unknown name.
    """
    wanted = [f"figure{name}" if name.isdigit() else name for name in names]
    for name in wanted:
        known("figure", name, [entry.name for entry in FIGURES])
    return tuple(entry for entry in FIGURES if not wanted or entry.name in wanted)
