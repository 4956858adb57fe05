"""Images as the networks take them: float, channels first in shape, channels last in memory."""

import torch
from torch import Tensor

from bismap.errors import BismapError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def to_unit(images: Tensor, device: torch.device | str) -> Tensor:
    """8-bit RGB images as floats in [0, 1]: what SimCLR networks take (A§6: no mean, no deviation).

    Args:
        images: uint8 ``[B, H, W, 3]`` (as images are read) or ``[B, 3, H, W]``.
        device: where the result lies; the images travel there as bytes.

    Returns:
        float32 ``[B, 3, H, W]``, channels last in memory.

    Raises:
        BismapError: if the images are not 8-bit RGB.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or 3 not in (images.shape[1], images.shape[-1]):
        raise BismapError(
            f"images: expected uint8 [B, H, W, 3] or [B, 3, H, W], got {images.dtype} {list(images.shape)}"
        )
    if images.shape[-1] == 3:
        images = images.permute(0, 3, 1, 2)
    images = images.to(device, non_blocking=True)
    return images.to(torch.float32, memory_format=torch.channels_last).div_(255)


def normalize(images: Tensor, device: torch.device | str) -> Tensor:
    """8-bit RGB images with ImageNet's mean and deviation: what the segmentation network takes (A§2.3).

    Args and errors as in :func:`to_unit`.

    Returns:
        float32 ``[B, 3, H, W]``, channels last in memory.
    """
    unit = to_unit(images, device)
    return unit.sub_(_per_channel(IMAGENET_MEAN, unit)).div_(_per_channel(IMAGENET_STD, unit))


def _per_channel(values: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)
