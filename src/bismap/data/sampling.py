"""Random choices keyed by what is chosen, so that they depend on no order, worker or shard."""

import numpy as np
from numpy.typing import NDArray

from bismap.random import seed64

# Constants of splitmix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators").
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def pixel_keys(seed: int, image_id: str, pixels: NDArray[np.integer]) -> NDArray[np.uint64]:
    """Random key of each pixel, uniform over 64 bits and independent between pixels, images and seeds.

    The ``n`` smallest keys of a set are a uniform sample without replacement, the same one whatever the
    order in which the pixels are met. Keys within an image never collide.

    Args:
        seed: of the experiment.
        image_id: id of the image.
        pixels: any shape, position of each pixel in its image (0-based, row-major).

    Returns:
        Keys, uint64, of the shape of ``pixels``.
    """
    # Two rounds with two hashed offsets: with one, a pair of images whose offsets differ by a small multiple
    # of the step would share a run of keys.
    first, second = (np.uint64(seed64("pixel_keys", part, seed, image_id)) for part in (1, 2))
    with np.errstate(over="ignore"):
        return _mix(_mix(pixels.astype(np.uint64) * _GOLDEN + first) ^ second)


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
