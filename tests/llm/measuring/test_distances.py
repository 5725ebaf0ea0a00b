"""Predictions at answer positions and the four distances between them, against plain forward passes
and float64.
"""

import numpy as np
import pytest
import torch

from llm.config.methods import METHODS
from llm.data import chat
from llm.lab import runs
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.lab.start import Start
from llm.measuring import distances
from llm.measuring.probes import ProbeSet
from llm.training.unlearning import unlearned

ORDER = ("inst", "tofu", "math", "safety")


@pytest.fixture(scope="module")
def probed(lab: Lab) -> ProbeSet:
    return probe_set(lab)


@pytest.fixture(scope="module")
def model(lab: Lab):
    return lab.model(ORDER)


def test_fixed_positions_are_at_equal_distances() -> None:
    """Of m positions the ⌊i(m − 1)/(n − 1)⌋-th; all where there are no more than n; retained parts
    in a row.
    """
    counts = {"inst": 3, "forget": 5, "tofu": 10}
    marked = {
        part: torch.arange(100.0 * k, 100 * k + m)[:, None]
        for k, (part, m) in enumerate(counts.items())
    }
    kept = distances.kept(marked, 4)
    assert kept["forget"].flatten().tolist() == [100, 101, 102, 104]
    assert kept["test"].flatten().tolist() == [0, 1, 2, 200, 203, 206, 209]


def test_the_fixed_positions_are_the_same_for_every_model(lab: Lab, model, probed) -> None:
    """Answer positions of the same rows, whatever the model predicts there."""
    marks = []
    for each in (model, lab.model(("inst",))):
        told = distances.part_logits(each, probed)
        kept = distances.kept(told, 8)
        retained = torch.cat([told[part] for part in told if part != "forget"])
        assert kept["forget"].shape == (8, 400) and kept["test"].shape == (24, 400)
        marks.append(
            [
                [int((everything == row).all(-1).nonzero()[0]) for row in kept[part]]
                for part, everything in (("forget", told["forget"]), ("test", retained))
            ]
        )
    assert marks[0] == marks[1]


def test_predictions_are_those_at_the_held_out_answers(lab: Lab, model, probed) -> None:
    """By part the logits before every answer token of its first rows, from plain forward passes."""
    told = distances.part_logits(model, probed)
    assert list(told) == ["inst", "tofu", "math", "forget"]
    for part, logits in told.items():
        rows = lab.rows("safety" if part == "forget" else part).held_out[:3]
        expected = []
        for row in (chat.encode(probed.form, example) for example in rows):
            with torch.no_grad():
                whole = model(torch.tensor([row.prompt + row.answer])).logits[0]
            expected.append(whole[len(row.prompt) - 1 : -1])
        torch.testing.assert_close(logits, torch.cat(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("positions", [1, 64, 150])
def test_distances_by_hand(positions) -> None:
    """Mean over positions: ‖p − q‖², ‖log p − log q‖², ‖(z − z̄) − (w − w̄)‖², KL(q ‖ p), q and w
    the reference's.

    150 positions are compared in pieces of 64, 64 and 22.
    """
    draw = np.random.default_rng(0)
    ours, theirs = (draw.normal(2, 3, (positions, 30)).astype(np.float32) for _ in range(2))
    found = distances.distances({"part": torch.tensor(ours)}, {"part": torch.tensor(theirs)})
    z, w = ours.astype(np.float64), theirs.astype(np.float64)
    log_p, log_q = (each - np.log(np.exp(each).sum(axis=1, keepdims=True)) for each in (z, w))
    z, w = z - z.mean(axis=1, keepdims=True), w - w.mean(axis=1, keepdims=True)
    assert found == pytest.approx(
        {
            "re_distance/part": ((np.exp(log_p) - np.exp(log_q)) ** 2).sum() / positions,
            "log_distance/part": ((log_p - log_q) ** 2).sum() / positions,
            "logit_distance/part": ((z - w) ** 2).sum() / positions,
            "kl/part": (np.exp(log_q) * (log_q - log_p)).sum() / positions,
        },
        rel=1e-12,
    )  # fmt: skip


def test_a_shift_of_all_logits_of_a_position_is_no_distance() -> None:
    """Softmax and centring forget it: logits enter up to a constant."""
    logits = torch.randn(70, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moved = distances.distances({"part": logits + torch.arange(70.0)[:, None]}, {"part": logits})
    assert list(moved.values()) == pytest.approx([0] * 4, abs=1e-15)


def test_the_kept_predictions_are_the_measured_ones(lab: Lab) -> None:
    """outputs.safetensors: steps, and by part (points, positions, V) of the model of each step."""
    start = Start(lab, ORDER)
    told = runs.read_outputs(runs.run_folder(start, METHODS["GA"]))
    assert told["steps"].tolist() == [0, 1, 2, 3]
    assert (told["forget"].shape, told["test"].shape) == ((4, 8, 400), (4, 24, 400))
    before = distances.kept(distances.part_logits(lab.leaf(ORDER), start.probed), 8)
    *_, (_, after) = unlearned(start, METHODS["GA"])
    last = distances.kept(distances.part_logits(after, start.probed), 8)
    for part in ("forget", "test"):
        assert torch.equal(told[part][0], before[part])
        assert torch.equal(told[part][3], last[part])
    assert runs.read_parameters(runs.run_folder(start, METHODS["GA"])) is None
