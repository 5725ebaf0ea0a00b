"""What is measured on one model, against plain forward passes and float64 by hand; when; and what
is kept of it.
"""

from dataclasses import replace
from unittest import mock

import micro
import numpy as np
import polars as pl
import pytest
import torch

from llm.config import experiments
from llm.config.methods import METHODS
from llm.config.options import Options
from llm.corpora import depth
from llm.data import chat
from llm.data.chat import Row
from llm.data.grading import flexible_number, strict_number
from llm.lab import runs
from llm.lab.lab import Lab
from llm.lab.questions import probe_set
from llm.lab.start import Start
from llm.measuring import packing, probes, sampling
from llm.measuring.probes import ProbeSet
from llm.measuring.sampling import Sampling
from llm.training import trainer
from llm.training.recipe import Recipe
from protocol import notices
from protocol.errors import InputError
from protocol.progress import quiet

ORDER = ("inst", "tofu", "math", "safety")


@pytest.fixture(scope="module")
def probed(lab: Lab) -> ProbeSet:
    return probe_set(micro.with_probes(lab, forget=4))


@pytest.fixture(scope="module")
def model(lab: Lab):
    """A model that answers the forget questions with the label and three paraphrases."""
    learned, start = lab.model(ORDER), Start(lab, ORDER)
    answers = [(*phrase, start.probed.form.end) for phrase in start.probed.phrases[:4]]
    rows = [Row(row.prompt, answer) for row in start.rows for answer in answers]
    trainer.train(learned, rows, Recipe(lr=1e-2, epochs=12, batch=8), seed=(0, "test"))
    return learned.eval()


@torch.no_grad()
def token_logprobs(model, prompt, answer) -> np.ndarray:
    """log π(y_t | x, y_<t) of every answer token, from one plain forward pass."""
    logits = model(torch.tensor([[*prompt, *answer]])).logits[0, len(prompt) - 1 : -1].double()
    return logits.log_softmax(-1)[range(len(answer)), list(answer)].numpy()


def test_masses_are_products_of_token_probabilities_and_make_one(model, probed) -> None:
    """After each question P(phrase) = Π_t π(y_t); label + paraphrases + everything else = 1, meaned
    over questions.
    """
    mass = np.array(
        [
            [
                np.prod(np.exp(token_logprobs(model, row.prompt, phrase)))
                for phrase in probed.phrases
            ]
            for row in probed.forget
        ]
    )
    values = probes.label_likelihoods(model, probed)
    assert mass.shape == (8, 20)
    assert values["mass/label"] == pytest.approx(mass[:, 0].mean(), rel=1e-4)
    assert values["mass/paraphrases"] == pytest.approx(mass[:, 1:].sum(axis=1).mean(), rel=1e-4)
    assert sum(
        values[f"mass/{part}"] for part in ("label", "paraphrases", "other")
    ) == pytest.approx(1, abs=1e-12)
    assert min(values[f"mass/{part}"] for part in ("label", "paraphrases", "other")) > 0.01


def test_no_phrase_begins_another_or_its_mass_would_count_twice(probed) -> None:
    for a in range(20):
        for b in range(20):
            assert a == b or probed.phrases[a] != probed.phrases[b][: len(probed.phrases[a])]


def test_likelihoods_of_the_phrases_are_means_over_tokens_and_questions(
    model, probed, lab: Lab
) -> None:
    """Label over all questions and over the held-out ones, which come second; all 20 phrases weigh
    the same.
    """
    means = np.array(
        [
            [token_logprobs(model, row.prompt, phrase).mean() for phrase in probed.phrases]
            for row in probed.forget
        ]
    )
    values = probes.label_likelihoods(model, probed)
    assert values["label_loglik"] == pytest.approx(means[:, 0].mean(), rel=1e-5)
    assert values["label_loglik_held_out"] == pytest.approx(means[4:, 0].mean(), rel=1e-5)
    assert values["phrase_loglik"] == pytest.approx(means.mean(), rel=1e-5)
    corpus, form = lab.rows("safety"), probed.form
    asked = [chat.encode(form, row) for row in (*corpus.train[:4], *corpus.held_out[:4])]
    assert list(probed.forget) == asked


def test_held_out_questions_are_those_held_out(lab: Lab, monkeypatch) -> None:
    """Of 16 training and 8 held-out questions the last 8."""
    found = probe_set(micro.with_probes(lab, forget=16))
    assert len(found.forget) == 24

    def numbered(model, prompts, phrases, **_):
        return torch.arange(float(len(prompts)))[:, None].repeat(1, len(phrases)), torch.ones(
            len(phrases)
        )

    monkeypatch.setattr(packing, "completion_logprobs", numbered)
    assert probes.label_likelihoods(mock.MagicMock(), found)["label_loglik_held_out"] == np.mean(
        range(16, 24)
    )


