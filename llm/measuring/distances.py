"""Predictions of models on fixed rows, teacher-forced at answer positions, and their distances.

Distances to the retrained model are taken over all answer positions of every part's held-out rows
(forget prompts, each retained stage), never only pooled. For distances between paths the store
keeps, at every measured step, the logits at a fixed choice of these positions: (positions, V) of
the parts "forget" and "test" (all retained stages), so that any two runs can be compared later.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm.measuring.probes import ProbeSet
from llm.training import logprobs
from protocol.metrics import centred_logits, re_distance

Logits = Mapping[str, Tensor]  # part -> (m, V)
DISTANCES = ("re_distance", "log_distance", "logit_distance", "kl")
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
    """Logits at `positions` evenly spread positions of each part; retained parts as one."""
    fixed = {part: _spread(whole, positions) for part, whole in logits.items()}
    retained = [rows for part, rows in fixed.items() if part != "forget"]
    return {"forget": fixed["forget"], "test": torch.cat(retained)}


def _spread(logits: Tensor, positions: int) -> Tensor:
    places = torch.linspace(0, len(logits) - 1, min(positions, len(logits))).long()
    return logits[places]


def distances(logits: Logits, reference: Logits) -> dict[str, float]:
    """NAME/PART -> the mean over a part's answer positions of each of the four `DISTANCES`.

    re_distance: of probabilities · log_distance: of log-probabilities · logit_distance: of logits
    centred per position, each a squared Euclidean distance · kl: KL(reference ‖ model) in nats.
    """
    values: dict[str, float] = {}
    for part, ours in logits.items():
        pieces = zip(ours.split(CHUNK), reference[part].split(CHUNK), strict=True)
        sums = torch.stack([_sums(a.double(), b.double()) for a, b in pieces]).sum(dim=0)  # (4,)
        means = (sums / len(ours)).tolist()
        values |= {f"{name}/{part}": mean for name, mean in zip(DISTANCES, means, strict=True)}
    return values


def _sums(ours: Tensor, theirs: Tensor) -> Tensor:
    """The four distances of (m, V) logits, summed over the m positions, (4,)."""
    log_p, log_q = torch.log_softmax(ours, -1), torch.log_softmax(theirs, -1)
    probability, log = re_distance(log_p.exp(), log_q.exp()), re_distance(log_p, log_q)
    logit = re_distance(centred_logits(ours), centred_logits(theirs))
    kl = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
    return torch.stack([probability, log, logit, kl]) * len(ours)
