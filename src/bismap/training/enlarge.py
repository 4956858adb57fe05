"""Logits brought to the size of the crop, as two matrix products."""

from collections.abc import Sequence
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor


def enlarge(logits: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear upsampling with aligned corners ``[B, C, h, w]`` -> ``[B, C, *size]``, float32.

    The same function as `bismap.models.network.upsample` up to rounding (A§14.2). As a product its gradient is
    one too: the same at every call on a GPU, where the gradient of torch's interpolation sums in an order of
    its own, and half the time with its loss on a CPU.
    """
    rows, columns = (_weights(old, new, logits.device) for old, new in zip(logits.shape[2:], size, strict=True))
    return rows @ (logits.float().contiguous() @ columns.T)


@lru_cache(maxsize=8)
def _weights(old: int, new: int, device: torch.device) -> Tensor:
    """``[new, old]``: row ``i`` holds what each old sample contributes to new sample ``i``."""
    unit = torch.eye(old, device=device)[None]
    return F.interpolate(unit, size=new, mode="linear", align_corners=True)[0].T.contiguous()
