"""The questions of all probes: encoded once, the same for every path, method and step of an
experiment.

Nothing is left out in silence: rows that are cut or do not fit are counted in a notice, and a probe
that would have no row is refused.
"""

from collections.abc import Sequence

from llm.corpora import Example
from llm.data import chat
from llm.data.chat import Format, Row
from llm.lab.lab import Lab, stage_rows
from llm.lab.nodes import context_of, format_of, model_context
from llm.measuring.probe_set import ProbeSet
from llm.measuring.sampling import check_room
from protocol.errors import InputError
from protocol.notices import notice

ANSWERS = ("C", "U", "R")  # stages of the depth experiment, and the answers they teach


def _spread(rows: Sequence[Example], count: int) -> list[Example]:
    """`count` rows at equal distances, so that they come from many authors."""
    return [rows[i * len(rows) // count] for i in range(min(count, len(rows)))]


def _fitting(what: str, rows: Sequence[Row], context: int, *, room: int = 0) -> tuple[Row, ...]:
    """Rows of at most `context` tokens whose prompts leave `room` tokens; InputError if there is
    none.
    """
    fitting, cut, left_out = chat.fit(rows, context)
    kept = tuple(row for row in fitting if len(row.prompt) + room <= context)
    left_out += len(fitting) - len(kept)
    if not kept:
        raise InputError(
            f"{what}: expected rows with prompts of fewer than {context} tokens; none of the "
            f"{len(rows)} that are "
            "probed is so short: raise --max-length or take other rows"
        )
    if cut or left_out:
        notice(
            f"{what}: of {len(rows)} probed rows {cut} are cut to {context} tokens, {left_out} "
            f"are left out"
        )
    return kept


def _sums(lab: Lab, form: Format, sums: Sequence[Example]) -> tuple[tuple[int, ...], ...]:
    """The prompts of sums; InputError if the model has no room for an answer after one of them."""
    sizes = lab.settings.probes
    texts = [sizes.prompt.replace("{question}", row.prompt) for row in sums]
    prompts = tuple(chat.encode_prompt(form, text) for text in texts)
    if prompts:
        check_room(model_context(lab), prompts, sizes.max_tokens)
    return prompts


def probe_set(lab: Lab) -> ProbeSet:
    """The probes of an experiment; forget prompts are labelled "forget", retained parts by their
    stage.

    Raises InputError for a probe without rows that fit the model, and for sums without room for
    their answers.
    """
    form, sizes, forget, context = (
        format_of(lab),
        lab.settings.probes,
        lab.experiment.forget,
        context_of(lab),
    )
    rows = {stage: stage_rows(lab, stage) for stage in lab.settings.stages}
    phrases = tuple(chat.encode_answer(form, phrase) for phrase in sizes.phrases(forget))
    room = max(map(len, phrases), default=0)

    def encoded(
        stage: str, kind: str, examples: Sequence[Example], *, room: int = 0
    ) -> tuple[Row, ...]:
        return _fitting(f"{stage} ({kind})", chat.encode_all(form, examples), context, room=room)

    learned = encoded(forget, "training", rows[forget].train[: sizes.forget], room=room)
    held_out = encoded(forget, "held-out", rows[forget].held_out[: sizes.forget], room=room)
    parts = {
        "forget" if stage == forget else stage: encoded(
            stage, "held-out", corpus.held_out[: sizes.distance]
        )
        for stage, corpus in rows.items()
    }
    answered = [stage for stage in ("tofu", "math") if stage in rows and sizes.tofu]
    sums = rows["math"].held_out[: sizes.sums] if "math" in rows else ()
    return ProbeSet(
        form,
        learned + held_out,
        len(learned),
        phrases,
        {
            stage: encoded(stage, "training", _spread(rows[stage].train, sizes.tofu))
            for stage in answered
        },
        {
            answer: encoded(answer, "training", rows[answer].train)
            for answer in ANSWERS
            if answer in rows
        },
        parts,
        sums,
        _sums(lab, form, sums),
        sizes,
        lab.settings.eval_batch,
    )
