"""Scores of target images, whatever they are."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from bismap.data.dataset import Item
from bismap.extractor.images import read_ahead
from bismap.pseudo_labels.files import ScoreWriter

Classify = Callable[[Tensor], tuple[np.ndarray, np.ndarray]]
"""From an image, uint8 ``[1, H, W, 3]``, to class and score of each pixel ``[H, W]``."""


@torch.inference_mode()
def score_images(
    writer: ScoreWriter, items: Sequence[Item], size: tuple[int, int], threads: int, classify: Classify
) -> None:
    """Write class map and scores of each item's image, read at ``size`` (width, height), and the tables."""
    images = read_ahead([item.image for item in items], size, threads)
    for item, image in zip(items, images, strict=True):
        writer.add(item.id, *classify(torch.from_numpy(image)[None]))
    writer.close()
