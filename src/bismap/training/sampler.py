"""Which image comes at which position of training: a pure function, so that resuming needs no state."""

from functools import lru_cache

import numpy as np

from bismap.random import stream


def image_index(seed: int, domain: str, images: int, position: int) -> int:
    """Index in ``range(images)`` of the image at ``position`` (= step * batch size + slot).

    Each run of ``images`` positions, an epoch, is a permutation of its own; a batch may span two epochs.
    """
    epoch, place = divmod(position, images)
    return int(_permutation(seed, domain, images, epoch)[place])


@lru_cache(maxsize=8)
def _permutation(seed: int, domain: str, images: int, epoch: int) -> np.ndarray:
    return stream("epoch", seed, domain, epoch).permutation(images)
