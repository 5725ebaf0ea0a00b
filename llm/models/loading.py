"""A model from a directory: safetensors only, never code from outside; what its configuration says.

What a base model leaves open is settled here: a pad token (the end token if there is no other;
padding is masked everywhere) and whether the tokenizer's ids fit the embeddings. A model of text
and images has the configuration of its language part inside its own; a state-space model has no
longest context. `llm.models.hub` fetches a directory.
"""

import sys
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


def text_config(model: PreTrainedModel) -> PretrainedConfig:
    """The configuration of the language part; the model's own if the model has no other part."""
    return model.config.get_text_config()


def context_of(config: PretrainedConfig) -> int:
    """The most tokens a model takes; sys.maxsize if its configuration names no limit."""
    text = config.get_text_config()
    named = (getattr(text, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    return min((limit for limit in named if limit and limit > 0), default=sys.maxsize)


def save(model: PreTrainedModel, folder: Path) -> None:
    """Write configuration and weights (safetensors) into `folder`."""
    model.save_pretrained(folder)


def load(
    folder: Path, *, dtype: torch.dtype = torch.float32, attention: str = "auto"
) -> PreTrainedModel:
    """The model of a directory, on the CPU, in evaluation mode, with a pad token.

    attention: one of ATTENTION. Raises InputError for a model that transformers does not know or
    does not read, for an attention that the model does not have, for weights that are quantized or
    incomplete, and for an adapter in the same folder.
    """
    if (folder / "adapter_config.json").is_file():
        raise InputError(
            f"model: expected a model's own weights; {folder} holds an adapter, too: merge it, or "
            "remove it"
        )
    if getattr(configuration(folder), "quantization_config", None) is not None:
        raise InputError(
            f"model: expected weights in float32, bfloat16 or float16; {folder} holds quantized "
            "ones"
        )
    try:
        model, read = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=ATTENTION[attention],
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    # transformers raises ValueError, ImportError, OSError, RuntimeError and others
    except Exception as error:
        how = "" if attention == "auto" else f" with {attention} attention"
        raise InputError(
            f"model: expected one that transformers reads{how}; {folder}: {first_line(error)}"
        ) from error
    missing = sorted([*read["missing_keys"], *(name for name, *_ in read["mismatched_keys"])])
    if missing:
        rest = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise InputError(
            f"model: expected weights for every parameter; {folder} has none that fit "
            f"{missing[0]}{rest}"
        )
    unused = sorted(read["unexpected_keys"])
    if unused:
        notice(
            f"{folder.name}: {len(unused)} tensors of its files are no weights of the model: "
            f"{unused[0]} …"
        )
    model.config.pad_token_id = _pad(model)
    return model.eval()


def _pad(model: PreTrainedModel) -> int:
    """The token that fills rows: the model's own, else its end token, else token 0."""
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
    """The tokenizer of a directory, as its tokenizer.json has it; InputError if there is none.

    A class chosen by the model's type (AutoTokenizer's way) would add tokens the file does not
    have. Its chat templates are those of the folder, chat_template.json included.
    """
    if not (folder / "tokenizer.json").is_file():
        raise InputError(
            f"model: expected a tokenizer in {folder}; it has no tokenizer.json; add the model's "
            "own"
        )
    try:
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # a damaged file: the tokenizer's library raises no class of its own
        raise InputError(f"model: expected a tokenizer in {folder}; {first_line(error)}") from error
    if tokenizer.chat_template is None:
        # transformers reads chat_template.json only together with a processor
        tokenizer.chat_template = template_files.in_folder(folder) or None
    return tokenizer


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> None:
    """InputError if the tokenizer knows more tokens than the model has embeddings for."""
    rows, tokens = model.get_input_embeddings().num_embeddings, len(tokenizer)
    if tokens > rows:
        raise InputError(
            f"tokenizer: expected at most {rows} tokens, as many as the model's embeddings; got "
            f"{tokens}"
        )
