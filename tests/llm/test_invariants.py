"""Invariants of training, through the trainer's front door, for whole models, LoRA and LoRA on NF4.

Everything runs in float32, NF4's widest type. Rounding is about 2e-7 of a gradient's norm, the
bound 1e-5 of each parameter's; what is guarded against (a row counted twice, a token too many in
the mask) is 1e-2 and more.
"""

import copy
import math

import micro
import peft
import pytest
import torch
from safetensors.torch import load_file

from llm import models
from llm.data.chat import Row
from llm.lab.base import PRECISIONS
from llm.lab.lab import Lab
from llm.measuring import packing
from llm.models import Architecture, adapters, nf4
from llm.models.adapters import Adaptation, attach, trainable
from llm.models.targets import linear_layers
from llm.training import logprobs, trainer
from llm.training.recipe import Recipe, batches
from llm.training.trainer import Objective
from protocol.objectives import gradient_ascent, npo, objective
from protocol.orders import phase

KINDS = ("full", "lora", "qlora")
SEED = (0, "test")
# Prompts of 1 to 8 tokens, answers of 2 to 7, so that every batch is padded and no two rows weigh
# the same.
ROWS = [Row(tuple(range(5, 6 + i)), (*range(20 + i, 21 + i + i * 3 % 6), 4)) for i in range(8)]
ADAPTER = Adaptation("lora", rank=4, alpha=12)  # α/r = 3: neither 1 nor the default's 2


def built(family: str = "qwen2", *, tied: bool = True, hidden: int = 64):
    """A small model with sharp attention, biases other than 0 and norms other than 1, or mistakes
    would not show.
    """
    arch = Architecture(family, hidden, 2, 4, 2, intermediate=64, vocabulary=64, tied=tied)
    model, draw = models.build(arch, seed=1), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.5 * torch.randn(parameter.shape, generator=draw))
            else:
                parameter.mul_(5)
    return model


def adapted(kind: str, model=None, *, moved: bool = True, dropout: float = 0.0):
    """The model made trainable; `moved` draws B, so that the adapter is not the fresh one that adds
    nothing.
    """
    model, draw = model or built(), torch.Generator().manual_seed(1)
    attach(model, Adaptation(kind, 4, 12, dropout), seed=(2,))
    for name, parameter in model.named_parameters():
        if moved and "lora_B" in name:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=draw)
    return model.train()


def first_gradient(
    model, rows=ROWS, aim=trainer.LEARN, *, reference=None, micro_batch=8, seed=SEED
):
    """The gradient of the first update on all rows at once, by parameter; the update itself is too
    small to matter.
    """
    training = Recipe(lr=1e-12, batch=len(rows), micro_batch=micro_batch)
    next(trainer.updates(model, rows, training, aim=aim, reference=reference, seed=seed))
    return [parameter.grad.clone() for parameter in trainable(model)]


def assert_equal(actual, expected, *, bound: float = 1e-5) -> None:
    """Each parameter's difference is at most `bound` of its norm (1e-9 is what earlier tiny updates
    leave of a 0).
    """
    assert len(actual) == len(expected) > 0
    for one, other in zip(actual, expected, strict=True):
        assert float((one - other).norm()) <= bound * float(other.norm()) + 1e-9


def values(model) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in trainable(model)]


