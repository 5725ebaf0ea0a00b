"""`retrace models`: the models that have names, the paper's settings, the memory of training."""

from dataclasses import dataclass

from retrace.terminal import aligned

NOTE = """
full, LoRA, QLoRA: GiB for weights, gradients and optimizer state, without activations
batch: of learning / of unlearning · lr: of learning · rank, alpha: of LoRA and QLoRA"""


@dataclass(frozen=True)
class Models:
    """The models that have names: sizes, the paper's settings, and the memory of training."""


COMMAND = Models


def run(command: Models) -> str:
    """`retrace models`; returns the table and a note on its columns."""
    from llm.models import catalogue

    header, *cells = catalogue.table()
    # In one line the header is 121 columns wide.
    above = ["unlearning" if name == "unlearning lr" else "" for name in header]
    names = [name.removeprefix("unlearning ") for name in header]
    return "\n".join([*aligned([above, names, *cells], right=range(2, len(header))), NOTE])
