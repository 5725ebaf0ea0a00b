"""Sampling with left padding and a cache, and grading."""

import pytest
import torch

from llm import answers
from llm.stages import Lab, node, tokenizer_of

PROMPTS = [[7, 8, 9], [7, 8, 9, 10, 11, 12, 13], [20]]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("3 + 4 = 7\n#### 7", 7.0),
        ("#### 3\nno, wait\n#### 1,250", 1250.0),
        ("#### -4", -4.0),
        ("#### 2.5", 2.5),
        ("the answer is 7", None),
        ("7\n####", None),
    ],
)
def test_the_number_after_the_last_mark_counts(text, number) -> None:
    assert answers.final_number(text) == number


def test_share_correct_by_hand() -> None:
    shares = answers.share_correct([["#### 7", "#### 8"], ["x", "#### 3"], ["", "7"]], ["#### 7", "#### 3", "#### 7"])
    assert shares.tolist() == [0.5, 0.5, 0.0]


@torch.no_grad()
def test_left_padding_changes_nothing(lab: Lab) -> None:
    """Greedy next tokens of a padded batch with a cache equal one plain forward pass after another."""
    model = node(lab, ("inst",)).double()
    tokens, attention = answers.left_pad(PROMPTS, pad=0)
    out = model.generate(
        tokens, attention_mask=attention, do_sample=False, max_new_tokens=5, eos_token_id=None, pad_token_id=0
    )
    for i, prompt in enumerate(PROMPTS):
        ids = list(prompt)
        for _ in range(5):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
        assert out[i, tokens.shape[1] :].tolist() == ids[len(prompt) :]


def test_sampling_depends_on_its_seed_alone(lab: Lab) -> None:
    model, tokenizer = node(lab, ("inst",)), tokenizer_of(lab)
    draw = lambda seed: answers.sample(  # noqa: E731
        model, tokenizer, PROMPTS, samples=3, temperature=1.0, max_tokens=8, seed=(seed,)
    )
    state = torch.get_rng_state()
    first = draw(0)
    assert [len(tries) for tries in first] == [3, 3, 3]
    assert first == draw(0) != draw(1)
    assert torch.equal(state, torch.get_rng_state()), "the caller's generator is left alone"
