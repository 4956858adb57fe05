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


def feature_and_logit_maps(net: DeepLabV3Plus, images: Tensor, *, autocast: bool) -> tuple[Tensor, Tensor]:
    """Both maps of one pass, as :func:`feature_map` and :func:`logit_map` give them."""
    features = feature_map(net, images, autocast=autocast)
    with torch.inference_mode():
        return features, net.classifier(features)


def segment(
    net: DeepLabV3Plus, pyramid: Sequence[Tensor], size: Sequence[int], *, flip: bool, autocast: bool
) -> Tensor:
    """Most likely classes from logits averaged over scales and, if asked, mirror images (A§8.1).

    Args:
        net: network in evaluation mode.
        pyramid: the same images at one or more sizes, each uint8 ``[B, h, w, 3]``.
        size: ``(H, W)`` of the labels.
        flip: average with the mirrored images, too.
        autocast: see the module.

    Returns:
        uint8 ``[B, H, W]``, on the network's device; of equal logits the lower class wins.
    """
    maps = [logit_map(net, images, autocast=autocast) for images in pyramid]
    if flip:
        # dimension 2 is the width of [B, h, w, 3] images, dimension 3 that of [B, C, h, w] maps
        maps += [logit_map(net, images.flip(2), autocast=autocast).flip(3) for images in pyramid]
    return argmax_upsampled(maps, size)


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
def _evaluate(
    net: DeepLabV3Plus, function: Callable[[Tensor], Tensor], images: Tensor, autocast: bool
) -> Tensor:
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
        raise BismapError(
            "the network's output is not finite: its weights are damaged or its training diverged"
        )
    return result
