"""Every figure there is, in the order of the report."""

from paper_figs.drawing.entry import FigureEntry
from paper_figs.figures import (
    certified,
    depth,
    distance_forget,
    distance_retained,
    dose,
    figure1,
    figure2,
    figure3,
    figure4,
    figure5,
    figure6,
    figure7,
    figure8,
    gradient,
    linear,
    mixture,
    networks,
    oracle,
    orders,
    overview,
    path_effect,
    rates,
    rates_between_sides,
    recency,
    removal,
    retain,
    span,
    theorem,
    washout,
)
from protocol.errors import known

FIGURES: tuple[FigureEntry, ...] = (
    overview.FIGURE,
    figure1.FIGURE,
    figure2.FIGURE,
    figure3.FIGURE,
    figure4.FIGURE,
    figure5.FIGURE,
    figure6.FIGURE,
    figure7.FIGURE,
    figure8.FIGURE,
    distance_forget.FIGURE,
    distance_retained.FIGURE,
    dose.FIGURE,
    washout.FIGURE,
    orders.FIGURE,
    oracle.FIGURE,
    gradient.FIGURE,
    theorem.FIGURE,
    linear.FIGURE,
    rates_between_sides.FIGURE,
    rates.FIGURE,
    recency.FIGURE,
    span.FIGURE,
    retain.FIGURE,
    certified.FIGURE,
    removal.FIGURE,
    networks.FIGURE,
    path_effect.FIGURE,
    mixture.FIGURE,
    depth.FIGURE,
)


def chosen(names: tuple[str, ...]) -> tuple[FigureEntry, ...]:
    """The figures of these names ("4" is "figure4"), all where none is given; InputError for an
    unknown one.
    """
    wanted = [f"figure{name}" if name.isdigit() else name for name in names]
    for name in wanted:
        known("figure", name, [entry.name for entry in FIGURES])
    return tuple(entry for entry in FIGURES if not wanted or entry.name in wanted)
