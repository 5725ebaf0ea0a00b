"""Every code block of README.md and docs/ is run as a reader would, the language models at micro
size.

What is not run here stands in one of two lists: another test runs it, or the page marks it and the
list has the reason; its options are parsed all the same. Text that only names a command is checked
for names and options, too.
"""

import json
import pkgutil
import re
import shlex
import shutil
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
from llm.lab import lab as lab_module
from llm.lab import run as lab_run
from llm.lab.lab import Lab
from llm.lab.nodes import base_folder
from llm.store.artifacts import open_store
from paper_figs.figures.registry import FIGURES
from retrace.run_llm import experiments

ELSEWHERE = {"retrace reproduce": "tests/test_retrace.py::test_reproduce_does_the_whole_job"}
MARKED = {
    "pip install jupyterlab": "tests install nothing",
    "jupyter lab": "a server; tests/notebooks runs the notebooks",
}
LANGUAGES = {"python", "sh", "text"}
# What a page takes as there: the records of a run.
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
        base_folder(Lab(micro.experiment(), 0, open_store(Path("runs-given")))), "models/my-llama"
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
    """All but extend.md, which test_extend.py runs. Hub ids and hf:// names are those of small
    stand-ins.
    """
    monkeypatch.chdir(tmp_path)
    give_files()
    if page.name == "own-data.md":
        hub.give_model(Path("hub"), "llama-3.2-1b")
        hub.give_files(Path("hub"), 80)
    lab_module._file_rows.cache_clear()  # the same names were other files before
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
    """The printed command as it is, no row fewer, up to where training begins: files with as many
    rows as public.
    """
    (line,) = [
        line
        for page, line in lines()
        if page == "own-data.md" and line.endswith("--model llama-3.2-1b")
    ]
    monkeypatch.chdir(tmp_path)
    hub.give_model(Path("hub"), "llama-3.2-1b")
    hub.give_files(Path("hub"), None)
    command = retrace._parse(pages.words(line)[1:])
    lab_module._file_rows.cache_clear()
    with hub.standing_in(Path("hub")):
        (experiment,) = experiments("positions", command.model, command.options)
        lab_run._check([experiment], open_store(Path("runs")))
        rows = {
            name: lab_module.stage_rows(Lab(experiment, 0, open_store(Path("runs"))), name)
            for name in STAGES
        }
    assert {name: (len(corpus.train), len(corpus.held_out)) for name, corpus in rows.items()} == {
        "inst": (4000, 200),
        "tofu": (4000, 200),
        "math": (7000, 1319),
        "safety": (4410, 200),
    }
    assert experiment.steps == 35
    assert [method.name for method in experiment.methods][:3] == ["GA", "NPO", "SimNPO"]


def test_what_is_not_run_is_marked_and_listed() -> None:
    """Both ways: no mark without a reason, no reason without a line; and what other tests run, they
    do run.
    """
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
    """With its options where they are all given; else by its name, and an experiment's or a
    result's.
    """
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


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(
        r"\]\(([^)]+)\)", re.sub(pages.FENCE, "", page.read_text(encoding="utf-8"))
    ):
        if not target.startswith("https://"):
            assert (page.parent / target.split("#")[0]).exists(), target


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


def test_the_readme_fits_a_screen_and_leads_to_every_page() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert {page.name for page in PAGES[1:]} <= set(
        re.findall(r"\(docs/(\w+(?:-\w+)?\.md)\)", text)
    )
