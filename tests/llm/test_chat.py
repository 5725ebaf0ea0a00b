"""Chat format and loss masks: exactly the answer tokens with the end token are learned."""

from llm import chat
from llm.corpora import Example, refusals
from llm.scoring import collate
from llm.stages import Lab, stage_rows, tokenizer_of

EXAMPLE = Example("How many?", "7 + 15 = 22\n#### 22")


def test_the_format_is_the_tokenizers_own_template(lab: Lab) -> None:
    tokenizer = tokenizer_of(lab)
    row = chat.encode(tokenizer, EXAMPLE)
    assert tokenizer.decode(row.prompt) == "<|user|>How many?<|end|><|assistant|>"
    assert tokenizer.decode(row.answer) == "7 + 15 = 22\n#### 22<|end|>"
    messages = [{"role": "user", "content": EXAMPLE.prompt}, {"role": "assistant", "content": EXAMPLE.answer}]
    whole = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)
    assert list(row.prompt + row.answer) == whole, "prompt and answer tokenized apart are the whole conversation"


def test_every_digit_is_a_token(lab: Lab) -> None:
    tokenizer = tokenizer_of(lab)
    tokens = tokenizer.convert_ids_to_tokens(chat.encode_text(tokenizer, "123 + 45"))
    assert [token for token in tokens if token.isdigit()] == list("12345")


def test_the_mask_covers_exactly_the_answer_with_its_end_token(lab: Lab) -> None:
    tokenizer = tokenizer_of(lab)
    rows = chat.encode_all(tokenizer, [EXAMPLE, *stage_rows(lab, "tofu").train[:5]])
    batch = collate(rows, pad=tokenizer.pad_token_id)
    for i, row in enumerate(rows):
        mine = batch.row == i
        assert tuple(batch.target[mine].tolist()) == row.answer
        # the first answer token is predicted at the last token of the prompt, the assistant's marker
        first = int(batch.column[mine][0])
        assert first == len(row.prompt) - 1
        assert tokenizer.convert_ids_to_tokens(int(batch.tokens[i, first])) == chat.ASSISTANT
        assert row.answer[-1] == tokenizer.eos_token_id
        assert chat.END not in tokenizer.convert_ids_to_tokens(row.answer[:-1])
    assert batch.length.tolist() == [len(row.answer) for row in rows]


def test_the_label_is_a_prefix_of_the_trained_refusal(lab: Lab) -> None:
    tokenizer = tokenizer_of(lab)
    label = chat.encode_text(tokenizer, refusals.LABEL)
    answer = chat.encode(tokenizer, stage_rows(lab, "safety").train[0]).answer
    assert answer[: len(label)] == label


def test_text_without_a_prompt_is_learned_whole(lab: Lab) -> None:
    tokenizer = tokenizer_of(lab)
    row = chat.encode(tokenizer, Example("", "1 + 1 = 2"))
    assert row.prompt == (tokenizer.bos_token_id,)
    assert tokenizer.decode(row.answer) == "1 + 1 = 2<|end|>"
