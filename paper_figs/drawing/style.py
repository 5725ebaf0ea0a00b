"""How every figure looks and how it is saved: equal records give files that are equal to the byte.

Figures are plain `matplotlib.figure.Figure` objects, never pyplot's, so that importing or drawing
leaves no open figures and no changed defaults behind. `styled` puts the fonts and sizes around a
drawing function. `save` writes PDF and PNG without dates and versions, `svg` gives the figure for a
page.
"""

import io
import itertools
import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

# The paper's colours for p = 1..4; the others are for orders with more stages. Markers and lines
# distinguish the paths without colour, too; no line is dotted, as dotted means "doing nothing".
COLOURS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES: tuple[Any, ...] = ("-", (0, (6, 1.4)), (0, (7, 1.4, 1.4, 1.4)), (0, (2.6, 1.2)))

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.5,
    "lines.markersize": 3.8,
    "figure.facecolor": "white",
    "savefig.dpi": 160,
    "pdf.fonttype": 42,
    "svg.hashsalt": "retrace",
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(function: Callable[P, R]) -> Callable[P, R]:
    """The same function, run with the fonts and sizes of RC; the caller's settings stay."""

    @wraps(function)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context(RC):
            return function(*args, **kwargs)

    return inside


def colour(position: int) -> str:
    """The colour of path p (1-based); from the ninth on they come round again."""
    return COLOURS[(position - 1) % len(COLOURS)]


def marker(position: int) -> str:
    """The marker of path p (1-based)."""
    return MARKERS[(position - 1) % len(MARKERS)]


def line(position: int) -> Any:
    """The line style of path p (1-based)."""
    return LINES[(position - 1) % len(LINES)]


def path_look(position: int) -> dict[str, Any]:
    """Colour, line and marker of path p (1-based), as `plot` takes them."""
    return {"color": colour(position), "linestyle": line(position), "marker": marker(position)}


def legend_entry(label: str, **look: Any) -> Line2D:
    """A line with a label for a legend; no panel shows it."""
    return Line2D([], [], label=label, **look)


def path_legend(figure: FigureBase, count: int, extra: tuple[Line2D, ...] = ()) -> None:
    """A legend below the panels: one entry per path p = 1..count, then `extra`."""
    names = {1: "p = 1 (forget set learned first)", count: f"p = {count} (learned last)"}
    paths = range(1, count + 1)
    handles = [legend_entry(names.get(p, f"p = {p}"), **path_look(p)) for p in paths]
    handles += extra
    rows = 1 if len(handles) < 6 else 2  # more do not fit side by side
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=-(-len(handles) // rows),
        columnspacing=1.6,
        handlelength=3.2,
    )


def nothing_line() -> Line2D:
    """The legend's entry for the dotted levels of step 0."""
    return legend_entry("doing nothing (step 0)", color="black", linestyle=":", linewidth=1.0)


def shade(axes: Axes, places: Any, low: Any, high: Any, colour: Any) -> None:
    """The band between two curves."""
    axes.fill_between(places, low, high, color=colour, alpha=0.18, linewidth=0)


def minus(text: str) -> str:
    """The text with true minus signs."""
    return text.replace("-", "−")


def heading(figure: FigureBase, text: str) -> None:
    """The bold line above a group of panels, at its left edge."""
    figure.suptitle(text, x=0.01, ha="left", fontsize=10.5, fontweight="bold")


def step_axis(axes: Axes, *, last_row: bool = True) -> None:
    """Whole numbers of unlearning steps on the x axis; only the last row's axis has a name."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
    axes.margins(x=0.02)
    if last_row:
        axes.set_xlabel("unlearning step")


def log_axis(axes: Axes) -> None:
    """Ticks of a logarithmic y axis: 1, 2 and 5 of each decade if the axis spans at most two."""
    bottom, top = axes.get_ylim()
    if top / bottom < 200:
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())


def _settle(figure: Figure) -> None:
    """Compute the layout once and keep it, rounded to a millionth of the figure.

    The solver's last digits depend on where its variables lie in memory; unrounded, a pixel moves
    between two runs.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    for part in figure.subfigs:
        part.bbox_relative.p0 = np.round(part.bbox_relative.p0, 6)
        part.bbox_relative.p1 = np.round(part.bbox_relative.p1, 6)
    for text in itertools.chain(figure.texts, *(part.texts for part in figure.subfigs)):
        x, y = text.get_position()
        text.set_position((round(float(x), 6), round(float(y), 6)))
    for axes in figure.axes:
        left, bottom, width, height = np.round(axes.get_position().bounds, 6)
        axes.set_position((left, bottom, width, height))


@styled
def save(figure: Figure, folder: Path, name: str) -> tuple[Path, Path]:
    """Write folder/name.pdf and folder/name.png; returns both paths. Equal figures, equal bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
    _settle(figure)
    figure.savefig(pdf, metadata={"CreationDate": None})
    figure.savefig(png, metadata={"Software": None})
    return pdf, png


def _rounded(path: re.Match[str]) -> str:
    """A path with at most two decimals in every number."""
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", path[0])


@styled
def svg(figure: Figure) -> str:
    """A figure as SVG text, as `save` left it; rounded paths without comments keep it small."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    bare = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text.getvalue(), flags=re.DOTALL)
    return re.sub(r' d="[^"]*"', _rounded, bare)
