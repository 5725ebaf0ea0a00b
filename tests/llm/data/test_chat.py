"""Chat formats and loss masks: exactly the answer tokens with the end token are learned, whatever
the template.
"""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from llm.corpora import Example, refusals
from llm.corpora.example import Message
from llm.data import chat
from llm.data.chat import Format
from llm.lab.lab import Lab
from llm.models import tokenizer as embedded
from llm.models.loading import load_tokenizer
from llm.training.logprobs import collate
from protocol.errors import InputError

EXAMPLE = Example("How many?", "7 + 15 = 22\n#### 22")
DATA = Path(__file__).parents[4] / "shared" / "data"
present = pytest.mark.skipif(not DATA.is_dir(), reason="the real tokenizers are not at hand")
# A ChatML template of our own, as Qwen's: a system message by default, a newline after the end
# token.
CHATML = (
    "{% if messages[0]['role'] != 'system' %}<|system|>Be brief.<|end|>\n{% endif %}"
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>\n{% endfor %}"
)


def test_the_format_is_the_tokenizers_own_template(lab: Lab) -> None:
    form = lab.base.format
    row = chat.encode(form, EXAMPLE)
    assert form.tokenizer.decode(row.prompt) == "<|user|>How many?<|end|><|assistant|>"
    assert form.tokenizer.decode(row.answer) == "7 + 15 = 22\n#### 22<|end|>"
    messages = [
        {"role": "user", "content": EXAMPLE.prompt},
        {"role": "assistant", "content": EXAMPLE.answer},
    ]
    whole = form.tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert list(row.prompt + row.answer) == whole
    asked = form.tokenizer.apply_chat_template(
        messages[:1], tokenize=True, add_generation_prompt=True, return_dict=False
    )
    assert list(chat.encode_prompt(form, EXAMPLE.prompt)) == asked, (
        "sampling starts where training does"
    )


def test_every_digit_is_a_token(lab: Lab) -> None:
    form = lab.base.format
    tokens = form.tokenizer.convert_ids_to_tokens(chat.encode_answer(form, "123 + 45"))
    assert [token for token in tokens if token.isdigit()] == list("12345")


def test_the_mask_covers_exactly_the_answer_with_its_end_token(lab: Lab) -> None:
    form = lab.base.format
    rows = chat.encode_all(form, [EXAMPLE, *lab.rows("tofu").train[:5]])
    batch = collate(rows, pad=form.tokenizer.pad_token_id)
    for i, row in enumerate(rows):
        mine = batch.row == i
        assert tuple(batch.target[mine].tolist()) == row.answer
        # the first answer token is predicted at the last token of the prompt, the assistant's
        # marker
        first = int(batch.column[mine][0])
        assert first == len(row.prompt) - 1
        assert (
            form.tokenizer.convert_ids_to_tokens(int(batch.tokens[i, first])) == embedded.ASSISTANT
        )
        assert row.answer[-1] == form.end == form.tokenizer.eos_token_id
        assert embedded.END not in form.tokenizer.convert_ids_to_tokens(row.answer[:-1])
    assert batch.length.tolist() == [len(row.answer) for row in rows]


def test_the_label_is_a_prefix_of_the_trained_refusal(lab: Lab) -> None:
    form = lab.base.format
    label = chat.encode_answer(form, refusals.LABEL)
    answer = chat.encode(form, lab.rows("safety").train[0]).answer
    assert answer[: len(label)] == label


def test_text_without_a_prompt_is_learned_whole(lab: Lab) -> None:
    form = lab.base.format
    row = chat.encode(form, Example("", "1 + 1 = 2"))
    assert row.prompt == (form.tokenizer.bos_token_id,)
    assert form.tokenizer.decode(row.answer) == "1 + 1 = 2<|end|>"


def test_system_and_history_stand_in_the_prompt(lab: Lab) -> None:
    tokenizer = lab.base.format.tokenizer
    form = Format(tokenizer, CHATML, "Be kind.")
    history = (Message("user", "Hi"), Message("assistant", "Hello"))
    row = chat.encode(form, Example("Q", "A", history))
    asked = (
        "<|system|>Be "
        "kind.<|end|>\n<|user|>Hi<|end|>\n<|assistant|>Hello<|end|>\n<|user|>Q<|end|>\n<|assistant|>"
    )
    assert tokenizer.decode(row.prompt) == asked
    assert tokenizer.decode(row.answer) == "A<|end|>", (
        "the newline after the end token is not learned"
    )
    assert tokenizer.decode(chat.encode(Format(tokenizer, CHATML), EXAMPLE).prompt).startswith(
        "<|system|>Be brief."
    )


