"""Most confident class of every pixel, as the assignments `softmax` and `ias` take it.

The probability is the softmax at the logits' resolution, upsampled bilinearly with corners aligned, as the model's
predictions are made (A§7).
"""

import numpy as np
import torch
from torch import Tensor

from bismap.models.inference import greatest_upsampled
from bismap.pseudo_labels.grid import ScoreGrid

# Probabilities by steps of 2^-16; 1 becomes the last code, 1 - 2^-16. The greatest of C is at least 1 / C.
CONFIDENCE_GRID = ScoreGrid(0.0, 2.0**-16)


@torch.inference_mode()
def most_confident_classes(logits: Tensor, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Class of greatest probability of each pixel, and that probability.

    Args:
        logits: ``[C, h, w]``.
        size: ``(width, height)`` of the result.

    Returns:
        Classes (trainIds), uint8 ``[height, width]``, and probabilities, float32, same shape.
    """
    classes, confidence = greatest_upsampled([logits[None].softmax(1)], size[::-1])
    return classes[0].cpu().numpy(), confidence[0].cpu().numpy()
