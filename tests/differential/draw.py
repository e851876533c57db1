"""Chance with a seed: choices, and chances that are on or off for a whole sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Draw:
    """One stream of chance. The same words of a seed draw the same."""

    def __init__(self, *seed: int) -> None:
        self._rng = np.random.default_rng(np.random.SeedSequence(seed))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self._rng.random() < probability)

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self._rng.integers(low, high + 1))

    def one(self, choices: Sequence[T]) -> T:
        """One of them, all alike."""
        return choices[int(self._rng.integers(len(choices)))]

    def weighted(self, choices: dict[T, float]) -> T:
        """One of the keys, by weight."""
        names = list(choices)
        weights = np.array([choices[name] for name in names], dtype=float)
        return names[int(self._rng.choice(len(names), p=weights / weights.sum()))]

    def some(self, choices: Sequence[T], probability: float) -> list[T]:
        """Each of them with this probability, in their order."""
        return [one for one in choices if self.chance(probability)]

    def shuffled(self, choices: Sequence[T]) -> list[T]:
        """All of them in another order."""
        return [choices[int(i)] for i in self._rng.permutation(len(choices))]
