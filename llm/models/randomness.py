"""Everything random derives from (seed, purpose), never from a position in an order or the past."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from the parts, alike everywhere: SHA-256 of their names joined by "/"."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A torch generator seeded with `derived_seed(*parts)`."""
    return torch.Generator().manual_seed(derived_seed(*parts))


@contextmanager
def seeded(device: torch.device | str, *parts: object) -> Iterator[None]:
    """Inside, torch's own generators are seeded with `derived_seed(*parts)`.

    These are the CPU's and, on CUDA, the device's; on exit both are as they were before. The
    generators of other devices are never touched.
    """
    where, seed = torch.device(device), derived_seed(*parts)
    on_cuda = where.type == "cuda"
    with torch.random.fork_rng(devices=[where] if on_cuda else [], device_type="cuda"):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed every GPU as well
        if on_cuda:
            with torch.cuda.device(where):
                torch.cuda.manual_seed(seed)
        yield
