"""The layers: what a package loads, that importing changes no state, and limits of the numbers.

`python tests/support/house.py` prints the numbers.
"""

import subprocess
import sys

import house
import pytest
from pages import ROOT

# Rooms, layers and arrows of a package, at most.
PLANS = {"llm": (11, 6, 30), "paper_figs": (9, 4, 20)}
REACH = 95  # files that retrace/run_llm.py imports, directly or through others
DENSITY = 5.8  # syntax nodes a line of code, over all packages and benchmarks
PACKAGE_DENSITY = 6.2  # of one package
KERNELS = "theory.kernels"  # a line there is a formula
SKIPS = 40  # `# fmt: skip` outside tests
KNOWN = house.modules(ROOT)


def loaded(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import theory", {"torch", "transformers"}),
        ("import llm, llm.lab.run", {"jax", "theory"}),
        (
            "import protocol.claims, protocol.objectives, protocol.records, protocol.spec",
            {"torch", "jax"},
        ),
        ("import paper_figs", {"torch", "jax", "matplotlib.pyplot"}),
        ("import retrace", {"torch", "jax", "matplotlib"}),
    ],
)
def test_a_layer_does_not_load_what_is_not_its_own(statement, never) -> None:
    assert not loaded(statement) & never


def test_importing_changes_no_global_state() -> None:
    code = """
import jax, torch
def state():
    x64 = jax.config.jax_enable_x64
    return x64, torch.get_default_dtype(), torch.get_num_threads(), torch.initial_seed()
before = state()
import theory, llm.lab.run, paper_figs, retrace
after = state()
assert before == after, (before, after)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("package", PLANS)
def test_a_package_has_few_rooms_and_arrows(package: str) -> None:
    graph = house.rooms(package, KNOWN)
    plan = (len(graph), house.layers(graph), house.arrows(graph))
    assert all(number <= limit for number, limit in zip(plan, PLANS[package], strict=True)), plan


def test_a_command_reaches_few_files() -> None:
    """At most REACH, and the file that trains is among them: the imports were followed."""
    reached = house.closure(house.COMMAND, KNOWN)
    assert "llm.training.trainer" in reached
    assert len(reached) <= REACH


def test_the_code_is_not_dense() -> None:
    whole = house.total(list(KNOWN.values()))
    assert whole.density <= DENSITY
    assert whole.skips <= SKIPS


@pytest.mark.parametrize("package", ["protocol", "theory", "llm", "paper_figs", "retrace"])
def test_a_package_is_not_dense(package: str) -> None:
    files = {name: file for name, file in KNOWN.items() if name.partition(".")[0] == package}
    files.pop(KERNELS, None)
    assert house.total(list(files.values())).density <= PACKAGE_DENSITY


def test_the_numbers_of_the_house_are_counted(tmp_path) -> None:
    """Three small modules, counted by hand: a imports b (in a function) and c, b imports c."""
    package = tmp_path / "llm"
    package.mkdir()
    sources = {
        "__init__": "",
        "a": "from llm import c\n\n\ndef f():\n    import llm.b\n",
        "b": "from llm.c import x\n",
        "c": "# a comment\nx = [i for i in ()]  # fmt: skip\n",
    }
    for name, source in sources.items():
        (package / f"{name}.py").write_text(source, encoding="utf-8")
    known = house.modules(tmp_path)
    graph = house.rooms("llm", known)
    assert graph == {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert (house.layers(graph), house.arrows(graph)) == (3, 3)
    assert house.closure("llm.b", known) == {"llm.b", "llm.c"}
    # Module, Assign, Name, ListComp, Name, comprehension, Name, Tuple
    assert house.size(package / "c.py") == house.Size(8, 1, 1, 1)


def test_a_circle_of_rooms_is_an_error() -> None:
    with pytest.raises(ValueError, match="a circle of imports: a > b > a"):
        house.layers({"a": {"b"}, "b": {"a"}})
