"""Sampling with left padding and a cache, and the share of right answers."""

import torch

from llm import answers
from llm.nodes import format_of, node
from llm.stages import Lab

PROMPTS = [[7, 8, 9], [7, 8, 9, 10, 11, 12, 13], [20]]


def test_share_correct_by_hand() -> None:
    shares = answers.share_correct([["#### 7", "#### 8"], ["x", "#### 3"], ["", "7"]], ["#### 7", "#### 3", "#### 7"])
    assert shares.tolist() == [0.5, 0.5, 0.0]


def test_a_solution_without_a_number_is_met_by_no_answer() -> None:
    assert answers.share_correct([["", "#### 7"]], ["no number"]).tolist() == [0.0]


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
    model, form = node(lab, ("inst",)), format_of(lab)
    draw = lambda seed: answers.sample(  # noqa: E731
        model, form, PROMPTS, samples=3, temperature=1.0, max_tokens=8, seed=(seed,)
    )
    state = torch.get_rng_state()
    first = draw(0)
    assert [len(tries) for tries in first] == [3, 3, 3]
    assert first == draw(0) != draw(1)
    assert torch.equal(state, torch.get_rng_state()), "the caller's generator is left alone"
