"""A pretrained model from a local directory or the hub: safetensors only, never code from outside.

What a base model leaves open is settled here: a pad token (the end token serves where there is
none; padding is masked everywhere) and whether the tokenizer's ids fit the embeddings.
"""

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from llm.models import template_files
from llm.models.parts import text_config
from protocol.errors import InputError, first_line
from protocol.notices import notice

# What transformers calls them; None: its own choice for the model, SDPA for most.
ATTENTION = {
    "auto": None,
    "eager": "eager",
    "sdpa": "sdpa",
    "flash": "flash_attention_2",
    "flex": "flex_attention",
}
WEIGHTS = ("*.safetensors", "*.safetensors.index.json")
TOKENIZER = ("tokenizer*", "special_tokens_map.json", *template_files.FILES)
READ = (*WEIGHTS, "config.json", *TOKENIZER)


@dataclass(frozen=True)
class Pretrained:
    """A model made elsewhere: a directory or a hub id OWNER/NAME, there at a revision.

    template: of the chat format: "own", "plain", a .jinja file, or a directory or hub id whose
    tokenizer has one (no weights are needed or fetched there); "own:NAME" and "SOURCE:NAME" choose
    one of several. By default the model's own if it has one, else plain. system: a system message
    before every conversation that has none of its own.
    """

    source: str
    revision: str | None = None
    template: str | None = None
    system: str | None = None


# every node's key asks for it, and a branch that moves must not change keys within a run
@functools.cache
def _fetched(source: str, revision: str | None) -> Path:
    return template_files.fetch("model", source, revision, READ)


def snapshot(source: str, revision: str | None = None) -> Path:
    """The model's directory on this machine, fetched from the hub if need be; InputError where
    there is none.
    """
    folder = Path(source)
    if folder.is_dir():
        if revision is not None:
            raise InputError(
                f"revision: expected none for the directory {folder}; got {revision!r}"
            )
    else:
        folder = _fetched(source, revision)
    if not (folder / "config.json").is_file():
        raise InputError(f"model: expected a directory with config.json; {folder} has none")
    if not any(folder.glob("*.safetensors")):
        raise InputError(
            f"model: expected weights in *.safetensors; {folder} has none; convert them first"
        )
    return folder


@functools.cache  # hashing 14B parameters takes a minute, and every node's key asks for it
def _sha256(path: Path, size: int, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def files_digest(folder: Path) -> str:
    """SHA-256 over the names and contents of all files a model is read from: other weights, another
    digest.
    """
    whole = hashlib.sha256()
    for path in sorted({path for pattern in READ for path in folder.glob(pattern)}):
        state = path.stat()
        whole.update(f"{path.name} {_sha256(path, state.st_size, state.st_mtime_ns)}\n".encode())
    return whole.hexdigest()[:16]


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write configuration and weights (safetensors) into `folder`."""
    model.save_pretrained(folder)


def load(
    folder: Path, *, dtype: torch.dtype = torch.float32, attention: str = "auto"
) -> PreTrainedModel:
    """The model of a directory, on the CPU, in evaluation mode, with a pad token.

    attention: one of ATTENTION. Raises InputError for a model that transformers does not know or
    does not read, for an attention that the model has not, for weights that are quantized or not
    all there, and for an adapter beside them.
    """
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            f"model: expected a model's own weights; {folder} holds an adapter, too: merge it, "
            f"or remove it"
        )
    if getattr(configuration(folder), "quantization_config", None) is not None:
        raise InputError(
            f"model: expected weights in float32, bfloat16 or float16; {folder} holds quantized "
            f"ones"
        )
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=ATTENTION[attention],
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except (
        Exception
    ) as error:  # transformers raises ValueError, ImportError, OSError, RuntimeError and others
        how = "" if attention == "auto" else f" with {attention} attention"
        raise InputError(
            f"model: expected one that transformers reads{how}; {folder}: {first_line(error)}"
        ) from error
    missing = sorted([*found["missing_keys"], *(name for name, *_ in found["mismatched_keys"])])
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"model: expected weights for every parameter; {folder} has none that fit "
            f"{missing[0]}{rest}"
        )
    unused = sorted(found["unexpected_keys"])
    if unused:
        notice(
            f"{folder.name}: {len(unused)} tensors of its files are no weights of the model: "
            f"{unused[0]} …"
        )
    model.config.pad_token_id = _pad(model)
    return model.eval()


def _pad(model: PreTrainedModel) -> int:
    """The token that fills rows: the model's own, or its end token, or token 0; what it is changes
    no number.
    """
    text, rows = text_config(model), model.get_input_embeddings().num_embeddings
    ends = getattr(text, "eos_token_id", None)
    named = [getattr(text, "pad_token_id", None), *(ends if isinstance(ends, list) else [ends])]
    return next((token for token in named if token is not None and 0 <= token < rows), 0)


def configuration(folder: Path) -> PretrainedConfig:
    """The configuration of a directory's model; InputError if transformers cannot read it."""
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # as in `load`
        raise InputError(
            f"model: expected a model that transformers knows; {folder}: {first_line(error)}"
        ) from error


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer of a directory, as its tokenizer.json has it; InputError where there is none.

    A class chosen by the model's type (AutoTokenizer's way) would add tokens the file does not
    have. Its chat templates are those of the folder, chat_template.json included.
    """
    if not (folder / "tokenizer.json").is_file():
        raise InputError(
            f"model: expected a tokenizer in {folder}; it has no tokenizer.json; add the model's "
            f"own"
        )
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a damaged file: the tokenizer's library raises no class of its own
        raise InputError(f"model: expected a tokenizer in {folder}; {first_line(error)}") from error
    if (
        tokenizer.chat_template is None
    ):  # transformers reads chat_template.json with processors alone
        tokenizer.chat_template = template_files.in_folder(folder) or None
    return tokenizer


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """InputError where the tokenizer knows more tokens than the model has embeddings for."""
    rows, tokens = model.get_input_embeddings().num_embeddings, len(tokenizer)
    if tokens > rows:
        raise InputError(
            f"tokenizer: expected at most {rows} tokens, as many as the model's embeddings; got "
            f"{tokens}"
        )
