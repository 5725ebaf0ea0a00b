"""Torch's own generators: seeded inside, as before outside, on the CPU and on CUDA."""

import contextlib

import pytest
import torch

from llm.models.randomness import derived_seed, seeded


def test_a_seeded_block_draws_from_its_parts_alone() -> None:
    def drawn(*parts: object) -> list[float]:
        with seeded("cpu", *parts):
            return torch.rand(3).tolist()

    first = drawn(0, "dropout")
    torch.rand(5)  # what ran before does not matter
    assert drawn(0, "dropout") == first != drawn(1, "dropout")
    assert (
        first
        == torch.rand(
            3, generator=torch.Generator().manual_seed(derived_seed(0, "dropout"))
        ).tolist()
    )


def test_the_generator_is_restored_even_after_an_error() -> None:
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded("cpu", 0):
        torch.rand(3)
        raise ZeroDivisionError
    assert torch.equal(state, torch.get_rng_state())


class FakeCuda:
    """Two devices whose state is a number; the second is the current one."""

    def __init__(self) -> None:
        self.states, self.current = [11, 22], 1

    def get_rng_state(self, device: torch.device) -> int:
        return self.states[self.index(device)]

    def set_rng_state(self, state: int, device: torch.device) -> None:
        self.states[self.index(device)] = state

    def index(self, device: torch.device) -> int:
        return self.current if device.index is None else device.index

    @contextlib.contextmanager
    def device(self, device: torch.device):
        before, self.current = self.current, self.index(device)
        yield
        self.current = before

    def manual_seed(self, seed: int) -> None:
        self.states[self.current] = seed


@pytest.mark.parametrize(
    ("device", "seeds"), [("cuda:0", (0,)), ("cuda:1", (1,)), ("cuda", (1,)), ("cpu", ())]
)
def test_only_the_named_cuda_device_is_seeded_and_then_restored(
    monkeypatch, device: str, seeds: tuple
) -> None:
    cuda = FakeCuda()
    monkeypatch.setattr(torch, "get_device_module", lambda _: cuda)
    monkeypatch.setattr(torch.cuda, "device", cuda.device)
    monkeypatch.setattr(torch.cuda, "manual_seed", cuda.manual_seed)
    monkeypatch.setattr(
        torch.cuda, "manual_seed_all", lambda seed: cuda.states.__setitem__(slice(None), [seed] * 2)
    )
    with seeded(device, "stage"):
        inside = [
            derived_seed("stage") if i in seeds else before for i, before in enumerate((11, 22))
        ]
        assert cuda.states == inside
    assert cuda.states == [11, 22]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_cuda_draws_repeat_and_the_state_is_restored() -> None:
    before = torch.cuda.get_rng_state()
    draws = []
    for _ in range(2):
        with seeded("cuda", 0):
            draws.append(torch.rand(3, device="cuda"))
    assert torch.equal(*draws)
    assert torch.equal(before, torch.cuda.get_rng_state())
