"""`retrace reproduce`: both worlds, then figures."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from protocol.progress import Progress
from retrace import run_figures, run_llm, run_theory
from retrace.output import writable

# Experiments of the language models and their unlearning methods, None for their own; `retrace llm
# positions` has one more, which no claim speaks of.
PARTS: dict[str, tuple[str, ...] | None] = {
    "positions": ("GA", "NPO", "SimNPO", "SimNPO-beta1"),
    "depth": None,
}


@dataclass(frozen=True)
class Reproduce:
    """Run both worlds on the embedded default, then draw figures, tables, claims and the report."""

    quick: bool = False
    """One architecture, one seed, half the pretraining, few probe questions, no noise floor, a
    small ensemble.
    """
    out: Path = Path("out")
    """Folder for records, figures, tables, claims and the report."""
    runs: Path = Path("runs")
    """Folder of the stage store; finished stages and runs in it are not computed again."""
    seeds: int | None = None
    """Shuffle seeds of each model; by default 3 for tiny-llama and 2 for tiny-qwen2, 1 with
    --quick.
    """
    workers: int | None = None
    """Single-threaded processes for the language models; by default one a core. Results do not
    depend on it.
    """


def run(command: Reproduce, report: Progress) -> str:
    """`retrace reproduce`: both worlds side by side, as the language models have processes of their
    own; then figures.

    What the language models would refuse is refused before the theory starts.
    """
    from llm.config.options import DEFAULT_MODELS, Options
    from llm.store.artifacts import open_store

    models = DEFAULT_MODELS[:1] if command.quick else DEFAULT_MODELS
    options = {
        name: Options(seeds=command.seeds, quick=command.quick, methods=methods)
        for name, methods in PARTS.items()
    }
    place = run_llm.Place(out=command.out, runs=command.runs, workers=command.workers)
    for name in PARTS:
        run_llm.experiments(name, models, options[name])
    import_module("theory")  # if JAX is not installed, this is said before anything is trained
    writable(command.out)
    open_store(command.runs)
    with ThreadPoolExecutor(1) as pool:
        theory_done = pool.submit(
            run_theory.run, run_theory.Theory(quick=command.quick, out=command.out), report
        )
        for name in PARTS:
            run_llm.perform(name, models, options[name], place, report)
        theory_done.result()
    return run_figures.run(run_figures.Figures(out=command.out), report)
