"""What is measured on one model: likelihoods of label, paraphrases and answers, probability mass,
and sums.

Likelihoods are mean token log-probabilities in nats, but for the answers C, U, R of the depth
experiment, which are log-probabilities of whole answers. Distances between models:
llm.measuring.distances.
"""

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel

from llm.data.chat import Row
from llm.measuring import packing, sampling
from llm.measuring.probe_set import ProbeSet
from llm.training import logprobs


def row_likelihoods(
    model: PreTrainedModel, rows: Sequence[Row], *, batch: int = 64, whole: bool = False
) -> Tensor:
    """Log-probability of each row's answer, mean over its tokens or of the whole answer, (n,)."""
    summed, length = logprobs.row_logprobs(model, rows, pad=model.config.pad_token_id, chunk=batch)
    return (summed if whole else summed / length).double()


def label_likelihoods(
    model: PreTrainedModel, probed: ProbeSet, *, packed: bool = True
) -> dict[str, float]:
    """After each forget question: label, label and paraphrases, and how the probability mass is
    split between the label, the paraphrases and everything else; for a stage without a label, its
    own answers. packed: as in llm.measuring.packing.
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
    """By metric a value per row: tofu_loglik and math_loglik where the stages are there,
    answer_loglik/C, /U, /R.
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


def sampled_answers(
    model: PreTrainedModel, probed: ProbeSet, *, seed: int
) -> list[list[sampling.Answer]]:
    """Sampled answers to every held-out sum; a long sampling says in the log how far it is."""
    return sampling.sample(
        model,
        probed.form,
        probed.asked,
        samples=probed.sizes.samples,
        temperature=probed.sizes.temperature,
        max_tokens=probed.sizes.max_tokens,
        seed=(seed, "math"),
        progress=sampling.spoken(),
    )
