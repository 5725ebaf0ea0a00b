"""Sequences are sampled in batches whose memory fits a budget; out of memory halves them.

The budget is a constant of the machine, not what happens to be free: batches of another size round
logits otherwise, and results shall not depend on what else runs. Where memory is short
nevertheless, a batch is halved, with a notice.
"""

import gc
import inspect
from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from transformers import PretrainedConfig, PreTrainedModel

from protocol.errors import InputError
from protocol.notices import notice

T = TypeVar("T")
CPU_BUDGET = 2 * 2**30  # bytes; workers run side by side
CUDA_SHARE = 0.5  # of what the weights leave of the device
EXHAUSTED = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")


def budget(model: PreTrainedModel) -> int:
    """Bytes that a batch may take beside the weights."""
    if model.device.type != "cuda":
        return CPU_BUDGET
    _, total = torch.cuda.mem_get_info(model.device)
    weights = sum(weight.nbytes for weight in model.parameters())
    return max(0, int(CUDA_SHARE * (total - weights)))


def _size(config: PretrainedConfig, *names: str) -> int:
    """The first of the named sizes that is set, the largest if layers differ; 0 for none."""
    for name in names:
        value = getattr(config, name, None)
        if value:
            return max(value) if isinstance(value, (list, tuple)) else int(value)
    return 0


def cache_bytes(model: PreTrainedModel) -> int:
    """Bytes of a token's keys and values: layers · heads · (key + value width) · bytes of a number.

    Without attention heads in the configuration: two vectors of the hidden width per layer.
    """
    config = model.config.get_text_config(decoder=True)
    hidden, layers = _size(config, "hidden_size"), _size(config, "num_hidden_layers")
    heads = _size(config, "num_attention_heads")
    pairs = _size(config, "num_key_value_heads") or heads
    width = _size(config, "head_dim") or hidden // max(1, heads)
    # multi-head latent attention names the widths of its keys and values
    rotated = _size(config, "qk_nope_head_dim") + _size(config, "qk_rope_head_dim")
    key, value = rotated or width, _size(config, "v_head_dim") or width
    both = pairs * (key + value) if heads else 2 * hidden
    return layers * both * model.dtype.itemsize


def sequence_bytes(model: PreTrainedModel, *, width: int, steps: int) -> int:
    """Bytes of one sequence: its cache, the activations of its prompt, logits and sampling."""
    config = model.config.get_text_config(decoder=True)
    hidden = _size(config, "hidden_size")
    inner = _size(config, "intermediate_size", "ffn_dim", "n_inner") or 4 * hidden
    number = model.dtype.itemsize
    prompt = width * (8 * hidden + 4 * inner) * number
    predicted = 1 if "logits_to_keep" in inspect.signature(model.forward).parameters else width
    # four passes in float64, see InverseTransform
    logits = config.vocab_size * (predicted * number + 4 * 8)
    eager = config._attn_implementation == "eager"
    scores = _size(config, "num_attention_heads") * width**2 * 8 if eager else 0
    return (width + steps) * cache_bytes(model) + prompt + logits + scores


def is_exhaustion(error: BaseException) -> bool:
    """Whether an error says that memory is out, on a GPU or on the CPU."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    message = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in message for sign in EXHAUSTED)


def _attempt(work: Callable[[list[int]], list[T]], part: list[int]) -> list[T] | None:
    """The results of a batch; None if memory is out."""
    try:
        return work(part)
    except (RuntimeError, MemoryError) as error:
        if not is_exhaustion(error):
            raise
    # Only here, where the error and the tensors in its frames are gone, can their memory be had
    # again.
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def in_batches(
    lengths: Sequence[int],
    work: Callable[[list[int]], list[T]],
    *,
    fits: Callable[[int], int],
    equal: bool,
    done: Callable[[int], None] = lambda count: None,
) -> list[T]:
    """Results of `work` on all sequences, in their own order; `work` takes a batch as indices.

    The longest sequences come first, so that sequences of similar length share a batch and memory
    is out early if at all. fits: how many sequences of a length a batch holds · equal: only
    sequences of one length share a batch · done: called with the number of finished sequences after
    every batch. Raises InputError if memory is out with one sequence.
    """
    waiting = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    results: dict[int, T] = {}
    most = len(waiting)
    while waiting:
        longest = lengths[waiting[0]]
        part = waiting[: max(1, min(most, fits(longest)))]
        if equal:
            part = [i for i in part if lengths[i] == longest]
        made = _attempt(work, part)
        if made is not None:
            results |= zip(part, made, strict=True)
            waiting = waiting[len(part) :]
            done(len(results))
            continue
        if len(part) == 1:
            raise InputError(
                f"model: expected memory for one sequence with a prompt of {longest} tokens; it is "
                "out: take a smaller model, shorter prompts or fewer probes.max-tokens"
            )
        most = len(part) // 2
        notice(
            f"sampling: memory is out with {len(part)} sequences at a time; going on with {most}"
        )
    return [results[i] for i in range(len(lengths))]
