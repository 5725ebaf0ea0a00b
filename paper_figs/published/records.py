"""The published numbers as records, so that the same functions judge claims on them and on ours.

World "published", seed 0. Each model counts once an experiment and method, and what the audit sets
aside is left out:
- positions: Figures 1 and 3; Qwen1B from Figure 5 alone, whose curves are means over four seeds and
  the only ones of NPO at the standard settings; Table 1's utilities as examples (the change alone
  is printed: math from 0, TOFU from 1);
- learning-rates/VALUE: Figure 6 (Figure 7 repeats a panel of it);
- schedules/VALUE: Figure 8, but Figure 5's panel in place of its NPO/WSD panel;
- depth: Figure 4.
"""

from collections.abc import Iterator

from paper_figs.published import numbers
from paper_figs.published.numbers import LABEL, TOFU, Panel
from protocol import metrics, orders, records
from protocol.readings.curves import SEEDS, VARIANCE
from protocol.records import Run, Tables

WORLD = "published"
BAND_SEEDS = 4  # behind the means of Figure 5
METRICS = {LABEL: "label_loglik", TOFU: "tofu_loglik"} | {
    f"logprob_{a}": f"answer_loglik/{a}" for a in "CUR"
}
PATHS = orders.positions(("inst", "tofu", "math"), "safety")
BEFORE = {"math_utility": 0.0, "tofu_utility": 1.0}
LAST = 19  # the last step of the published runs


def _run(experiment: str, model: str, method: str, order: orders.Order, forget: str) -> Run:
    name = records.order_name(order)
    return Run(
        run=" ".join((WORLD, experiment, model, method, name)),
        spec=WORLD,
        experiment=experiment,
        world=WORLD,
        model=model,
        order=name,
        position=orders.position_of(order, forget),
        reference=records.order_name(orders.retrained(order, forget)),
        method=method,
        seed=0,
    )


def _order(path: str) -> tuple[orders.Order, str]:
    """The order of a path "1" … "4" or "theta1" … "theta6", and its forget stage."""
    if path.isdigit():
        return PATHS[int(path) - 1], "safety"
    return tuple(numbers.ORDERS[path].split(">")), "U"


def _curve_tables(experiment: str, panel: Panel, *, normal: bool) -> Iterator[Tables]:
    metric = METRICS[panel.quantity]
    for i, path in enumerate(panel.paths):
        values = [(step, metric, value) for step, value in enumerate(panel.values[i])]
        if panel.low is not None:
            variance = metrics.interval_variance(panel.half_width[i], BAND_SEEDS, normal=normal)
            values += [(step, VARIANCE + metric, value) for step, value in enumerate(variance)]
            values += [(0, SEEDS, BAND_SEEDS)] if panel.quantity == LABEL else []
        yield records.tables(_run(experiment, panel.model, panel.algorithm, *_order(path)), values)


def _counted_panels() -> Iterator[tuple[str, Panel]]:
    """(experiment, panel) of every panel that counts."""
    averaged = numbers.panels(5)
    models = {panel.model for panel in averaged}
    yield from (("positions", panel) for panel in averaged)
    single_runs = [*numbers.panels(1), *numbers.panels(3)]
    yield from (("positions", panel) for panel in single_runs if panel.model not in models)
    yield from (("depth", panel) for panel in numbers.panels(4))
    yield from ((f"learning-rates/{panel.learning_rate:g}", panel) for panel in numbers.panels(6))
    repeated = numbers.panel(8, algorithm="NPO", scheduler="WSD")
    for panel in numbers.panels(8):
        if (panel.row, panel.col) != (repeated.row, repeated.col):
            yield f"schedules/{panel.scheduler}", panel
    averaged_npo = numbers.panel(5, algorithm="NPO")
    yield f"schedules/{averaged_npo.scheduler}", averaged_npo


def _table1_tables() -> Iterator[Tables]:
    for row in numbers.table1().iter_rows(named=True):
        run = _run("positions", row["model"], row["algorithm"], *_order(str(row["path"])))
        pairs = ((0, name, 0, before) for name, before in BEFORE.items())
        yield records.tables(run, [], [*pairs, *((LAST, name, 0, row[name]) for name in BEFORE)])


def tables(*, normal: bool = False) -> Tables:
    """All records of the published numbers.

    normal: read Figure 5's band as ±1.96 standard errors of the mean, instead of as a t interval of
    four seeds. The curves do not say which of the two it is, so both are assumptions.
    """
    parts = list(_table1_tables())
    for experiment, panel in _counted_panels():
        parts += _curve_tables(experiment, panel, normal=normal)
    return Tables.concat(parts)
