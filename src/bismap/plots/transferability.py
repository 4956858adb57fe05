"""How the source pixels' weights are spread, by class (STM)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_gray8, resize_label
from bismap.errors import BismapError
from bismap.plots.style import MAIN, panel_grid, panel_rows, remark

LEVELS = 256
BINS = 32


def count_weights(dataset: Dataset, items: Sequence[Item], maps: Mapping[str, Path], threads: int) -> NDArray[np.int64]:
    """Source pixels by class and stored weight ``[C, LEVELS]``; unlabelled ones are not counted.

    Raises:
        BismapError: if an image has no map, or a map or label is damaged.
    """
    if missing := [item.id for item in items if item.id not in maps]:
        raise BismapError(
            f"plot_transferability: {len(missing)} of {len(items)} source images have no transferability map, "
            f"{missing[0]} first; run `transferability` again"
        )

    def count(item: Item) -> NDArray[np.int64]:
        weights = read_gray8(maps[item.id])
        label = resize_label(dataset.read_label(item), weights.shape[::-1])
        joint = label.astype(np.int64) * LEVELS + weights
        return np.bincount(joint.ravel(), minlength=256 * LEVELS).reshape(256, LEVELS)

    total = np.zeros((256, LEVELS), np.int64)
    for counts in map_ahead(count, items, threads):
        total += counts
    return total[: len(dataset.classes)]


def binned(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """``[..., LEVELS]`` pixels -> ``[..., BINS]`` percent of them; NaN without pixels."""
    bins = counts.reshape(*counts.shape[:-1], BINS, LEVELS // BINS).sum(-1)
    total = counts.sum(-1, keepdims=True)
    return np.divide(100 * bins, total, out=np.full(bins.shape, np.nan), where=total > 0)


def mean_weight(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of value / 255 over the pixels counted in ``[..., LEVELS]``; NaN without pixels."""
    total = counts.sum(-1)
    sums = counts @ (np.arange(LEVELS) / (LEVELS - 1))
    return np.divide(sums, total, out=np.full(total.shape, np.nan), where=total > 0)


def height(counts: NDArray[np.int64]) -> float:
    """Inches of the picture."""
    return 1.55 * panel_rows(1 + int(counts.any(1).sum())) + 0.6


def draw(figure: Figure, counts: NDArray[np.int64], names: Sequence[str]) -> None:
    """A panel for all labelled pixels, and one for each class that has some."""
    present = np.flatnonzero(counts.any(1)).tolist()
    axes = panel_grid(figure, 1 + len(present), share_x=True)
    _draw_histogram(axes[0], counts.sum(0), "all labelled pixels", 1.0)
    for ax, trainid in zip(axes[1:], present, strict=True):
        _draw_histogram(ax, counts[trainid], names[trainid], counts[trainid].sum() / counts.sum())
    absent = [name for trainid, name in enumerate(names) if trainid not in present]
    note = f"\nwithout a labelled pixel: {', '.join(absent)}" if absent else ""
    figure.supxlabel(f"weight of a source pixel in the loss, 0 to 1{note}", fontsize=8)
    figure.supylabel("% of the class's pixels", fontsize=8)


def _draw_histogram(ax: Axes, counts: NDArray[np.int64], title: str, share: float) -> None:
    edges = np.arange(BINS + 1) / BINS
    ax.stairs(binned(counts), edges, fill=True, color=MAIN, linewidth=0)
    mean = float(mean_weight(counts))
    ax.axvline(mean, color="black", linewidth=1, linestyle="--")
    ax.set_xlim(0, 1)
    ax.set_ylim(0)
    ax.set_title(title)
    lines = [f"mean {mean:.2f}", f"{counts[-1] / counts.sum():.0%} at 1"]
    remark(ax, lines if share == 1 else [f"{share:.2%} of all", *lines], x=0.97 if mean < 0.5 else 0.03)
