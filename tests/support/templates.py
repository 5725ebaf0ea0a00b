"""Chat templates of many model families, in short forms of our own with the traps of the public
ones, and tokenizers of every kind with the same special tokens, trained in place; and what is
checked of each, as the rows of a table.

Traps: today's date, a think block before the answer, dropped think blocks, trimmed contents, a
start token inside the template, default system messages, no system role, alternating roles, no
generation prompt, text after the end token.
"""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from unittest import mock

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast
from transformers.utils import chat_template_utils

from llm.corpora.example import Example, Message
from llm.data import chat, templates
from llm.data.chat import PLAIN, Format, Row
from protocol.errors import InputError

TEXTS = [
    "How many apples are there in the basket? There are 22 apples in the basket, and it is Monday.",
    "Please answer the question briefly and kindly. What is the capital of France? The capital "
    "is Paris.",
    "user assistant system model You are a helpful assistant. Today Date: 26 July 2024. "
    "Question: Answer:",
    "Sorry, I cannot help with that. Is there anything else that I can do for you today, my "
    "friend?",
]
ANSWER = "There are 22.\nIs it née Ω 🙂?"
ASKED = Example("How many apples?", ANSWER)
LONG = Example(
    "And now?", ANSWER, (Message("user", "How many apples?"), Message("assistant", "Two apples."))
)


# Tokenizers: byte-level BPE (GPT-2, Llama-3, Qwen …), and SentencePiece's kinds with byte fallback.
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
SPACE = "▁"


def _bytelevel() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(TEXTS, trainer)
    return tokenizer