@pytest.mark.parametrize("reduction", ["mean", "tokens"])
@pytest.mark.parametrize("kind", KINDS)
def test_eight_rows_at_once_or_one_by_one_give_one_gradient(kind, reduction) -> None:
    """Σ_i ∇L_i is one sum however it is cut: 1×8 = 8×1 = 3 + 3 + 2, the last micro-batch smaller
    than the others.
    """
    model, aim = adapted(kind), Objective(reduction=reduction)
    whole = first_gradient(model, aim=aim, micro_batch=8)
    for size in (1, 3):
        assert_equal(first_gradient(model, aim=aim, micro_batch=size), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_neither_order_nor_padding_changes_a_gradient(kind, monkeypatch) -> None:
    """A batch is a set, and what stands in masked columns is never read: five more of them, of
    another token.
    """
    model = adapted(kind)
    whole = first_gradient(model)
    assert batches(8, Recipe(lr=1, batch=8), seed=SEED)[0].tolist() != list(range(8))
    assert_equal(first_gradient(model, ROWS[::-1], seed=(1, "test")), whole)

    def wider(rows, *, pad):
        batch = logprobs.collate(rows, pad=9)
        more = {"tokens": 11, "attention": 0}
        widened = {
            k: torch.nn.functional.pad(getattr(batch, k), (0, 5), value=v) for k, v in more.items()
        }
        return batch._replace(**widened)

    monkeypatch.setattr(trainer, "collate", wider)
    assert_equal(first_gradient(model), whole)


@pytest.mark.parametrize("reduction", ["mean", "tokens"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_trainer_is_a_plain_loop(kind, reduction) -> None:
    """Eight updates, 11 rows by 3 (then 2) in micro-batches of 2, two epochs, against a loop
    without micro-batches.

    The loop scores one row at a time, unpadded, from the logits of all its columns, with labels
    −100 on the prompt: Σ_i −log π(y_i|x_i), over 3 (2) rows under "mean", over all their answer
    tokens under "tokens". AdamW divides by |g|, so rounding grows where a gradient is nearly 0: the
    bound is 1e-3 of how far each parameter went.
    """
    rows = [*ROWS, *(Row(row.prompt[::-1], row.answer) for row in ROWS[2:5])]
    training = Recipe(lr=1e-3, epochs=2, batch=3, micro_batch=2)
    model, plain = adapted(kind), adapted(kind)
    start, optimizer = values(plain), torch.optim.AdamW(trainable(plain), weight_decay=0.0)
    assert (
        len(
            list(
                trainer.updates(
                    model, rows, training, aim=Objective(reduction=reduction), seed=SEED
                )
            )
        )
        == 8
    )
    for update, batch in enumerate(batches(11, training, seed=SEED)):
        chosen = [rows[i] for i in batch]
        optimizer.param_groups[0]["lr"] = 1e-3 * (
            1 / 2 if update in (0, 7) else 1
        )  # WSD: up and down in one update
        optimizer.zero_grad()
        for prompt, answer in chosen:
            logits = plain(input_ids=torch.tensor([prompt + answer])).logits[0, :-1]
            labels = torch.tensor([-100] * len(prompt) + list(answer))[1:]
            nll = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
            (
                nll
                / (len(chosen) if reduction == "mean" else sum(len(row.answer) for row in chosen))
            ).backward()
        optimizer.step()
    went, expected = (
        [b - a for a, b in zip(start, values(m), strict=True)] for m in (model, plain)
    )
    assert_equal(went, expected, bound=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_update_by_hand(kind) -> None:
    """AdamW's first step has m̂ = g, v̂ = g², so Δθ = −lr · ½ · g/(|g| + 1e-8), ½ being the warm-up
    of a single update.

    There is no weight decay: where g = 0 (a fresh adapter's A, as ∂L/∂A ∝ B = 0) not a bit changes.
    """
    model = adapted(kind, moved=False)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    next(trainer.updates(model, ROWS, Recipe(lr=1e-2, batch=8), seed=SEED))
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            expected = -5e-3 * parameter.grad / (parameter.grad.abs() + 1e-8)
            torch.testing.assert_close(
                parameter.detach() - before[name], expected, rtol=1e-4, atol=1e-6
            )
            assert torch.equal(parameter, before[name]) == ("lora_A" in name), name


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_an_adapters_bytes_change_after_update_one_and_its_base_never(kind, tmp_path) -> None:
    """The frozen part is compared to the bit, NF4 codes and scales included; LoRA's also with the
    model before it.
    """
    original = built()
    model = copy.deepcopy(original)
    handle = attach(model, Adaptation(kind, rank=4), seed=(2,))

    def frozen() -> dict[str, torch.Tensor]:
        return {
            name: value.clone() for name, value in model.state_dict().items() if "lora_" not in name
        }

    def saved(name: str) -> bytes:
        adapters.save(handle, tmp_path / name)
        return (tmp_path / name / "adapter_model.safetensors").read_bytes()

    base, files = frozen(), [saved("0")]
    for update, _ in enumerate(
        trainer.updates(model.train(), ROWS, Recipe(lr=1e-2, epochs=2, batch=4), seed=SEED)
    ):
        files.append(saved(str(update + 1)))
    assert len(set(files)) == len(files) == 5
    after = frozen()
    assert base.keys() == after.keys() and all(
        torch.equal(base[name], after[name]) for name in base
    )
    if kind == "lora":
        plain = {name.replace(".base_layer", ""): value for name, value in after.items()}
        assert plain.keys() == original.state_dict().keys()
        assert all(torch.equal(value, plain[name]) for name, value in original.state_dict().items())


@pytest.mark.parametrize("hidden", [32, 64])
@pytest.mark.parametrize("kind", KINDS)
def test_evaluating_between_updates_changes_no_training(kind, hidden) -> None:
    """Unlearning is measured after every step: the weights equal, to the bit, those of a training
    never looked at.

    A process with AVX-512 BF16 is where this can fail for NF4: in evaluation bitsandbytes repacks a
    weight for a kernel that takes bfloat16 and has no gradient, and it stays packed (or raises
    where 32 or 64 do not divide its sides).
    """
    results = []
    for looked_at in (False, True):
        model = adapted(kind, built("llama", hidden=hidden), dropout=0.1)
        torch.manual_seed(7)  # dropout's
        for _ in trainer.updates(model, ROWS, Recipe(lr=1e-2, epochs=2, batch=4), seed=SEED):
            if looked_at:
                model.eval()
                logprobs.row_logprobs(model, ROWS, pad=0)
                packing.completion_logprobs(model, [ROWS[1].prompt], [ROWS[1].answer])
                model.train()
        results.append(values(model))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_training_and_evaluation_give_one_score_and_one_gradient(kind) -> None:
    """Without dropout the two modes are one function, with and without gradients: NPO's reference
    at step 0 is logp.
    """
    model = adapted(kind)
    trained, gradient = logprobs.row_logprobs(model, ROWS, pad=0)[0], first_gradient(model)
    model.eval()
    torch.testing.assert_close(
        logprobs.row_logprobs(model, ROWS, pad=0)[0], trained, rtol=1e-6, atol=1e-6
    )
    assert_equal(first_gradient(model), gradient)


@torch.no_grad()
def logits(model) -> torch.Tensor:
    return torch.cat(
        [model(input_ids=torch.tensor([row.prompt + row.answer])).logits[0] for row in ROWS]
    )


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_a_disabled_adapter_is_the_reference(kind, family, tied) -> None:
    """Logits of every column, to the bit those of the model before `attach` (under QLoRA: of its
    NF4 weights).
    """
    model = built(family, tied=tied)
    reference = copy.deepcopy(model).eval()
    if kind == "qlora":
        nf4.quantize(reference, linear_layers(reference))
    handle = attach(model, Adaptation(kind, rank=4), seed=(2,))
    for _ in trainer.updates(model.train(), ROWS, Recipe(lr=1e-2, epochs=3), seed=SEED):
        pass
    expected = logits(reference)
    with handle.disable_adapter():
        assert torch.equal(logits(model), expected)
    assert float((logits(model) - expected).abs().max()) > 0.1


def deltas(folder) -> dict[str, torch.Tensor]:
    """(α/r)·B·A of every projection, read from an adapter's file by hand; α/r = 3."""
    file = load_file(folder / "adapter_model.safetensors")
    names = [
        name.removesuffix(".lora_A.weight") for name in file if name.endswith(".lora_A.weight")
    ]
    return {
        name.removeprefix("base_model.model.") + ".weight":
            3 * file[f"{name}.lora_B.weight"] @ file[f"{name}.lora_A.weight"]
        for name in names
    }  # fmt: skip


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_merged_is_base_plus_adapter(family, tied, tmp_path) -> None:
    """W + (α/r)·B·A for all 7 projections of both layers, not a bit of the rest; logits (of size
    10) within 1e-5.
    """
    base = built(family, tied=tied)
    model = copy.deepcopy(base)
    handle = attach(model, ADAPTER, seed=(2,))
    for _ in trainer.updates(model.train(), ROWS, Recipe(lr=1e-2, epochs=3), seed=SEED):
        pass
    adapters.save(handle, tmp_path)
    merged, added = adapters.merged(copy.deepcopy(base), tmp_path), deltas(tmp_path)
    assert len(added) == 14
    for name, weight in base.state_dict().items():
        if name in added:
            torch.testing.assert_close(
                merged.state_dict()[name], weight + added[name], rtol=1e-6, atol=1e-7
            )
        else:
            assert torch.equal(merged.state_dict()[name], weight), name
    torch.testing.assert_close(logits(merged), logits(model.eval()), rtol=1e-5, atol=1e-5)
    assert float((logits(merged) - logits(base)).abs().max()) > 0.1


def test_a_merge_in_bfloat16_loses_what_one_in_float32_keeps(tmp_path) -> None:
    """Between ½ and 1 bfloat16 (8 bits) goes in steps of 2⁻⁸: W + 2⁻¹⁰ is rounded back to W, all of
    the adapter lost.

    In float32 (24 bits) the sum is exact. With A = 1 in its first row and else 0, (α/r)·B·A = 3·B₁.
    """
    base = built()
    for name, parameter in base.named_parameters():
        if "_proj.weight" in name:
            parameter.data = (0.5 + parameter.detach().abs().clamp(max=0.4)).bfloat16().float()
    model = copy.deepcopy(base)
    handle = attach(model, ADAPTER, seed=(2,))
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.zero_()
            (parameter.data[0] if "lora_A" in name else parameter.data[:, 0]).fill_(
                1 if "lora_A" in name else 2**-10 / 3
            )
    adapters.save(handle, tmp_path)
    exact = adapters.merged(copy.deepcopy(base), tmp_path).state_dict()
    rounded = (
        peft.PeftModel.from_pretrained(copy.deepcopy(base).bfloat16(), tmp_path)
        .merge_and_unload()
        .state_dict()
    )
    names = [name for name in exact if name.endswith("_proj.weight")]
    assert len(names) == 14
    for name in names:
        weight = base.state_dict()[name]
        torch.testing.assert_close(
            exact[name] - weight, torch.full_like(weight, 2**-10), rtol=1e-4, atol=0
        )
        assert torch.equal(rounded[name].float(), weight), name


STAGES = ("inst", "tofu")


def stage_lab(lab: Lab, how: Adaptation, precision: str = "fp32") -> Lab:
    """The same store and base, stages trained otherwise."""
    return Lab(micro.experiment(adaptation=how, precision=precision), 0, lab.store)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("new_adapter_each_stage", [False, True])
@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_a_node_is_the_base_plus_all_deltas(
    lab: Lab, kind, new_adapter_each_stage, precision
) -> None:
    """One adapter through all stages: W₀ + Δ of the last, which holds the earlier;
    new_adapter_each_stage: W₀ + Δ_inst + Δ_tofu.

    In bfloat16 the sum is formed in float32 and rounded once, by at most half a step: 2⁻⁸ of a
    weight. Under QLoRA W₀ is what was trained on: the base in its precision, rounded to NF4.
    """
    lab = stage_lab(
        lab, Adaptation(kind, 4, 12, new_adapter_each_stage=new_adapter_each_stage), precision
    )
    base = models.load(lab.folder(()))
    if kind == "qlora":
        base = base.to(PRECISIONS[precision])
        nf4.quantize(base, linear_layers(base))
        base = nf4.dequantized(base)
    expected = {k: v.clone() for k, v in base.state_dict().items()}
    folders = [lab.folder(STAGES[:end]) for end in ((1, 2) if new_adapter_each_stage else (2,))]
    for folder in folders:
        for name, delta in deltas(folder).items():
            assert float(delta.abs().max()) > 1e-4
            expected[name] += delta
    node = lab.model(STAGES)
    assert node.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    for name, weight in node.state_dict().items():
        rtol = 1e-6 if precision == "fp32" else 2**-8
        torch.testing.assert_close(weight.float(), expected[name], rtol=rtol, atol=1e-7)


@pytest.mark.parametrize("new_adapter_each_stage", [False, True])
def test_under_qlora_the_model_that_is_unlearned_is_the_one_that_was_trained(
    lab: Lab, new_adapter_each_stage
) -> None:
    """To the bit with one adapter through all stages: the same four bits, the same adapter, a fresh
    one that adds 0.

    Rounding the merged weights again, as quantizing the node would, moves the logits by more than
    1e-3.
    """
    lab = stage_lab(lab, Adaptation("qlora", 4, 12, new_adapter_each_stage=new_adapter_each_stage))
    leaf, again = lab.leaf(STAGES), lab.model(STAGES)
    folders = [lab.folder(STAGES[:end]) for end in ((1, 2) if new_adapter_each_stage else (2,))]
    trained = on_four_bits(lab.model(()), folders)
    assert torch.equal(logits(leaf), logits(trained))
    learning = {
        name.rpartition(".lora_")[2] for name, p in leaf.named_parameters() if p.requires_grad
    }
    assert learning == {"A.default.weight", "B.default.weight"}
    torch.testing.assert_close(logits(again), logits(leaf), rtol=1e-4, atol=1e-4)
    nf4.quantize(again, linear_layers(again))
    assert float((logits(again) - logits(leaf)).abs().max()) > 1e-3


@pytest.mark.parametrize("new_adapter_each_stage", [False, True])
def test_in_bfloat16_the_model_that_is_unlearned_is_the_one_that_was_trained(
    lab: Lab, new_adapter_each_stage
) -> None:
    """Adapters in float32 beside weights in bfloat16, in learning and in unlearning, to the bit.

    The sum of both, rounded to bfloat16 as a merge would, is another model.
    """
    lab = stage_lab(
        lab, Adaptation("lora", 4, 12, new_adapter_each_stage=new_adapter_each_stage), "bf16"
    )
    leaf, folders = (
        lab.leaf(STAGES),
        [lab.folder(STAGES[:end]) for end in ((1, 2) if new_adapter_each_stage else (2,))],
    )
    names = [f"stage{i}" for i in range(len(folders))]
    trained = lab.model(())
    handle = peft.PeftModel.from_pretrained(trained, folders[0], adapter_name=names[0])
    for name, folder in zip(names[1:], folders[1:], strict=True):
        handle.load_adapter(folder, name)
    handle.base_model.set_adapter(names)
    assert torch.equal(logits(leaf), logits(trained.eval()))
    assert not torch.equal(logits(leaf), logits(lab.model(STAGES)))


def test_learned_adapters_are_part_of_the_model_in_training_too(lab: Lab) -> None:
    """Their dropout acted when they were learned. A fresh adapter adds 0, so training and
    evaluation predict alike.
    """
    lab = stage_lab(lab, Adaptation("qlora", 4, 12, dropout=0.5, new_adapter_each_stage=True))
    leaf = lab.leaf(STAGES)
    expected = logits(leaf)
    assert torch.equal(logits(leaf.train()), expected)


def test_dropout_belongs_to_seed_stage_and_update_not_to_what_ran_before() -> None:
    """The same weights after other draws from torch's generator; other ones for another seed."""

    def trained(seed: int, draws: int) -> torch.Tensor:
        model = adapted("lora", built(), dropout=0.3)
        torch.rand(draws)
        for _ in trainer.updates(
            model.train(), ROWS, Recipe(lr=1e-2, epochs=2, batch=4), seed=(seed, "inst")
        ):
            torch.rand(draws)
        return torch.cat([weight.detach().flatten() for weight in trainable(model)])

    assert torch.equal(trained(0, 1), trained(0, 7))
    assert not torch.equal(trained(0, 1), trained(1, 1))


def on_four_bits(model, folders):
    """The adapters of the folders side by side on NF4 weights, by peft alone."""
    nf4.quantize(model, linear_layers(model))
    names = [f"stage{i}" for i in range(len(folders))]
    handle = peft.PeftModel.from_pretrained(model, folders[0], adapter_name=names[0])
    for name, folder in zip(names[1:], folders[1:], strict=True):
        handle.load_adapter(folder, name)
    handle.base_model.set_adapter(names)
    return model.eval()


@pytest.mark.parametrize("new_adapter_each_stage", [False, True])
def test_stages_from_the_store_equal_stages_in_memory(lab: Lab, new_adapter_each_stage) -> None:
    """Two stages in one process, nothing saved and loaded between them, give the weights of the
    node.
    """
    lab = stage_lab(lab, Adaptation("lora", 4, 12, new_adapter_each_stage=new_adapter_each_stage))
    model, handle = models.load(lab.folder(())), None
    for stage in STAGES:
        if handle is None or new_adapter_each_stage:
            model = handle.merge_and_unload() if handle else model
            handle = attach(model, lab.settings.adaptation, seed=(0, stage, "adapter"))
        training = lab.settings.stages[stage].recipe
        rows = lab.learned(phase(stage))
        trainer.train(model.train(), rows, training, seed=(0, stage))
    merged, node = handle.merge_and_unload().state_dict(), lab.model(STAGES).state_dict()
    assert merged.keys() == node.keys()
    for name, weight in node.items():
        torch.testing.assert_close(merged[name], weight, rtol=1e-6, atol=1e-8)


def ascent_and(model, reference, *betas):
    """Gradients of GA and of NPO at each β, under the mean over examples."""
    gradients = [first_gradient(model, aim=Objective(gradient_ascent, "mean"))]
    for beta in betas:
        aim = Objective(lambda p, r, n, beta=beta: npo(p, r, n, beta=beta), "mean")
        gradients.append(first_gradient(model, aim=aim, reference=reference))
    return gradients


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_ga_is_npo_at_step_0_whatever_beta(kind) -> None:
    """∇npo = 2σ(β·[log π − log π_ref]) ∇log π, and 2σ(0) = 1: a fresh adapter adds nothing, so π =
    π_ref at step 0.

    The reference is scored before there is an adapter (under QLoRA: on the same NF4 weights). A
    fresh adapter's A has the gradient 0; B is what GA and NPO move.
    """
    model = built()
    bare = copy.deepcopy(model)
    if kind == "qlora":
        nf4.quantize(bare, linear_layers(bare))
    reference, _ = logprobs.row_logprobs(bare, ROWS, pad=0)
    ascent, *preferences = ascent_and(
        adapted(kind, model, moved=False), reference, 1e-3, 0.1, 0.5, 5.0
    )
    assert float(torch.stack([part.norm() for part in ascent]).norm()) > 0.1
    for preference in preferences:
        assert_equal(preference, ascent, bound=1e-4)  # β = 5 magnifies logp's rounding


def test_npo_tends_to_ga_as_beta_tends_to_0() -> None:
    """2σ(βd) = 1 + βd/2 + O(β³) with d = log π − log π_ref, away from the reference: the difference
    halves with β.

    At β = 1 and d from −4 to 3 nats the two are far apart: the weights go from 0.04 to 1.9.
    """
    model = adapted("lora")
    reference = logprobs.row_logprobs(model, ROWS, pad=0)[0] - torch.arange(-4.0, 4.0)
    gradients = [
        torch.cat([part.flatten() for part in each])
        for each in ascent_and(model, reference, 1, 0.04, 0.02, 0.01)
    ]
    far, *near = [
        float((each - gradients[0]).norm() / gradients[0].norm()) for each in gradients[1:]
    ]
    assert far > 0.3
    assert [near[0] / near[1], near[1] / near[2]] == pytest.approx([2, 2], rel=0.01)


@pytest.mark.parametrize("reduction", ["mean", "tokens"])
@pytest.mark.parametrize(
    ("name", "constants", "weight"),
    [
        ("gradient_ascent", {}, lambda p, r, n: 1),
        ("npo", {"beta": 0.5}, lambda p, r, n: 2 / (1 + math.exp(-0.5 * (p - r)))),
        ("simnpo", {"beta": 0.2}, lambda p, r, n: 2 / (1 + math.exp(-0.2 * p))),
        (
            "simnpo_normalized",
            {"beta": 2.5, "gamma": 0.3},
            lambda p, r, n: 2 / n / (1 + math.exp(-2.5 * p / n - 0.3)),
        ),
    ],
)
def test_every_objective_weighs_the_examples_gradients(name, constants, weight, reduction) -> None:
    """∇L = Σ_i w_i ∇log π(y_i|x_i), over N under "mean", over Σ|y_i| under "tokens", w_i = dL_i/d
    logp_i by hand.
    """
    model = adapted("lora")
    logp, length = logprobs.row_logprobs(model, ROWS, pad=0)
    reference = logp - torch.arange(-4.0, 4.0)
    each = [first_gradient(model, [row], Objective(gradient_ascent, "mean")) for row in ROWS]
    over = 8 if reduction == "mean" else int(length.sum())
    weights = [
        weight(*of) / over
        for of in zip(logp.tolist(), reference.tolist(), length.tolist(), strict=True)
    ]
    expected = [
        sum(w * part for w, part in zip(weights, parts, strict=True))
        for parts in zip(*each, strict=True)
    ]
    aim = Objective(lambda *of: objective(name)(*of, **constants), reduction)
    assert_equal(first_gradient(model, aim=aim, reference=reference, micro_batch=3), expected)


@pytest.mark.parametrize("reduction", ["mean", "tokens"])
@pytest.mark.parametrize("micro_batch", [8, 3])
def test_retained_rows_add_their_weighted_likelihood(reduction, micro_batch) -> None:
    """∇L = ∇L_forget + ¾·∇L_retain, L_retain = −Σ_j log π(y_j|x_j) over as many rows, under the
    same reduction.
    """
    model, kept = adapted("lora"), [Row(row.answer, row.prompt) for row in ROWS]
    training = Recipe(lr=1e-12, batch=8, micro_batch=micro_batch)
    ascent, learn = Objective(gradient_ascent, reduction), Objective(reduction=reduction)
    parts = (first_gradient(model, ROWS, ascent), first_gradient(model, kept, learn))
    next(trainer.updates(model, ROWS, training, aim=ascent, retained=(kept, 0.75), seed=SEED))
    expected = [forget + 0.75 * retain for forget, retain in zip(*parts, strict=True)]
    assert_equal([parameter.grad for parameter in trainable(model)], expected)


def caught(model, module):
    """The gradient that reaches a module's output in the first update, one forward pass of all
    rows.
    """
    outputs = []

    def keep(_, __, output):
        output.retain_grad()
        outputs.append(output)

    with module.register_forward_hook(keep):
        first_gradient(model)
    return outputs[0].grad  # (B, S, H)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_enters_at_exactly_the_answer_tokens(kind) -> None:
    """Its gradient in the last hidden states is (softmax − onehot(y_t))·W/Σ|y| before answer token
    t, else exactly 0.

    So no token of a prompt (its own format included) and no padding is a target, and no answer
    token is left out.
    """
    model = adapted(kind)
    gradient, weight = caught(model, model.model.norm), model.lm_head.weight.detach()
    for i, at in enumerate(batches(8, Recipe(lr=1, batch=8), seed=SEED)[0]):
        prompt, answer = ROWS[at]
        first, last = len(prompt) - 1, len(prompt) + len(answer) - 1
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt + answer])).logits[
                0, first:last
            ]  # (|y|, V)
        onehot = torch.nn.functional.one_hot(torch.tensor(answer), 64)
        expected = (logits.softmax(-1) - onehot) @ weight / sum(len(row.answer) for row in ROWS)
        torch.testing.assert_close(gradient[i, first:last], expected, rtol=1e-4, atol=1e-6)
        assert not gradient[i, :first].any() and not gradient[i, last:].any()
        assert gradient[i, first:last].any(dim=-1).all()


def test_what_predicts_no_answer_token_is_never_read() -> None:
    """Gradient in the embeddings: all tokens but the answer's last count; that one and the padding
    do not, exactly.
    """
    model = adapted("full")
    gradient = caught(model, model.model.embed_tokens)
    for i, at in enumerate(batches(8, Recipe(lr=1, batch=8), seed=SEED)[0]):
        read = len(ROWS[at].prompt) + len(ROWS[at].answer) - 1
        assert gradient[i, :read].any(dim=-1).all() and not gradient[i, read:].any()
