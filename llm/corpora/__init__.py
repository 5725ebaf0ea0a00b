"""Generated rows of the embedded models: stages, the answers of `depth`, and pretraining.

The stages have the shape of the paper's stages. Every row is drawn from a seed, and nothing is
downloaded. `STAGES` holds the generated stages by name.
"""

from collections.abc import Callable

from llm.corpora import authors, depth, instructions, pretraining, refusals, sums
from llm.corpora.example import Corpus, Example
from protocol.errors import InputError, known

STAGES: dict[str, Callable[[str, int, int], Corpus]] = {
    "inst": instructions.corpus,
    "tofu": authors.corpus,
    "math": sums.corpus,
    "safety": refusals.corpus,
    **{answer: depth.corpus_of(answer) for answer in depth.ANSWERS},
}


def stage_corpus(stage: str, base: int, *, train: int, held_out: int) -> Corpus:
    """The rows of a stage, drawn from the base seed; InputError for an unknown stage or size."""
    known("stage", stage, list(STAGES))
    if train < 1 or held_out < 1:
        raise InputError(
            f"{stage} rows: expected at least 1 training and 1 held-out row; got {train} and "
            f"{held_out}"
        )
    rows = STAGES[stage](f"base {base}", train, held_out)
    if len(rows.train) < train or len(rows.held_out) < held_out:
        have = len(rows.train) + len(rows.held_out)
        raise InputError(
            f"{stage} rows: expected at most {have} in all, as many as there are; got "
            f"{train + held_out}"
        )
    return rows


__all__ = ["STAGES", "Corpus", "Example", "pretraining", "refusals", "stage_corpus"]
