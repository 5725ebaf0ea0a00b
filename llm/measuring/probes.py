"""What is measured on one model: likelihoods of label, paraphrases and answers, mass, and sums.

A `ProbeSet` holds the questions, encoded once, the same for every model of an experiment.
Likelihoods are mean token log-probabilities in nats, but for the answers C, U, R of the depth
experiment, which are log-probabilities of whole answers. Distances between models:
llm.measuring.distances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from llm.config.settings import Probes
from llm.corpora import Example
from llm.data.chat import Format, Row
from llm.measuring import packing, sampling
from llm.measuring.sampling import Answer, Sampling
from llm.training import logprobs


@dataclass(frozen=True)
class ProbeSet:
    """Encoded questions, and how they are probed.

    forget: forget questions, the training rows first · learned: how many of these are training rows
    · phrases: the label, then the paraphrases; empty for a forget stage without a label · answered:
    stage -> training rows whose answers' likelihood is a metric · depth: answer C, U, R -> rows, of
    the same prompts · parts: "forget" and each retained stage -> held-out rows, for distances ·
    sums: held-out sums with their solutions · asked: one prompt for each sum · batch: rows of one
    forward pass.
    """

    form: Format
    forget: tuple[Row, ...]
    learned: int
    phrases: tuple[tuple[int, ...], ...]
    answered: Mapping[str, tuple[Row, ...]]
    depth: Mapping[str, tuple[Row, ...]]
    parts: Mapping[str, tuple[Row, ...]]
    sums: tuple[Example, ...]
    asked: tuple[tuple[int, ...], ...]
    sizes: Probes
    batch: int


def row_likelihoods(
    model: PreTrainedModel, rows: Sequence[Row], *, batch: int = 64, whole: bool = False
) -> Tensor:
    """Log-probability of each row's answer, mean over its tokens or of the whole answer, (n,)."""
    summed, length = logprobs.row_logprobs(model, rows, pad=model.config.pad_token_id, chunk=batch)
    return (summed if whole else summed / length).double()


def label_likelihoods(
    model: PreTrainedModel, probed: ProbeSet, *, packed: bool = True
) -> dict[str, float]:
    """Likelihoods of the label and the paraphrases after each forget question, and their mass.

    The probability mass is split between the label, the paraphrases and everything else. For a
    stage without a label: the likelihood of its own answers. packed: see `llm.measuring.packing`.
    """
    if not probed.phrases:
        answer = row_likelihoods(model, probed.forget, batch=probed.batch)  # (N,)
        return {
            "label_loglik": float(answer.mean()),
            "label_loglik_held_out": float(answer[probed.learned :].mean()),
        }
    summed, length = packing.completion_logprobs(
        model,
        [row.prompt for row in probed.forget],
        probed.phrases,
        packed=packed,
        pad=model.config.pad_token_id,
        batch=probed.batch,
    )
    phrase, mass = (summed / length).double(), summed.double().exp()  # (N, K)
    label, others = float(mass[:, 0].mean()), float(mass[:, 1:].sum(dim=1).mean())
    return {
        "label_loglik": float(phrase[:, 0].mean()),
        "label_loglik_held_out": float(phrase[probed.learned :, 0].mean()),
        "phrase_loglik": float(phrase.mean()),
        "mass/label": label,
        "mass/paraphrases": others,
        "mass/other": 1 - label - others,
    }


def answer_likelihoods(model: PreTrainedModel, probed: ProbeSet) -> dict[str, Tensor]:
    """Metric -> a value per row: tofu_loglik, math_loglik, answer_loglik/C, /U and /R.

    A metric is there if its stage is in the experiment.
    """
    answered = {
        f"{stage}_loglik": row_likelihoods(model, rows, batch=probed.batch)
        for stage, rows in probed.answered.items()
    }
    depth = {
        f"answer_loglik/{answer}": row_likelihoods(model, rows, batch=probed.batch, whole=True)
        for answer, rows in probed.depth.items()
    }
    return answered | depth


def sampled_answers(model: PreTrainedModel, probed: ProbeSet, *, seed: int) -> list[list[Answer]]:
    """Sampled answers to every held-out sum; a long sampling logs its progress."""
    sizes = probed.sizes
    how = Sampling(
        samples=sizes.samples,
        temperature=sizes.temperature,
        max_tokens=sizes.max_tokens,
        seed=(seed, "math"),
        progress=sampling.spoken(),
    )
    return sampling.sample(model, probed.form, probed.asked, how)
