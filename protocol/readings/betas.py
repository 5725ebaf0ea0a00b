"""SimNPO's paper form by its β, for claim N1 and its figure.

A preset gives the name "SimNPO" to the β of its own: 0.2 in the embedded preset, 1 in those of the
paper and of its code. So β is read from the saved configuration that a record's hash names, and
never from a method's name.
"""

import json

import polars as pl

from protocol.readings.curves import positions
from protocol.records import Tables
from protocol.spec import METHODS

SILENT, ACTING = (
    "SimNPO-beta1",
    "SimNPO",
)  # names of `protocol.spec.METHODS`: SimNPO at β = 1, and at the β that acts
NAMES = {dict(METHODS[name].constants)["beta"]: name for name in (SILENT, ACTING)}


def _named(config: str) -> dict[str, str]:
    """SILENT and ACTING -> the configuration's method of that β, the first of several."""
    found: dict[str, str] = {}
    for method in json.loads(config).get("methods", ()):
        name = NAMES.get(dict(method["constants"]).get("beta", 0.0))
        if method["objective"] == METHODS[SILENT].objective and name is not None:
            found.setdefault(name, method["name"])
    return found


def by_beta(tables: Tables) -> pl.DataFrame:
    """Records of the positions under SimNPO's paper form, the method named by its β: SILENT at 1,
    ACTING at 0.2.

    Records under another β, or of a configuration that the tables do not hold, are left out.
    """
    records = positions(tables)
    configs = {
        spec: tables.specs[spec] for spec in records["spec"].unique() if spec in tables.specs
    }
    rows = [
        (spec, method, name)
        for spec, config in configs.items()
        for name, method in _named(config).items()
    ]
    named = pl.DataFrame(
        rows, schema={"spec": pl.String, "method": pl.String, "named": pl.String}, orient="row"
    )
    return (
        records.join(named, on=["spec", "method"])
        .with_columns(method=pl.col("named"))
        .drop("named")
    )
