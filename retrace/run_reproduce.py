"""`retrace reproduce`: the theory side and the language-model side, then figures."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from protocol.progress import Progress
from retrace import run_figures, run_llm, run_theory
from retrace.output import writable

# Experiments of the language models with their unlearning methods, None for the experiment's own.
# `retrace llm positions` has one more method, which no claim needs.
PARTS: dict[str, tuple[str, ...] | None] = {
    "positions": ("GA", "NPO", "SimNPO", "SimNPO-beta1"),
    "depth": None,
}


@dataclass(frozen=True)
class Reproduce:
    """Run both sides on the embedded models, then make figures, tables, claims and the report."""

    quick: bool = False
    """One architecture, one seed, half the pretraining, few probe questions, no noise floor, and a
    small ensemble."""
    out: Path = Path("out")
    """Folder for records, figures, tables, claims and the report."""
    runs: Path = Path("runs")
    """Folder of the stage store; finished stages and runs in it are not computed again."""
    seeds: int | None = None
    """Number of shuffle seeds of each model; by default 3 for tiny-llama and 2 for tiny-qwen2, 1
    with --quick."""
    workers: int | None = None
    """Number of single-threaded processes for the language models; by default one a core. Results
    do not depend on this number."""


COMMAND = Reproduce


def run(command: Reproduce, report: Progress) -> str:
    """`retrace reproduce`: both sides at the same time, then figures; returns the closing line.

    The language models have processes of their own, so the theory runs in a thread of this process.
    Options that the language models refuse are refused before the theory starts.
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
    theory = run_theory.Theory(quick=command.quick, out=command.out)
    with ThreadPoolExecutor(1) as pool:
        theory_done = pool.submit(run_theory.run, theory, report)
        for name in PARTS:
            run_llm.perform(name, models, options[name], place, report)
        theory_done.result()
    return run_figures.run(run_figures.Figures(out=command.out), report)
