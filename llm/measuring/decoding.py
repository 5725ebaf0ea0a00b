"""Tokens sampled from softmax(logits / T) of a model and from nothing else.

`generate` fills what its caller leaves open from the model's own generation_config (penalties,
truncation, suppressed and forced tokens, watermarks …), so that is replaced by an empty one while a
batch is sampled. The draw is inverse-CDF: a sequence has uniform numbers of its own, one a step,
and takes the first token whose cumulated probability exceeds its number. So an answer depends
neither on the sequences sampled beside it nor on the generators of torch.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList, PreTrainedModel

from llm.models.randomness import generator
from protocol.errors import InputError

# Logits are the same within this share of the largest logit.
CLOSE = {torch.float32: 1e-3, torch.float64: 1e-3}
CLOSE_ROUNDED = 2e-2  # in bfloat16 and float16


def left_pad(prompts: Sequence[Sequence[int]], *, pad: int) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask (N, S), padded on the left: prompts end in the last column."""
    width = max(len(prompt) for prompt in prompts)
    tokens = torch.full((len(prompts), width), pad)  # (N, S)
    attention = torch.zeros((len(prompts), width), dtype=torch.long)  # (N, S)
    for i, prompt in enumerate(prompts):
        tokens[i, width - len(prompt) :] = torch.tensor(prompt)
        attention[i, width - len(prompt) :] = 1
    return tokens, attention


def uniforms(
    prompts: Sequence[Sequence[int]], *, samples: int, steps: int, seed: tuple[object, ...]
) -> Tensor:
    """Numbers in [0, 1), (N, samples, steps), float64.

    They derive from the seed, the prompt itself, how often it came before, and the number of the
    sample: prompts in another order, fewer samples or fewer steps leave the numbers that remain as
    they are.
    """
    seen: dict[tuple[int, ...], int] = {}
    drawn = torch.empty(len(prompts), samples, steps, dtype=torch.float64)
    for i, prompt in enumerate(map(tuple, prompts)):
        seen[prompt] = seen.get(prompt, -1) + 1
        for sample in range(samples):
            own = generator(*seed, "sampling", prompt, seen[prompt], sample)
            drawn[i, sample] = torch.rand(steps, generator=own, dtype=torch.float64)
    return drawn


class InverseTransform(LogitsProcessor):
    """Keeps of each step's logits only the token that the sequence's uniform number picks.

    So the largest logit is a sample of softmax(logits / temperature). uniform: (B, steps) · width:
    columns of the padded prompts. Raises InputError if logits are not finite.
    """

    def __init__(self, uniform: Tensor, *, width: int, temperature: float) -> None:
        self.uniform, self.width, self.temperature = uniform, width, temperature

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (B, V) that are 0 at the chosen token and −∞ elsewhere."""
        step = input_ids.shape[1] - self.width
        mass = torch.softmax(scores.double() / self.temperature, dim=-1).cumsum(dim=-1)  # (B, V)
        total = mass[:, -1:]  # (B, 1), 1 but for rounding
        if not torch.isfinite(total).all():
            raise InputError(
                f"model: expected finite logits; got nan or inf at sampled token {step + 1}: lower "
                "the learning rate"
            )
        # "right": the first mass greater than the number, so that a token of probability 0 is never
        # taken.
        token = torch.searchsorted(mass, self.uniform[:, step, None] * total, right=True)  # (B, 1)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)  # (B, V)


@contextmanager
def neutral(model: PreTrainedModel) -> Iterator[None]:
    """Inside, the model's own generation_config is an empty one."""
    own = model.generation_config
    model.generation_config = GenerationConfig()
    try:
        yield
    finally:
        model.generation_config = own


def _settings(ends: Sequence[int], *, steps: int, pad: int) -> GenerationConfig:
    return GenerationConfig(
        do_sample=False,
        max_new_tokens=steps,
        eos_token_id=list(ends) or None,
        pad_token_id=pad,
        return_dict_in_generate=True,
    )


def _until_end(tokens: Sequence[int], ends: Sequence[int]) -> tuple[int, ...]:
    last = next((i for i, token in enumerate(tokens) if token in ends), len(tokens) - 1)
    return tuple(tokens[: last + 1])


@torch.no_grad()
def draw(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    uniform: Tensor,
    *,
    temperature: float,
    ends: Sequence[int],
    pad: int,
) -> list[tuple[int, ...]]:
    """One continuation of each prompt, sampled in one batch, up to and with an end token if any.

    uniform: a number per prompt and step, (N, steps).
    """
    tokens, attention = (part.to(model.device) for part in left_pad(prompts, pad=pad))
    width = tokens.shape[1]
    choose = InverseTransform(uniform.to(model.device), width=width, temperature=temperature)
    with neutral(model):
        produced = model.generate(
            tokens,
            attention_mask=attention,
            generation_config=_settings(ends, steps=uniform.shape[1], pad=pad),
            logits_processor=LogitsProcessorList([choose]),
        ).sequences  # (N, S + T)
    return [_until_end(row, ends) for row in produced[:, width:].tolist()]


@torch.no_grad()
def is_undisturbed(
    model: PreTrainedModel, prompt: Sequence[int], beside: Sequence[int], *, pad: int
) -> bool:
    """Whether a prompt's next two logits stay the same with another prompt in its batch.

    They change if a state or a convolution runs through the padding, if positions are counted from
    its beginning, or if a model mixes up the states of a batch.
    """
    logits = []
    for prompts in ([prompt], [prompt, beside]):
        tokens, attention = (part.to(model.device) for part in left_pad(prompts, pad=pad))
        settings = _settings((), steps=2, pad=pad)
        settings.output_logits = True
        with neutral(model):
            out = model.generate(tokens, attention_mask=attention, generation_config=settings)
        logits.append(torch.stack(out.logits)[:, 0].double())  # (2, V)
    alone, together = logits
    real = torch.isfinite(alone)
    if not real.any():
        raise InputError(
            "model: expected finite logits; got nan or inf after a prompt: lower the learning rate"
        )
    close = CLOSE.get(model.dtype, CLOSE_ROUNDED) * alone[real].abs().max()
    return bool((alone[real] - together[real]).abs().max() <= close)
