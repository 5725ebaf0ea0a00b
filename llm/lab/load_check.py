"""One check of a model before anything is computed with it: what is measured is the model's own.

On the longest and the shortest of all probed rows, and of all prompts that completions are scored
after (see `llm.measuring.agreement` for how errors are measured):
- later tokens must not change a prediction, or the model is no causal one;
- rows scored together, padded, must come out the same;
- an adapter must do the same merged and beside its layers (LoRA), rows on four bits must come out
  the same (QLoRA);
- packed completions must come out the same, or they are scored as plain rows instead, with a
notice. The outcome is kept in the store under the base and what it was made with.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from llm.data.chat import Row
from llm.lab.lab import Lab, describe
from llm.lab.nodes import NUMERICS, adaptation_spec, leaf, node, node_key
from llm.measuring import agreement
from llm.measuring.probe_set import ProbeSet
from llm.models import adapters
from llm.store.artifacts import produce
from protocol.errors import InputError, first_line
from protocol.spec import digest

TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2}  # bfloat16 has 8 bits: one part in 256 at every layer


@dataclass(frozen=True)
class Checked:
    """What the check found: whether completions are packed, and if not, why; what is trained; the
    largest error.
    """

    packed: bool
    why_not: str
    coverage: str
    worst: float

    def notices(self, name: str) -> list[str]:
        """What is said of it, a line each."""
        lines = [f"{name}: {self.coverage}"]
        return (
            lines
            if self.packed
            else [*lines, f"{name}: completions are scored as plain rows: {self.why_not}"]
        )


def checked(lab: Lab, probed: ProbeSet) -> Checked:
    """The outcome of the check of an experiment's model, out of the store or made now.

    Raises InputError if the model cannot be scored, or is scored otherwise than its own forward
    pass has it.
    """
    settings, sample = lab.settings, sample_of(probed)
    spec = {
        "kind": "check",
        "base": node_key(lab, ()),
        "rows": digest(sample),
        "adaptation": adaptation_spec(settings.adaptation),
        "computed": [settings.precision, settings.attention, settings.device],
        "numerics": NUMERICS,
    }

    def make(folder: Path) -> None:
        try:
            outcome = _check(lab, sample)
        except InputError:
            raise
        except Exception as error:  # whatever a model that was not made for this raises
            raise InputError(
                f"model: {lab.experiment.model} cannot be scored: {first_line(error)}"
            ) from error
        finally:
            if (
                settings.device == "cuda"
            ):  # or this process would keep the memory from those that train
                torch.cuda.empty_cache()
        (folder / "check.json").write_text(json.dumps(asdict(outcome)) + "\n")

    folder = produce(lab.store, spec, make, description=describe(lab, "check"))
    return Checked(**json.loads((folder / "check.json").read_text()))


class Sample(NamedTuple):
    """What a model is checked on: two rows, two prompts that completions are scored after, and the
    completions.
    """

    rows: tuple[Row, ...]
    prompts: tuple[tuple[int, ...], ...]
    phrases: tuple[tuple[int, ...], ...]


def sample_of(probed: ProbeSet) -> Sample:
    """The longest and the shortest of all rows that are scored, and of the forget prompts."""
    groups = [
        probed.forget,
        *probed.answered.values(),
        *probed.depth.values(),
        *probed.parts.values(),
    ]
    every = dict.fromkeys(row for group in groups for row in group)
    rows = sorted(every, key=lambda row: len(row.prompt) + len(row.answer))
    prompts = sorted((row.prompt for row in probed.forget), key=len)
    return Sample((rows[-1], rows[0]), (prompts[-1], prompts[0]), probed.phrases)


@torch.no_grad()
def _check(lab: Lab, sample: Sample) -> Checked:
    settings, rows = lab.settings, sample.rows
    how, limit, model = settings.adaptation, TOLERANCE[settings.precision], node(lab, ())
    scale = 1.0 if settings.precision == "fp32" else agreement.largest_logit(model, rows)
    errors = [agreement.check_rows(model, rows, limit=limit, scale=scale)]
    why_not = (
        agreement.packing_fault(model, sample.prompts, sample.phrases, limit=limit, scale=scale)
        if sample.phrases
        else None
    )
    del model  # two models of this size may not fit
    model = leaf(lab, ())
    coverage = adapters.coverage(model, how)
    if how.kind == "qlora":
        errors.append(agreement.check_rows(model, rows, limit=limit, scale=scale))
    if how.kind == "lora" and settings.precision == "fp32":  # in bfloat16 adapters are never merged
        errors.append(agreement.check_merge(model, rows, limit=limit))
    return Checked(why_not is None, why_not or "", coverage, max(errors))