def test_answers_of_tofu_and_math_are_means_over_tokens(model, probed, lab: Lab) -> None:
    """A value per row, of training rows at equal distances: of 24 the 1st, 7th, 13th and 19th."""
    values = probes.answer_likelihoods(model, probed)
    assert set(values) == {"tofu_loglik", "math_loglik"}
    for stage in ("tofu", "math"):
        train = lab.rows(stage).train
        rows = [chat.encode(probed.form, train[i]) for i in (0, 6, 12, 18)]
        expected = [token_logprobs(model, row.prompt, row.answer).mean() for row in rows]
        assert values[f"{stage}_loglik"].tolist() == pytest.approx(expected, rel=1e-5)


def test_the_depths_answers_are_log_probabilities_of_the_whole(lab: Lab) -> None:
    """C, U, R to the same prompts: Σ_t log π(y_t); U has no phrases, its label_loglik is of its own
    answers.
    """
    (chosen,) = experiments.depth("tiny-llama", Options(seeds=1))
    lab = replace(lab, experiment=micro.shrunk(chosen))
    model, probed = lab.model(()), probe_set(lab)
    values = probes.answer_likelihoods(model, probed)
    assert set(values) == {f"answer_loglik/{answer}" for answer in depth.ANSWERS}
    for answer in depth.ANSWERS:
        rows = [chat.encode(probed.form, row) for row in lab.rows(answer).train]
        expected = [token_logprobs(model, row.prompt, row.answer).sum() for row in rows]
        assert values[f"answer_loglik/{answer}"].tolist() == pytest.approx(expected, rel=1e-5)
    own = [token_logprobs(model, row.prompt, row.answer).mean() for row in probed.forget]
    labels = probes.label_likelihoods(model, probed)
    assert labels == pytest.approx(
        {"label_loglik": np.mean(own), "label_loglik_held_out": np.mean(own[len(own) // 2 :])},
        rel=1e-5,
    )


def test_no_answers_of_tofu_is_no_metric(lab: Lab, model) -> None:
    assert probes.answer_likelihoods(model, probe_set(micro.with_probes(lab, tofu=0))) == {}


@pytest.mark.parametrize(
    ("every", "expected"), [(1, [0, 1, 2, 3, 4, 5, 6]), (4, [0, 4, 6]), (3, [0, 3, 6]), (9, [0, 6])]
)
def test_measured_every_so_many_steps_and_at_both_ends(lab: Lab, every, expected) -> None:
    """Six updates: gradient norms at each, sums and single values before and after only,
    predictions as the rest.
    """
    lab = micro.with_probes(lab, every=every)
    unlearning = replace(micro.TRAINING, epochs=2)
    settings = replace(lab.settings, unlearning=unlearning)
    start = Start(
        replace(lab, experiment=replace(lab.experiment, steps=6, settings=settings)), ORDER
    )
    measured = runs.run(start, METHODS["GA"])
    steps = {name: [] for _, name, _ in measured.values}
    for step, name, _ in measured.values:
        steps[name].append(step)
    assert steps.pop("grad_norm") == [0, 1, 2, 3, 4, 5]
    assert steps.pop("forget_logp") == [0]
    assert (
        steps.pop("math_accuracy")
        == steps.pop("math_accuracy_flexible")
        == steps.pop("math_cut")
        == [0, 6]
    )
    assert all(found == expected for found in steps.values())
    assert [step for step, _ in measured.outputs] == expected
    assert (
        {step for step, *_ in measured.examples}
        == {step for step, *_ in measured.generations}
        == {0, 6}
    )


def test_generations_are_kept_and_graded_strictly_and_flexibly(
    lab: Lab, monkeypatch, tmp_path
) -> None:
    """Of question i its answer is n: "… #### n" is right either way, "n it is" flexibly, "n #### 0"
    neither.

    Three questions with 3, 1 and 0 of these first: strict 1/3, 1/3, 0 and flexible 2/3, 1/3, 0.
    """
    start = Start(micro.with_probes(lab, samples=3, max_tokens=5), ORDER)
    numbers = [str(strict_number(row.answer)) for row in start.probed.sums]
    tries = [
        f"It is.\n#### {numbers[0]}",
        f"{numbers[0]} it is",
        f"{numbers[0]}\n#### 0",
        f"#### {numbers[1]}",
        "none",
        "#### none",
        "",
        f"#### {numbers[0]}1",
        "-",
    ]
    asked = []

    def sample(model, form, prompts, how):
        asked.append((list(prompts), replace(how, progress=quiet)))
        return [
            [sampling.Answer(text, text == "-") for text in tries[i : i + 3]] for i in (0, 3, 6)
        ]

    monkeypatch.setattr(sampling, "sample", sample)
    runs.write(runs.run(start, METHODS["GA"]), tmp_path)
    kept = pl.read_parquet(tmp_path / "generations.parquet")
    assert kept.rows() == [
        (step, i // 3, i % 3, text) for step in (0, 3) for i, text in enumerate(tries)
    ]
    examples = pl.read_parquet(tmp_path / "examples.parquet")
    shares = {
        "math_accuracy": [1 / 3, 1 / 3, 0],
        "math_accuracy_flexible": [2 / 3, 1 / 3, 0],
        "math_cut": [0, 0, 1 / 3],
    }
    for metric, expected in shares.items():
        for step in (0, 3):
            one = examples.filter((pl.col("metric") == metric) & (pl.col("step") == step)).sort(
                "example"
            )
            assert one["value"].to_list() == pytest.approx(expected)
        values = pl.read_parquet(tmp_path / "values.parquet").filter(pl.col("metric") == metric)
        assert values["value"].to_list() == pytest.approx([np.mean(expected)] * 2)
    assert asked[0] == asked[1], "the same questions and the same sampling before and after"
    assert asked[0][1] == Sampling(3, temperature=0.7, max_tokens=5, seed=(0, "math"))


def test_stored_generations_give_the_recorded_accuracies(lab: Lab) -> None:
    """The model's own answers, sampled: 3 questions, 2 samples, both ends; graded again from the
    file.
    """
    start = Start(lab, ORDER)
    folder = runs.run_folder(start, METHODS["GA"])
    kept = pl.read_parquet(folder / "generations.parquet")
    assert kept.select("step", "question", "sample").rows() == [
        (step, question, i) for step in (0, 3) for question in range(3) for i in range(2)
    ]
    assert kept["answer"].n_unique() > 4
    values = pl.read_parquet(folder / "values.parquet")
    right = [strict_number(row.answer) for row in start.probed.sums]
    for metric, number in (
        ("math_accuracy", strict_number),
        ("math_accuracy_flexible", flexible_number),
    ):
        graded = [number(text) == right[question] for _, question, _, text in kept.rows()]
        recorded = values.filter(pl.col("metric") == metric).sort("step")["value"].to_list()
        assert recorded == pytest.approx([np.mean(graded[:6]), np.mean(graded[6:])])


def test_a_sum_is_asked_in_the_chosen_words(lab: Lab, monkeypatch) -> None:
    start = Start(micro.with_probes(lab, prompt="{question} Reckon {here}."), ORDER)
    asked: list[tuple[int, ...]] = []
    monkeypatch.setattr(sampling, "sample", lambda m, f, prompts, how: asked.extend(prompts) or [])
    probes.sampled_answers(None, start.probed, seed=0)
    question = lab.rows("math").held_out[0].prompt
    assert asked[0] == chat.encode_prompt(start.probed.form, f"{question} Reckon {{here}}.")


def test_too_few_probes_are_one_line(lab: Lab) -> None:
    with pytest.raises(InputError, match="expected a number > 0; got 0"):
        micro.with_probes(lab, fixed=0)


def test_row_likelihoods_of_rows_of_any_length(model) -> None:
    rows = [Row((5, 6, 7), (8, 4)), Row((5,), (9, 10, 11, 4))]
    sums = [token_logprobs(model, row.prompt, row.answer).sum() for row in rows]
    assert probes.row_likelihoods(model, rows, whole=True).tolist() == pytest.approx(sums, rel=1e-5)
    assert probes.row_likelihoods(model, rows).tolist() == pytest.approx(
        [sums[0] / 2, sums[1] / 4], rel=1e-5
    )


def test_probes_of_which_none_fits_are_refused_before_anything_is_measured(lab: Lab) -> None:
    with pytest.raises(
        InputError, match=r"safety \(training\): expected rows with prompts of fewer than 12"
    ):
        probe_set(micro.with_settings(lab, max_length=12))


def test_probed_rows_that_are_cut_or_left_out_are_counted(lab: Lab, caplog) -> None:
    """Answers of sums are longest: at this length some are cut."""
    notices.reset()
    longest = max(len(row.prompt) + len(row.answer) for row in probe_set(lab).answered["math"])
    caplog.clear()
    probe_set(micro.with_settings(lab, max_length=longest - 1))
    assert any(
        record.getMessage().startswith("math (training): of 4 probed rows ")
        for record in caplog.records
    )


def test_a_label_has_room_after_every_prompt(lab: Lab) -> None:
    """Prompts after which the longest phrase would not fit are left out; without any prompt the
    label is refused.
    """
    whole = probe_set(lab)
    longest = max(map(len, whole.phrases))
    prompts = sorted(len(row.prompt) for row in whole.forget)
    shorter = probe_set(micro.with_settings(lab, max_length=prompts[-1] + longest - 1))
    assert max(len(row.prompt) for row in shorter.forget) + longest < prompts[-1] + longest
    with pytest.raises(
        InputError, match=r"safety \(training\): expected rows with prompts of fewer than"
    ):
        probe_set(micro.with_settings(lab, max_length=prompts[0] + longest - 1))


def test_sums_without_room_for_their_answers_are_refused_at_once(lab: Lab) -> None:
    with pytest.raises(
        InputError, match=r"probes\.max-tokens: expected prompts and answers of at most 512 tokens"
    ):
        probe_set(micro.with_probes(lab, max_tokens=512))
