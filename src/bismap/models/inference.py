"""Evaluation passes of a network over batches of 8-bit images, shared by every stage that reads a model.

On CUDA the convolutions run in the precision asked for; a CPU computes in float32 whatever was asked. Results
are float32 either way. Memory is that of one forward pass and a few planes of the image's size.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bismap.errors import BismapError
from bismap.models.inputs import normalize
from bismap.models.network import DeepLabV3Plus, upsample

PRECISIONS = {"fp32": None, "fp16": torch.float16, "bf16": torch.bfloat16}


def feature_map(net: DeepLabV3Plus, images: Tensor, precision: str) -> Tensor:
    """Features at stride 4: uint8 ``[B, H, W, 3]`` -> float32 ``[B, feature_dim, ceil(H/4), ceil(W/4)]``.

    Args:
        net: in evaluation mode.
        images: as read, not normalised.
        precision: one of PRECISIONS.

    Raises:
        BismapError: if the network is in training mode, its output is not finite, or the precision is unknown.
    """
    return _evaluate(net, lambda x: (net.features(x),), images, precision)[0]


def logit_map(net: nn.Module, images: Tensor, precision: str) -> Tensor:
    """Logits at stride 4: uint8 ``[B, H, W, 3]`` -> float32 ``[B, classes, ceil(H/4), ceil(W/4)]``.

    Args and errors as in :func:`feature_map`; any network of normalised images will do.
    """
    return _evaluate(net, lambda x: (net(x),), images, precision)[0]


def features_and_logits(net: DeepLabV3Plus, images: Tensor, precision: str) -> tuple[Tensor, Tensor]:
    """:func:`feature_map` and :func:`logit_map` of one pass."""

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        features = net.features(x)
        return features, net.classifier(features)

    features, logits = _evaluate(net, both, images, precision)
    return features, logits


@torch.inference_mode()
def greatest_upsampled(maps: Sequence[Tensor], size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Class of greatest mean over maps, each upsampled bilinearly (corners aligned) to ``size``, and that mean.

    Goes class by class, so that no ``[B, C, H, W]`` tensor exists.

    Args:
        maps: one or more scores ``[B, C, h, w]``; their sizes may differ.
        size: ``(H, W)``.

    Returns:
        uint8 and float32, both ``[B, H, W]``; the lower class wins ties.
    """
    best = _mean_plane(maps, 0, size)
    winner = torch.zeros_like(best, dtype=torch.uint8)
    for label in range(1, maps[0].shape[1]):
        plane = _mean_plane(maps, label, size)
        winner = torch.where(plane > best, label, winner)
        best = torch.maximum(best, plane)
    return winner, best


def _mean_plane(maps: Sequence[Tensor], label: int, size: Sequence[int]) -> Tensor:
    total = upsample(maps[0][:, label : label + 1], size)
    for scores in maps[1:]:
        total += upsample(scores[:, label : label + 1], size)
    return total[:, 0] / len(maps)


@torch.inference_mode()
def _evaluate(
    net: nn.Module, function: Callable[[Tensor], tuple[Tensor, ...]], images: Tensor, precision: str
) -> tuple[Tensor, ...]:
    if net.training:
        raise BismapError("inference: the network is in training mode; call eval() first")
    if precision not in PRECISIONS:
        raise BismapError(f"unknown precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    device = next(net.parameters()).device
    x = normalize(images, device)
    if PRECISIONS[precision] is not None and device.type == "cuda":
        with torch.autocast("cuda", PRECISIONS[precision]):
            maps = tuple(part.float() for part in function(x))
        if _finite(maps):
            return maps
        # fp16 ends at 65504, which a network can exceed: such a batch is done again in float32
    maps = function(x)
    if not _finite(maps):
        raise BismapError("the network's output is not finite: its weights are damaged or its training diverged")
    return maps


def _finite(maps: Sequence[Tensor]) -> bool:
    return all(bool(part.isfinite().all()) for part in maps)
