"""How the max log densities of the target's pixels are spread, all together and by class, and what delta keeps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bismap.plots.style import ALARM, FAINT, LEFT_OUT, MAIN, panel_grid, panel_rows
from bismap.pseudo_labels.grid import CODES, ScoreGrid
from bismap.pseudo_labels.threshold import code_of_share

TAIL = 0.005
"""Share of the pixels that may lie below the axis, and as many above it."""

BINS = 120

DELTA = "#000000"


@dataclass(frozen=True)
class Spread:
    """Histograms of all classes over the same bins.

    Attributes:
        names: of the classes, C.
        edges: ``[B + 1]`` log densities, nat; the threshold is one of them.
        pixels: ``[C, B]`` pixels by assigned class and bin.
        below: pixels under the first edge, or clipped at the grid's offset.
        above: pixels from the last edge on.
        assigned: ``[C]`` pixels assigned to a class.
        kept: ``[C]`` those of at least the threshold.
        threshold: delta, nat, as the grid has it.
    """

    names: Sequence[str]
    edges: NDArray[np.float64]
    pixels: NDArray[np.int64]
    below: int
    above: int
    assigned: NDArray[np.int64]
    kept: NDArray[np.int64]
    threshold: float

    @property
    def total(self) -> int:
        """Pixels of the target set."""
        return int(self.assigned.sum())


def least_code(threshold: Mapping[str, float], pixels: NDArray[np.int64], grid: ScoreGrid) -> int:
    """Smallest code kept, of ``pixels [CODES]``, by ``{"least": score}`` or ``{"share": s}``.

    A threshold that `pseudo_labels` refuses, since no pixel reaches it, is a place on the axis all the same: the
    histogram is what tells where it should lie.
    """
    if "share" in threshold:
        return code_of_share(pixels, threshold["share"])
    return grid.threshold_code(threshold["least"])


def spread(
    histogram: NDArray[np.int64], threshold: Mapping[str, float], grid: ScoreGrid, names: Sequence[str]
) -> Spread:
    """Coarse histograms of a fine one.

    Args:
        histogram: pixels by class and code ``[C, CODES]``, at least one pixel.
        threshold: as `pseudo_labels` takes it.
    """
    pixels = histogram.sum(0)
    code = least_code(threshold, pixels, grid)
    at_most = pixels.cumsum() / pixels.sum()
    low, high = (int(np.searchsorted(at_most, share)) for share in (TAIL, 1 - TAIL))
    low, high = min(max(low, 1), code), max(high + 1, code)
    width = -(-(high - low) // BINS) or 1
    # Bins are counted from the threshold, so that none holds both kept and other pixels.
    first, last = code - width * -(-(code - low) // width), code + width * -(-(high - code) // width)
    edges = np.arange(first, last + 1, width)
    bins = np.add.reduceat(_padded(histogram, first, last), np.arange(0, last - first, width), axis=1)
    return Spread(
        names=names,
        edges=grid.decode(edges),
        pixels=bins,
        below=int(pixels[: max(first, 0)].sum()),
        above=int(pixels[last:].sum()),
        assigned=histogram.sum(1),
        kept=histogram[:, code:].sum(1),
        threshold=float(grid.decode(code)),
    )


def _padded(histogram: NDArray[np.int64], first: int, last: int) -> NDArray[np.int64]:
    """Codes ``first`` up to ``last`` (not included), 0 where the grid has none."""
    before, behind = max(-first, 0), max(last - CODES, 0)
    return np.pad(histogram[:, max(first, 0) : last], ((0, 0), (before, behind)))


def height(found: Spread) -> float:
    """Inches of the picture."""
    return 2.6 + 1.5 * panel_rows(int((found.assigned > 0).sum())) + 0.5


def draw(figure: Figure, found: Spread) -> None:
    """All pixels above, then a panel for each class that has some."""
    present = np.flatnonzero(found.assigned)
    above, below = figure.subfigures(2, 1, height_ratios=(2.6, height(found) - 2.6))
    _draw_all(above.subplots(), found)
    for ax, trainid in zip(panel_grid(below, len(present), share_x=True), present.tolist(), strict=True):
        _draw_class(ax, found, trainid)
    below.supylabel("% of the class's pixels", fontsize=8)
    absent = [name for name, pixels in zip(found.names, found.assigned, strict=True) if not pixels]
    note = f"\nwithout a pixel: {', '.join(absent)}" if absent else ""
    below.supxlabel(f"max log density, nat{note}", fontsize=8)


def _draw_all(ax: Axes, found: Spread) -> None:
    _draw_bars(ax, found, found.pixels.sum(0), found.total)
    kept = int(found.kept.sum()) / found.total
    outside = (
        f"{found.below / found.total:.2%} of them lie left of the axis, {found.above / found.total:.2%} right of it"
    )
    ax.set_title(f"all {found.total:,} target pixels; {outside}")
    ax.set_xlabel("max log density, nat")
    ax.set_ylabel("% of all pixels")
    to_the_right = found.threshold < found.edges[[0, -1]].mean()
    ax.annotate(
        f"δ = {found.threshold:g} nat\nkeeps {kept:.1%}",
        (found.threshold, 0.97),
        xycoords=("data", "axes fraction"),
        xytext=(5 if to_the_right else -5, 0),
        textcoords="offset points",
        ha="left" if to_the_right else "right",
        va="top",
    )


def _draw_class(ax: Axes, found: Spread, trainid: int) -> None:
    assigned, kept = int(found.assigned[trainid]), int(found.kept[trainid])
    _draw_bars(ax, found, found.pixels[trainid], assigned)
    ax.set_title(found.names[trainid])
    ax.text(
        0.02,
        0.95,
        f"{_percent(assigned / found.total)} of all\n{kept / assigned:.0%} kept",
        transform=ax.transAxes,
        fontsize=7.5,
        va="top",
        color=FAINT if kept else ALARM,
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if share >= 5e-5 else "<0.01%"


def _draw_bars(ax: Axes, found: Spread, pixels: NDArray[np.int64], of: int) -> None:
    kept = found.edges[:-1] >= found.threshold
    for chosen, color in ((~kept, LEFT_OUT), (kept, MAIN)):
        ax.stairs(np.where(chosen, 100 * pixels / of, 0), found.edges, fill=True, color=color, linewidth=0)
    ax.axvline(found.threshold, color=DELTA, linewidth=1, linestyle="--")
    ax.set_xlim(found.edges[0], found.edges[-1])
