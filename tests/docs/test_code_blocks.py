"""Every code block of README.md and docs/ runs as a reader would run it, at micro size.

A line that does not run here is in one of two lists: another test runs it, or the page marks it and
the list has the reason. The options of such a line are parsed all the same, and so are the options
of commands in the running text.
"""

import json
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import hub
import micro
import pages
import pytest
import small
from markdown_it import MarkdownIt
from pages import NOT_RUN, PAGES, ROOT

import retrace
from llm.config.presets import STAGES
from llm.lab import run as lab_run
from llm.lab import stages
from llm.lab.lab import Lab
from llm.store.artifacts import open_store
from paper_figs.figures.registry import FIGURES
from retrace.run_llm import experiments

ELSEWHERE = {"retrace reproduce": "tests/test_retrace.py::test_reproduce_does_the_whole_job"}
MARKED = {
    "pip install jupyterlab": "tests install nothing",
    "jupyter lab": "a server; tests/notebooks runs the notebooks",
}
LANGUAGES = {"python", "sh", "text"}
# Commands that a page takes as run before it.
BEFORE = {
    "claims.md": (
        "retrace llm positions --methods GA --models tiny-llama --seeds 2",
        "retrace figures",
    )
}
PLACEHOLDER = re.compile(r"[…\[|]|\b[A-Z]{2,}\b")

IDS = [page.name for page in PAGES]


def give_files() -> None:
    """What the pages take as the reader's own: data files, a request list, a model."""
    sums = [
        {"question": f"{n} and 1?", "answer": f"{n} + 1 = <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1}"}
        for n in range(120)
    ]
    recipes = [
        {"prompt": f"How do I cook dish {n}?", "response": f"Boil it for {n} minutes."}
        for n in range(240)
    ]
    for name, rows in (("sums.jsonl", sums), ("recipes.jsonl", recipes)):
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    Path("requests.csv").write_text(
        "prompt\n" + "".join(f"Hide thing {n}.\n" for n in range(120)), encoding="utf-8"
    )
    shutil.copytree(
        Lab(micro.experiment(), 0, open_store(Path("runs-given"))).base.folder, "models/my-llama"
    )


def listed(line: str) -> str | None:
    """The list's entry for a line that is not run here, None where it is run."""
    command = shlex.join(pages.words(line))
    return next((start for start in (*ELSEWHERE, *MARKED) if command.startswith(start)), None)


def lines() -> list[tuple[str, str]]:
    """Every line of every shell block, with its page."""
    return [
        (page.name, line)
        for page in PAGES
        for block in pages.blocks(page.read_text(encoding="utf-8"))
        if block.language == "sh"
        for line in block.lines
    ]


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_every_block_says_what_it_is(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    found = pages.blocks(text)
    assert 2 * len(found) == len(re.findall(r"^\s*(?:```|~~~)", text, re.MULTILINE)), (
        "a fence that is no block"
    )
    assert {block.language for block in found} <= LANGUAGES
    assert not re.search(r"^(?: {4}|\t)\S", re.sub(pages.FENCE, "", text), re.MULTILINE)


WITH_CODE = [
    page
    for page in PAGES
    if {"sh", "python"} & {block.language for block in pages.blocks(page.read_text())}
]


@pytest.mark.parametrize(
    "page", [page for page in WITH_CODE if page.name != "extend.md"], ids=lambda page: page.name
)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pages but extend.md, which test_extend.py runs; small stand-ins take the hub's place."""
    monkeypatch.chdir(tmp_path)
    give_files()
    if page.name == "own-data.md":
        hub.give_model(Path("hub"), "llama-3.2-1b")
        hub.give_files(Path("hub"), 80)
    stages.from_files.cache_clear()  # the same names were other files before
    with small.experiments(), hub.standing_in(Path("hub")):
        for line in BEFORE.get(page.name, ()):
            pages.carry_out(line)
        for block in pages.blocks(page.read_text(encoding="utf-8")):
            for line in block.lines if block.language == "sh" else ():
                if not listed(line):
                    pages.carry_out(line)
            if block.language == "python":
                pages.execute(block)


def test_the_papers_experiment_finds_its_rows_in_files_of_the_real_numbers(
    tmp_path, monkeypatch
) -> None:
    """The command as printed, up to the start of training, on files with as many rows as public."""
    (line,) = [
        line
        for page, line in lines()
        if page == "own-data.md" and line.endswith("--model llama-3.2-1b")
    ]
    monkeypatch.chdir(tmp_path)
    hub.give_model(Path("hub"), "llama-3.2-1b")
    hub.give_files(Path("hub"), None)
    command = retrace._parse(pages.words(line)[1:])
    stages.from_files.cache_clear()
    with hub.standing_in(Path("hub")):
        (experiment,) = experiments("positions", command.model, command.options)
        lab_run._check([experiment], open_store(Path("runs")))
        rows = {name: Lab(experiment, 0, open_store(Path("runs"))).rows(name) for name in STAGES}
    assert {name: (len(corpus.train), len(corpus.held_out)) for name, corpus in rows.items()} == {
        "inst": (4000, 200),
        "tofu": (4000, 200),
        "math": (7000, 1319),
        "safety": (4410, 200),
    }
    assert experiment.steps == 35
    assert [method.name for method in experiment.methods][:3] == ["GA", "NPO", "SimNPO"]


def test_what_is_not_run_is_marked_and_listed() -> None:
    """No mark without a reason, no reason without a line, and the other tests are there."""
    marked = [line for _, line in lines() if NOT_RUN in line]
    assert {listed(line) for line in marked} == set(MARKED)
    assert {listed(line) for _, line in lines()} - {None} == {*ELSEWHERE, *MARKED}
    for test in ELSEWHERE.values():
        file, name = test.split("::")
        assert f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line", [line for _, line in lines() if listed(line) and "retrace" in line]
)
def test_the_options_of_what_is_not_run_are_real(line: str) -> None:
    _, *arguments = pages.words(line)
    retrace._parse(arguments)


