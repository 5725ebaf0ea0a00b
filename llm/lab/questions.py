"""The questions of all probes: encoded once, the same for every path, method and step.

Nothing is left out in silence: rows that are cut or do not fit are counted in a notice, and a probe
without a row is refused.
"""

from collections.abc import Sequence

from llm.corpora import Example
from llm.corpora.depth import ANSWERS
from llm.data import chat
from llm.data.chat import Row
from llm.lab.lab import Lab
from llm.measuring.probes import ProbeSet
from llm.measuring.sampling import check_room
from protocol.errors import InputError
from protocol.notices import notice


def _spread(rows: Sequence[Example], count: int) -> list[Example]:
    """`count` rows at equal distances, so that they come from many authors."""
    return [rows[i * len(rows) // count] for i in range(min(count, len(rows)))]


def _fitting(what: str, rows: Sequence[Row], context: int, *, room: int = 0) -> tuple[Row, ...]:
    """Rows of at most `context` tokens whose prompts leave `room` tokens; InputError for none."""
    fitting, cut, left_out = chat.fit(rows, context)
    kept = tuple(row for row in fitting if len(row.prompt) + room <= context)
    left_out += len(fitting) - len(kept)
    if not kept:
        raise InputError(
            f"{what}: expected rows with prompts of fewer than {context} tokens; none of the "
            f"{len(rows)} that are probed is so short: raise --max-length or take other rows"
        )
    if cut or left_out:
        notice(
            f"{what}: of {len(rows)} probed rows {cut} are cut to {context} tokens, {left_out} are "
            "left out"
        )
    return kept


def _sums(lab: Lab, sums: Sequence[Example]) -> tuple[tuple[int, ...], ...]:
    """The prompts of sums; InputError if the model has no room for an answer after one of them."""
    form, sizes = lab.base.format, lab.settings.probes
    texts = [sizes.prompt.replace("{question}", row.prompt) for row in sums]
    prompts = tuple(chat.encode_prompt(form, text) for text in texts)
    if prompts:
        check_room(lab.base.model_context, prompts, sizes.max_tokens)
    return prompts


def probe_set(lab: Lab) -> ProbeSet:
    """The probes of an experiment; forget prompts are labelled "forget", retained parts by stage.

    Raises InputError for a probe without rows that fit the model, and for sums without room for
    their answers.
    """
    form, context = lab.base.format, lab.base.context
    sizes, forget = lab.settings.probes, lab.experiment.forget
    rows = {stage: lab.rows(stage) for stage in lab.settings.stages}
    phrases = tuple(chat.encode_answer(form, phrase) for phrase in sizes.phrases(forget))
    room = max(map(len, phrases), default=0)

    def training(stage: str, examples: Sequence[Example], room: int = 0) -> tuple[Row, ...]:
        encoded = chat.encode_all(form, examples)
        return _fitting(f"{stage} (training)", encoded, context, room=room)

    def held_out(stage: str, count: int, room: int = 0) -> tuple[Row, ...]:
        encoded = chat.encode_all(form, rows[stage].held_out[:count])
        return _fitting(f"{stage} (held-out)", encoded, context, room=room)

    learned = training(forget, rows[forget].train[: sizes.forget], room)
    asked = learned + held_out(forget, sizes.forget, room)
    parts = {
        "forget" if stage == forget else stage: held_out(stage, sizes.distance) for stage in rows
    }
    answered = [stage for stage in ("tofu", "math") if stage in rows and sizes.tofu]
    depth = [answer for answer in ANSWERS if answer in rows]
    sums = rows["math"].held_out[: sizes.sums] if "math" in rows else ()
    return ProbeSet(
        form=form,
        forget=asked,
        learned=len(learned),
        phrases=phrases,
        answered={s: training(s, _spread(rows[s].train, sizes.tofu)) for s in answered},
        depth={answer: training(answer, rows[answer].train) for answer in depth},
        parts=parts,
        sums=sums,
        asked=_sums(lab, sums),
        sizes=sizes,
        batch=lab.settings.eval_batch,
    )
