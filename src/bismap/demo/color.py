"""Colours as three numbers in 0..255, before the photometry of the domain."""

from bismap.demo.dice import Dice

Color = tuple[float, float, float]

GLASS: Color = (52, 62, 72)
BLACK: Color = (22, 22, 24)
RUBBER: Color = (28, 28, 30)
STEEL: Color = (120, 122, 124)
WHITE: Color = (226, 226, 222)


def shaded(color: Color, factor: float) -> Color:
    """The colour under ``factor`` times the light."""
    return (color[0] * factor, color[1] * factor, color[2] * factor)


def mixed(first: Color, second: Color, share: float) -> Color:
    """``share`` of the second colour, the rest of the first."""
    keep = 1 - share
    return (
        first[0] * keep + second[0] * share,
        first[1] * keep + second[1] * share,
        first[2] * keep + second[2] * share,
    )


def varied(dice: Dice, color: Color, light: float = 0.1, tint: float = 6.0) -> Color:
    """A colour near this one: brighter or darker by the share ``light``, each channel moved by ``tint``."""
    factor = dice.uniform(1 - light, 1 + light)
    return (
        color[0] * factor + dice.uniform(-tint, tint),
        color[1] * factor + dice.uniform(-tint, tint),
        color[2] * factor + dice.uniform(-tint, tint),
    )
