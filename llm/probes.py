"""What is measured on one model: likelihoods of label, paraphrases and answers, probability mass, and sums.

Likelihoods are mean token log-probabilities in nats, but for the answers C, U, R of the depth experiment, which are
log-probabilities of whole answers. Distances between models: llm.outputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from llm import answers, chat, packing, scoring
from llm.chat import Format, Row
from llm.corpora import Example
from llm.nodes import context_of, format_of
from llm.settings import Probes
from llm.stages import Lab, stage_rows

ANSWERS = ("C", "U", "R")  # stages of the depth experiment, and the answers they teach


@dataclass(frozen=True)
class ProbeSet:
    """Questions encoded once; the same for every path, method and step."""

    form: Format
    forget: tuple[Row, ...]  # training rows, then held-out ones
    learned: int  # how many of these are training rows
    phrases: tuple[tuple[int, ...], ...]  # label first, then the paraphrases; none where its own answers are followed
    answered: Mapping[str, tuple[Row, ...]]  # training rows of the stages whose answers' likelihood is a metric
    depth: Mapping[str, tuple[Row, ...]]  # answers C, U, R to the same prompts
    parts: Mapping[str, tuple[Row, ...]]  # held-out rows: "forget", and each retained stage
    sums: tuple[Example, ...]  # none where the stage is not in the experiment
    sizes: Probes
    batch: int  # rows of one forward pass


def _spread(rows: Sequence[Example], count: int) -> list[Example]:
    """`count` rows at equal distances, so that they come from many authors."""
    return [rows[i * len(rows) // count] for i in range(min(count, len(rows)))]


def probe_set(lab: Lab) -> ProbeSet:
    """The probes of an experiment; forget prompts are labelled "forget", retained parts by their stage."""
    form, sizes, forget = format_of(lab), lab.settings.probes, lab.experiment.forget
    rows = {stage: stage_rows(lab, stage) for stage in lab.settings.stages}

    def encoded(examples: Sequence[Example]) -> tuple[Row, ...]:
        return tuple(chat.fit(chat.encode_all(form, examples), context_of(lab))[0])

    learned, held_out = (encoded(part[: sizes.forget]) for part in rows[forget])
    parts = {
        "forget" if stage == forget else stage: encoded(corpus.held_out[: sizes.distance])
        for stage, corpus in rows.items()
    }
    return ProbeSet(
        form,
        learned + held_out,
        len(learned),
        tuple(chat.encode_answer(form, phrase) for phrase in sizes.phrases(forget)),
        {
            stage: encoded(_spread(rows[stage].train, sizes.tofu))
            for stage in ("tofu", "math")
            if stage in rows and sizes.tofu
        },
        {answer: encoded(rows[answer].train) for answer in ANSWERS if answer in rows},
        parts,
        rows["math"].held_out[: sizes.sums] if "math" in rows else (),
        sizes,
        lab.settings.eval_batch,
    )


def row_likelihoods(model: PreTrainedModel, rows: Sequence[Row], *, batch: int = 64, whole: bool = False) -> Tensor:
    """Log-probability of each row's answer, mean over its tokens or of the whole answer, (n,)."""
    summed, length = scoring.row_logprobs(model, rows, pad=model.config.pad_token_id, chunk=batch)
    return (summed if whole else summed / length).double()


def label_likelihoods(model: PreTrainedModel, probed: ProbeSet, *, packed: bool = True) -> dict[str, float]:
    """After each forget question: label, label and paraphrases, and how the probability mass is split between the
    label, the paraphrases and everything else; for a stage without a label, its own answers. packed: as in llm.packing.
    """
    if not probed.phrases:
        answer = row_likelihoods(model, probed.forget, batch=probed.batch)  # (N,)
        return {"label_loglik": float(answer.mean()), "label_loglik_held_out": float(answer[probed.learned :].mean())}
    summed, length = packing.completion_logprobs(
        model, [row.prompt for row in probed.forget], probed.phrases,
        packed=packed, pad=model.config.pad_token_id, batch=probed.batch,
    )  # fmt: skip
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
    """By metric a value per row: tofu_loglik and math_loglik where the stages are there, answer_loglik/C, /U, /R."""
    answered = {
        f"{stage}_loglik": row_likelihoods(model, rows, batch=probed.batch) for stage, rows in probed.answered.items()
    }
    depth = {
        f"answer_loglik/{answer}": row_likelihoods(model, rows, batch=probed.batch, whole=True)
        for answer, rows in probed.depth.items()
    }
    return answered | depth


def sampled_answers(model: PreTrainedModel, probed: ProbeSet, *, seed: int) -> list[list[answers.Answer]]:
    """Sampled answers to every held-out sum; a long sampling says in the log how far it is."""
    asked = [probed.sizes.prompt.replace("{question}", row.prompt) for row in probed.sums]
    return answers.sample(
        model,
        probed.form,
        [chat.encode_prompt(probed.form, question) for question in asked],
        samples=probed.sizes.samples,
        temperature=probed.sizes.temperature,
        max_tokens=probed.sizes.max_tokens,
        seed=(seed, "math"),
        progress=answers.spoken(),
    )
