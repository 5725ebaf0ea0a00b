"""The benchmark compares equals: the library and the textbook's d×d formulas say the same of every
instance.
"""

import numpy as np

from benchmarks import survey
from theory.numerics import float64


def test_the_library_and_the_textbook_agree():
    cases = survey.draw(0, 3, d=30, n=6, k=6, m=9)
    with float64():
        ours = survey.Survey(*map(np.asarray, survey.survey(cases)))
    rows = [survey.textbook(survey.Case(*(part[i] for part in cases))) for i in range(3)]
    theirs = survey.Survey(*(np.stack(parts) for parts in zip(*rows, strict=True)))
    assert survey.disagreement(ours, theirs) < 1e-11
    for name, values in theirs._asdict().items():
        np.testing.assert_allclose(getattr(ours, name), values, rtol=1e-9, atol=1e-15, err_msg=name)
    worse = theirs._replace(rho=theirs.rho * (1 + 1e-6))
    assert survey.disagreement(ours, worse) > 1e-7
