"""Evaluation passes of a network over batches of 8-bit images, shared by every stage that reads a model.

On CUDA, ``autocast`` runs the convolutions in fp16 as the method does for features (A§3); on the CPU it
changes nothing. Results are float32 either way. Memory is that of one forward pass and a few planes of the
image's size.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bismap.errors import BismapError
from bismap.models.inputs import normalize
from bismap.models.network import DeepLabV3Plus, upsample


def feature_map(net: DeepLabV3Plus, images: Tensor, *, autocast: bool) -> Tensor:
    """Features at stride 4: uint8 ``[B, H, W, 3]`` -> float32 ``[B, feature_dim, ceil(H/4), ceil(W/4)]``.

    Raises:
        BismapError: if the network is in training mode or its output is not finite.
    """
    return _evaluate(net, net.features, images, autocast)


def logit_map(net: DeepLabV3Plus, images: Tensor, *, autocast: bool) -> Tensor:
    """Logits at stride 4: uint8 ``[B, H, W, 3]`` -> float32 ``[B, classes, ceil(H/4), ceil(W/4)]``.

    Raises:
        BismapError: as in :func:`feature_map`.
    """
    return _evaluate(net, net.forward, images, autocast)


@torch.inference_mode()
def argmax_upsampled(maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Classes of greatest mean over maps, each upsampled bilinearly (corners aligned) to ``size``.

    Goes class by class, so that no ``[B, C, H, W]`` tensor exists.

    Args:
        maps: one or more scores ``[B, C, h, w]``; their sizes may differ.
        size: ``(H, W)``.

    Returns:
        uint8 ``[B, H, W]``; the lower class wins ties.
    """
    best = _mean_plane(maps, 0, size)
    winner = torch.zeros_like(best, dtype=torch.uint8)
    for label in range(1, maps[0].shape[1]):
        plane = _mean_plane(maps, label, size)
        winner = torch.where(plane > best, label, winner)
        best = torch.maximum(best, plane)
    return winner


def _mean_plane(maps: Sequence[Tensor], label: int, size: Sequence[int]) -> Tensor:
    total = upsample(maps[0][:, label : label + 1], size)
    for scores in maps[1:]:
        total += upsample(scores[:, label : label + 1], size)
    return total[:, 0] / len(maps)


@torch.inference_mode()
def _evaluate(net: DeepLabV3Plus, function: Callable[[Tensor], Tensor], images: Tensor, autocast: bool) -> Tensor:
    if net.training:
        raise BismapError("inference: the network is in training mode; call eval() first")
    device = next(net.parameters()).device
    x = normalize(images, device)
    if autocast and device.type == "cuda":
        with torch.autocast("cuda", torch.float16):
            result = function(x).float()
        if torch.isfinite(result).all():
            return result
        # fp16 ends at 65504, which an untrained network can exceed: such a batch is done again in float32
    result = function(x)
    if not torch.isfinite(result).all():
        raise BismapError("the network's output is not finite: its weights are damaged or its training diverged")
    return result
