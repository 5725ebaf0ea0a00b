"""Sampled answers: batched generation with left padding and a KV cache, and the share of them that is right."""

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel

from llm.chat import Format
from llm.grading import strict_number
from llm.randomness import derived_seed


def left_pad(prompts: Sequence[Sequence[int]], *, pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask (N, S), padding on the left so that every prompt ends in the last column."""
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])  # (N, S)
    attention = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])  # (N, S)
    return tokens, attention


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    form: Format,
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: tuple[object, ...],
) -> list[list[str]]:
    """`samples` answers of every prompt at one temperature, as text without special tokens: N lists."""
    tokens, attention = (part.to(model.device) for part in left_pad(prompts, pad=model.config.pad_token_id))
    config = GenerationConfig(
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        num_return_sequences=samples,
        max_new_tokens=max_tokens,
        eos_token_id=form.end,
        pad_token_id=model.config.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(*seed, "sampling"))
        produced = model.generate(tokens, attention_mask=attention, generation_config=config)  # (N · samples, S + T)
    texts = form.tokenizer.batch_decode(produced[:, tokens.shape[1] :], skip_special_tokens=True)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]


def share_correct(
    answers: Sequence[Sequence[str]],
    solutions: Sequence[str],
    *,
    number: Callable[[str], Fraction | None] = strict_number,
) -> Tensor:
    """For each question the share of its sampled answers with the solution's number, (n,); graded strictly, or by
    another reading of an answer's `number`.
    """
    right = [strict_number(solution) for solution in solutions]
    graded = [[n is not None and number(a) == n for a in tries] for tries, n in zip(answers, right, strict=True)]
    return torch.tensor(graded, dtype=torch.float64).mean(dim=1)
