"""Global Photometric Alignment of one image with a reference image (Ma et al. 2021; A§1).

In Lab, the a and b planes take the reference's histograms and the lightness L goes through one gamma curve. All of
this is a function of a pixel's colour alone, so it is evaluated once per colour that occurs (some 200,000 in a
photograph of 2 million pixels), in double precision, and then looked up.
"""

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from bismap.kernels import kernel
from bismap.stylize.lab import lab_to_rgb, rgb_to_lab

MIN_LIGHTNESS = 1e-3
"""Lightness below this counts as this in the fit, where its logarithm is needed [BI #3]."""

GAMMA_TOLERANCE = 1e-9
_SCAN_STEPS = 128


@dataclass(frozen=True)
class Alignment:
    """An aligned image and how it was made; lightness means are over the strided planes that the fit sees.

    Attributes:
        image: uint8 [H, W, 3].
        gamma: exponent of the lightness curve.
        mean_source, mean_aligned, mean_reference: mean lightness in [0, 1].
    """

    image: NDArray[np.uint8]
    gamma: float
    mean_source: float
    mean_aligned: float
    mean_reference: float


def align(source: NDArray[np.uint8], reference: NDArray[np.uint8], beta: float, fit_stride: int) -> Alignment:
    """Give ``source`` the colour statistics of ``reference``.

    Args:
        source: sRGB, uint8 [H, W, 3].
        reference: sRGB, uint8 [H', W', 3]; its size is free.
        beta: weight of (gamma - 1)^2 in the objective (0.01 in the paper).
        fit_stride: the gamma fit sees every n-th pixel in both directions (16 in BiSMAP).
    """
    lightness = _fit_lightness(source, fit_stride)
    target = float(_fit_lightness(reference, fit_stride).mean())
    gamma = fit_gamma(lightness, target, beta)
    return Alignment(
        image=_recolour(source, reference, gamma),
        gamma=gamma,
        mean_source=float(lightness.mean()),
        mean_aligned=float((lightness**gamma).mean()),
        mean_reference=target,
    )


def fit_gamma(lightness: NDArray[np.float64], target_mean: float, beta: float) -> float:
    """Minimise (mean(L^gamma) - target_mean)^2 + beta (gamma - 1)^2 over gamma >= 0.

    Every stationary point lies between 1 and the gamma that meets the target mean. Above 1 the objective is
    convex there; below 1 a nearly black image can have several minima, so the derivative's sign changes are
    scanned and the deepest minimum is taken.

    Args:
        lightness: L in [0, 1], any shape; clipped to [1e-3, 1].
        target_mean: mean lightness aimed at, in [0, 1].
        beta: >= 0, pull towards gamma = 1.
    """
    log_l = np.log(np.clip(lightness.ravel(), MIN_LIGHTNESS, 1.0))

    def objective(gamma: float) -> float:
        return (np.exp(gamma * log_l).mean() - target_mean) ** 2 + beta * (gamma - 1.0) ** 2

    def slope(gamma: float) -> float:
        power = np.exp(gamma * log_l)
        pull = (power.mean() - target_mean) * (log_l * power).mean()
        return float(pull + beta * (gamma - 1.0))

    if slope(1.0) <= 0.0:
        upper = 2.0
        while slope(upper) < 0.0:
            upper *= 2.0
        return float(brentq(slope, 1.0, upper, xtol=GAMMA_TOLERANCE))
    grid = np.linspace(0.0, 1.0, _SCAN_STEPS + 1)
    slopes = [slope(gamma) for gamma in grid]
    rises = [k for k in range(_SCAN_STEPS) if slopes[k] <= 0.0 < slopes[k + 1]]
    minima = [float(brentq(slope, grid[k], grid[k + 1], xtol=GAMMA_TOLERANCE)) for k in rises]
    return min(minima, key=objective)


