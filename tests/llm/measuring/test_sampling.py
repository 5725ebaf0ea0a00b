"""Sampled answers as text, and the shares of them that are right and cut."""

import logging
import time
from dataclasses import replace

import micro
import pytest
import torch

from llm.data import chat
from llm.lab.lab import Lab
from llm.lab.start import Start
from llm.measuring import probes, sampling
from llm.measuring.sampling import Answer, Sampling
from protocol import notices
from protocol.errors import InputError

PROMPTS = [[7, 8, 9], [7, 8, 9, 10, 11, 12, 13], [20]]
ORDER = ("inst", "tofu", "math", "safety")


def test_share_correct_by_hand() -> None:
    shares = sampling.share_correct(
        [["#### 7", "#### 8"], ["x", "#### 3"], ["", "7"]], ["#### 7", "#### 3", "#### 7"]
    )
    assert shares.tolist() == [0.5, 0.5, 0.0]


def test_a_solution_without_a_number_is_met_by_no_answer() -> None:
    assert sampling.share_correct([["", "#### 7"]], ["no number"]).tolist() == [0.0]


def test_share_cut_by_hand() -> None:
    whole, cut = Answer("7", cut=False), Answer("and so", cut=True)
    assert sampling.share_cut([[whole, cut], [cut, cut], [whole, whole]]).tolist() == [
        0.5,
        1.0,
        0.0,
    ]


def test_sampling_depends_on_its_seed_alone(lab: Lab) -> None:
    model, form = lab.model(("inst",)), lab.base.format

    def drawn(seed: int) -> list[list[Answer]]:
        return sampling.sample(
            model, form, PROMPTS, Sampling(3, temperature=1.0, max_tokens=8, seed=(seed,))
        )

    state = torch.get_rng_state()
    first = drawn(0)
    assert [len(tries) for tries in first] == [3, 3, 3]
    assert first == drawn(0) != drawn(1)
    assert torch.equal(state, torch.get_rng_state()), "the caller's generator is left alone"


def scripted(monkeypatch, form: chat.Format, produced: list[tuple[int, ...]]) -> list[Answer]:
    """What becomes of tokens that a model produced for one prompt."""
    asked = []

    def sample_tokens(model, ends, prompts, how):
        asked.append(ends)
        return produced

    monkeypatch.setattr(sampling, "sample_tokens", sample_tokens)
    how = Sampling(len(produced), temperature=1, max_tokens=4, seed=())
    (tries,) = sampling.sample(None, form, [[1]], how)
    assert asked == [sorted({form.end, form.tokenizer.eos_token_id})]
    return tries


def test_an_answer_without_an_end_token_is_cut_and_one_with_it_is_not(
    lab: Lab, monkeypatch
) -> None:
    """The end token is not text, whether the tokenizer names it special or not; a cut answer keeps
    all its tokens.
    """
    form = lab.base.format
    words = form.tokenizer.encode("It is 7.", add_special_tokens=False)
    whole, cut = scripted(monkeypatch, form, [(*words, form.end), tuple(words)])
    assert whole == Answer("It is 7.", cut=False)
    assert cut == Answer("It is 7.", cut=True)


def test_an_end_token_that_is_no_named_special_token_is_not_text(lab: Lab, monkeypatch) -> None:
    """The end of an answer is an ordinary token here: decoding with skip_special_tokens alone would
    print it.
    """
    form = lab.base.format
    words = form.tokenizer.encode("It is 7. Good", add_special_tokens=False)
    odd = replace(form)
    odd.__dict__["end"] = words[-1]
    shown = form.tokenizer.decode(words, skip_special_tokens=True)
    (found,) = scripted(monkeypatch, odd, [tuple(words)])
    assert found == Answer(form.tokenizer.decode(words[:-1]), cut=False)
    assert found.text != shown


