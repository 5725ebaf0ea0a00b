"""One check of a model before anything is computed with it: what is measured is the model's own.

The check takes the longest and the shortest of all probed rows, and of all prompts that completions
are scored after (`llm.measuring.agreement` says how errors are measured):
- later tokens must not change a prediction, else the model is not causal;
- rows scored together, padded, must have the same log-probabilities;
- LoRA: an adapter must do the same merged and unmerged; QLoRA: so must rows on four bits;
- packed completions must have the same log-probabilities, else completions are scored as plain
  rows, with a notice.
The outcome is kept in the store under the base and the settings it depends on.
"""

import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import torch

from llm.data.chat import Row
from llm.lab.base import NUMERICS
from llm.lab.lab import Lab
from llm.lab.nodes import adaptation_spec
from llm.measuring import agreement
from llm.measuring.probes import ProbeSet
from llm.models import adapters
from llm.store.artifacts import produce
from protocol.errors import InputError, first_line
from protocol.spec import digest

TOLERANCE = {"fp32": 1e-3, "bf16": 2e-2}  # bfloat16 has 8 bits: one part in 256 at every layer


@dataclass(frozen=True)
class Checked:
    """The outcome: whether completions are packed, why not, what is trained, the largest error."""

    packed: bool
    why_not: str
    coverage: str
    worst: float

    def notices(self, name: str) -> list[str]:
        """The outcome as lines of notices."""
        lines = [f"{name}: {self.coverage}"]
        if not self.packed:
            lines.append(f"{name}: completions are scored as plain rows: {self.why_not}")
        return lines


def checked(lab: Lab, probed: ProbeSet) -> Checked:
    """The outcome of the check of an experiment's model, out of the store or made now.

    Raises InputError if the model cannot be scored, or if its scores differ from those of its own
    forward pass.
    """
    settings, sample = lab.settings, sample_of(probed)
    spec = {
        "kind": "check",
        "base": lab.base.key,
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
            if settings.device == "cuda":
                torch.cuda.empty_cache()  # else processes that train would not have the memory
        (folder / "check.json").write_text(json.dumps(asdict(outcome)) + "\n")

    folder = produce(lab.store, spec, make, description=lab.stages.described("check"))
    return Checked(**json.loads((folder / "check.json").read_text()))


class Sample(NamedTuple):
    """What a model is checked on: two rows, two prompts before completions, the completions."""

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
    distinct = dict.fromkeys(itertools.chain.from_iterable(groups))
    rows = sorted(distinct, key=lambda row: len(row.prompt) + len(row.answer))
    prompts = sorted((row.prompt for row in probed.forget), key=len)
    return Sample((rows[-1], rows[0]), (prompts[-1], prompts[0]), probed.phrases)


@torch.no_grad()
def _check(lab: Lab, sample: Sample) -> Checked:
    settings, rows = lab.settings, sample.rows
    how, limit, model = settings.adaptation, TOLERANCE[settings.precision], lab.model(())
    scale = 1.0 if settings.precision == "fp32" else agreement.largest_logit(model, rows)
    errors = [agreement.check_rows(model, rows, limit=limit, scale=scale)]
    why_not: str | None = None
    if sample.phrases:
        why_not = agreement.packing_fault(
            model, sample.prompts, sample.phrases, limit=limit, scale=scale
        )
    del model  # two models of this size may not fit
    model = lab.leaf(())
    coverage = adapters.coverage(model, how)
    if how.kind == "qlora":
        errors.append(agreement.check_rows(model, rows, limit=limit, scale=scale))
    if how.kind == "lora" and settings.precision == "fp32":  # in bfloat16 adapters are never merged
        errors.append(agreement.check_merge(model, rows, limit=limit))
    return Checked(why_not is None, why_not or "", coverage, max(errors))