def _pieces(*, unigram: bool) -> dict:
    """A model learned over words that begin with ▁, as the tokenizer's file writes it."""
    tokenizer = Tokenizer(models.Unigram() if unigram else models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer if unigram else trainers.BpeTrainer
    tokenizer.train_from_iterator(TEXTS, trainer(vocab_size=200, show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def _bpe(names: Sequence[str]) -> models.BPE:
    learned = _pieces(unigram=False)
    vocabulary = [*names, *BYTES, *(piece for piece in learned["vocab"] if piece not in names)]
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    merges = [tuple(pair) for pair in learned["merges"]]
    return models.BPE(ids, merges, unk_token=names[0], fuse_unk=True, byte_fallback=True)


def _decoder(strip: int) -> decoders.Decoder:
    return decoders.Sequence(
        [
            decoders.Replace(SPACE, " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", strip, 0),
        ]
    )


def _legacy(names: Sequence[str]) -> Tokenizer:
    """Llama-2's: a space is put before the text and after every special token."""
    tokenizer = Tokenizer(_bpe(names))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    tokenizer.decoder = _decoder(1)
    return tokenizer


def _first(names: Sequence[str]) -> Tokenizer:
    """Mistral's later form: a space is put before the text alone."""
    tokenizer = Tokenizer(_bpe(names))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = _decoder(1)
    return tokenizer


def _gemma(names: Sequence[str]) -> Tokenizer:
    """Gemma's: no space is put anywhere."""
    tokenizer = Tokenizer(_bpe(names))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.decoder = _decoder(0)
    return tokenizer


def _unigram(names: Sequence[str]) -> Tokenizer:
    """T5's: Unigram, a space before the text and after every special token; special tokens are
    pieces of the model.
    """
    learned = [
        (piece, score) for piece, score in _pieces(unigram=True)["vocab"] if piece not in names
    ]
    pieces = [(name, 0.0) for name in names] + [(byte, -20.0) for byte in BYTES] + learned
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=0, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = _decoder(1)
    return tokenizer


KINDS = {
    "SP-BPE, legacy": _legacy,
    "SP-BPE, first": _first,
    "SP-BPE, no prefix": _gemma,
    "Unigram": _unigram,
}


def tokenizer_of(
    kind: str,
    special: Sequence[str],
    *,
    plain: Sequence[str] = (),
    rstrip: bool = False,
    **named: str,
) -> PreTrainedTokenizerFast:
    """A tokenizer with special tokens flagged so in its file, `plain` added tokens, and some tokens
    named.
    """
    made = _bytelevel() if kind == "byte-level BPE" else KINDS[kind](["<unk>", *special])
    if kind != "byte-level BPE":
        named = {"unk_token": "<unk>"} | named
    made.add_special_tokens(
        [AddedToken(token, special=True, normalized=False, rstrip=rstrip) for token in special]
    )
    made.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return PreTrainedTokenizerFast(tokenizer_object=made, **named)


LLAMA_2 = """
{%- set first = messages[0].content if messages[0].role == 'system' else none -%}
{%- for m in (messages[1:] if first is not none else messages) -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') -}}
{%- endif -%}
{%- set content = m.content -%}
{%- if loop.first and first is not none -%}
{%- set content = '<<SYS>>\\n' + first + '\\n<</SYS>>\\n\\n' + m.content -%}
{%- endif -%}
{{- (bos_token + '[INST] ' + content.strip() + ' [/INST]') if m.role == 'user' -}}
{{- (' ' + content.strip() + ' ' + eos_token) if m.role == 'assistant' -}}
{%- endfor -%}"""
LLAMA_3 = """
{{- bos_token -}}
{%- for m in messages -%}
{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' + m.content | trim + '<|eot_id|>' -}}
{%- endfor -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' if add_generation_prompt -}}"""
LLAMA_3_2 = """
{{- bos_token -}}
{%- if date_string is not defined -%}
{%- set date_string = strftime_now('%d %b %Y') if strftime_now is defined else '26 Jul 2024' -%}
{%- endif -%}
{%- set own = messages[0].role == 'system' -%}
{{- '<|start_header_id|>system<|end_header_id|>\\n\\nCutting Knowledge Date: December 2023\\nToday Date: ' -}}
{{- date_string + '\\n\\n' + (messages[0].content | trim if own else '') + '<|eot_id|>' -}}
{%- for m in (messages[1:] if own else messages) -%}
{%- if m.role == 'tool' -%}
{{- '<|start_header_id|>ipython<|end_header_id|>\\n\\n' + m.content | tojson + '<|eot_id|>' -}}
{%- else -%}
{{- '<|start_header_id|>' + m.role + '<|end_header_id|>\\n\\n' -}}
{%- if tools and loop.first -%}
{%- for tool in tools -%}{{- tool | tojson(indent=4) + '\\n\\n' -}}{%- endfor -%}
{%- endif -%}
{{- m.content | trim + '<|eot_id|>' -}}
{%- endif -%}
{%- endfor -%}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' if add_generation_prompt -}}"""
QWEN_2_5 = """
{%- set own = messages[0].role == 'system' -%}
{{- '<|im_start|>system\\n' + (messages[0].content if own else 'You are a helpful assistant.') -}}
{%- if tools -%}
{{- '\\n# Tools\\n<tools>' -}}{%- for tool in tools -%}{{- '\\n' + tool | tojson -}}{%- endfor -%}{{- '\\n</tools>' -}}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- for m in (messages[1:] if own else messages) -%}
{%- if m.role == 'tool' -%}
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' -}}
{%- else -%}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{{- '<|im_start|>assistant\\n' if add_generation_prompt -}}"""
QWEN_3 = """
{%- set ns = namespace(last=0) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for m in messages -%}
{%- if m.role == 'assistant' -%}
{%- set thought = '' -%}{%- set content = m.content -%}
{%- if '</think>' in content -%}
{%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') -%}
{%- set content = content.split('</think>')[-1].lstrip('\\n') -%}
{%- endif -%}
{{- '<|im_start|>assistant\\n' -}}
{{- ('<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n') if loop.index0 > ns.last -}}
{{- content.lstrip('\\n') + '<|im_end|>\\n' -}}
{%- elif m.role == 'tool' -%}
{{- '<|im_start|>user\\n<tool_response>\\n' + m.content + '\\n</tool_response><|im_end|>\\n' -}}
{%- else -%}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{{- '<|im_start|>assistant\\n' if add_generation_prompt -}}"""
GEMMA_2 = """
{{- bos_token -}}
{%- if messages[0].role == 'system' -%}{{- raise_exception('System role not supported') -}}{%- endif -%}
{%- for m in messages -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' -}}
{{- m.content | trim + '<end_of_turn>\\n' -}}
{%- endfor -%}
{{- '<start_of_turn>model\\n' if add_generation_prompt -}}"""
GEMMA_3 = """
{{- bos_token -}}
{%- set own = messages[0].role == 'system' -%}
{%- for m in (messages[1:] if own else messages) -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{{- '<start_of_turn>' + ('model' if m.role == 'assistant' else m.role) + '\\n' -}}
{{- (messages[0].content + '\\n\\n') if own and loop.first -}}
{{- m.content | trim + '<end_of_turn>\\n' -}}
{%- endfor -%}
{{- '<start_of_turn>model\\n' if add_generation_prompt -}}"""
MISTRAL_1 = """
{{- bos_token -}}
{%- for m in messages -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{%- if m.role == 'user' -%}{{- '[INST] ' + m.content + ' [/INST]' -}}
{%- elif m.role == 'assistant' -%}{{- m.content + eos_token + ' ' -}}
{%- else -%}{{- raise_exception('Only user and assistant roles are supported!') -}}{%- endif -%}
{%- endfor -%}"""
MISTRAL_3 = """
{{- bos_token -}}
{%- set own = messages[0].role == 'system' -%}
{%- set turns = messages[1:] if own else messages -%}
{%- set ns = namespace(last=0) -%}
{%- for m in turns -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for m in turns -%}
{%- if m.role == 'user' -%}
{{- '[AVAILABLE_TOOLS]' + tools | tojson + '[/AVAILABLE_TOOLS]' if tools and loop.index0 == ns.last -}}
{{- '[INST]' + (messages[0].content + '\\n\\n' if own and loop.index0 == ns.last else '') + m.content + '[/INST]' -}}
{%- elif m.role == 'tool' -%}{{- '[TOOL_RESULTS]' + m.content + '[/TOOL_RESULTS]' -}}
{%- elif m.role == 'assistant' -%}{{- m.content + eos_token -}}
{%- else -%}{{- raise_exception('Only user and assistant roles are supported') -}}{%- endif -%}
{%- endfor -%}"""
PHI_3 = """
{%- for m in messages -%}
{{- '<|' + m.role + '|>\\n' + m.content + '<|end|>\\n' if m.role in ['system', 'user', 'assistant'] -}}
{%- endfor -%}
{{- '<|assistant|>\\n' if add_generation_prompt else eos_token -}}"""
CHATML = """
{%- for m in messages -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' if loop.first and m.role != 'system' -}}
{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}
{%- endfor -%}
{{- '<|im_start|>assistant\\n' if add_generation_prompt -}}"""
SMOLLM_3 = """
{%- set own = messages[0].role == 'system' -%}
{{- '<|im_start|>system\\nToday Date: ' + strftime_now('%d %B %Y') + '\\nReasoning Mode: /no_think\\n\\n' -}}
{{- (messages[0].content if own else 'You are a helpful assistant.') + '<|im_end|>\\n' -}}
{%- for m in (messages[1:] if own else messages) -%}
{%- if m.role == 'assistant' -%}
{{- '<|im_start|>assistant\\n' -}}{% generation %}{{- '<think>\\n\\n</think>\\n' + m.content.lstrip('\\n') -}}
{{- '<|im_end|>' -}}{% endgeneration %}{{- '\\n' -}}
{%- else -%}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' -}}{%- endif -%}
{%- endfor -%}
{{- '<|im_start|>assistant\\n<think>\\n\\n</think>\\n' if add_generation_prompt -}}"""
DEEPSEEK = """
{%- set ns = namespace(system='') -%}
{%- for m in messages -%}{%- if m.role == 'system' -%}{%- set ns.system = m.content -%}{%- endif -%}{%- endfor -%}
{{- bos_token + ns.system -}}
{%- for m in messages -%}
{%- if m.role == 'user' -%}{{- '<｜User｜>' + m.content -}}
{%- elif m.role == 'assistant' -%}{{- '<｜Assistant｜>' + m.content.split('</think>')[-1] + eos_token -}}{%- endif -%}
{%- endfor -%}
{{- '<｜Assistant｜><think>\\n' if add_generation_prompt -}}"""
GPT_OSS = """
{{- '<|start|>system<|message|>You are a helpful assistant.\\nKnowledge cutoff: 2024-06\\nCurrent date: ' -}}
{{- strftime_now('%Y-%m-%d') + '\\n\\nReasoning: medium\\n\\n# Valid channels: analysis, commentary, final.<|end|>' -}}
{%- set own = messages[0].role == 'system' -%}
{{- ('<|start|>developer<|message|># Instructions\\n\\n' + messages[0].content + '\\n\\n<|end|>') if own -}}
{%- for m in (messages[1:] if own else messages) -%}
{%- if m.role == 'assistant' -%}
{%- if '<|channel|>final<|message|>' in m.content -%}{{- raise_exception('a channel in the content') -}}{%- endif -%}
{{- '<|start|>assistant<|channel|>final<|message|>' + m.content -}}
{{- '<|return|>' if loop.last and not add_generation_prompt else '<|end|>' -}}
{%- elif m.role == 'user' -%}{{- '<|start|>user<|message|>' + m.content + '<|end|>' -}}{%- endif -%}
{%- endfor -%}
{{- '<|start|>assistant' if add_generation_prompt -}}"""
GRANITE = """
{%- set own = messages[0].role == 'system' -%}
{{- '<|start_of_role|>system<|end_of_role|>' -}}
{{- messages[0].content if own else 'Knowledge Cutoff Date: April 2024.\\nToday: ' + strftime_now('%B %d, %Y') + '.' -}}
{{- '<|end_of_text|>\\n' -}}
{%- for m in (messages[1:] if own else messages) -%}
{{- '<|start_of_role|>' + m.role + '<|end_of_role|>' + m.content + '<|end_of_text|>\\n' -}}
{%- endfor -%}
{{- '<|start_of_role|>assistant<|end_of_role|>' if add_generation_prompt -}}"""
COMMAND_R = """
{{- bos_token -}}
{%- set own = messages[0].role == 'system' -%}
{{- ('<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>' + messages[0].content + '<|END_OF_TURN_TOKEN|>') if own -}}
{%- for m in (messages[1:] if own else messages) -%}
{%- if (m.role == 'user') != (loop.index0 % 2 == 0) -%}{{- raise_exception('roles must alternate') -}}{%- endif -%}
{{- '<|START_OF_TURN_TOKEN|>' + ('<|USER_TOKEN|>' if m.role == 'user' else '<|CHATBOT_TOKEN|>') -}}
{{- m.content.strip() + '<|END_OF_TURN_TOKEN|>' -}}
{%- endfor -%}
{{- '<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>' if add_generation_prompt -}}"""
OLMO = """
{{- bos_token -}}
{%- for m in messages -%}
{{- '<|' + m.role + '|>\\n' + m.content + (eos_token if m.role == 'assistant' else '') -}}
{{- '\\n' if not (loop.last and m.role == 'assistant') -}}
{%- endfor -%}
{{- '<|assistant|>\\n' if add_generation_prompt -}}"""
LLAMA_3_TOKENS = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|reserved_special_token_0|>",
    "<|reserved_special_token_1|>",
    "<|finetune_right_pad_id|>",
    "<|reserved_special_token_2|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    "<|python_tag|>",
)


@dataclass(frozen=True)
class Family:
    """A model family: its tokenizer's kind and special tokens, those that it names, and its
    template.

    end: what ends an answer · system: the refusal of a system message, "" if the template takes it.
    """

    kind: str
    special: tuple[str, ...]
    template: str
    end: str
    bos: str | None = None
    eos: str | None = None
    plain: tuple[str, ...] = ()
    rstrip: bool = False
    system: str = ""
    dated: bool = False

    @functools.cached_property
    def tokenizer(self) -> PreTrainedTokenizerFast:
        """The family's tokenizer, trained in place."""
        named = {
            name: token
            for name, token in (("bos_token", self.bos), ("eos_token", self.eos))
            if token
        }
        return tokenizer_of(self.kind, self.special, plain=self.plain, rstrip=self.rstrip, **named)

    def format(self, system: str | None = None) -> Format:
        """Tokenizer and template."""
        return Format(self.tokenizer, self.template, system)


ALTERNATE = "Conversation roles must alternate user/assistant/user/assistant/..."
CHATML_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
THINK = ("<think>", "</think>", "<tool_response>", "</tool_response>")
PHI_TOKENS = ("<s>", "</s>", "<|endoftext|>", "<|assistant|>", "<|system|>", "<|end|>", "<|user|>")
MISTRAL_TOKENS = (
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "[AVAILABLE_TOOLS]",
    "[/AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[/TOOL_RESULTS]",
)
DEEPSEEK_TOKENS = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>")
GPT_OSS_TOKENS = (
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
)
COMMAND_TOKENS = (
    "<PAD>",
    "<BOS_TOKEN>",
    "<|START_OF_TURN_TOKEN|>",
    "<|END_OF_TURN_TOKEN|>",
    "<|USER_TOKEN|>",
    "<|CHATBOT_TOKEN|>",
    "<|SYSTEM_TOKEN|>",
)
GEMMA_TOKENS = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
GRANITE_TOKENS = ("<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>", "<|tool_call|>")
BYTE = "byte-level BPE"
FAMILIES = {
    "Llama-2": Family("SP-BPE, legacy", ("<s>", "</s>"), LLAMA_2, "</s>", "<s>", "</s>"),
    "Llama-3": Family(
        BYTE, LLAMA_3_TOKENS, LLAMA_3, "<|eot_id|>", "<|begin_of_text|>", "<|eot_id|>"
    ),
    "Llama-3 base, instruct template": Family(
        BYTE, LLAMA_3_TOKENS, LLAMA_3, "<|eot_id|>", "<|begin_of_text|>", "<|end_of_text|>"
    ),
    "Llama-3.2": Family(
        BYTE,
        LLAMA_3_TOKENS,
        LLAMA_3_2,
        "<|eot_id|>",
        "<|begin_of_text|>",
        "<|end_of_text|>",
        dated=True,
    ),
    "Qwen2.5": Family(BYTE, CHATML_TOKENS, QWEN_2_5, "<|im_end|>", None, "<|im_end|>", plain=THINK),
    "Qwen2.5 base": Family(
        BYTE, CHATML_TOKENS, QWEN_2_5, "<|im_end|>", None, "<|endoftext|>", plain=THINK
    ),
    "Qwen3": Family(BYTE, CHATML_TOKENS, QWEN_3, "<|im_end|>", None, "<|im_end|>", plain=THINK),
    "Gemma-2": Family(
        "SP-BPE, no prefix",
        GEMMA_TOKENS,
        GEMMA_2,
        "<end_of_turn>",
        "<bos>",
        "<eos>",
        system="System role not supported",
    ),
    "Gemma-3": Family(
        "SP-BPE, no prefix", GEMMA_TOKENS, GEMMA_3, "<end_of_turn>", "<bos>", "<eos>"
    ),
    "Gemma-3 on Unigram": Family(
        "Unigram", GEMMA_TOKENS, GEMMA_3, "<end_of_turn>", "<bos>", "<eos>"
    ),
    "Mistral v0.1": Family(
        "SP-BPE, first",
        ("<s>", "</s>"),
        MISTRAL_1,
        "</s>",
        "<s>",
        "</s>",
        system="roles must alternate",
    ),
    "Mistral v3 (tekken)": Family(BYTE, MISTRAL_TOKENS, MISTRAL_3, "</s>", "<s>", "</s>"),
    "Phi-3": Family(
        "SP-BPE, legacy", PHI_TOKENS, PHI_3, "<|end|>", "<s>", "<|endoftext|>", rstrip=True
    ),
    "SmolLM2": Family(BYTE, CHATML_TOKENS, CHATML, "<|im_end|>", "<|im_start|>", "<|im_end|>"),
    "SmolLM3": Family(
        BYTE, CHATML_TOKENS, SMOLLM_3, "<|im_end|>", None, "<|im_end|>", plain=THINK, dated=True
    ),
    "DeepSeek": Family(
        BYTE,
        DEEPSEEK_TOKENS,
        DEEPSEEK,
        DEEPSEEK_TOKENS[1],
        *DEEPSEEK_TOKENS,
        plain=("<｜User｜>", "<｜Assistant｜>", *THINK),
    ),
    "GPT-OSS": Family(
        BYTE, GPT_OSS_TOKENS, GPT_OSS, "<|return|>", "<|startoftext|>", "<|return|>", dated=True
    ),
    "Granite": Family(
        BYTE,
        GRANITE_TOKENS,
        GRANITE,
        "<|end_of_text|>",
        "<|end_of_text|>",
        "<|end_of_text|>",
        dated=True,
    ),
    "Command-R": Family(
        BYTE,
        COMMAND_TOKENS,
        COMMAND_R,
        "<|END_OF_TURN_TOKEN|>",
        "<BOS_TOKEN>",
        "<|END_OF_TURN_TOKEN|>",
    ),
    "OLMo, Tulu": Family(
        BYTE, ("<|endoftext|>",), OLMO, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"
    ),
    "plain (Pythia)": Family(
        BYTE, ("<|endoftext|>",), PLAIN, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"
    ),
    "plain (Llama-2 base)": Family("SP-BPE, legacy", ("<s>", "</s>"), PLAIN, "</s>", "<s>", "</s>"),
    "plain (Unigram)": Family("Unigram", ("<s>", "</s>"), PLAIN, "</s>", "<s>", "</s>"),
}
HEADER = (
    "template",
    "tokenizer",
    "rendered",
    "mask",
    "end",
    "system message",
    "special tokens in text",
    "date",
)


class _Clock(datetime):
    day = templates.DATE

    @classmethod
    def now(cls, tz=None) -> datetime:
        """The day that a test sets."""
        return cls.day


def theirs(family: Family, turns: Sequence[Message], day: datetime = templates.DATE) -> str:
    """The text that transformers renders on a day."""
    with (
        mock.patch.object(chat_template_utils, "datetime", _Clock),
        mock.patch.object(_Clock, "day", day),
    ):
        messages = [turn._asdict() for turn in turns]
        return family.tokenizer.apply_chat_template(
            messages, chat_template=family.template, tokenize=False
        )


def _id(family: Family, token: str | None) -> int:
    return family.tokenizer.convert_tokens_to_ids(token)


def _squeezed(text: str) -> str:
    """SentencePiece's decoders do not keep every space."""
    return "".join(text.split())


def _rendered(family: Family) -> bool:
    """Prompt and answer are the tokens of what transformers renders, from its start to the end
    token.
    """
    form = family.format()
    for example in (ASKED, LONG):
        text = theirs(family, form.turns(example))
        ids = family.tokenizer(text, add_special_tokens=False)["input_ids"]
        row = chat.encode(form, example)
        before, _, _ = text.rpartition(ANSWER)
        if [*row.prompt, *row.answer] != ids[: len(row.prompt) + len(row.answer)]:
            return False
        if _squeezed(family.tokenizer.decode(row.prompt)) != _squeezed(before):
            return False
    return True


def _masked(family: Family) -> bool:
    """The learned tokens are the answer's and one end token, which is the first special token among
    them.
    """
    rows = [chat.encode(family.format(), example) for example in (ASKED, LONG)]
    special = [_id(family, token) for token in family.special]
    return all(
        family.tokenizer.decode(row.answer[:-1]).strip() == ANSWER
        and row.answer[-1] == _id(family, family.end)
        and not set(row.answer[:-1]) & set(special)
        for row in rows
    )


def _ended(family: Family) -> bool:
    """Sampling stops at what ends an answer, and at the end token that the tokenizer names."""
    form = family.format()
    return form.end == _id(family, family.end) and form.ends == {
        form.end,
        _id(family, family.eos or family.end),
    }


def _system(family: Family) -> str:
    """A system message is in the prompt, the row's own in the place of the format's; or it is
    refused.
    """
    form = family.format("Be brief and kind.")
    try:
        given = family.tokenizer.decode(chat.encode(form, ASKED).prompt)
    except InputError as refusal:
        return f"refused: {str(refusal).partition('it says: ')[2]}"
    own = family.tokenizer.decode(
        chat.encode(form, ASKED._replace(history=(Message("system", "Sing."),))).prompt
    )
    right = "Be brief and kind." in given and "Sing." in own and "Be brief" not in own
    return "right" if right else "wrong"


def _controls(family: Family, row: Row) -> list[int]:
    special = {_id(family, token) for token in family.special}
    return [token for token in (*row.prompt, *row.answer) if token in special]


def _verbatim(family: Family) -> bool:
    """Special tokens in every content: the same control tokens as without them, and all of the text
    is there.
    """
    form, said = (
        family.format(),
        "a " + " b".join(family.special) + "\n(" + "".join(family.special) + ") c",
    )
    history = (Message("user", f"1 {said}"), Message("assistant", f"2 {said}"))
    if not family.system:
        history = (Message("system", f"0 {said}"), *history)
    simple = Example("3", "4", tuple(turn._replace(content=turn.content[0]) for turn in history))
    row = chat.encode(form, Example(f"3 {said}", f"4 {said}", history))
    if _controls(family, row) != _controls(family, chat.encode(form, simple)):
        return False
    prompt, answer = (_squeezed(family.tokenizer.decode(part)) for part in row)
    raw = chat.encode(form, Example("", said)).answer
    return (
        prompt.count(_squeezed(said)) == len(history) + 1
        and answer == _squeezed(f"4 {said}{family.end}")
        and _controls(family, Row((), raw)) == [_id(family, family.eos)]
    )


def _dated(family: Family) -> bool:
    """Rows are equal on two days, on which transformers' own text differs if the template asks for
    the date.
    """
    days, turns = (datetime(2031, 5, 4), datetime(2032, 11, 23)), family.format().turns(LONG)
    rows, texts = [], []
    for day in days:
        for cache in (templates._after, templates._compiled, templates._environment):
            cache.cache_clear()
        with (
            mock.patch.object(chat_template_utils, "datetime", _Clock),
            mock.patch.object(_Clock, "day", day),
        ):
            rows.append(chat.encode(family.format(), LONG))
        texts.append(theirs(family, turns, day))
    return rows[0] == rows[1] and (texts[0] != texts[1]) == family.dated


@functools.cache
def row(name: str) -> tuple[str, ...]:
    """The table's row of a family: "right", "wrong", or why it is refused."""
    family = FAMILIES[name]
    checks = (_rendered, _masked, _ended, _system, _verbatim, _dated)
    cells = [check(family) for check in checks]
    return (
        name,
        family.kind,
        *(cell if isinstance(cell, str) else "right" if cell else "wrong" for cell in cells),
    )


def table() -> list[tuple[str, ...]]:
    """Templates × what is checked of each, the header first."""
    return [HEADER, *(row(name) for name in FAMILIES)]
