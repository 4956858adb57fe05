"""What stands in a scene, as the scene's parts hand it on to be drawn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bismap.demo.dice import Dice
from bismap.demo.shadows import Caster
from bismap.demo.view import View


@dataclass(frozen=True)
class Thing:
    """Something to draw.

    Attributes:
        depth: distance in metres that orders the drawing; a facade counts at its far end, so that what stands
            before it is drawn later.
        draw: draws it; its dice are its own.
        caster: its shadow, or None.
    """

    depth: float
    draw: Callable[[View, Dice], None]
    caster: Caster | None = None


def places(dice: Dice, rate: float, start: float, end: float) -> Iterator[float]:
    """Random distances between ``start`` and ``end``, on average ``rate`` in 100 m."""
    if rate <= 0:
        return
    z = start + dice.gap(100 / rate)
    while z < end:
        yield z
        z += dice.gap(100 / rate)
