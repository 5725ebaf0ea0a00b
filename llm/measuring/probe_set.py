"""The questions of all probes, encoded once: what every model of an experiment is asked."""

from collections.abc import Mapping
from dataclasses import dataclass

from llm.config.settings import Probes
from llm.corpora import Example
from llm.data.chat import Format, Row


@dataclass(frozen=True)
class ProbeSet:
    """Encoded questions, and how they are probed."""

    form: Format
    forget: tuple[Row, ...]  # training rows, then held-out ones
    learned: int  # how many of these are training rows
    phrases: tuple[
        tuple[int, ...], ...
    ]  # label first, then the paraphrases; none for a stage without a label
    answered: Mapping[
        str, tuple[Row, ...]
    ]  # training rows of the stages whose answers' likelihood is a metric
    depth: Mapping[str, tuple[Row, ...]]  # answers C, U, R to the same prompts
    parts: Mapping[str, tuple[Row, ...]]  # held-out rows: "forget", and each retained stage
    sums: tuple[Example, ...]  # none where the stage is not in the experiment
    asked: tuple[tuple[int, ...], ...]  # a prompt for each sum
    sizes: Probes
    batch: int  # rows of one forward pass
