"""Chat templates and special tokens of many families: what is rendered, learned, kept as text, or
refused.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import templates as families
from micro import with_settings
from templates import FAMILIES, tokenizer_of
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from llm.corpora import Example
from llm.corpora.example import Message
from llm.data import chat, templates, verbatim
from llm.data.chat import Format
from llm.data.templates import Template
from llm.lab import base
from llm.lab.lab import Lab
from llm.models import Pretrained, hub, template_files
from llm.models.loading import load_tokenizer
from protocol.errors import InputError

DATA = Path(__file__).parents[4] / "shared" / "data"
present = pytest.mark.skipif(not DATA.is_dir(), reason="the real tokenizers are not at hand")
TURNS = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
TOOLS = json.dumps(
    [{"type": "function", "function": {"name": "add", "description": "Adds <|im_end|> numbers"}}]
)
ASKED = Message("user", "How many?")


def _format(template: str, system: str | None = None) -> Format:
    return Format(FAMILIES["Qwen3"].tokenizer, template, system)


def _prompt(form: Format, example: Example) -> str:
    return form.tokenizer.decode(chat.encode(form, example).prompt)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_familys_rows_are_right_or_refused(name: str) -> None:
    cells = dict(zip(families.HEADER, families.row(name), strict=True))
    system = FAMILIES[name].system
    assert cells.pop("system message") == (f"refused: {system}" if system else "right")
    assert cells.pop("template") == name
    assert cells.pop("tokenizer") == FAMILIES[name].kind
    assert set(cells.values()) == {"right"}, cells


def test_the_table_has_a_row_for_every_family() -> None:
    header, *rows = families.table()
    assert [row[0] for row in rows] == [*FAMILIES] and {len(row) for row in rows} == {len(header)}


# Today's date, and chance.


@pytest.mark.parametrize(
    "template",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{{ strftime_now(format='%d %b %Y') }}",
        "{{ strftime_now('%d %b %Y') if strftime_now is defined else 'no date' }}",
        "{% macro day() %}{{ strftime_now('%d %b %Y') }}{% endmacro %}{{ day() }}",
        "{% set now = strftime_now %}{{ now('%d %b %Y') }}",
        "{{ date_string if date_string is defined else '26 Jul 2024' }}",
    ],
)
def test_the_clock_of_a_template_stands_still(template: str) -> None:
    assert templates.render(Template(template), [ASKED]) == "26 Jul 2024"


@pytest.mark.parametrize("template", ["{{ [1, 2, 3] | random }}", "{{ lipsum() }}"])
def test_a_template_that_draws_at_random_is_refused(template: str) -> None:
    with pytest.raises(
        InputError, match="template: expected one that takes the turns user; it says"
    ):
        templates.render(Template(template), [ASKED])


def test_what_changes_a_prompt_changes_the_key(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The template's text is the same, the day is not."""
    path = tmp_path / "dated.jinja"
    path.write_text(
        "{{ strftime_now('%Y') }}{% for m in messages %}{{ m.content + '<|end|>' }}{% endfor %}"
    )
    model = Pretrained(str(lab.base.folder), template=str(path))
    pretrained = with_settings(lab, model=model)
    spec = pretrained.base.spec
    assert spec["format"][2:] == ["2024Q<|end|>", "<|end|>", "2024S<|end|>Q<|end|>", "<|end|>"]
    base._format.cache_clear()
    assert replace(pretrained).base.spec == spec
    monkeypatch.setattr(templates, "DATE", families.datetime(2025, 1, 1))
    base._format.cache_clear()
    assert replace(pretrained).base.spec != spec
    base._format.cache_clear()


def test_a_template_without_a_system_role_has_its_refusal_in_the_key() -> None:
    assert "System role not supported" in FAMILIES["Gemma-2"].format().frames[-1]


# Where a template comes from.


def _write(folder: Path, **files: object) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json").replace(
            "_jinja", ".jinja"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


