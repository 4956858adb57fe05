"""Dilation of a backbone's last layer, which keeps it at stride 16."""

from collections.abc import Sequence

from torch import nn

MULTI_GRID = (1, 2, 4)  # A§2.1; multiplies the base dilation 2


def dilate(blocks: Sequence[Sequence[nn.Conv2d]]) -> None:
    """Give the 3x3 convolutions of layer4's blocks the dilations 2, 4, 8: a multi-grid at base 2 (A§2.1)."""
    for convolutions, grid in zip(blocks, MULTI_GRID, strict=False):
        for convolution in convolutions:
            convolution.dilation = convolution.padding = (2 * grid, 2 * grid)
