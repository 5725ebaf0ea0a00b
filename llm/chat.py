"""Tokenizer trained in place, chat format, and encoded rows whose mask covers exactly the answer with its end token.

Format: <|user|>PROMPT<|end|><|assistant|>ANSWER<|end|>. A row without a prompt (pretraining text) is TEXT<|end|> after
<|start|>. Answer tokens are the part after <|assistant|>; special tokens separate the parts, so prompt and answer are
tokenized apart and the border never moves.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from llm.corpora import Example

PAD, START, USER, ASSISTANT, END = "<|pad|>", "<|start|>", "<|user|>", "<|assistant|>", "<|end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


class Row(NamedTuple):
    """One encoded example: token ids of the prompt (format included) and of the answer with its end token."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]


def train_tokenizer(texts: Iterable[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE of at most `vocabulary` tokens; every digit is a token, so that sums can be learned."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r"\d"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD, START, USER, ASSISTANT, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, bos_token=START, eos_token=END, chat_template=TEMPLATE
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write the tokenizer with its chat template into `folder`."""
    tokenizer.save_pretrained(folder)


def load_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Read what `save_tokenizer` wrote."""
    return PreTrainedTokenizerFast.from_pretrained(folder)


def encode_text(tokenizer: PreTrainedTokenizerFast, text: str) -> tuple[int, ...]:
    """Token ids of a text alone, no special token added."""
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def encode_prompt(tokenizer: PreTrainedTokenizerFast, prompt: str) -> tuple[int, ...]:
    """Token ids of a user's prompt in the chat format, up to and with the assistant's marker."""
    messages = [{"role": "user", "content": prompt}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return encode_text(tokenizer, text)


def encode(tokenizer: PreTrainedTokenizerFast, example: Example) -> Row:
    """Prompt and answer as token ids; without a prompt the whole text counts as answer after <|start|>."""
    prompt = encode_prompt(tokenizer, example.prompt) if example.prompt else (tokenizer.bos_token_id,)
    return Row(prompt, (*encode_text(tokenizer, example.answer), tokenizer.eos_token_id))


def encode_all(tokenizer: PreTrainedTokenizerFast, examples: Sequence[Example]) -> list[Row]:
    """`encode` over examples."""
    return [encode(tokenizer, example) for example in examples]
