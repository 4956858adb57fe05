"""Viridis, for maps of numbers in [0, 1] drawn without a plotting library."""

import numpy as np
from numpy.typing import NDArray

# Viridis (CC0) at 20 equally spaced places; linear in between.
_ANCHORS = np.array(
    [
        (68, 1, 84),
        (72, 21, 103),
        (72, 38, 119),
        (69, 55, 129),
        (64, 71, 136),
        (57, 86, 140),
        (51, 99, 141),
        (45, 112, 142),
        (40, 125, 142),
        (35, 138, 141),
        (31, 150, 139),
        (32, 163, 135),
        (41, 175, 127),
        (60, 187, 117),
        (86, 198, 103),
        (115, 208, 85),
        (149, 216, 64),
        (184, 222, 41),
        (220, 227, 25),
        (253, 231, 37),
    ],
    float,
)


def _table() -> NDArray[np.uint8]:
    places = np.linspace(0, len(_ANCHORS) - 1, 256)
    channels = [np.interp(places, np.arange(len(_ANCHORS)), _ANCHORS[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=1)).astype(np.uint8)


VIRIDIS = _table()


def colorize(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colour an 8-bit map (255 = 1): uint8 [H, W] -> uint8 [H, W, 3]."""
    return VIRIDIS[values]