NAMED = [{"name": "default", "template": "D"}, {"name": "tool_use", "template": "T"}]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"chat_template_jinja": "J", "tokenizer_config_json": {"chat_template": "C"}},
            {"default": "J"},
        ),
        (
            {"tokenizer_config_json": {"chat_template": "C"}, "chat_template_json": {}},
            {"default": "C"},
        ),
        (
            {"chat_template_json": {"chat_template": "P"}, "tokenizer_config_json": {}},
            {"default": "P"},
        ),
        ({"tokenizer_config_json": {"chat_template": NAMED}}, {"default": "D", "tool_use": "T"}),
        ({"chat_template_json": {"chat_template": {"a": "A"}}}, {"a": "A"}),
        (
            {"chat_template_jinja": "J", "additional_chat_templates__rag_jinja": "R"},
            {"rag": "R", "default": "J"},
        ),
        ({"tokenizer_json": {}}, {}),
    ],
)
def test_a_folder_without_a_model_gives_its_templates(
    tmp_path: Path, files: dict, expected: dict
) -> None:
    assert template_files.in_folder(_write(tmp_path, **files)) == expected


def test_a_folder_with_a_tokenizer_config_alone_is_a_source(tmp_path: Path) -> None:
    _write(tmp_path, tokenizer_config_json={"chat_template": NAMED})
    bare = PreTrainedTokenizerFast(tokenizer_object=FAMILIES["Qwen3"].tokenizer.backend_tokenizer)
    assert chat.template_of(bare, str(tmp_path)) == "D"
    assert chat.template_of(bare, f"{tmp_path}:tool_use") == "T"


