"""Predictions of models on fixed rows, teacher-forced at answer positions, and distances between
them.

To the retrained model: over all answer positions of every part's held-out rows (forget prompts,
each retained stage), never only pooled. Between paths: at a fixed choice of these positions, kept
in the store at every measured step, so that any two runs can be compared later: (positions, V)
logits of the parts "forget" and "test" (all retained stages).
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.measuring.probe_set import ProbeSet
from llm.training import logprobs
from protocol.metrics import centred_logits, re_distance

Logits = Mapping[str, Tensor]  # part -> (m, V)
# answer positions compared at a time: two copies of (m, V) in float64 would not fit a large
# vocabulary
CHUNK = 64


@torch.no_grad()
def part_logits(model: PreTrainedModel, probed: ProbeSet) -> dict[str, Tensor]:
    """Logits at the answer positions of every part's held-out rows, on the CPU."""
    return {
        part: logprobs.rows_logits(model, rows, chunk=probed.batch)
        for part, rows in probed.parts.items()
    }


def kept(logits: Logits, positions: int) -> dict[str, Tensor]:
    """Predictions at `positions` answer positions of each part, at equal distances; retained parts
    together.
    """
    chosen = {
        part: told[torch.linspace(0, len(told) - 1, min(positions, len(told))).long()]
        for part, told in logits.items()
    }
    retained = [told for part, told in chosen.items() if part != "forget"]
    return {"forget": chosen["forget"], "test": torch.cat(retained)}


def distances(logits: Logits, reference: Logits) -> dict[str, float]:
    """By part: re_distance (probabilities), log_distance (log-probabilities), logit_distance
    (logits centred per position), and KL(reference ‖ model).
    """
    values: dict[str, float] = {}
    for part, ours in logits.items():
        pieces = zip(ours.split(CHUNK), reference[part].split(CHUNK), strict=True)
        sums = torch.stack([_sums(a.double(), b.double()) for a, b in pieces]).sum(dim=0) / len(
            ours
        )
        named = zip(
            ("re_distance", "log_distance", "logit_distance", "kl"), sums.tolist(), strict=True
        )
        values |= {f"{name}/{part}": value for name, value in named}
    return values


def _sums(ours: Tensor, theirs: Tensor) -> Tensor:
    """The four distances of (m, V) logits, summed over positions."""
    log_p, log_q = torch.log_softmax(ours, -1), torch.log_softmax(theirs, -1)
    apart = [re_distance(log_p.exp(), log_q.exp()), re_distance(log_p, log_q)]
    apart += [
        re_distance(centred_logits(ours), centred_logits(theirs)),
        (log_q.exp() * (log_q - log_p)).sum(-1).mean(),
    ]
    return torch.stack(apart) * len(ours)