def test_answers_stop_at_the_formats_end_and_at_the_tokenizers(lab: Lab, monkeypatch) -> None:
    """Either token ends an answer, whichever comes first."""
    form = lab.base.format
    odd = replace(form)
    odd.__dict__["end"] = 300
    ends = [300, form.tokenizer.eos_token_id]
    (a, b) = scripted(monkeypatch, odd, [(20, 300), (20, form.tokenizer.eos_token_id)])
    assert a == b == Answer(form.tokenizer.decode([20]), cut=False)
    assert len(set(ends)) == 2


def test_prompts_that_leave_no_room_for_an_answer_are_one_line(lab: Lab) -> None:
    """A context of 512: beyond it a model with learned positions has no embedding, and a rotary one
    was not trained.
    """
    model, form = lab.model(("inst",)), lab.base.format
    with pytest.raises(InputError) as raised:
        how = Sampling(1, temperature=1.0, max_tokens=13, seed=(0,))
        sampling.sample(model, form, [[7] * 500], how)
    assert str(raised.value) == (
        "probes.max-tokens: expected prompts and answers of at most 512 tokens, the model's "
        "context; got a prompt of "
        "500 and answers of 13: lower it"
    )


def test_progress_is_reported_after_every_batch(lab: Lab, monkeypatch) -> None:
    """Two sequences a batch, six in all."""
    model, form = lab.model(("inst",)), lab.base.format
    size = sampling.batches.sequence_bytes(model, width=7, steps=3)
    monkeypatch.setattr(sampling.batches, "budget", lambda model: 2 * size)
    monkeypatch.setattr(sampling.batches, "sequence_bytes", lambda model, **_: size)
    reports = []
    how = Sampling(
        2, temperature=1.0, max_tokens=3, seed=(0,), progress=lambda *report: reports.append(report)
    )
    sampling.sample(model, form, PROMPTS, how)
    assert reports == [("sampled answers", done, 6) for done in (2, 4, 6)]


def test_a_long_sampling_speaks_at_most_once_a_tenth_and_a_minute(monkeypatch, caplog) -> None:
    """100 reports 20 s apart: 50% and so on come 200 s apart; the end is not said; at 1 s apart
    nothing is said.
    """
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for seconds, expected in ((20.0, [10, 20, 30, 40, 50, 60, 70, 80, 90]), (0.5, []), (1.0, [60])):
        report = sampling.spoken(60.0)
        caplog.clear()
        for done in range(1, 101):
            now[0] += seconds
            report("sampled answers", done, 100)
        assert [record.getMessage() for record in caplog.records] == [
            f"sampled answers: {done} of 100" for done in expected
        ]


@pytest.mark.parametrize(("cut", "says"), [(1, False), (2, True)])
def test_many_cut_answers_before_unlearning_are_said_once(
    lab: Lab, monkeypatch, caplog, cut: int, says: bool
) -> None:
    """Of 10 answers 1 is a tenth, 2 are more; the metric is the share; steps after unlearning say
    nothing.
    """
    start = Start(micro.with_probes(lab, sums=2, samples=5, max_tokens=9), ORDER)
    tries = [[Answer("#### 1", cut=i < cut) for i in range(5)], [Answer("", cut=False)] * 5]
    monkeypatch.setattr(probes, "sampled_answers", lambda *_, **__: tries)
    notices.reset()
    model = lab.model(ORDER)
    with caplog.at_level(logging.WARNING, logger="retrace"):
        after = start.measure(model, 3, ends=True)
        assert not caplog.records
        for _ in range(2):
            before = start.measure(model, 0, ends=True)
    line = (
        "math: more than a tenth of the sampled answers are cut at 9 tokens before any "
        "unlearning; the metric math_cut "
        "is their share: raise --probes.max-tokens"
    )
    assert [record.getMessage() for record in caplog.records] == [line] * says
    for measured, step in ((after, 3), (before, 0)):
        assert (step, "math_cut", pytest.approx(cut / 10)) in measured.values
        assert (step, "math_cut", 0, pytest.approx(cut / 5)) in measured.examples