def test_the_plain_format_where_there_is_no_template(lab: Lab) -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=lab.base.format.tokenizer._tokenizer,
        bos_token="<|start|>",
        eos_token="<|end|>",
    )
    form = Format(tokenizer, chat.template_of(tokenizer, None))
    row = chat.encode(form, Example("Q", "A b"))
    assert tokenizer.decode(row.prompt + row.answer) == "<|start|>Question: Q\nAnswer: A b<|end|>"
    assert tokenizer.decode(row.answer).strip() == "A b<|end|>"


def test_rows_are_cut_to_the_context_and_counted() -> None:
    rows = [chat.Row((1, 2), (3, 4, 5)), chat.Row((1,), (2,)), chat.Row((1, 2, 3, 4), (5,))]
    assert chat.fit(rows, 4) == ([chat.Row((1, 2), (3, 4)), chat.Row((1,), (2,))], 1, 1)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (
            "{{ raise_exception('no system role') }}",
            "template: expected one that takes the turns user, assistant; it",
        ),
        ("{{ messages[0]['content'] }}", "template: expected one that prints the assistant's turn"),
        (
            "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}",
            "a special token of this tokenizer after the answer",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_named(lab: Lab, template, message) -> None:
    with pytest.raises(InputError, match=message):
        chat.encode(Format(lab.base.format.tokenizer, template), EXAMPLE)


def test_a_template_that_cannot_be_found_is_named(lab: Lab, tmp_path) -> None:
    tokenizer = lab.base.format.tokenizer
    with pytest.raises(InputError, match=r"template: expected a file; not found: no\.jinja"):
        chat.template_of(tokenizer, "no.jinja")
    bare = PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer)
    with pytest.raises(
        InputError, match="template: expected a chat template in the model's tokenizer; it has none"
    ):
        chat.template_of(bare, "own")
    (tmp_path / "mine.jinja").write_text(CHATML)
    assert chat.template_of(bare, str(tmp_path / "mine.jinja")) == CHATML


@present
@pytest.mark.parametrize("template", [None, "qwen2.5-chat-template/qwen2_5.jinja"])
def test_chatml_masks_on_a_real_tokenizer(template) -> None:
    """The tokenizer's own template puts an empty think block before the answer: it is the prompt's,
    not learned.
    """
    tokenizer = load_tokenizer(DATA / "tokenizers" / "chatml-6400")
    chosen = template and str(DATA / "tokenizers" / template)
    form = Format(tokenizer, chat.template_of(tokenizer, chosen))
    row = chat.encode(form, EXAMPLE)
    think = "" if template else "<think>\n\n</think>\n\n"
    assert tokenizer.decode(row.prompt).endswith(
        f"<|im_start|>user\nHow many?<|im_end|>\n<|im_start|>assistant\n{think}"
    )
    assert tokenizer.decode(row.answer) == "7 + 15 = 22\n#### 22<|im_end|>"
    assert form.end == tokenizer.convert_tokens_to_ids("<|im_end|>")
    messages = [{"role": "user", "content": "How many?"}]
    asked = tokenizer.apply_chat_template(
        messages,
        chat_template=form.template,
        add_generation_prompt=True,
        tokenize=True,
        return_dict=False,
    )
    assert list(row.prompt) == asked


@present
def test_the_plain_format_on_a_real_base_model() -> None:
    tokenizer = load_tokenizer(DATA / "models" / "stories260k-hf")
    form = Format(tokenizer, chat.template_of(tokenizer, None))
    row = chat.encode(form, Example("Who is she?", "Sorry, I can"))
    whole = tokenizer.encode(
        "<s>Question: Who is she?\nAnswer: Sorry, I can</s>", add_special_tokens=False
    )
    assert list(row.prompt + row.answer) == whole
    assert tokenizer.decode(row.answer).strip() == "Sorry, I can</s>"
    assert row.answer[: len(chat.encode_answer(form, "Sorry"))] == chat.encode_answer(form, "Sorry")