def test_of_a_hub_id_nothing_but_template_files_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = {}

    def fetched(source: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked[source] = allow_patterns
        return str(_write(tmp_path, chat_template_jinja="J"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", fetched)
    assert chat.template_of(FAMILIES["Qwen3"].tokenizer, "owner/name") == "J"
    patterns = [
        "tokenizer_config.json",
        "chat_template.json",
        "*.jinja",
        "additional_chat_templates/*.jinja",
    ]
    assert asked == {"owner/name": patterns}


@pytest.mark.parametrize(("error", "said"), [(OSError("no\nsuch"), "no"), (OSError(), "OSError")])
def test_a_hub_id_that_cannot_be_fetched_is_refused_in_one_line(
    monkeypatch, error: OSError, said: str
) -> None:
    def fails(*args: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("huggingface_hub.snapshot_download", fails)
    message = f"template: expected a directory or a hub id OWNER/NAME; owner/name: {said}$"
    with pytest.raises(InputError, match=message):
        chat.template_of(FAMILIES["Qwen3"].tokenizer, "owner/name")


def test_every_template_file_is_in_the_digest_of_a_models_files(tmp_path: Path) -> None:
    names = ["chat_template_jinja", "chat_template_json", "additional_chat_templates__rag_jinja"]
    digests = [hub.files_digest(_write(tmp_path, **{name: "X"})) for name in names]
    assert len({hub.files_digest(tmp_path / "nothing"), *digests}) == 4


def test_named_templates_are_chosen_by_name() -> None:
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=FAMILIES["Qwen3"].tokenizer.backend_tokenizer, chat_template=NAMED
    )
    chosen = [
        chat.template_of(tokenizer, name) for name in (None, "own", "own:default", "own:tool_use")
    ]
    assert chosen == ["D", "D", "D", "T"]
    with pytest.raises(
        InputError,
        match="template: expected one of default, tool_use in the model's tokenizer; got 'r",
    ):
        chat.template_of(tokenizer, "own:rag")
    tokenizer.chat_template = {"rag": "R", "tool_use": "T"}
    for default in (None, "own"):
        with pytest.raises(
            InputError,
            match=r"template: expected a name.*the model's tokenizer has rag, tool_use, no",
        ):
            chat.template_of(tokenizer, default)


def test_a_tokenizer_is_loaded_with_all_templates_of_its_folder(tmp_path: Path) -> None:
    tokenizer = FAMILIES["Qwen3"].tokenizer
    tokenizer.save_pretrained(tmp_path)
    _write(tmp_path, chat_template_json={"chat_template": "P"})
    assert chat.template_of(load_tokenizer(tmp_path), "own") == "P"
    _write(tmp_path, chat_template_jinja="J", additional_chat_templates__rag_jinja="R")
    loaded = load_tokenizer(tmp_path)
    assert [chat.template_of(loaded, name) for name in ("own", "own:rag")] == ["J", "R"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tokenizer_json": {}}, "expected a chat template in the tokenizer of .*; it has none"),
        ({"tokenizer_config_json": "{"}, "expected a file of JSON; .*tokenizer_config.json"),
        ({"tokenizer_config_json": []}, "expected a JSON object"),
        (
            {"tokenizer_config_json": {"chat_template": 7}},
            "expected a text, or texts by name, as chat_template of .*; g",
        ),
        (
            {"tokenizer_config_json": {"chat_template": [{"name": "a"}]}},
            "expected a text, or texts by name",
        ),
    ],
)
def test_a_source_without_a_usable_template_is_refused(
    tmp_path: Path, files: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        chat.template_of(FAMILIES["Qwen3"].tokenizer, str(_write(tmp_path, **files)))
    assert "\n" not in str(refusal.value)


def test_a_template_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.jinja").write_bytes(b"\xff\xfe{{")
    with pytest.raises(InputError, match=r"template: expected a file in UTF-8; .*odd\.jinja"):
        chat.template_of(FAMILIES["Qwen3"].tokenizer, str(tmp_path / "odd.jinja"))


# End tokens.


def test_a_tokenizer_without_an_end_token() -> None:
    """A template that prints its own special token needs none; plain and raw text do."""
    tokenizer = tokenizer_of("byte-level BPE", families.CHATML_TOKENS)
    form = Format(tokenizer, TURNS)
    assert form.ends == {tokenizer.convert_tokens_to_ids("<|im_end|>")}
    for chosen in (None, "plain"):
        with pytest.raises(
            InputError,
            match="template: plain ends an answer with the tokenizer's end token, and this",
        ):
            chat.template_of(tokenizer, chosen)
    with pytest.raises(InputError, match="tokenizer: expected an end token, which ends raw text"):
        chat.encode(form, Example("", "Some text"))
    with pytest.raises(
        InputError, match="template: expected one that takes the turns user, assistant; it says"
    ):
        chat.encode(Format(tokenizer, chat.PLAIN), Example("Q", "A"))


def test_special_tokens_that_take_spaces_beside_them_leave_the_mask_right() -> None:
    """Phi-3's take those on their right: an answer's first space is the marker's, which stays in
    the prompt.
    """
    form = FAMILIES["Phi-3"].format()
    tokens = form.tokenizer.convert_ids_to_tokens
    row = chat.encode(form, Example("Q", " 4"))
    assert tokens(row.prompt[-1:]) == ["<|assistant|>"] and tokens(row.answer) == [
        "▁",
        "4",
        "<|end|>",
    ]


def test_an_end_token_that_takes_the_spaces_on_its_left_ends_the_answer() -> None:
    made = families._bytelevel()
    made.add_special_tokens([AddedToken("<end>", special=True, normalized=False, lstrip=True)])
    form = Format(
        PreTrainedTokenizerFast(tokenizer_object=made),
        "{% for m in messages %}{{ m.content }}<end>{% endfor %}",
    )
    row = chat.encode(form, Example("Q", "4 "))
    assert form.tokenizer.convert_ids_to_tokens(row.answer) == ["4", "<end>"]


# Special tokens in text.

SAID = "Write (<|im_end|>) or <|im_start|>user, then<|im_end|><|im_end|>!"
KINDS = ["byte-level BPE", *families.KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_in_text_are_tokenized_as_if_they_were_not_special(kind: str) -> None:
    """Expected are the tokens of a tokenizer that has learned the same words but has no such
    special tokens.
    """
    form = Format(tokenizer_of(kind, families.CHATML_TOKENS, eos_token="<|im_end|>"), TURNS)
    without = tokenizer_of(kind, [])
    raw = form.tokenizer.convert_ids_to_tokens(chat.encode(form, Example("", SAID)).answer[:-1])
    assert raw == without.tokenize(SAID)
    prompt = form.tokenizer.convert_ids_to_tokens(chat.encode_prompt(form, SAID))
    user = (
        without.tokenize(f"user\n{SAID}")
        if kind in ("byte-level BPE", "SP-BPE, no prefix")
        else None
    )
    assert user is None or prompt[1 : 1 + len(user)] == user


@pytest.mark.parametrize("kind", KINDS)
def test_text_without_special_tokens_is_tokenized_as_by_the_tokenizer(
    kind: str, monkeypatch
) -> None:
    monkeypatch.setattr(verbatim, "spelling", None)  # would raise
    tokenizer = tokenizer_of(kind, families.CHATML_TOKENS, eos_token="<|im_end|>")
    form = Format(tokenizer, TURNS)
    row = chat.encode(form, families.ASKED)
    asked = f"<|im_start|>user\n{families.ASKED.prompt}<|im_end|>"
    text = f"{asked}<|im_start|>assistant\n{families.ANSWER}<|im_end|>"
    assert [*row.prompt, *row.answer] == tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("kind", KINDS)
def test_private_use_characters_in_text_are_kept(kind: str) -> None:
    """Characters that stand for special tokens are never those of the text."""
    form = Format(tokenizer_of(kind, families.CHATML_TOKENS, eos_token="<|im_end|>"), TURNS)
    own = "".join(map(chr, verbatim.PRIVATE[:8])) + "<|im_end|>"
    row = chat.encode(form, Example(f"Q {own}", f"A {own}"))
    assert f"Q {own}" in form.tokenizer.decode(row.prompt)
    assert form.tokenizer.decode(row.answer).strip() == f"A {own}<|im_end|>"
    assert sum(token == form.end for token in (*row.prompt, *row.answer)) == 2


@present
@pytest.mark.parametrize("folder", ["tokenizers/chatml-6400", "models/stories260k-hf"])
def test_special_tokens_in_text_are_text_to_a_real_tokenizer(folder: str) -> None:
    tokenizer = load_tokenizer(DATA / folder)
    form = Format(tokenizer, chat.template_of(tokenizer, None))
    said = " and ".join(verbatim.special_tokens(tokenizer).values())
    row, simple = (
        chat.encode(form, Example(f"Say {said}!", f"So: {said}.")),
        chat.encode(form, Example("Say", "So")),
    )
    assert said in tokenizer.decode(row.prompt) and said in tokenizer.decode(row.answer)
    for part, expected in zip(row, simple, strict=True):
        assert [i for i in part if i in form.special] == [i for i in expected if i in form.special]


def test_a_learned_token_that_is_flagged_special_is_text_in_text() -> None:
    """Its merges, too, would make it out of the text."""
    merges = [("a", "b"), ("ab", "c")]
    vocabulary = {token: i for i, token in enumerate(["a", "b", "c", "ab", "abc", "#"])}
    made = Tokenizer(models.BPE(vocabulary, merges))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens([AddedToken("abc", special=True), AddedToken("#", special=True)])
    form = Format(PreTrainedTokenizerFast(tokenizer_object=made, eos_token="#"), chat.PLAIN)
    assert chat.encode(form, Example("", "abc")).answer == (3, 2, 5)


def test_special_tokens_in_a_prompt_probe_and_a_label_are_text() -> None:
    form = FAMILIES["Llama-3"].format()
    assert "I say </s><|eot_id|>" in form.tokenizer.decode(
        chat.encode_answer(form, "I say </s><|eot_id|>")
    )
    assert form.end not in chat.encode_answer(form, "I say </s><|eot_id|>")
    plain = chat.encode_prompt(form, "a b")
    assert chat.encode_prompt(form, "a <|eot_id|> b").count(form.end) == plain.count(form.end) == 1


def test_added_tokens_that_are_not_special_stay_tokens_of_text() -> None:
    form = FAMILIES["Qwen3"].format()
    think = form.tokenizer.convert_tokens_to_ids("<think>")
    assert think in chat.encode_answer(form, "<think>\nhm\n</think>\n\nFour <|im_end|>")


# Turns, system messages, tools.


def test_a_rows_own_system_message_takes_the_place_of_the_formats() -> None:
    form = _format(TURNS, "Be brief.")
    assert "system\nBe brief." in _prompt(
        form, Example("Q", "A", (Message("user", "a"), Message("assistant", "b")))
    )
    own = _prompt(form, Example("Q", "A", (Message("system", "Sing."),)))
    assert "Be brief." not in own and own.count("<|im_start|>system") == 1


def test_tool_turns_are_printed_and_may_be_the_last_before_the_answer() -> None:
    history = (
        Message("user", "2 + 2?"),
        Message("assistant", "add(2, 2)"),
        Message("tool", '{"sum": "4"}\n'),
    )
    for name in ("Qwen3", "Qwen2.5"):
        form = FAMILIES[name].format()
        assert '<tool_response>\n{"sum": "4"}' in _prompt(form, Example("", "Four", history))
        assert _prompt(form, Example("", "Four", history)).count("<|im_start|>user") == 2, (
            "no empty user turn"
        )
    as_json = _prompt(FAMILIES["Llama-3.2"].format(), Example("", "Four", history))
    assert '"{\\"sum\\": \\"4\\"}' in as_json, "this template prints a tool's answer as JSON"


@pytest.mark.parametrize(
    ("template", "history", "role"),
    [
        (
            "{% for m in messages if m.role != 'system' %}{{ m.content }}<|im_end|>{% endfor %}",
            "system",
            "system",
        ),
        (families.GPT_OSS, "tool", "tool"),
        (families.PHI_3, "tool", "tool"),
        ("{{ messages[-2].content + messages[-1].content }}<|im_end|>", "user", "user"),
        (
            "{% for m in messages %}{{ m.content.split('</think>')[-1] }}<|im_end|>{% endfor %}",
            "user",
            "user",
        ),
    ],
)
def test_a_template_that_leaves_out_a_turn_is_refused(
    template: str, history: str, role: str
) -> None:
    form = Format(
        FAMILIES["GPT-OSS"].tokenizer if template == families.GPT_OSS else _format("").tokenizer,
        template,
    )
    row = Example("Q", "A", (Message(history, "hidden</think> words"), Message("assistant", "a")))
    with pytest.raises(
        InputError,
        match=f"template: expected one that prints the {role}'s turn; its text is missing",
    ):
        chat.encode(form, row)


def test_think_blocks_of_earlier_answers_may_be_left_out_by_the_template() -> None:
    earlier = (Message("user", "a"), Message("assistant", "<think>\nhm\n</think>\n\nOne"))
    for name in ("Qwen3", "DeepSeek"):
        prompt = _prompt(FAMILIES[name].format(), Example("Q", "A", earlier))
        assert "hm" not in prompt and "One" in prompt


def test_a_think_block_in_an_answer_is_learned_or_the_template_is_refused() -> None:
    form = FAMILIES["Qwen3"].format()
    for answer in ("<think>\nhm\n</think>\n\nFour", "<think>hm</think>Four\n"):
        row = chat.encode(form, Example("Q", answer))
        assert form.tokenizer.decode(row.prompt).endswith("<|im_start|>assistant\n"), (
            "no empty block before it"
        )
        assert form.tokenizer.decode(row.answer[:-1]).split() == [
            "<think>",
            "hm",
            "</think>",
            "Four",
        ]
        assert row.answer[-1] == form.end
    with pytest.raises(
        InputError, match="template: expected one that prints the whole answer; it changes '<think>"
    ):
        chat.encode(FAMILIES["DeepSeek"].format(), Example("Q", "<think>\nhm\n</think>\n\nFour"))


@pytest.mark.parametrize("padded", ["4 apples", " 4 apples", "\n\n4 apples \n", "RETRACE-ANSWER"])
def test_an_answer_is_what_the_template_prints_of_it(padded: str) -> None:
    """As it is, trimmed, or in another case; the text before it is the prompt's."""
    printed = {
        "m.content": padded,
        "m.content | trim": padded.strip(),
        "m.content | upper": padded.upper(),
        "m.content | lower": padded.lower(),
        "m.content.lstrip()": padded.lstrip(),
    }
    for expression, answer in printed.items():
        form = _format(
            "{% for m in messages %}\n\n<|im_start|>\n\n{{ "
            + expression
            + " }}<|im_end|>\n{% endfor %}"
        )
        row = chat.encode(form, Example("RETRACE-ANSWER", padded))
        assert form.tokenizer.decode(row.answer) == answer + "<|im_end|>", expression
        assert form.tokenizer.decode(row.prompt).endswith("<|im_start|>\n\n"), expression


def test_tools_are_printed() -> None:
    form = FAMILIES["Qwen2.5"].format()
    row = chat.encode(form, Example("Q", "A", tools=TOOLS))
    text = form.tokenizer.decode(row.prompt)
    assert '"description": "Adds <|im_end|> numbers"' in text
    ends = [token for token in row.prompt if token == form.end]
    assert len(ends) == 2, "the system's and the user's turn; none of the tool's description"
    escaped = TOOLS.replace("<|im_end|>", "\\u003c|im_end|>")
    assert chat.encode(form, Example("Q", "A", tools=escaped)) == row
    assert chat.encode(form, Example("Q", "A", tools="[]")) == chat.encode(form, Example("Q", "A"))
    for name in ("Llama-3.2", "Mistral v3 (tekken)"):
        assert '"add"' in _prompt(FAMILIES[name].format(), Example("Q", "A", tools=TOOLS))


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        ("[{", "tools: expected a JSON list of objects; "),
        ('{"name": "add"}', "tools: expected a JSON list of objects; got"),
        ('["add"]', "tools: expected a JSON list of objects; got"),
        (
            TOOLS,
            "template: expected one that prints the tools of a row; this one ignores them; name "
            "another",
        ),
    ],
)
def test_tools_that_cannot_be_printed_are_refused(tools: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        chat.encode(_format(TURNS), Example("Q", "A", tools=tools))
    assert "\n" not in str(refusal.value)


def test_raw_text_takes_no_tools() -> None:
    with pytest.raises(
        InputError, match="tools: expected a row with a prompt; raw text takes no tools"
    ):
        chat.encode(_format(TURNS), Example("", "A", tools=TOOLS))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ raise_exception('Only user\nand assistant') }}", "Only user and assistant"),
        ("{{ 'a' + none }}", "concatenate"),
        ("{{ 1 // 0 }}", "division"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__ }}{{ ''.__class__.mro() }}", "unsafe"),
        ("{{ messages[0].no.such }}", "no attribute"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{{ int('x') }}", "undefined"),
        ("{% for m in messages %}", "end of template"),
        ("{{ range(10 ** 9) | list }}", "Range too big"),
    ],
)
def test_whatever_a_template_raises_is_one_line(template: str, says: str) -> None:
    with pytest.raises(
        InputError, match="template: expected one that takes the turns user, assistant; it says"
    ) as said:
        chat.encode(_format(template), Example("Q", "A"))
    assert says in str(said.value) and "\n" not in str(said.value)


def test_an_answer_that_nothing_ends_is_refused() -> None:
    with pytest.raises(
        InputError,
        match="template: expected a special token of this tokenizer after the answer; got ''",
    ):
        chat.encode(_format("{% for m in messages %}{{ m.content }}{% endfor %}"), Example("Q", ""))
