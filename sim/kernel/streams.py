"""Random numbers by name: (seed, purpose, entity) alone decide what is drawn.

A new consumer moves nobody, and two variants of a scenario share their luck (common random numbers).
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

import numpy as np

_SCALE = 2.0**-53
_HALF = 2.0**-54


class Distribution(Protocol):
    """What :meth:`Streams.draw` needs of a distribution; ``sim.scenario.distribution.Dist`` is one."""

    @property
    def fixed(self) -> float | None:
        """The value, if it is always the same."""

    @property
    def quantile(self) -> Callable[[float], float]:
        """Inverse of the cumulative distribution, for an argument in (0, 1)."""


class Streams:
    """All random streams of one run.

    Scalar draws cost one blake2b hash and keep one counter for each (purpose, entity) that was ever drawn; generators
    are for bulk draws.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ValueError(f"seed {seed} must not be negative")
        self.seed = seed
        self._purposes: dict[str, tuple[blake2b, dict[str, int]]] = {}
        """Purpose → its hash, and how often each entity has drawn."""
        self._generators: dict[tuple[str, str], np.random.Generator] = {}

    def rng(self, purpose: str, entity: str = "") -> np.random.Generator:
        """The generator of that name; the same object on every call (about 20 us to make)."""
        key = (purpose, entity)
        found = self._generators.get(key)
        if found is None:
            digest = blake2b(_name(self.seed, purpose) + entity.encode(), digest_size=32, person=b"generator").digest()
            found = np.random.Generator(np.random.PCG64(np.random.SeedSequence(int.from_bytes(digest, "little"))))
            self._generators[key] = found
        return found

    def uniform(self, purpose: str, entity: str = "") -> float:
        """The next number of that stream, uniform in the open interval (0, 1)."""
        stream = self._purposes.get(purpose)
        if stream is None:
            stream = self._purposes[purpose] = (blake2b(_name(self.seed, purpose), digest_size=8), {})
        base, counts = stream
        hasher = base.copy()
        hasher.update(entity.encode())
        count = counts[entity] = counts.get(entity, -1) + 1
        if count:
            hasher.update(b"\0" + count.to_bytes(8, "little"))
        return (int.from_bytes(hasher.digest(), "little") >> 11) * _SCALE + _HALF

    def draw(self, dist: Distribution, purpose: str, entity: str = "") -> float:
        """A value of ``dist`` from one uniform number (none is drawn for a constant)."""
        fixed = dist.fixed
        if fixed is not None:
            return fixed
        return dist.quantile(self.uniform(purpose, entity))


def _name(seed: int, purpose: str) -> bytes:
    """Seed and purpose with their lengths, so that no two names run together."""
    text = purpose.encode()
    return f"{seed}:{len(text)}:".encode() + text + b":"
