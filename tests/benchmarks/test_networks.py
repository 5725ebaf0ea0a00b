"""The benchmark compares equals: the compiled program and the loop in torch give the same metrics,
in float64.
"""

import numpy as np
import torch

from benchmarks import networks
from theory.networks.models import Network
from theory.networks.training import Recipe
from theory.numerics import float64

SIZES = networks.Sizes(
    Network("mlp", inputs=5, classes=3, width=4), Recipe("adam", 0.01, 4, 2), 8, 6, steps=3, lr=0.1
)


def test_both_sides_compute_the_same():
    threads = torch.get_num_threads()
    with float64():
        plan, given, paths = networks.prepare(SIZES, 2)
        ours, _ = networks.compiled(plan, given, paths)
        theirs, _ = networks.loop(plan, given, paths, threads=1)
    torch.set_num_threads(threads)
    assert set(ours) == set(theirs)
    assert ours["label_loglik"].shape == (2, 3, 4, 4)
    for name, values in theirs.items():
        np.testing.assert_allclose(ours[name], values, rtol=1e-7, atol=1e-12, err_msg=name)
