"""Whether sampling at a temperature near 0 is greedy decoding: a plain forward pass a token, no
padding, no cache.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from llm.data.chat import Format
from llm.measuring import sampling
from llm.measuring.sampling import Sampling


@torch.no_grad()
def greedy(
    model: PreTrainedModel, prompt: Sequence[int], ends: Sequence[int], *, steps: int
) -> tuple[int, ...]:
    """The most likely continuation, up to and with its first end token."""
    ids = list(prompt)
    while len(ids) < len(prompt) + steps and (len(ids) == len(prompt) or ids[-1] not in ends):
        logits = model(
            input_ids=torch.tensor([ids], device=model.device), use_cache=False
        ).logits  # (1, S, V)
        ids.append(int(logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def sampling_is_greedy(
    model: PreTrainedModel,
    form: Format | Sequence[int],
    prompts: Sequence[Sequence[int]],
    *,
    steps: int = 6,
) -> bool:
    """form: a format, or the ids of end tokens."""
    ends = sorted(form.ends) if isinstance(form, Format) else list(form)
    how = Sampling(1, temperature=1e-8, max_tokens=steps, seed=(0, "greedy"))
    sampled = sampling.sample_tokens(model, ends, prompts, how)
    return sampled == [greedy(model, prompt, ends, steps=steps) for prompt in prompts]