def match_values(
    values: NDArray[np.float64],
    counts: NDArray[np.int64],
    reference_values: NDArray[np.float64],
    reference_counts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Histogram matching as `skimage.exposure.match_histograms`, on values with multiplicities.

    Each value goes to the reference value of the same cumulative share, linearly interpolated.

    Args:
        values: [n], in any order, repetitions allowed.
        counts: [n], how many pixels have the value, > 0.
        reference_values, reference_counts: [m], the same of the reference.

    Returns:
        float64 [n], in the order of ``values``.
    """
    order = _ascending(values)
    _, shares, repeats = _cumulative(values[order], counts[order])
    reference_order = _ascending(reference_values)
    levels, level_shares, _ = _cumulative(reference_values[reference_order], reference_counts[reference_order])
    matched = np.empty(values.shape)
    matched[order] = np.repeat(np.interp(shares, level_shares, levels), repeats)
    return matched


def _ascending(values: NDArray[np.float64]) -> NDArray[np.int64]:
    """`argsort` of at most 2^24 values, to 2^-38 of their range.

    Sorting integers that carry the place in their low bits takes a quarter of the time of `numpy.argsort`.
    """
    low = values.min()
    scale = 2.0**38 / max(values.max() - low, np.finfo(float).tiny * 2.0**40)
    keys = ((values - low) * scale).astype(np.int64) << 24
    keys |= np.arange(values.size)
    keys.sort()
    return keys & 0xFFFFFF


def _cumulative(
    ranked: NDArray[np.float64], counts: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Distinct values of a sorted array, the share of pixels up to each, and how often each stands there."""
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    total = np.cumsum(counts)
    return ranked[last], total[last] / total[-1], np.diff(last, prepend=-1)


def _fit_lightness(image: NDArray[np.uint8], stride: int) -> NDArray[np.float64]:
    lightness = rgb_to_lab(image[::stride, ::stride])[..., 0] / 100.0
    return np.clip(lightness, MIN_LIGHTNESS, 1.0)


def _recolour(source: NDArray[np.uint8], reference: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    packed = _pack(source)
    colours, counts = _count(packed)
    reference_colours, reference_counts = _count(_pack(reference))
    lab = rgb_to_lab(_unpack(colours))
    reference_lab = rgb_to_lab(_unpack(reference_colours))
    lab[..., 0] = 100.0 * np.clip(lab[..., 0] / 100.0, 0.0, 1.0) ** gamma
    for plane in (1, 2):
        lab[..., plane] = match_values(lab[..., plane], counts, reference_lab[..., plane], reference_counts)
    new = _pack(lab_to_rgb(lab))
    try:
        _scratch.table[colours] = new
        return _unpack(_scratch.table.take(packed, mode="clip")).reshape(source.shape)
    finally:
        _scratch.table[colours] = 0


class _Scratch(threading.local):
    """A number for each of 2^24 colours, 0 between uses; kept per thread, as fresh pages cost more than the rest."""

    def __init__(self) -> None:
        self.table = np.zeros(1 << 24, np.uint32)


_scratch = _Scratch()


def _pack(rgb: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Each colour as one number: uint8 [..., 3] -> uint32 [n]."""
    packed = np.zeros((rgb.size // 3, 4), np.uint8)
    colours = rgb.reshape(-1, 3)
    for channel in range(3):
        packed[:, channel] = colours[:, channel]
    return packed.view("<u4").ravel()


def _unpack(packed: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Inverse of `_pack`: uint32 [n] -> uint8 [n, 3]."""
    channels = packed.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)
    rgb = np.empty((packed.size, 3), np.uint8)
    # Channel by channel: copying rows of three bytes is five times slower.
    for channel in range(3):
        rgb[:, channel] = channels[:, channel]
    return rgb


def _count(packed: NDArray[np.uint32]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Distinct colours, in the order of their first pixels, and the number of pixels of each."""
    colours = np.empty_like(packed)
    counts = np.empty(packed.size, np.int64)
    found = _tally(packed, _scratch.table, colours, counts)
    return colours[:found].copy(), counts[:found].copy()


@kernel
def _tally(packed, table, colours, counts):
    found = 0
    for colour in packed:
        if table[colour] == 0:
            colours[found] = colour
            found += 1
        table[colour] += 1
    for i in range(found):
        counts[i] = table[colours[i]]
        table[colours[i]] = 0
    return found
