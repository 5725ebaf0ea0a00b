"""The paper's five models and Llama-3.2-3B of its depth experiment: hub ids, sizes, settings.

The settings are those of Table 2. Memory is what weights, gradients and AdamW's two moments take,
without activations: full fine-tuning in fp32 16 bytes a parameter; LoRA 4 bytes a parameter and 16
a trainable one; QLoRA half a byte (and a scale of fp32 every 64) for the projections, 4 bytes for
what stays in fp32 (embeddings, norms), and 16 a trainable parameter.
"""

from dataclasses import dataclass

from llm.models.embedded import EMBEDDED, Architecture

GIB = 2**30


@dataclass(frozen=True)
class Paper:
    """One model of the paper; its base model borrows the chat template of `sibling`."""

    hub_id: str
    sibling: str
    architecture: Architecture
    lr: float
    unlearning_lr: float
    batch: int
    unlearning_batch: int
    rank: int
    alpha: int


def _llama(
    hidden: int, layers: int, heads: int, kv_heads: int, intermediate: int, *, tied: bool
) -> Architecture:
    sizes = (hidden, layers, heads, kv_heads, intermediate)
    return Architecture("llama", *sizes, context=131072, vocabulary=128256, tied=tied)


CATALOGUE: dict[str, Paper] = {
    "llama-3.2-1b": Paper(
        hub_id="meta-llama/Llama-3.2-1B",
        sibling="meta-llama/Llama-3.2-1B-Instruct",
        architecture=_llama(2048, 16, 32, 8, 8192, tied=True),
        lr=1e-5,
        unlearning_lr=1e-5,
        batch=128,
        unlearning_batch=128,
        rank=64,
        alpha=128,
    ),
    # the depth experiment: QLoRA, SGD; batch sizes are not stated, 40 prompts in all
    "llama-3.2-3b": Paper(
        hub_id="meta-llama/Llama-3.2-3B",
        sibling="meta-llama/Llama-3.2-3B-Instruct",
        architecture=_llama(3072, 28, 24, 8, 8192, tied=True),
        lr=1e-5,
        unlearning_lr=5e-5,
        batch=40,
        unlearning_batch=40,
        rank=16,
        alpha=32,
    ),
    "llama-3.1-8b": Paper(
        hub_id="meta-llama/Llama-3.1-8B",
        sibling="meta-llama/Llama-3.1-8B-Instruct",
        architecture=_llama(4096, 32, 32, 8, 14336, tied=False),
        lr=1e-5,
        unlearning_lr=1e-5,
        batch=128,
        unlearning_batch=128,
        rank=8,
        alpha=16,
    ),
    "llama-2-13b": Paper(
        hub_id="meta-llama/Llama-2-13b-hf",
        sibling="meta-llama/Llama-2-13b-chat-hf",
        architecture=Architecture("llama", 5120, 40, 40, 40, 13824, 4096, 32000, tied=False),
        lr=1e-5,
        unlearning_lr=5e-6,
        batch=256,
        unlearning_batch=128,
        rank=8,
        alpha=16,
    ),
    "qwen2.5-1.5b": Paper(
        hub_id="Qwen/Qwen2.5-1.5B",
        sibling="Qwen/Qwen2.5-1.5B-Instruct",
        architecture=Architecture("qwen2", 1536, 28, 12, 2, 8960, 131072, 151936, tied=True),
        lr=1e-5,
        unlearning_lr=1e-5,
        batch=128,
        unlearning_batch=128,
        rank=32,
        alpha=64,
    ),
    "qwen2.5-14b": Paper(
        hub_id="Qwen/Qwen2.5-14B",
        sibling="Qwen/Qwen2.5-14B-Instruct",
        architecture=Architecture("qwen2", 5120, 48, 40, 8, 13824, 131072, 152064, tied=False),
        lr=1e-5,
        unlearning_lr=5e-6,
        batch=256,
        unlearning_batch=128,
        rank=8,
        alpha=16,
    ),
}


def named(model: str) -> str | None:
    """The catalogue's name of a model, given that name, its hub id or its sibling's, in any case.

    A sibling has the size of its base, so the same settings hold. A directory is never looked into:
    its configuration does not say what trained its weights.
    """
    for name, paper in CATALOGUE.items():
        names = (name, paper.hub_id, paper.sibling)
        if model.casefold() in map(str.casefold, names):
            return name
    return None


@dataclass(frozen=True)
class Memory:
    """Bytes of weights, gradients and optimizer state by way of training."""

    full: int
    lora: int
    qlora: int


def memory(arch: Architecture, rank: int) -> Memory:
    """The memory that training takes at least; the docstring of the module has the formula."""
    trainable = arch.lora_parameters(rank)
    embeddings = (1 if arch.tied else 2) * arch.vocabulary * arch.hidden
    kept = embeddings + (2 * arch.layers + 1) * arch.hidden
    packed = (arch.parameters - kept) * (0.5 + 4 / 64)
    return Memory(
        16 * arch.parameters,
        4 * arch.parameters + 16 * trainable,
        round(packed) + 4 * kept + 16 * trainable,
    )


TRAINED = ("parameters", "lr", "unlearning lr", "batch", "rank", "alpha")
HEADER = ("name", "hub id", *TRAINED, "full", "LoRA", "QLoRA")


def table() -> list[tuple[str, ...]]:
    """One row a model, a header first, memory in GiB: what `retrace models` prints."""
    rows: list[tuple[str, ...]] = [HEADER]
    for name, arch in EMBEDDED.items():
        settings = (f"{arch.parameters / 1e6:.2f}M", "5e-04", "2e-04", "32 / 32", "16", "32")
        rows.append((name, "(embedded)", *settings, *_sizes(memory(arch, 16))))
    for name, paper in CATALOGUE.items():
        batches = f"{paper.batch} / {paper.unlearning_batch}"
        rates = (f"{paper.lr:.0e}", f"{paper.unlearning_lr:.0e}")
        size, adapter = paper.architecture.parameters, (str(paper.rank), str(paper.alpha))
        settings = (f"{size / 1e9:.2f}B", *rates, batches, *adapter)
        need = memory(paper.architecture, paper.rank)
        rows.append((name, paper.hub_id, *settings, *_sizes(need)))
    return rows


def _sizes(need: Memory) -> tuple[str, ...]:
    # two significant digits, yet 120 and not 1.2e+02
    return tuple(f"{float(f'{size / GIB:.2g}'):g}" for size in (need.full, need.lora, need.qlora))
