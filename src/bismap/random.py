"""Random numbers keyed by what they are for, never by the order in which they are drawn."""

import hashlib

import numpy as np


def _digest(parts: tuple[int | str, ...], size: int) -> int:
    # The type and length of each part keep ("ab", "c"), ("a", "bc") and (1,), ("1",) apart.
    text = "".join(f"{type(part).__name__}:{len(str(part))}:{part};" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "little")


def seed64(*parts: int | str) -> int:
    """Seed in [0, 2**63) that depends on every part and on nothing else."""
    return _digest(parts, 8) >> 1


def stream(*parts: int | str) -> np.random.Generator:
    """Independent random generator for this key: equal parts give equal numbers on every machine."""
    return np.random.Generator(np.random.Philox(key=_digest(parts, 16)))
