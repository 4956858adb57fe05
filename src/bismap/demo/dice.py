"""Random choices of a scene. Only ``random()`` is drawn on, whose sequence Python guarantees for a seed."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Random choices that follow from ``seed`` alone; scalar draws are several times faster than numpy's."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def fork(self) -> "Dice":
        """Dice of its own for one object, so that its details cannot move what is drawn after it."""
        return Dice(int(self._random() * 2**53))

    def uniform(self, low: float, high: float) -> float:
        """Real number in [low, high)."""
        return low + (high - low) * self._random()

    def within(self, limits: tuple[float, float]) -> float:
        """Real number between the two limits."""
        return self.uniform(*limits)

    def around(self, centre: float, relative: float) -> float:
        """Real number within ``relative`` of ``centre``, as a share of it."""
        return centre * self.uniform(1 - relative, 1 + relative)

    def whole(self, low: int, high: int) -> int:
        """Whole number in [low, high]."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return self._random() < probability

    def sign(self) -> int:
        """-1 or 1."""
        return 1 if self._random() < 0.5 else -1

    def choice(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[int(self._random() * len(items))]

    def pick(self, weights: Mapping[T, float]) -> T:
        """One of the keys, likely in proportion to its weight."""
        left = self._random() * sum(weights.values())
        for item, weight in weights.items():
            left -= weight
            if left < 0:
                return item
        return next(reversed(weights))

    def gap(self, mean: float) -> float:
        """Exponentially distributed distance with this mean."""
        return -mean * math.log(1 - self._random())
