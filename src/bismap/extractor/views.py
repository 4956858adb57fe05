"""Two random views of a window of an image, every number keyed by the window's position in the sequence.

A crop of a street scene holds a bit of everything, so two crops of a whole image share the street rather than
the content. Both views are therefore taken inside one small window, about as large as what a cell sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from bismap.random import stream

ASPECT = (3 / 4, 4 / 3)
GRAY_SHARE = 0.2
BLUR_SHARE = 0.5
BLUR_SIGMA = (0.1, 1.5)
BLUR_RADIUS = 3
LUMA = (0.299, 0.587, 0.114)
_NUMBERS = 12


@dataclass(frozen=True)
class Views:
    """Parameters of 2n views; rows 2i and 2i + 1 belong to window i.

    Attributes:
        box: [2n, 4] left, top, right, bottom as fractions of the window.
        flip: [2n] mirrored or not.
        colour: [2n, 4] brightness, contrast and saturation factors, hue turn in radians.
        gray: [2n] without colour or not.
        sigma: [2n] of the Gaussian blur in pixels; 0 = none.
    """

    box: np.ndarray
    flip: np.ndarray
    colour: np.ndarray
    gray: np.ndarray
    sigma: np.ndarray


def draw_views(seed: int, positions: Sequence[int], min_area: float, jitter: float) -> Views:
    """Draw the views of the windows at ``positions`` of the training sequence.

    Args:
        min_area: smallest share of the window that a crop covers.
        jitter: strength of the colour jitter; SimCLR's s (factors 1 +- 0.8 s, hue +- 0.2 s of a turn).
    """
    u = np.stack([stream(seed, "views", position).random((2, _NUMBERS)) for position in positions])
    u = u.reshape(-1, _NUMBERS)
    turn = 2 * np.pi * 0.2 * jitter
    factors = np.maximum(1 + 0.8 * jitter * (2 * u[:, 5:8] - 1), 0)
    low, high = BLUR_SIGMA
    return Views(
        box=_boxes(u[:, :4], min_area),
        flip=u[:, 4] < 0.5,
        colour=np.column_stack([factors, turn * (2 * u[:, 8] - 1)]),
        gray=u[:, 9] < GRAY_SHARE,
        sigma=np.where(u[:, 10] < BLUR_SHARE, low + (high - low) * u[:, 11], 0.0),
    )


def render_views(windows: torch.Tensor, views: Views, crop: int) -> torch.Tensor:
    """Views uint8 [2n, 3, crop, crop] of ``windows`` uint8 [n, side, side, 3], on the windows' device."""
    images = windows.permute(0, 3, 1, 2).float().div(255).repeat_interleave(2, dim=0)
    images = _crop(images, views, crop)
    images = _jitter(images, views)
    images = _blur(images, views.sigma)
    return images.mul(255).round().to(torch.uint8)


def _boxes(u: np.ndarray, min_area: float) -> np.ndarray:
    area = min_area + (1 - min_area) * u[:, 0]
    aspect = np.exp(np.log(ASPECT[0]) + (np.log(ASPECT[1]) - np.log(ASPECT[0])) * u[:, 1])
    width = np.minimum(np.sqrt(area * aspect), 1)
    height = np.minimum(np.sqrt(area / aspect), 1)
    left, top = u[:, 2] * (1 - width), u[:, 3] * (1 - height)
    return np.column_stack([left, top, left + width, top + height])


def _crop(images: torch.Tensor, views: Views, crop: int) -> torch.Tensor:
    left, top, right, bottom = views.box.T
    theta = np.zeros((len(images), 2, 3))
    theta[:, 0, 0] = np.where(views.flip, left - right, right - left)
    theta[:, 0, 2] = left + right - 1
    theta[:, 1, 1] = bottom - top
    theta[:, 1, 2] = top + bottom - 1
    grid = F.affine_grid(_like(theta, images), [len(images), 3, crop, crop], align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _jitter(images: torch.Tensor, views: Views) -> torch.Tensor:
    brightness, contrast, saturation, hue = _like(views.colour.T[..., None, None, None], images)
    images = (images * brightness).clamp(0, 1)
    mean = _luma(images).mean((1, 2, 3), keepdim=True)
    images = (mean + contrast * (images - mean)).clamp(0, 1)
    saturation = saturation * ~torch.from_numpy(views.gray).to(images.device)[:, None, None, None]
    luma = _luma(images)
    return (luma + _turn_hue(images - luma, hue[:, 0, 0, 0]) * saturation).clamp(0, 1)


def _luma(images: torch.Tensor) -> torch.Tensor:
    return (images * _like(np.array(LUMA)[:, None, None], images)).sum(1, keepdim=True)


def _turn_hue(chroma: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    """Turn ``chroma`` [n, 3, h, w] about the grey axis (Rodrigues' formula)."""
    axis = torch.ones(3, device=chroma.device, dtype=chroma.dtype) / 3**0.5
    cross = torch.linalg.cross(axis.expand(3, 3), torch.eye(3, device=chroma.device, dtype=chroma.dtype)).T
    outer = torch.outer(axis, axis)
    cos, sin = angle.cos()[:, None, None], angle.sin()[:, None, None]
    turn = cos * torch.eye(3, device=chroma.device) + sin * cross + (1 - cos) * outer
    return torch.einsum("nij,njhw->nihw", turn, chroma)


def _blur(images: torch.Tensor, sigma: np.ndarray) -> torch.Tensor:
    offsets = np.arange(-BLUR_RADIUS, BLUR_RADIUS + 1)
    kernel = np.exp(-(offsets**2) / (2 * np.maximum(sigma, 1e-3)[:, None] ** 2))
    taps = _like(kernel / kernel.sum(1, keepdims=True), images).repeat_interleave(3, dim=0)
    flat = images.flatten(0, 1)[None]
    across, down = (BLUR_RADIUS, BLUR_RADIUS, 0, 0), (0, 0, BLUR_RADIUS, BLUR_RADIUS)
    for pad, weight in ((across, taps[:, None, None, :]), (down, taps[:, None, :, None])):
        flat = F.conv2d(F.pad(flat, pad, mode="reflect"), weight, groups=len(taps))
    return flat[0].view_as(images)


def _like(values: np.ndarray, images: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values), dtype=images.dtype, device=images.device)
