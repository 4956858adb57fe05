"""Noise for surfaces and clouds: made from a generator, smooth, and periodic where it must tile."""

from functools import cache

import numpy as np
from PIL import Image

from bismap.random import stream

TILE = 512
"""Side of the ground's noise tile, in cells."""


def _octave(generator: np.random.Generator, cells: int, size: int) -> np.ndarray:
    lattice = generator.random((cells, cells), dtype=np.float32) * 2 - 1
    # Three by three copies make the middle one periodic under the bicubic filter.
    tiled = Image.fromarray(np.tile(lattice, (3, 3)))
    box = (cells, cells, 2 * cells, 2 * cells)
    return np.asarray(tiled.resize((size, size), Image.Resampling.BICUBIC, box=box))


@cache
def ground_tile() -> np.ndarray:
    """Periodic noise about 0, float32 [TILE, TILE]: grains, blotches, stains; the same in every picture."""
    generator = stream("demo", "ground tile")
    layers = zip((16, 64, 256, 512), (0.55, 0.5, 0.4, 0.35), strict=True)
    return sum(weight * _octave(generator, cells, TILE) for cells, weight in layers)


def smooth(generator: np.random.Generator, width: int, height: int, columns: int, rows: int) -> np.ndarray:
    """Two octaves of smooth noise of ``rows`` x ``columns`` waves, in -1..1, float32 [height, width]."""
    total = np.zeros((height, width), np.float32)
    for octave, weight in ((1, 0.65), (3, 0.35)):
        shape = (max(2, rows * octave), max(2, columns * octave))
        lattice = Image.fromarray(generator.random(shape, dtype=np.float32) * 2 - 1)
        total += weight * np.asarray(lattice.resize((width, height), Image.Resampling.BICUBIC))
    return total


def scattered(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Independent noise of unit variance, float32; uniform: quicker than normal, and looks the same."""
    return (generator.random(shape, dtype=np.float32) - 0.5) * np.float32(12**0.5)
