"""The published numbers of arXiv 2510.16629: Tables 1 and 2, the curves of Figures 1 and 3 to 8.

Read from the CSV files in published/ (SOURCE.md there says how they were obtained and what is odd
about them). Curves are indexed by step, step 0 first; log-likelihoods are in nats, mean per token
except in Figure 4.
"""

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol import metrics
from protocol.errors import InputError, known

FOLDER = Path(__file__).parent
FIGURES = (1, 3, 4, 5, 6, 7, 8)
TABLE1_QUANTITIES = ("forget_score", "tofu_utility", "math_utility")
# Figure 4's six orders of the answers C, U and R.
ORDERS = {
    "theta1": "R>C>U",
    "theta2": "C>R>U",
    "theta3": "U>C>R",
    "theta4": "U>R>C",
    "theta5": "R>U>C",
    "theta6": "C>U>R",
}
LABEL, TOFU = "unlearn_label_loglik", "tofu_loglik"
_PANEL = ["panel_row", "panel_col", "model", "algorithm", "quantity", "learning_rate", "scheduler"]


class Panel(NamedTuple):
    """One panel of a published figure: one quantity, one curve per path.

    paths: "1" … "4", in Figure 4 "theta1" … · low, high: the 95% band over seeds, None if the
    figure has no band.
    """

    row: int
    col: int
    model: str
    algorithm: str
    quantity: str
    learning_rate: float
    scheduler: str | None
    paths: tuple[str, ...]
    values: Float[np.ndarray, "paths points"]
    low: Float[np.ndarray, "paths points"] | None
    high: Float[np.ndarray, "paths points"] | None

    @property
    def drops(self) -> Float[np.ndarray, " paths"]:
        """Decrease from the first point to the last one; of a label curve, its forget score."""
        return metrics.forget_score(self.values, self.values.shape[-1] - 1)

    @property
    def half_width(self) -> Float[np.ndarray, "paths points"]:
        """Half of the band's width; InputError if the panel has no band."""
        if self.low is None or self.high is None:
            raise InputError(
                f"panel: expected one with a band, of Figure 5; got {self.model}, {self.algorithm}"
            )
        return (self.high - self.low) / 2


@cache
def curves() -> pl.DataFrame:
    """All 146 curves in long form, one row per vertex; columns as in SOURCE.md."""
    return pl.read_csv(FOLDER / "curves.csv", infer_schema_length=None)


@cache
def table1() -> pl.DataFrame:
    """Table 1 in long form, digits as printed.

    Columns: model, algorithm, path, forget_score, tofu_utility, math_utility.
    """
    return pl.read_csv(FOLDER / "table1.csv", infer_schema_length=None)


@cache
def table2() -> pl.DataFrame:
    """Table 2: learning rates, batch sizes, LoRA rank and alpha by model."""
    return pl.read_csv(FOLDER / "table2.csv", infer_schema_length=None)


def _panel(part: pl.DataFrame) -> Panel:
    part = part.sort("path", "step")
    first = part.row(0, named=True)
    paths = tuple(part["path"].unique(maintain_order=True))

    def array(column: str) -> Float[np.ndarray, "paths points"]:
        return part[column].to_numpy().reshape(len(paths), -1)

    banded = not part["ci_low"].has_nulls()
    return Panel(
        row=first["panel_row"],
        col=first["panel_col"],
        model=first["model"],
        algorithm=first["algorithm"],
        quantity=first["quantity"],
        learning_rate=first["learning_rate"],
        scheduler=first["scheduler"],
        paths=paths,
        values=array("value"),
        low=array("ci_low") if banded else None,
        high=array("ci_high") if banded else None,
    )


def panels(figure: int) -> list[Panel]:
    """The panels of a published figure by row, column and quantity.

    Raises InputError for a figure without curves.
    """
    if figure not in FIGURES:
        raise InputError(f"figure: expected one of {', '.join(map(str, FIGURES))}; got {figure}")
    own = curves().filter(pl.col("figure") == figure).sort("panel_row", "panel_col", "quantity")
    return [_panel(part) for _, part in own.group_by(_PANEL, maintain_order=True)]


def _has(panel: Panel, fields: dict[str, object]) -> bool:
    return all(getattr(panel, name) == value for name, value in fields.items())


def panel(figure: int, quantity: str = LABEL, **fields: object) -> Panel:
    """The one panel of a figure with this quantity and these fields.

    Raises InputError unless just one panel has them.
    """
    wanted = {"quantity": quantity, **fields}
    matching = [panel for panel in panels(figure) if _has(panel, wanted)]
    if len(matching) != 1:
        count = len(matching)
        raise InputError(
            f"fields: expected those of one panel of Figure {figure}; got {count}, of {wanted}"
        )
    return matching[0]


def table1_row(model: str, algorithm: str, quantity: str) -> Float[np.ndarray, " paths"]:
    """The four printed numbers p = 1..4 of one model, algorithm and quantity of Table 1."""
    known("quantity", quantity, TABLE1_QUANTITIES)
    known("model", model, table1()["model"].unique(maintain_order=True).to_list())
    known("algorithm", algorithm, table1()["algorithm"].unique(maintain_order=True).to_list())
    row = table1().filter(model=model, algorithm=algorithm)
    return row.sort("path")[quantity].to_numpy()
