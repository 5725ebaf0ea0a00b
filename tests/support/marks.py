"""Which tests are slow. Every test has one of two marks, `fast` or `slow`.

Tests of one file that together take more than about five seconds on one core are slow: the whole
file is listed here, or the tests that take the time. `make fast` leaves them out, and must end
within 90 seconds on 2 cores.
"""

# How the ids of slow tests begin, in tests/.
SLOW = (
    "benchmarks/",
    "docs/test_code_blocks.py::test_the_code_of_a_page_runs",
    "docs/test_code_blocks.py::test_the_papers_experiment_finds_its_rows_in_files_of_the_real_numbers",
    "docs/test_extend.py",
    "docs/test_reference.py",
    "llm/data/test_files.py::test_a_file_of_the_hub_is_fetched_and_a_missing_one_named",
    "llm/data/test_grading.py::test_all_final_answers_of_gsm8k",
    "llm/lab/test_divergence.py",
    "llm/lab/test_run.py",
    "llm/measuring/test_decoding.py",
    "llm/test_architectures.py",
    "llm/test_invariants.py",
    "llm/test_paper_models.py",
    "llm/test_results.py",
    "notebooks/",
    "paper_figs/figures/test_ablation_figures.py",
    "paper_figs/figures/test_figures.py",
    "paper_figs/published/test_audit.py",
    "paper_figs/report/test_browser.py",
    "paper_figs/report/test_outputs.py",
    "paper_figs/report/test_report.py",
    "protocol/claims/test_pooled_models.py",
    "protocol/test_bootstrap.py",
    "test_house.py::test_a_layer_does_not_load_what_is_not_its_own",
    "test_house.py::test_importing_changes_no_global_state",
    "test_packaging.py::test_a_missing_extra_is_one_line",
    "test_retrace.py",
    "theory/experiments/",
    "theory/networks/",
    "theory/test_ensemble.py",
    "theory/test_numerics.py",
)


def mark_of(test: str) -> str:
    """The mark of a test, given by its id in tests/: FOLDER/test_FILE.py::test_NAME."""
    return "slow" if test.startswith(SLOW) else "fast"
