"""Sampled answers and their grading: batched generation with left padding and a KV cache.

Accuracy is the share of sampled answers whose number after the last "####" is the right one (strict grading).
"""

import re
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerFast

from llm.randomness import derived_seed

FINAL = re.compile(r"####\s*(-?[\d,]*\.?\d+)")


def left_pad(prompts: Sequence[Sequence[int]], *, pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask (N, S), padding on the left so that every prompt ends in the last column."""
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.tensor([[pad] * (width - len(prompt)) + list(prompt) for prompt in prompts])  # (N, S)
    attention = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])  # (N, S)
    return tokens, attention


@torch.no_grad()
def sample(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    prompts: Sequence[Sequence[int]],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: tuple[object, ...],
) -> list[list[str]]:
    """`samples` answers of every prompt at one temperature, as text without special tokens: N lists."""
    tokens, attention = left_pad(prompts, pad=model.config.pad_token_id)
    config = GenerationConfig(
        do_sample=True,
        temperature=temperature,
        top_k=0,
        top_p=1.0,
        num_return_sequences=samples,
        max_new_tokens=max_tokens,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derived_seed(*seed, "sampling"))
        produced = model.generate(tokens, attention_mask=attention, generation_config=config)  # (N · samples, S + T)
    texts = tokenizer.batch_decode(produced[:, tokens.shape[1] :], skip_special_tokens=True)
    return [texts[start : start + samples] for start in range(0, len(texts), samples)]


def final_number(text: str) -> float | None:
    """The number after the last "####", commas removed; None where there is none."""
    found = FINAL.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def share_correct(answers: Sequence[Sequence[str]], solutions: Sequence[str]) -> Tensor:
    """For each question the share of its sampled answers with the solution's final number, (N,)."""
    right = [[final_number(a) == final_number(s) for a in tries] for tries, s in zip(answers, solutions, strict=True)]
    return torch.tensor(right, dtype=torch.float64).mean(dim=1)
