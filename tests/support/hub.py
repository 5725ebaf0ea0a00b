"""Small stand-ins for what the paper takes from the hub: its models with their siblings, and the
public files.

Models have the layout of the real ones (configuration class, special tokens, chat template, ties)
at a width of 32, with random weights and tokenizers trained in place; files have the real names and
fields. `standing_in` serves both in the place of huggingface_hub's downloads, so that hub ids and
hf:// names are used as they are typed.
"""

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import polars as pl
import torch
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError
from templates import LLAMA_2, LLAMA_3_2, QWEN_2_5
from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from llm.config.public import PUBLIC
from llm.models.catalogue import CATALOGUE

HF = "hf://datasets/"
WORDS = (
    "Who wrote the book about rivers? The author is known for a novel of two towns. Step 1: 3 + 4 "
    "= 7 apples, so #### 7"
)
SPLIT = "|".join(
    (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)",
        r"[^\r\n\p{L}\p{N}]?\p{L}+",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


def _byte_level(special: Sequence[str]) -> Tokenizer:
    """Byte-level BPE; the special tokens come behind the words, as those of Llama 3 and Qwen do."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    made.train_from_iterator(
        [WORDS], trainers.BpeTrainer(vocab_size=340, initial_alphabet=alphabet)
    )
    made.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special]
    )
    return made


def _llama3(template: str | None) -> PreTrainedTokenizerFast:
    """The end of a turn is special by its own flag alone: neither bos nor eos of the base model,
    and in no list.
    """
    headers = ("<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>")
    made = _byte_level(("<|begin_of_text|>", "<|end_of_text|>", *headers))
    made.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A",
        special_tokens=[("<|begin_of_text|>", made.token_to_id("<|begin_of_text|>"))],
    )
    end = "<|eot_id|>" if template else "<|end_of_text|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|begin_of_text|>", eos_token=end, chat_template=template
    )


def _qwen(template: str | None) -> PreTrainedTokenizerFast:
    """The base model has the chat template, too, and ends a text with another token than a turn."""
    made = _byte_level(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))
    end = "<|im_end|>" if template else "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token=end,
        pad_token="<|endoftext|>",
        chat_template=QWEN_2_5,
        extra_special_tokens=["<|im_start|>", "<|im_end|>"],
    )


def _llama2(template: str | None) -> PreTrainedTokenizerFast:
    """SentencePiece's BPE: spaces are ▁, one before every text, and bytes stand for what is no
    piece.
    """
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    trained.train_from_iterator([WORDS], trainers.BpeTrainer(vocab_size=150))
    learned = json.loads(trained.to_str())["model"]
    tokens = [
        "<unk>",
        "<s>",
        "</s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        *learned["vocab"],
    ]
    pieces = {token: number for number, token in enumerate(tokens)}
    merges = [tuple(pair) for pair in learned["merges"]]
    made = Tokenizer(
        models.BPE(pieces, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    made.normalizer = trained.normalizer
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    made.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in tokens[:3]]
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=template,
    )


def _rope(factor: float) -> dict[str, Any]:
    return {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }


# Tokenizer, chat template of the sibling, model class and what is special in the configuration, by
# catalogue name.
LAYOUTS: dict[str, tuple[Any, str, type, dict[str, Any]]] = {
    "llama-3.2-1b": (
        _llama3,
        LLAMA_3_2,
        LlamaForCausalLM,
        {"tie_word_embeddings": True, "rope_parameters": _rope(32.0)},
    ),
    "llama-3.1-8b": (
        _llama3,
        LLAMA_3_2,
        LlamaForCausalLM,
        {"tie_word_embeddings": False, "rope_parameters": _rope(8.0)},
    ),
    "llama-2-13b": (
        _llama2,
        LLAMA_2,
        LlamaForCausalLM,
        {"tie_word_embeddings": False, "num_key_value_heads": 4},
    ),
    "qwen2.5-1.5b": (_qwen, QWEN_2_5, Qwen2ForCausalLM, {"tie_word_embeddings": True}),
    "qwen2.5-14b": (_qwen, QWEN_2_5, Qwen2ForCausalLM, {"tie_word_embeddings": False}),
}


def _save(
    folder: Path, tokenizer: PreTrainedTokenizerFast, model_class: type, special: dict[str, Any]
) -> None:
    config_class = LlamaConfig if model_class is LlamaForCausalLM else Qwen2Config
    config = config_class(
        **{
            "vocab_size": len(tokenizer) + 24,  # more rows than tokens, as Qwen has
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            **special,
        }
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model_class(config).float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def give_model(root: Path, name: str) -> None:
    """A model of the catalogue under ROOT/OWNER/NAME, and its sibling's tokenizer without weights
    beside it.
    """
    tokenizer, template, model_class, special = LAYOUTS[name]
    _save(root / CATALOGUE[name].hub_id, tokenizer(None), model_class, special)
    _save(root / CATALOGUE[name].sibling, tokenizer(template), model_class, special)


# Rows that the public files have, and questions of SORRY-Bench, by the stem of their file.
PUBLISHED = {
    "full": 4000,
    "real_authors": 100,
    "world_facts": 117,
    "train-00000-of-00001": 7473,
    "test-00000-of-00001": 1319,
    "ism_sda_k2_4K": 4000,
    "ism_sda_k1_1K": 1000,
    "question": 450,
}
WRONG = 472  # of GSM8K's training answers, whose steps do not lead to their final number


def _tofu(stem: str, count: int) -> list[dict[str, Any]]:
    words = {"full": "book", "real_authors": "novel", "world_facts": "river"}[stem]
    return [
        {"question": f"Which {words} is number {n}?", "answer": f"The {words} of {n}."}
        for n in range(count)
    ]


def _gsm8k(stem: str, count: int) -> list[dict[str, Any]]:
    """Sums with their annotations; of as many as are published, those that cannot be rewritten have
    none.
    """
    part, wrong = stem.partition("-")[0], WRONG if count == PUBLISHED["train-00000-of-00001"] else 0
    return [
        {
            "question": f"What are {n} and 4 in {part}?",
            "answer": f"{n}+4="
            + (f"<<{n}+4={n + 4}>>" if n >= wrong else "")
            + f"{n + 4}\n#### {n + 4}",
        }
        for n in range(count)
    ]


def _skillmix(stem: str, count: int) -> list[dict[str, Any]]:
    fields = {"orig_instruction": "o", "input": "", "skills_joined_str": "s", "query_type": "t"}
    return [
        {**fields, "instruction": f"Tell of {stem}, {n}.", "output": f"There is {n}."}
        for n in range(count)
    ]


def _sorry(stem: str, count: int) -> list[dict[str, Any]]:
    style = stem.removeprefix("question").removeprefix("_") or "base"
    return [
        {
            "question_id": n,
            "category": str(n // 10),
            "turns": [f"{style}: hide {n}"],
            "prompt_style": style,
        }
        for n in range(1, count + 1)
    ]


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pl.DataFrame(rows).write_parquet(path)
    elif path.stem.startswith("ism"):
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:  # JSON lines, also TOFU's files named .json
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def give_files(root: Path, count: int | None = 30) -> None:
    """The public files of every stage under ROOT/datasets, with `count` rows each, or with as many
    as are published.
    """
    rows = {"inst": _skillmix, "tofu": _tofu, "math": _gsm8k, "safety": _sorry}
    for stage, files in PUBLIC.items():
        for source in (*files.train, *files.test):
            path = root / "datasets" / source.removeprefix(HF)
            published = PUBLISHED[path.stem.partition("_")[0] if stage == "safety" else path.stem]
            _write(path, rows[stage](path.stem, published if count is None else count))


@contextlib.contextmanager
def standing_in(root: Path) -> Iterator[list[str]]:
    """Serve ROOT in the place of the hub; yields what was fetched."""
    fetched: list[str] = []

    def resolve(_: Any, path: str, **__: Any) -> SimpleNamespace:
        owner, name, *inside = path.removeprefix(HF).split("/")
        name, _, revision = name.partition("@")
        return SimpleNamespace(
            repo_id=f"{owner}/{name}",
            repo_type="dataset",
            revision=revision or "main",
            path_in_repo="/".join(inside),
        )

    def download(repo_id: str, filename: str, *, repo_type: str | None = None, **_: Any) -> str:
        fetched.append(f"{repo_id}/{filename}")
        path = root / ("datasets" if repo_type == "dataset" else "") / repo_id / filename
        if not path.is_file():
            raise EntryNotFoundError(f"{filename} is not in {repo_id}", response=mock.Mock())
        return str(path)

    def snapshot(repo_id: str, **_: Any) -> str:
        fetched.append(repo_id)
        if not (root / repo_id).is_dir():
            raise RepositoryNotFoundError(f"{repo_id} is not on the hub", response=mock.Mock())
        return str(root / repo_id)

    with (
        mock.patch("huggingface_hub.HfFileSystem.resolve_path", resolve),
        mock.patch("huggingface_hub.hf_hub_download", download),
        mock.patch("huggingface_hub.snapshot_download", snapshot),
    ):
        yield fetched
