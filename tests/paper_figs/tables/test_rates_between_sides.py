"""The table of rates: medians and quartiles over seeds of the quantities that G2 and G4 judge."""

import pytest

from paper_figs.tables import rates_between_sides
from protocol import records

GROWTHS = (0.1, 0.2, 0.3)  # of log d per step, a seed each


def tables(*, parameters: bool = True) -> records.Tables:
    parts = []
    for seed, rate in enumerate(GROWTHS):
        run = records.Run(f"r{seed}", "s", "rates", "llm", "tiny", "a|b", 1, "r", "NPO", seed)
        values = [(step, "log_divergence", rate * step) for step in range(0, 21, 5)]
        values += [(0, "growth/rate", rate / 2), (0, "growth/measured", rate)]
        values += [(0, "growth/secant", rate / 10)] if parameters else []
        values += [(0, "horizon/rate", 10.0 + seed), (0, "horizon/constant", 4.0)]
        parts.append(records.tables(run, values))
    return records.Tables.concat(parts)


def test_a_row_has_the_median_and_quartiles_over_seeds() -> None:
    """d grows by e^{20·rate}: e² = 7.39, e⁴ = 54.6, e⁶ = 403.43; quartiles are midpoints."""
    (row,) = rates_between_sides.rows(tables())
    assert row[:4] == ("llm", "tiny", "NPO", "3")
    assert row[4:7] == ("0.100 (0.075–0.125)", "0.020 (0.015–0.025)", "0.200 (0.150–0.250)")
    assert row[7:9] == ("11 (10–12)", "4 (4–4)")
    assert row[9:] == ("54.60 (30.99–229.01)", "20 (20–20)")
    assert len(row) == len(rates_between_sides.HEAD)
    (numbers,) = rates_between_sides.frame(tables()).iter_rows(named=True)
    quartiles = [numbers[f"measured{part}"] for part in ("_low", "", "_high")]
    assert quartiles == pytest.approx([0.15, 0.2, 0.25])
    assert (numbers["horizon"], numbers["span"], numbers["seeds"]) == (11.0, 20.0, 3)


def test_parameters_that_were_not_kept_are_a_dash() -> None:
    (row,) = rates_between_sides.rows(tables(parameters=False))
    assert row[5] == "–" and len(row) == len(rates_between_sides.HEAD)
    (numbers,) = rates_between_sides.frame(tables(parameters=False)).iter_rows(named=True)
    assert (numbers["secant"], numbers["secant_low"], numbers["promised"]) == (None, None, 0.1)


def test_no_rows_without_records() -> None:
    assert rates_between_sides.rows(records.Tables.concat([])) == []
