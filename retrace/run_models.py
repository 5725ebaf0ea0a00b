"""`retrace models`: the models that have names, the paper's settings for them, and the memory their
training takes.
"""

from dataclasses import dataclass

from retrace.terminal import aligned

NOTE = """
full, LoRA, QLoRA: GiB for weights, gradients and optimizer state, no activations, by way of training
batch: of learning / of unlearning · lr: of learning · rank, alpha: of LoRA and QLoRA"""


@dataclass(frozen=True)
class Models:
    """The models that have names: sizes, the paper's settings, and the memory that training takes."""


def run(command: Models) -> str:
    """`retrace models`; returns the table and what its columns are."""
    from llm.models import catalogue

    header, *cells = catalogue.table()
    above = [
        "unlearning" if name == "unlearning lr" else "" for name in header
    ]  # or it is 121 columns wide
    names = [name.removeprefix("unlearning ") for name in header]
    return "\n".join([*aligned([above, names, *cells], right=range(2, len(header))), NOTE])
