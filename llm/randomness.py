"""Everything random derives from (seed, purpose), never from a position in an order or from what ran before."""

import hashlib

import torch


def derived_seed(*parts: object) -> int:
    """A 63-bit seed from the parts, the same on every machine: SHA-256 of their names joined by "/"."""
    text = "/".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(*parts: object) -> torch.Generator:
    """A torch generator seeded with `derived_seed(*parts)`."""
    return torch.Generator().manual_seed(derived_seed(*parts))
