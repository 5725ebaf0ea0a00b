"""The paper's five models and Llama-3.2-3B of its depth experiment: hub ids, sizes, and Table 2's
settings.

Memory is what weights, gradients and AdamW's two moments take, without activations: full
fine-tuning in fp32 16 bytes a parameter; LoRA 4 bytes a parameter and 16 a trainable one; QLoRA
half a byte (and a scale of fp32 every 64) for the projections, 4 bytes for what stays in fp32
(embeddings, norms), and 16 a trainable parameter.
"""

from dataclasses import dataclass

from llm.models.embedded import EMBEDDED, Architecture

GIB = 2**30


@dataclass(frozen=True)
class Paper:
    """One model of the paper; `sibling` is the instruct model whose chat template its base model
    borrows.
    """

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
    return Architecture(
        "llama", hidden, layers, heads, kv_heads, intermediate, 131072, 128256, tied
    )


CATALOGUE: dict[str, Paper] = {
    "llama-3.2-1b": Paper(
        "meta-llama/Llama-3.2-1B",
        "meta-llama/Llama-3.2-1B-Instruct",
        _llama(2048, 16, 32, 8, 8192, tied=True),
        1e-5,
        1e-5,
        128,
        128,
        64,
        128,
    ),
    # the depth experiment: QLoRA, SGD; batch sizes are not stated, 40 prompts in all
    "llama-3.2-3b": Paper(
        "meta-llama/Llama-3.2-3B",
        "meta-llama/Llama-3.2-3B-Instruct",
        _llama(3072, 28, 24, 8, 8192, tied=True),
        1e-5,
        5e-5,
        40,
        40,
        16,
        32,
    ),
    "llama-3.1-8b": Paper(
        "meta-llama/Llama-3.1-8B",
        "meta-llama/Llama-3.1-8B-Instruct",
        _llama(4096, 32, 32, 8, 14336, tied=False),
        1e-5,
        1e-5,
        128,
        128,
        8,
        16,
    ),
    "llama-2-13b": Paper(
        "meta-llama/Llama-2-13b-hf",
        "meta-llama/Llama-2-13b-chat-hf",
        Architecture("llama", 5120, 40, 40, 40, 13824, 4096, 32000, tied=False),
        1e-5,
        5e-6,
        256,
        128,
        8,
        16,
    ),
    "qwen2.5-1.5b": Paper(
        "Qwen/Qwen2.5-1.5B",
        "Qwen/Qwen2.5-1.5B-Instruct",
        Architecture("qwen2", 1536, 28, 12, 2, 8960, 131072, 151936, tied=True),
        1e-5,
        1e-5,
        128,
        128,
        32,
        64,
    ),
    "qwen2.5-14b": Paper(
        "Qwen/Qwen2.5-14B",
        "Qwen/Qwen2.5-14B-Instruct",
        Architecture("qwen2", 5120, 48, 40, 8, 13824, 131072, 152064, tied=False),
        1e-5,
        5e-6,
        256,
        128,
        8,
        16,
    ),
}


def named(model: str) -> str | None:
    """The catalogue's name of a model that is named so, by its hub id or by its instruct sibling's,
    in any case.

    A sibling has the size of its base, so that the same settings are its own. A directory is never
    looked into: what trained its weights cannot be told from its configuration.
    """
    for name, paper in CATALOGUE.items():
        if model.casefold() in {each.casefold() for each in (name, paper.hub_id, paper.sibling)}:
            return name
    return None


@dataclass(frozen=True)
class Memory:
    """Bytes of weights, gradients and optimizer state by way of training."""

    full: int
    lora: int
    qlora: int


def memory(arch: Architecture, rank: int) -> Memory:
    """What training takes at least, see the module's note."""
    trainable = arch.lora_parameters(rank)
    embeddings = (1 if arch.tied else 2) * arch.vocabulary * arch.hidden
    kept = embeddings + (2 * arch.layers + 1) * arch.hidden
    packed = (arch.parameters - kept) * (0.5 + 4 / 64)
    return Memory(
        16 * arch.parameters,
        4 * arch.parameters + 16 * trainable,
        round(packed) + 4 * kept + 16 * trainable,
    )


def table() -> list[tuple[str, ...]]:
    """One row a model, a header first, memory in GiB: what `retrace models` prints."""
    rows: list[tuple[str, ...]] = [
        (
            "name",
            "hub id",
            "parameters",
            "lr",
            "unlearning lr",
            "batch",
            "rank",
            "alpha",
            "full",
            "LoRA",
            "QLoRA",
        )
    ]
    for name, arch in EMBEDDED.items():
        settings = (f"{arch.parameters / 1e6:.2f}M", "5e-04", "2e-04", "32 / 32", "16", "32")
        rows.append((name, "(embedded)", *settings, *_sizes(memory(arch, 16))))
    for name, paper in CATALOGUE.items():
        batches = f"{paper.batch} / {paper.unlearning_batch}"
        rates = (f"{paper.lr:.0e}", f"{paper.unlearning_lr:.0e}")
        settings = (
            f"{paper.architecture.parameters / 1e9:.2f}B",
            *rates,
            batches,
            str(paper.rank),
            str(paper.alpha),
        )
        rows.append(
            (name, paper.hub_id, *settings, *_sizes(memory(paper.architecture, paper.rank)))
        )
    return rows


def _sizes(need: Memory) -> tuple[str, ...]:
    # two significant digits, yet 120 and not 1.2e+02
    return tuple(f"{float(f'{size / GIB:.2g}'):g}" for size in (need.full, need.lora, need.qlora))
