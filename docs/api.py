"""Pages of the site that are no files of docs/, and docstrings as Markdown.

A hook of MkDocs and an extension of griffe, which reads the docstrings (mkdocs.yml names both). The
pages are README, CHANGELOG, CONTRIBUTING, the notebooks, and one page of reference for each module.
Links of README and of docs/ are those of the repository; here they become links of the site.
"""

import re
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace")
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "CONTRIBUTING.md",
    "CHANGELOG.md": "CHANGELOG.md",
}


LIST = re.compile(r"^(?!- |\s)(.+)\n(?=- )", re.MULTILINE)
PLAIN = str.maketrans({"*": r"\*", "[": r"\[", "<": "&lt;"})
CODE = re.compile(r"(`+[^`]+`+)")


def formatted(docstring: str) -> str:
    """A docstring as Markdown.

    Outside code its signs are those of formulas, so they are no markup. A list may follow its
    paragraph without an empty line.
    """
    parts = CODE.split(docstring)
    parts[::2] = [part.translate(PLAIN) for part in parts[::2]]
    return LIST.sub(r"\1\n\n", "".join(parts))


class Docstrings(griffe.Extension):
    """Every docstring, as `formatted` has it."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Called once for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = formatted(obj.docstring.value)


def modules(package: str) -> list[str]:
    """The dotted names of a package and of its modules; a file that begins with _ has no page."""
    files = sorted((ROOT / package).rglob("[!_]*.py"))
    folders = sorted(file.parent for file in (ROOT / package).rglob("__init__.py"))
    paths = [*folders, *(file.with_suffix("") for file in files)]
    return sorted(".".join(path.relative_to(ROOT).parts) for path in paths)


def page_of(module: str) -> str:
    """The path of a module's page."""
    return f"api/{module}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation: README, the pages of docs/, the reference by package, what is left."""
    pages = sorted(path.name for path in Path(config.docs_dir).glob("*.md"))
    reference = [{package: [page_of(name) for name in modules(package)]} for package in PACKAGES]
    config.nav = [
        {"Retrace": "index.md"},
        {"Pages": pages},
        {"Reference": reference},
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source, target in OUTSIDE.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, target, content=text))
    for file in [*ROOT.glob("notebooks/*.ipynb"), ROOT / "LICENSE", ROOT / "CITATION.cff"]:
        name = file.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(file)))
    for package in PACKAGES:
        for name in modules(package):
            content = f"---\ntitle: {name}\n---\n\n::: {name}\n"
            files.append(File.generated(config, page_of(name), content=content))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Links from README into docs/ and links from docs/ out of it."""
    if page.file.src_uri.startswith("api/"):
        return markdown
    return re.sub(r"\]\((?:docs/|\.\./)", "](", markdown)
