"""Sampled tokens: from softmax(logits / T) and nothing else, right for every kind of model,
whatever the batch.
"""

import contextlib
import weakref
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import architectures
import numpy as np
import pytest
import torch
from greedy import greedy, sampling_is_greedy
from scipy import stats
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    LlamaConfig,
    PreTrainedModel,
)

from llm.measuring import batches, decoding, sampling
from llm.measuring.sampling import Sampling
from llm.models import loading
from protocol import notices
from protocol.errors import InputError

V = 60
PROMPTS = [
    [7, 8, 9],
    [5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
    [20, 21],
    [20, 30, 40, 50, 10],
]
SMALL = {
    "vocab_size": V,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
OLD = {"vocab_size": V, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 64}
PLAIN = {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
# Attention with positions of three kinds, no cache, and states; many more in test_architectures.
MODELS: dict[str, dict[str, object]] = {
    "llama": SMALL,
    "gpt2": OLD,
    "openai-gpt": OLD,  # no cache
    # positions out of the mask
    "bloom": {"vocab_size": V, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    "mamba": {"vocab_size": V, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
    "recurrent_gemma": PLAIN
    | {
        "num_hidden_layers": 3,
        "intermediate_size": 48,
        "lru_width": 32,
        "head_dim": 8,
        "attention_window_size": 8,
    },
    "rwkv": {
        "vocab_size": V,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "attention_hidden_size": 32,
        "intermediate_size": 48,
        "context_length": 64,
    },
}
# Padding enters the state of RecurrentGemma; RWKV's states of a batch mix after the first sampled
# token.
COMPANY = {"recurrent_gemma": "of equal length", "rwkv": "none"}


def tiny(kind: str = "llama", **changes: object) -> PreTrainedModel:
    """A random model with weights of size 0.3, whose predictions differ between tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(
            AutoConfig.for_model(kind, **(MODELS[kind] | changes))
        )
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.data.normal_(0, 0.3)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return tiny()


def drawn(model: PreTrainedModel, prompts=PROMPTS, **changes: object) -> list[tuple[int, ...]]:
    how = replace(Sampling(3, temperature=0.7, max_tokens=8, seed=(0, "test")), **changes)
    return sampling.sample_tokens(model, [2], prompts, how)


@pytest.mark.parametrize("kind", MODELS)
def test_sampling_at_a_temperature_near_0_is_greedy_decoding(kind: str) -> None:
    """Prompts of 2 to 16 tokens in one call, against a plain forward pass without padding and cache
    for each token.
    """
    model = tiny(kind)
    assert sampling_is_greedy(model, [2], PROMPTS)
    assert len({greedy(model, prompt, [2], steps=6) for prompt in PROMPTS}) > 1, (
        "a test that can fail"
    )


@pytest.mark.parametrize("kind", MODELS)
def test_prompts_share_a_batch_unless_others_change_their_predictions(kind: str, caplog) -> None:
    """If they do, batches of equal length, or single prompts, give what each prompt gives alone; a
    notice says so.
    """
    notices.reset()
    company = sampling._company(tiny(kind), PROMPTS, pad=2)
    assert company == COMPANY.get(kind, "any")
    changed = "sampling: other prompts in a batch change this model's predictions; "
    said = {
        "of equal length": [changed + "only prompts of equal length are sampled together"],
        "none": [changed + "prompts are sampled one by one"],
    }
    assert [record.getMessage() for record in caplog.records] == said.get(company, [])


def test_padding_that_is_not_masked_would_be_found_out() -> None:
    """The state-space model with its mask taken away: what the check is there for."""
    model = tiny("mamba")
    whole = model.forward
    model.forward = lambda *parts, attention_mask=None, **rest: whole(*parts, **rest)  # noqa: PLW0108
    assert not decoding.is_undisturbed(model, PROMPTS[2], [5] * 16, pad=2)


# One unusual value for every field; those that say what to return or how to compute are in
# KEPT_OUT.
UNUSUAL: dict[str, object] = {
    "max_length": 3,
    "max_new_tokens": 2,
    "min_length": 40,
    "min_new_tokens": 8,
    "early_stopping": True,
    "max_time": 1e-9,
    "do_sample": True,
    "num_beams": 2,
    "use_cache": False,
    "temperature": 5.0,
    "top_k": 1,
    "top_p": 0.01,
    "min_p": 0.9,
    "top_h": 0.1,
    "typical_p": 0.01,
    "epsilon_cutoff": 0.5,
    "eta_cutoff": 0.5,
    "repetition_penalty": 9.0,
    "encoder_repetition_penalty": 9.0,
    "length_penalty": 3.0,
    "no_repeat_ngram_size": 1,
    "bad_words_ids": [[i] for i in range(3, 40)],
    "renormalize_logits": True,
    "forced_bos_token_id": 7,
    "forced_eos_token_id": 9,
    "remove_invalid_values": True,
    "exponential_decay_length_penalty": (0, 9.0),
    "suppress_tokens": list(range(3, 40)),
    "begin_suppress_tokens": list(range(3, 40)),
    "sequence_bias": [[[50], 50.0]],
    "token_healing": True,
    "guidance_scale": 3.0,
    "watermarking_config": {"bias": 50.0, "greenlist_ratio": 0.1},
    "num_return_sequences": 2,
    "output_attentions": True,
    "output_hidden_states": True,
    "output_scores": True,
    "output_logits": True,
    "return_dict_in_generate": True,
    "pad_token_id": 11,
    "bos_token_id": 12,
    "eos_token_id": [13, 20, 21],
    "encoder_no_repeat_ngram_size": 1,
    "decoder_start_token_id": 14,
    "is_assistant": True,
    "num_assistant_tokens": 3,
    "num_assistant_tokens_schedule": "heuristic",
    "assistant_confidence_threshold": 0.9,
    "prompt_lookup_num_tokens": 3,
    "max_matching_ngram_size": 1,
    "assistant_early_exit": 1,
    "assistant_lookbehind": 3,
    "target_lookbehind": 3,
    "assistant_ensemble_weight": 0.5,
    "speculation_type": "self_speculative",
    "disable_compile": True,
    "low_memory": True,
    "penalty_alpha": 0.6,
    "dola_layers": "low",
    "diversity_penalty": 0.5,
    "num_beam_groups": 2,
    "constraints": [1],
    "force_words_ids": [[7]],
    "prefill_chunk_size": 1,
    "stop_strings": ["a"],
    "cache_implementation": "static",
    "cache_config": {"a": 1},
    "max_cache_len": 40,
    "use_mtp": True,
}
NOT_SET = {
    "_from_model_config",
    "transformers_version",
    "compile_config",
    "continuous_batching_config",
}
LEAKED = [  # fields that reached the samples while the model's own generation_config was filled in
    "repetition_penalty",
    "no_repeat_ngram_size",
    "bad_words_ids",
    "suppress_tokens",
    "begin_suppress_tokens",
    "sequence_bias",
    "forced_eos_token_id",
]


def with_fields(**fields: object) -> GenerationConfig:
    config = GenerationConfig()
    for name, value in fields.items():
        setattr(config, name, value)
    return config


def test_every_field_of_a_generation_config_has_an_unusual_value_here() -> None:
    assert set(vars(GenerationConfig())) == set(UNUSUAL) | NOT_SET


@pytest.mark.parametrize("name", [*UNUSUAL, "all"])
def test_no_field_of_the_checkpoints_generation_config_reaches_the_samples(
    model, monkeypatch, name: str
) -> None:
    own = with_fields(**(UNUSUAL if name == "all" else {name: UNUSUAL[name]}))
    expected = drawn(model, samples=2)
    monkeypatch.setattr(model, "generation_config", own)
    assert drawn(model, samples=2) == expected
    assert model.generation_config is own, "and is there again afterwards"


@pytest.mark.parametrize("name", LEAKED)
def test_without_the_neutral_config_these_fields_would_reach_the_samples(
    model, monkeypatch, name: str
) -> None:
    """So the test above can fail."""
    expected = drawn(model, samples=2)
    monkeypatch.setattr(decoding, "neutral", contextlib.nullcontext)
    monkeypatch.setattr(model, "generation_config", with_fields(**{name: UNUSUAL[name]}))
    assert drawn(model, samples=2) != expected


def test_the_generation_config_is_restored_after_an_error(model, monkeypatch) -> None:
    own = model.generation_config
    with pytest.raises(ZeroDivisionError), decoding.neutral(model):
        raise ZeroDivisionError
    assert model.generation_config is own


def test_generate_code_and_settings_of_a_folder_never_run(model, tmp_path: Path) -> None:
    """A folder with its own generate function and with settings in both files: its samples are the
    plain model's.
    """
    loading.save(model, tmp_path)
    code = tmp_path / "custom_generate"
    code.mkdir()
    (code / "generate.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w')\ndef generate(*a, **k): return 1/0\n"
    )
    (tmp_path / "generation_config.json").write_text(
        '{"repetition_penalty": 9.0, "suppress_tokens": [20, 21, 22]}'
    )
    assert drawn(loading.load(tmp_path)) == drawn(model)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("temperature", [0.7, 2.0])
def test_the_first_two_tokens_have_the_frequencies_of_softmax_at_the_temperature(
    model, temperature: float
) -> None:
    """χ² of 20,000 first tokens, and of the tokens that follow the commonest first one, each
    against softmax(logits/T) of a plain forward pass. Under the right distribution the statistic is
    above its quantile in 1 of 10⁶ seeds; at another temperature it is far above.
    """
    count, prompt = 20_000, [7, 8, 9]
    produced = decoding.draw(
        model,
        [prompt] * count,
        torch.rand(count, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64),
        temperature=temperature,
        ends=(),
        pad=0,
    )

    def statistic(tokens: list[int], before: list[int], at: float) -> tuple[float, int]:
        with torch.no_grad():
            logits = model(torch.tensor([before])).logits[0, -1].double()
        expected = torch.softmax(logits / at, dim=-1).numpy() * len(tokens)
        observed, rare = np.bincount(tokens, minlength=V), expected < 5
        pairs = [
            *zip(observed[~rare], expected[~rare], strict=True),
            (observed[rare].sum(), expected[rare].sum()),
        ]
        cells = [(o, e) for o, e in pairs if e > 0]
        return sum((o - e) ** 2 / e for o, e in cells), len(cells) - 1

    first = [tokens[0] for tokens in produced]
    common = int(np.bincount(first).argmax())
    second = [tokens[1] for tokens in produced if tokens[0] == common]
    for tokens, before in ((first, prompt), (second, [*prompt, common])):
        found, freedom = statistic(tokens, before, temperature)
        assert freedom >= 5
        limit = stats.chi2.ppf(1 - 1e-6, freedom)
        assert found < limit
        assert statistic(tokens, before, 1.0)[0] > 5 * limit, (
            "another temperature would be found out"
        )


def test_a_token_is_the_first_whose_cumulated_probability_exceeds_the_number() -> None:
    """Probabilities .5, 0, .3, .2: [0, .5) is token 0, [.5, .8) token 2, [.8, 1) token 3; a token
    of probability 0 is never taken. At temperature 1/2 the squares .25, .09, .04 make .658, .237,
    .105.
    """
    logits = torch.tensor([0.5, 0.0, 0.3, 0.2]).log()

    def chosen(number: float, temperature: float) -> int:
        choose = decoding.InverseTransform(
            torch.tensor([[0.0, number]], dtype=torch.float64), width=3, temperature=temperature
        )
        scores = choose(
            torch.zeros(1, 4, dtype=torch.long), logits[None]
        )  # three columns of prompt, one sampled
        assert torch.isfinite(scores).sum() == 1
        return int(scores.argmax())

    last = 1 - 2.0**-53
    assert [chosen(u, 1.0) for u in (0.0, 0.49, 0.51, 0.79, 0.81, last)] == [0, 0, 2, 2, 3, 3]
    assert [chosen(u, 0.5) for u in (0.65, 0.66, 0.89, 0.9)] == [0, 2, 2, 3]


@pytest.mark.parametrize("broken", [torch.nan, torch.inf])
def test_logits_that_are_not_finite_are_one_line(model, monkeypatch, broken: float) -> None:
    whole = model.forward

    def forward(*parts, **named):
        out = whole(*parts, **named)
        out.logits[..., 3] = broken
        return out

    monkeypatch.setattr(model, "forward", forward)
    with pytest.raises(InputError) as raised:
        drawn(model, [[7, 8]], samples=1)
    assert str(raised.value) == (
        "model: expected finite logits; got nan or inf at sampled token 1: lower the learning rate"
    )


@pytest.mark.parametrize("most", [1, 3])
def test_answers_depend_neither_on_the_batch_nor_on_the_order_of_prompts(
    model, monkeypatch, most: int
) -> None:
    whole = drawn(model)  # all 12 in one batch
    monkeypatch.setattr(batches, "budget", lambda model: most)
    monkeypatch.setattr(batches, "sequence_bytes", lambda model, **_: 1)
    assert drawn(model) == whole
    turned = drawn(model, PROMPTS[::-1])
    assert [turned[i : i + 3] for i in (9, 6, 3, 0)] == [whole[i : i + 3] for i in (0, 3, 6, 9)]
    assert len(set(whole)) == 12, "every sample has numbers of its own"


def test_fewer_samples_and_fewer_tokens_are_the_beginning_of_more(model) -> None:
    whole = drawn(model)
    assert drawn(model, samples=1) == whole[::3]
    assert drawn(model, max_tokens=4) == [tokens[:4] for tokens in whole]


def test_a_prompt_asked_twice_gets_other_answers(model) -> None:
    twice = drawn(model, [PROMPTS[0], PROMPTS[0]])
    assert twice[:3] == drawn(model, [PROMPTS[0]])
    assert twice[:3] != twice[3:]


def test_sequences_end_with_their_first_end_token(model) -> None:
    """Two ends; what a batch appends to a finished sequence is not part of it."""
    how = Sampling(20, temperature=3.0, max_tokens=12, seed=(0,))
    produced = sampling.sample_tokens(model, [20, 47], PROMPTS, how)
    ended = [tokens for tokens in produced if {20, 47} & set(tokens)]
    assert {tokens[-1] for tokens in ended} == {20, 47}
    assert not any({20, 47} & set(tokens[:-1]) for tokens in produced)
    assert all(len(tokens) == 12 for tokens in produced if tokens not in ended)


def batched(lengths: list[int], room: int, *, equal: bool = False, work=None) -> list[list[int]]:
    """Batches as lengths; a sequence takes as many bytes as it is long."""
    made: list[list[int]] = []

    def record(part: list[int]) -> list[int]:
        if work is not None:
            work(part)
        made.append([lengths[i] for i in part])
        return part

    assert batches.in_batches(lengths, record, fits=lambda width: room // width, equal=equal) == [
        *range(len(lengths))
    ]
    return made


def test_batches_hold_what_fits_the_longest_first_and_results_come_in_their_own_order() -> None:
    """Room for 20: two of 10, then three of at most 6; a sequence longer than the room is alone."""
    assert batched([5, 10, 6, 10, 2, 4, 3, 30], 20) == [[30], [10, 10], [6, 5, 4], [3, 2]]
    assert batched([5, 10, 5, 10, 5, 10], 20, equal=True) == [[10, 10], [10], [5, 5, 5]]


ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    torch.cuda.OutOfMemoryError("CUDA out of memory"),
    MemoryError(),
    RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
    RuntimeError(
        "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    ),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
]


@pytest.fixture
def no_collection(monkeypatch) -> None:
    """Half a second a time, and nothing to collect here."""
    monkeypatch.setattr(batches.gc, "collect", int)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error}"[:40])
def test_out_of_memory_halves_the_batch_and_says_so(caplog, error: Exception) -> None:
    """At most two at a time succeed: 8, 4, then 2; once found, the limit stays."""
    notices.reset()

    def work(part: list[int]) -> None:
        if len(part) > 2:
            raise error

    assert batched([1] * 8, 100, work=work) == [[1, 1]] * 4
    assert [record.getMessage() for record in caplog.records] == [
        f"sampling: memory is out with {n} sequences at a time; going on with {n // 2}"
        for n in (8, 4)
    ]


def test_the_allocator_of_the_cpu_says_it_so() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60, dtype=torch.uint8)
    assert batches.is_exhaustion(raised.value)


@pytest.mark.usefixtures("no_collection")
def test_out_of_memory_while_sampling_changes_no_answer(model, monkeypatch) -> None:
    whole, draw = drawn(model), decoding.draw

    def scarce(model, prompts, *parts, **named):
        if len(prompts) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return draw(model, prompts, *parts, **named)

    monkeypatch.setattr(decoding, "draw", scarce)
    assert drawn(model) == whole


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("place", ["draw", "is_undisturbed"])
def test_out_of_memory_at_one_sequence_is_one_line(model, monkeypatch, place: str) -> None:
    def none(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(decoding, place, none)
    with pytest.raises(InputError) as raised:
        drawn(model)
    assert str(raised.value) == (
        "model: expected memory for one sequence with a prompt of 16 tokens; it is out: take a "
        "smaller model, shorter "
        "prompts or fewer probes.max-tokens"
    )


def test_the_memory_of_a_failed_batch_is_given_back_before_the_next() -> None:
    """The error of a failed batch holds its frames and their tensors: when the next begins, it is
    gone.
    """
    failed: list[weakref.ref] = []

    def work(part: list[int]) -> None:
        if failed:
            assert failed[-1]() is None
        held = torch.empty(10)
        failed.append(weakref.ref(held))
        if len(part) > 1:
            raise MemoryError

    assert batched([1, 1], 10, work=work) == [[1], [1]]
    assert len(failed) == 3


def test_other_errors_are_not_taken_for_missing_memory() -> None:
    def work(part: list[int]) -> None:
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes do not match"):
        batched([1, 1], 10, work=work)


@pytest.mark.parametrize(
    "kind", ["llama", "mistral", "gemma2", "gpt2", "gpt_neox", "opt", "bloom", "deepseek_v3"]
)
def test_the_cache_takes_no_more_than_was_reckoned(kind: str) -> None:
    """Against the bytes of the model's own cache after five tokens, fewer than its window."""
    model = architectures.built(kind)
    with torch.no_grad():
        cache = model(torch.arange(3, 8)[None], use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert held <= 5 * batches.cache_bytes(model)
    if (
        kind != "deepseek_v3"
    ):  # which keeps the compressed vectors, and expands them to what is reckoned
        assert held == 5 * batches.cache_bytes(model)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        # Llama 3.2 1B: 16 layers · 8 heads · (64 + 64) · 2 bytes; Llama 2 13B: 40 · 40 · (128 +
        # 128) · 2
        (
            {
                "num_hidden_layers": 16,
                "hidden_size": 2048,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
            },
            32_768,
        ),
        (
            {
                "num_hidden_layers": 40,
                "hidden_size": 5120,
                "num_attention_heads": 40,
                "num_key_value_heads": 40,
            },
            819_200,
        ),
    ],
)
def test_bytes_of_a_token_of_real_models(sizes: dict[str, int], expected: int) -> None:
    assert (
        batches.cache_bytes(SimpleNamespace(config=LlamaConfig(**sizes), dtype=torch.bfloat16))
        == expected
    )


def test_sums_of_the_paper_fit_the_device_in_batches(monkeypatch) -> None:
    """1,319 questions of 300 tokens, 5 samples of 512 tokens, a Llama 2 13B in bfloat16 on 80 GiB:
    half of what 24 GiB of weights leave is 28 GiB; a sequence takes 812 · 819,200 bytes of cache
    (0.62 GiB), so about 44 fit, not 6,595.
    """
    config = LlamaConfig(
        num_hidden_layers=40,
        hidden_size=5120,
        intermediate_size=13824,
        num_attention_heads=40,
        num_key_value_heads=40,
        vocab_size=32000,
    )

    def forward(input_ids, logits_to_keep=0):
        return input_ids

    weights = [SimpleNamespace(nbytes=24 * 2**30)]
    big = SimpleNamespace(
        config=config,
        dtype=torch.bfloat16,
        device=torch.device("cuda:0"),
        parameters=lambda: weights,
        forward=forward,
    )
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1, 80 * 2**30))
    one = batches.sequence_bytes(big, width=300, steps=512)
    assert 812 * 819_200 < one < 1.2 * 812 * 819_200
    assert batches.budget(big) == 28 * 2**30
    assert 36 <= batches.budget(big) // one <= 44


def test_the_budget_of_the_cpu_is_the_same_on_every_machine(model) -> None:
    assert batches.budget(model) == 2 * 2**30
