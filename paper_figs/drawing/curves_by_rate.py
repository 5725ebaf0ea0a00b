"""Curves of experiment "learning-rates", which Figures 6 and 7 draw."""

from protocol.readings.curves import Curves, curves, settings
from protocol.records import Tables

METHOD = "NPO"  # the published one


def curves_by_rate(tables: Tables, metric: str) -> dict[float, list[Curves]]:
    """Learning rate -> the metric's curves of all language models under NPO, largest rate first."""
    by_rate = {
        float(rate): curves(records, world="llm", method=METHOD, metric=metric)
        for rate, records in settings(tables, "learning-rates").items()
    }
    return {rate: by_rate[rate] for rate in sorted(by_rate, reverse=True) if by_rate[rate]}
