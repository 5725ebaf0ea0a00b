"""What is measured on a model: likelihoods of label, paraphrases and TOFU answers; sums; distance to another model.

Likelihoods are mean token log-probabilities in nats. Predictions are logits at the answer positions of held-out rows,
teacher-forced; distances are taken part by part (forget prompts, each retained stage), never only pooled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import PreTrainedModel

from llm import answers, chat, scoring
from llm.chat import Format, Row
from llm.corpora import Example, refusals
from llm.nodes import context_of, format_of
from llm.settings import Probes
from llm.stages import Lab, stage_rows
from protocol.metrics import re_distance

Logits = Mapping[str, Tensor]  # part -> (m, V)


@dataclass(frozen=True)
class ProbeSet:
    """Questions encoded once; the same for every path, method and step."""

    form: Format
    forget: tuple[Row, ...]  # training rows, then as many held-out ones
    phrases: tuple[tuple[int, ...], ...]  # label first, then the paraphrases; none but for the stage of refusals
    tofu: tuple[Row, ...]  # none where the stage is not in the experiment, likewise sums
    parts: Mapping[str, tuple[Row, ...]]
    sums: tuple[Example, ...]
    sizes: Probes


def _spread(rows: Sequence[Example], count: int) -> list[Example]:
    """`count` rows at equal distances, so that they come from many authors."""
    return [rows[i * len(rows) // count] for i in range(min(count, len(rows)))]


def probe_set(lab: Lab) -> ProbeSet:
    """The probes of an experiment; forget prompts are labelled "forget", retained parts by their stage."""
    form, sizes, forget = format_of(lab), lab.settings.probes, lab.experiment.forget
    rows = {stage: stage_rows(lab, stage) for stage in lab.settings.stages}
    asked = (*rows[forget].train[: sizes.forget], *rows[forget].held_out[: sizes.forget])
    phrases = (refusals.LABEL, *refusals.PARAPHRASES) if forget == "safety" else ()

    def encoded(examples: Sequence[Example]) -> tuple[Row, ...]:
        return tuple(chat.fit(chat.encode_all(form, examples), context_of(lab))[0])

    parts = {
        "forget" if stage == forget else stage: encoded(corpus.held_out[: sizes.distance])
        for stage, corpus in rows.items()
    }
    return ProbeSet(
        form,
        encoded(asked),
        tuple(chat.encode_answer(form, phrase) for phrase in phrases),
        encoded(_spread(rows["tofu"].train, sizes.tofu)) if "tofu" in rows else (),
        parts,
        rows["math"].held_out[: sizes.sums] if "math" in rows else (),
        sizes,
    )


def _row_means(model: PreTrainedModel, rows: Sequence[Row]) -> Tensor:
    summed, length = scoring.row_logprobs(model, rows, pad=model.config.pad_token_id)
    return (summed / length).double()  # (n,)


def label_likelihoods(model: PreTrainedModel, probed: ProbeSet) -> dict[str, float]:
    """Label and label-and-paraphrases after each forget question; for a stage without a label, its own answers."""
    half = len(probed.forget) // 2
    if not probed.phrases:
        answer = _row_means(model, probed.forget)  # (N,)
        return {"label_loglik": float(answer.mean()), "label_loglik_held_out": float(answer[half:].mean())}
    summed, length = scoring.completion_logprobs(model, [row.prompt for row in probed.forget], probed.phrases)
    phrase = (summed / length).double()  # (N, K)
    return {
        "label_loglik": float(phrase[:, 0].mean()),
        "label_loglik_held_out": float(phrase[half:, 0].mean()),
        "phrase_loglik": float(phrase.mean()),
    }


def tofu_likelihoods(model: PreTrainedModel, probed: ProbeSet) -> Tensor:
    """Mean token log-probability of each probed TOFU answer, (n,); empty where the stage is not in the experiment."""
    return _row_means(model, probed.tofu) if probed.tofu else torch.zeros(0)


@torch.no_grad()
def part_logits(model: PreTrainedModel, probed: ProbeSet) -> dict[str, Tensor]:
    """Logits at the answer positions of every part's held-out rows."""
    pad = model.config.pad_token_id
    return {
        part: scoring.answer_logits(model, scoring.collate(rows, pad=pad)) for part, rows in probed.parts.items()
    }  # fmt: skip


def distances(logits: Logits, reference: Logits) -> dict[str, float]:
    """By part: re_distance (probabilities), logit_distance (logits centred per position), KL(reference ‖ model)."""
    values = {}
    for part, ours in logits.items():
        theirs = reference[part]
        log_p, log_q = torch.log_softmax(ours.double(), -1), torch.log_softmax(theirs.double(), -1)  # (m, V)
        centred = (x.double() - x.double().mean(dim=-1, keepdim=True) for x in (ours, theirs))
        values[f"re_distance/{part}"] = float(re_distance(log_p.exp(), log_q.exp()))
        values[f"logit_distance/{part}"] = float(re_distance(*centred))
        values[f"kl/{part}"] = float((log_q.exp() * (log_q - log_p)).sum(dim=-1).mean())
    return values


def math_accuracy(model: PreTrainedModel, probed: ProbeSet, *, seed: int) -> Tensor:
    """Share of sampled answers with the right final number, one value a held-out sum, (n,)."""
    tried = answers.sample(
        model,
        probed.form,
        [chat.encode_prompt(probed.form, row.prompt) for row in probed.sums],
        samples=probed.sizes.samples,
        temperature=probed.sizes.temperature,
        max_tokens=probed.sizes.max_tokens,
        seed=(seed, "math"),
    )
    return answers.share_correct(tried, [row.answer for row in probed.sums])
