"""Category anchors: one centre a class, and how clearly a pixel belongs to the nearest (CAG-UDA; A§9).

An anchor is the mean, over the source images, of the mean correct feature of the class in an image that has at least
`MIN_FEATURES` of them. CAG-UDA takes a running mean which from 3,000 images on weighs each new one
by a 3,001st, so that it depends on their order; here all images weigh the same. Of a target pixel, d_1 and d_2 are
the Euclidean distances of its feature (upsampled as for the densities) to the nearest and the second nearest anchor: it
takes the nearest's class, and counts as active where d_2 - d_1 reaches a threshold (Eq. 1-2 of CAG-UDA).
"""

import numpy as np
import torch
from torch import Tensor

from bismap.errors import BismapError
from bismap.prototypes.class_means import MIN_FEATURES
from bismap.pseudo_labels.densities import GaussianBank, map_by_rows
from bismap.pseudo_labels.grid import ScoreGrid

# Gaps up to 32 by steps of 1/2048; of 0 the first code that is not clipped.
GAP_GRID = ScoreGrid(-1 / 2048, 1 / 2048)


def anchor_bank(anchors: np.ndarray, device: torch.device | str = "cpu") -> GaussianBank:
    """The anchors whose class has one, as log densities -d^2 / 2, for `map_by_rows`.

    Args:
        anchors: ``[C, d]``, NaN for a class without.

    Raises:
        BismapError: unless two classes have an anchor: a gap needs both.
    """
    present = np.flatnonzero(~np.isnan(anchors).any(1))
    if len(present) < 2:
        raise BismapError(
            f"category anchors: {len(present)} classes have one (from images with {MIN_FEATURES} correct features or "
            "more), and two are needed: train the model longer"
        )
    means = torch.from_numpy(anchors[present])
    return GaussianBank(
        quadratic=torch.full_like(means.T, -0.5).contiguous().to(device),
        linear=means.T.contiguous().to(device),
        constant=(-0.5 * means.square().sum(1)).to(device),
        owner=torch.from_numpy(present.astype(np.uint8)).to(device),
    )


def nearest_anchors(features: Tensor, bank: GaussianBank, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Class of the nearest anchor of every pixel, and the gap d_2 - d_1.

    Args:
        features: ``[d, h, w]``.
        bank: of `anchor_bank`, on the features' device.
        size: ``(width, height)`` of the result.

    Returns:
        Classes (trainIds), uint8 ``[height, width]``, and gaps, float32, same shape.
    """
    return map_by_rows(features, bank, size, lambda logs: _gap(logs, bank.owner))


def _gap(logs: Tensor, owner: Tensor) -> tuple[Tensor, Tensor]:
    two, places = logs.topk(2, -1)
    near, far = (-2 * two).clamp_min(0).sqrt().unbind(-1)
    return owner[places[..., 0]], (far - near).float()