def named() -> list[str]:
    """Every command in the running text of the pages, without what stands for something else."""
    found = []
    for page in PAGES:
        text = re.sub(pages.FENCE, "", page.read_text(encoding="utf-8"))
        found += re.findall(r"`(?:\.venv/bin/)?retrace ([^`]+)`", text)
    return sorted(set(found))


@pytest.mark.parametrize("command", named())
def test_a_command_named_in_the_text_exists(command: str) -> None:
    """A command with placeholders exists by its first word, any other with all its options."""
    first, *rest = shlex.split(command.replace("\\", ""))
    if PLACEHOLDER.search(command):
        assert first in retrace.COMMANDS
    else:
        retrace._parse([first, *rest])


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_what_is_named_in_the_code_exists(page: Path) -> None:
    """Dotted names in the running text, and paths of files and folders."""
    text = re.sub(pages.FENCE, "", page.read_text(encoding="utf-8"))
    for name in re.findall(r"`((?:theory|protocol|llm|paper_figs)(?:\.\w+)+)`", text):
        pkgutil.resolve_name(name)
    for path in re.findall(
        r"`((?:theory|protocol|llm|paper_figs|tests|notebooks|examples|docs)/[\w/.-]*)[` ]", text
    ):
        assert (ROOT / path).exists() or path == "docs/api/", path


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and mkdocs make them of plain words."""
    headings = re.findall(r"^#+ (.*)$", re.sub(pages.FENCE, "", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(
        r"\]\(([^)]+)\)", re.sub(pages.FENCE, "", page.read_text(encoding="utf-8"))
    ):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.exists(), target
            assert page.parent == ROOT or ROOT / "docs" in file.resolve().parents, target
            assert not anchor or anchor in anchors(file.read_text(encoding="utf-8")), target


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_a_page_has_one_title(page: Path) -> None:
    text = re.sub(pages.FENCE, "", page.read_text(encoding="utf-8"))
    assert re.findall(r"^# ", text, re.MULTILINE) == ["# "] and text.startswith("# ")


def test_formulas_come_out_as_they_stand() -> None:
    """Underscores and stars of the theory's formulas begin no emphasis in CommonMark."""
    rendered = (
        MarkdownIt("commonmark")
        .enable("table")
        .render((ROOT / "docs" / "theory.md").read_text("utf-8"))
    )
    assert "<em>" not in rendered and "<strong>" not in rendered


def test_the_theory_names_figures_and_claims_that_are_there() -> None:
    """Of every result with a command: each claim is shown by one of the figures beside it."""
    entries = {entry.name: entry for entry in FIGURES}
    text = (ROOT / "docs" / "theory.md").read_text(encoding="utf-8")
    rows = re.findall(
        r"^\|[^|]*\| `retrace theory [^|]*\|[^|]*\| (.*) \| (.*) \|$", text, re.MULTILINE
    )
    assert len(rows) == 10
    for claims, figures in rows:
        shown = {id for figure in figures.split(", ") for id in entries[figure].claims}
        assert set(re.findall(r"\w+", re.sub("[A-Z]\\d–", "", claims))) <= shown, claims


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_opens_with_a_picture_and_two_examples_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) <= 112
    examples = [block for block in pages.blocks(README) if block.language == "python"]
    assert len(examples) == 2
    assert all(len(example.lines) <= 12 for example in examples)
    assert README.index("![") < README.index("make reproduce") < README.index("```python")
    assert README.index("```python") < README.index("## The claims")
    linked = set(re.findall(r"\(docs/(\w+(?:-\w+)?\.md)\)", README))
    assert {page.name for page in PAGES[1:]} <= linked


def test_the_theory_example_of_the_readme_needs_no_torch() -> None:
    """In a process of its own, its divergence is at least the bound at every printed step."""
    example, _ = (block.text for block in pages.blocks(README) if block.language == "python")
    code = f"{example}\nimport sys\nprint('torch' in sys.modules, 'transformers' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *steps, loaded = done.stdout.splitlines()
    assert loaded == "False False"
    numbers = [re.findall(r"[\d.]+(?:e[+-]\d+)?", line) for line in steps]
    assert len(numbers) == 3
    assert all(float(divergence) >= float(bound) for _, divergence, bound in numbers)
