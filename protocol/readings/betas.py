"""SimNPO's paper form by its β: its records, and the two sides of claim N1 at step 0.

A preset gives the name "SimNPO" to a β of its own: 0.2 in the embedded preset, 1 in the presets of
the paper and of its code. So β is read from the saved configuration that a record's hash names, and
never from a method's name.
"""

import json
from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Float

from protocol.readings.curves import curves, positions
from protocol.records import Tables
from protocol.spec import METHODS as SPEC_METHODS

# names of `protocol.spec.METHODS`: SimNPO at β = 1, and at the β that acts
SILENT, ACTING = "SimNPO-beta1", "SimNPO"
NAMES = {dict(SPEC_METHODS[name].constants)["beta"]: name for name in (SILENT, ACTING)}


def _named(config: str) -> dict[str, str]:
    """SILENT and ACTING -> the configuration's method of that β, the first of several."""
    own_names: dict[str, str] = {}
    for method in json.loads(config).get("methods", ()):
        name = NAMES.get(dict(method["constants"]).get("beta", 0.0))
        if method["objective"] == SPEC_METHODS[SILENT].objective and name is not None:
            own_names.setdefault(name, method["name"])
    return own_names


def _renamed(tables: Tables, specs: list[str]) -> Iterator[tuple[str, str, str]]:
    """(spec, its method, SILENT or ACTING) of every configuration that the tables hold."""
    for spec in specs:
        if spec in tables.specs:
            own_names = _named(tables.specs[spec])
            yield from ((spec, method, name) for name, method in own_names.items())


def by_beta(tables: Tables) -> pl.DataFrame:
    """Records of the positions under SimNPO's paper form, named SILENT at β = 1, ACTING at 0.2.

    Records under another β, or of a configuration that the tables do not hold, are left out.
    """
    records = positions(tables)
    rows = list(_renamed(tables, records["spec"].unique().to_list()))
    schema = dict.fromkeys(("spec", "method", "named"), pl.String)
    named = pl.DataFrame(rows, schema=schema, orient="row")
    joined = records.join(named, on=["spec", "method"])
    return joined.with_columns(method=pl.col("named")).drop("named")


def norms_at_start(
    records: pl.DataFrame, world: str, method: str
) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Model -> norm of the gradient that the first update follows."""
    norms = curves(records, world=world, method=method, metric="grad_norm")
    return {measured.model: measured.at(0) for measured in norms}


def answers_at_start(
    records: pl.DataFrame, world: str
) -> dict[str, Float[np.ndarray, "seeds paths"]]:
    """Model -> log π of a forget answer (or else of the label) before unlearning."""
    answers = curves(records, world=world, method=SILENT, metric="forget_logp")
    labels = curves(records, world=world, method=SILENT, metric="label_loglik")
    return {measured.model: measured.at(0) for measured in answers or labels}
