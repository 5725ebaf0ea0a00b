"""The house in numbers: import graph, reach of one command, density. `python tests/support/house.py [FOLDER]`.

- rooms, layers, arrows of a package: its direct children (modules and packages), the length of the
  longest chain of imports between them, and how many pairs of rooms import each other;
- reach: files of ours that are loaded once `retrace llm positions` has run, on the smallest model;
- density: syntax nodes (of `ast`, without load and store contexts) a line that is neither blank nor
  a comment; comprehensions a thousand such lines; `# fmt: skip`.
"""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace", "benchmarks")
CONTEXTS = (ast.Load, ast.Store, ast.Del)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
RUN = """
import sys, tempfile
from pathlib import Path
import retrace
folder = tempfile.mkdtemp()
sys.path.insert(0, {support!r})
import small
with small.experiments():
    retrace.main(["llm", "positions", "--quick", "--methods", "GA", "--model", "tiny-llama",
                  "--out", folder + "/out", "--runs", folder + "/runs"])
roots = {roots!r}
for name, module in sorted(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if name.partition(".")[0] in roots and file and Path(file).stat().st_size:
        print("reached", name)
"""


def modules(root: Path) -> dict[str, Path]:
    """Every module by its dotted name."""
    found = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = file
    return found


def imports(name: str, file: Path, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a module imports, wherever the import stands in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            named = [each if each in known else node.module for each in whole]
        else:
            continue
        for each in named:
            while each and each not in known:
                each = each.rpartition(".")[0]
            found.add(each)
    return found - {"", name}


def rooms(package: str, root: Path) -> dict[str, set[str]]:
    """room -> the rooms of the same package that it imports."""
    known = modules(root)
    graph: dict[str, set[str]] = {}
    for name, file in known.items():
        parts = name.split(".")
        if parts[0] != package or len(parts) == 1:
            continue
        arrows = graph.setdefault(parts[1], set())
        for other in imports(name, file, known):
            where = other.split(".")
            if where[0] == package and len(where) > 1 and where[1] != parts[1]:
                arrows.add(where[1])
    return graph


def layers(graph: dict[str, set[str]]) -> int:
    """The number of rooms on the longest chain of arrows; ValueError for a circle."""
    heights: dict[str, int] = {}

    def height(room: str, above: tuple[str, ...]) -> int:
        if room in above:
            raise ValueError(f"a circle of imports: {' > '.join((*above, room))}")
        if room not in heights:
            below = [height(other, (*above, room)) for other in graph[room]]
            heights[room] = 1 + max(below, default=0)
        return heights[room]

    return max(height(room, ()) for room in graph)


def counted(file: Path) -> tuple[int, int, int, int]:
    """Syntax nodes, lines of code, comprehensions and `# fmt: skip` of a file."""
    text = file.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    lines = [line.strip() for line in text.splitlines()]
    code = [line for line in lines if line and not line.startswith("#")]
    return (
        sum(not isinstance(node, CONTEXTS) for node in nodes),
        len(code),
        sum(isinstance(node, COMPREHENSIONS) for node in nodes),
        sum("# fmt: skip" in line for line in lines),
    )


def density(files: list[Path]) -> str:
    """Nodes a line, comprehensions a thousand lines, and skips of several files, as text."""
    nodes, lines, comprehensions, skips = map(sum, zip(*map(counted, files), strict=True))
    return (
        f"{nodes / lines:.2f} nodes a line of {lines:,}, "
        f"{1000 * comprehensions / lines:.0f} comprehensions a thousand, {skips} fmt: skip"
    )


def reached(root: Path) -> list[str]:
    """The modules of ours, empty ones left out, that are loaded once `retrace llm positions` ran."""
    code = RUN.format(support=str(root / "tests" / "support"), roots=PACKAGES)
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return [line.split()[1] for line in ran.stdout.splitlines() if line.startswith("reached ")]


def main(root: Path) -> None:
    """Print every number."""
    known = modules(root)
    for package in ("protocol", "theory", "llm", "paper_figs"):
        graph = rooms(package, root)
        arrows = sum(map(len, graph.values()))
        print(f"{package}: {len(graph)} rooms, {layers(graph)} layers, {arrows} arrows")
    for package in PACKAGES:
        inside = [file for name, file in known.items() if name.split(".")[0] == package]
        print(f"{package}: {density(inside)}")
    print(f"all: {density(list(known.values()))}")
    print(f"retrace llm positions reaches {len(reached(root))} files")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
