"""The house in numbers: import graph, reach of one command, density.

`python tests/support/house.py [FOLDER]` prints them; tests/test_house.py holds their limits.

- rooms, layers, arrows of a package: its direct children (modules and packages), the length of the
  longest chain of imports between them, and how many pairs of rooms import each other;
- reach: the files that `retrace/run_llm.py` imports, directly or through others, and beside them
  the files that are loaded once `retrace llm positions` has run on the smallest model;
- density: syntax nodes (of `ast`, without load and store contexts) a line that is neither blank nor
  a comment; comprehensions a thousand such lines; `# fmt: skip`.
"""

import ast
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

PACKAGES = ("protocol", "theory", "llm", "paper_figs", "retrace", "benchmarks")
WITH_ROOMS = ("protocol", "theory", "llm", "paper_figs")
COMMAND = "retrace.run_llm"
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
        print("loaded", name)
"""


class Size(NamedTuple):
    """What is counted in files; sizes of several files add up with `total`."""

    nodes: int
    lines: int
    comprehensions: int
    skips: int

    @property
    def density(self) -> float:
        """Syntax nodes a line of code."""
        return self.nodes / self.lines

    def __str__(self) -> str:
        share = 1000 * self.comprehensions / self.lines
        return (
            f"{self.density:.2f} nodes a line of {self.lines:,}, "
            f"{share:.0f} comprehensions a thousand, {self.skips} fmt: skip"
        )


def modules(root: Path) -> dict[str, Path]:
    """Every module by its dotted name."""
    files = {}
    for package in PACKAGES:
        for file in sorted((root / package).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            files[name] = file
    return files


def _targets(node: ast.AST, known: dict[str, Path]) -> list[str]:
    """The dotted names that one statement imports; [] for a statement that imports nothing."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom) or not node.module or node.level:
        return []
    names = [f"{node.module}.{alias.name}" for alias in node.names]
    return [name if name in known else node.module for name in names]


def _module_of(name: str, known: dict[str, Path]) -> str:
    """The module of ours that holds a dotted name, "" for a name of another library."""
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name


def imports(module: str, known: dict[str, Path]) -> set[str]:
    """The modules of ours that a module imports, at its top or inside a function."""
    tree = ast.parse(known[module].read_text(encoding="utf-8"))
    targets = [name for node in ast.walk(tree) for name in _targets(node, known)]
    return {_module_of(name, known) for name in targets} - {"", module}


def closure(module: str, known: dict[str, Path]) -> set[str]:
    """A module and all that it imports, directly or through others."""
    reached: set[str] = set()
    waiting = {module}
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= imports(name, known) - reached
    return reached


def rooms(package: str, known: dict[str, Path]) -> dict[str, set[str]]:
    """room -> the rooms of the same package that it imports."""
    graph: dict[str, set[str]] = {}
    for name in known:
        parts = name.split(".")
        if parts[0] != package or len(parts) == 1:
            continue
        arrows = graph.setdefault(parts[1], set())
        for other in imports(name, known):
            place = other.split(".")
            if place[0] == package and len(place) > 1 and place[1] != parts[1]:
                arrows.add(place[1])
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


def arrows(graph: dict[str, set[str]]) -> int:
    """The number of pairs of rooms of which one imports the other."""
    return sum(map(len, graph.values()))


def size(file: Path) -> Size:
    """Syntax nodes, lines of code, comprehensions and `# fmt: skip` of a file."""
    text = file.read_text(encoding="utf-8")
    nodes = list(ast.walk(ast.parse(text)))
    lines = [line.strip() for line in text.splitlines()]
    return Size(
        nodes=sum(not isinstance(node, CONTEXTS) for node in nodes),
        lines=sum(bool(line) and not line.startswith("#") for line in lines),
        comprehensions=sum(isinstance(node, COMPREHENSIONS) for node in nodes),
        skips=sum("# fmt: skip" in line for line in lines),
    )


def total(files: list[Path]) -> Size:
    """The size of several files together."""
    columns = zip(*map(size, files), strict=True)
    return Size(*map(sum, columns))


def files_of(package: str, known: dict[str, Path]) -> list[Path]:
    """The files of a package."""
    return [file for name, file in known.items() if name.partition(".")[0] == package]


def loaded(root: Path) -> list[str]:
    """The modules of ours, empty files left out, that `retrace llm positions` has loaded."""
    code = RUN.format(support=str(root / "tests" / "support"), roots=PACKAGES)
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    return [line.split()[1] for line in ran.stdout.splitlines() if line.startswith("loaded ")]


def main(root: Path) -> None:
    """Print every number."""
    known = modules(root)
    for package in WITH_ROOMS:
        graph = rooms(package, known)
        print(f"{package}: {len(graph)} rooms, {layers(graph)} layers, {arrows(graph)} arrows")
    for package in PACKAGES:
        print(f"{package}: {total(files_of(package, known))}")
    print(f"all: {total(list(known.values()))}")
    print(f"{COMMAND} reaches {len(closure(COMMAND, known))} files by its imports")
    print(f"retrace llm positions loads {len(loaded(root))} files that are not empty")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
