"""One check of a model before anything is computed with it: what is measured is the model's own.

The longest and the shortest of all probed rows go through plain forward passes, one row at a time, without padding,
hook or mask; token log-probabilities a of every way of scoring are compared with these, b, by max|a − b| / max(1, |b|):
- later tokens must not change a prediction, or the model is no causal one;
- rows scored together, padded, must come out the same;
- an adapter must do the same merged and beside its layers (LoRA), rows on four bits must come out the same (QLoRA);
- packed completions must come out the same, or they are scored as plain rows instead, with a notice.
The outcome is kept in the store under the base and the rows it was made with.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from llm import packing, scoring
from llm.chat import Row
from llm.models import adapters
from llm.models.loading import first_line
from llm.nodes import NUMERICS, leaf, node, node_key
from llm.probes import ProbeSet
from llm.randomness import seeded
from llm.stages import Lab, describe
from llm.store import produce
from protocol.errors import InputError
from protocol.spec import digest

TOLERANCE = {"fp32": 1e-3, "bf16": 5e-2}  # bfloat16 has 8 bits: one part in 256


@dataclass(frozen=True)
class Checked:
    """What the check found: whether completions are packed, and if not, why; what is trained; the largest error."""

    packed: bool
    why_not: str
    coverage: str
    worst: float

    def notices(self, name: str) -> list[str]:
        """What is said of it, a line each."""
        lines = [f"{name}: {self.coverage}"]
        return lines if self.packed else [*lines, f"{name}: completions are scored as plain rows: {self.why_not}"]


def checked(lab: Lab, probed: ProbeSet) -> Checked:
    """The outcome of the check of an experiment's model, out of the store or made now.

    Raises InputError if the model cannot be scored, or is scored otherwise than its own forward pass has it.
    """
    settings, rows = lab.settings, probe_rows(probed)
    spec = {
        "kind": "check",
        "base": node_key(lab, ()),
        "rows": digest([rows, probed.phrases]),
        "adaptation": asdict(settings.adaptation),
        "computed": [settings.precision, settings.attention, settings.device],
        "numerics": NUMERICS,
    }

    def make(folder: Path) -> None:
        try:
            outcome = _check(lab, rows, probed.phrases)
        except InputError:
            raise
        except Exception as error:  # whatever a model that was not made for this raises
            raise InputError(f"model: {lab.experiment.model} cannot be scored: {first_line(error)}") from error
        finally:
            if settings.device == "cuda":  # or this process would keep the memory from those that train
                torch.cuda.empty_cache()
        (folder / "check.json").write_text(json.dumps(asdict(outcome)) + "\n")

    folder = produce(lab.store, spec, make, description=describe(lab, "check"))
    return Checked(**json.loads((folder / "check.json").read_text()))


def probe_rows(probed: ProbeSet) -> list[Row]:
    """The longest and the shortest row of all that are scored."""
    groups = [probed.forget, *probed.answered.values(), *probed.depth.values(), *probed.parts.values()]
    every = dict.fromkeys(row for group in groups for row in group)
    rows = sorted(every, key=lambda row: len(row.prompt) + len(row.answer))
    return [rows[-1], rows[0]]


@torch.no_grad()
def _check(lab: Lab, rows: Sequence[Row], phrases: Sequence[Sequence[int]]) -> Checked:
    settings = lab.settings
    how, limit, model = settings.adaptation, TOLERANCE[settings.precision], node(lab, ())
    errors = [check_rows(model, rows, limit=limit)]
    why_not = packing_fault(model, rows, phrases, limit=limit) if phrases else None
    del model  # two models of this size may not fit
    model = leaf(lab, ())
    coverage = adapters.coverage(model, how)
    if how.kind == "qlora":
        errors.append(check_rows(model, rows, limit=limit))
    if how.kind == "lora" and settings.precision == "fp32":  # merges are made in float32 only
        errors.append(check_merge(model, rows, limit=limit))
    return Checked(why_not is None, why_not or "", coverage, max(errors))


def error_of(found: Tensor, expected: Tensor) -> float:
    """max |a − b| / max(1, |b|); NaN if something is not finite."""
    return float(((found - expected).abs() / expected.abs().clamp(min=1)).max())


def plain_logprobs(model: PreTrainedModel, row: Row) -> Tensor:
    """log π of every answer token, (|y|,), by one forward pass over this row alone."""
    ids = torch.tensor([row.prompt + row.answer], device=model.device)
    logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[0].float()  # (S, V)
    logprobs = torch.log_softmax(logits[len(row.prompt) - 1 : -1], dim=-1)  # (|y|, V)
    return logprobs.gather(1, ids[0, len(row.prompt) :, None])[:, 0].cpu()


def later_tokens_error(model: PreTrainedModel, row: Row) -> float:
    """How much predictions change with the tokens after them: at a row's first tokens, where one more token weighs
    most, and where its answer begins, as a model may go by the length of the whole.
    """
    start = (row.prompt + row.answer)[:4]
    pairs = [(Row(start[:1], start[1:2]), Row(start[:1], start[1:])), (row._replace(answer=row.answer[:1]), row)]
    return max(error_of(plain_logprobs(model, begun), plain_logprobs(model, whole)[:1]) for begun, whole in pairs)


def _refuse(error: float, limit: float, what: str) -> float:
    if not error <= limit:  # NaN, too
        raise InputError(f"model: expected {what}; log-probabilities differ by {error:.1e}, {limit:g} is allowed")
    return error


def check_rows(model: PreTrainedModel, rows: Sequence[Row], *, limit: float) -> float:
    """The error of rows scored together; InputError above the limit, or if a prediction depends on later tokens."""
    later = max(later_tokens_error(model, row) for row in rows)
    _refuse(later, limit, "a causal language model, whose predictions do not depend on later tokens")
    expected = [plain_logprobs(model, row) for row in rows]
    batch = scoring.collate(rows, pad=model.config.pad_token_id).to(model.device)
    logprobs = torch.log_softmax(scoring.answer_logits(model, batch), dim=-1)  # (A, V)
    found = logprobs.gather(1, batch.target[:, None])[:, 0].cpu()
    return _refuse(error_of(found, torch.cat(expected)), limit, "padded rows to be scored as each row alone")


def check_merge(model: PreTrainedModel, rows: Sequence[Row], *, limit: float) -> float:
    """The error of merging an adapter, drawn at random, into a prepared model; the model is merged afterwards."""
    with seeded(model.device, "check of a merge"):
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                nn.init.normal_(parameter, std=0.02)
    expected = torch.cat([plain_logprobs(model, row) for row in rows])
    for layer in model.modules():
        if hasattr(layer, "get_delta_weight"):
            layer.merge()
    found = torch.cat([plain_logprobs(model, row) for row in rows])
    return _refuse(error_of(found, expected), limit, "an adapter to do the same merged and beside its layers")


def packing_fault(
    model: PreTrainedModel, rows: Sequence[Row], phrases: Sequence[Sequence[int]], *, limit: float
) -> str | None:
    """Why completions of these rows' prompts are not to be packed; None if they come out right."""
    longest = max(phrases, key=len)
    known = packing.obstacle(model.config, max(len(row.prompt) for row in rows) + len(longest))
    if known is not None:
        return known
    compared = sorted({0, phrases.index(longest), len(phrases) - 1})
    prompts = [row.prompt for row in rows]
    try:
        found = packing.completion_logprobs(model, prompts, phrases)[0][:, compared]
    except Exception as error:  # whatever a model raises that takes no mask, or no positions, by hand
        return f"the model does not take them packed ({first_line(error)})"
    pairs = [Row(prompt, tuple(phrases[k])) for prompt in prompts for k in compared]
    expected = torch.stack([plain_logprobs(model, pair).sum() for pair in pairs]).view_as(found)
    apart = error_of(found, expected)
    return None if apart <= limit else f"packed they differ by {apart:.1e} from plain rows"
