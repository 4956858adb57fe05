"""Quality of pseudo-labels against the share of pixels they label, an assignment a line, a region a column."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from bismap.plots.style import FAINT, LINES
from bismap.plots.tables import number, read_rows

MEASURES = {"accuracy": "accuracy of the labels, %", "miou": "mean IoU, %"}
REGIONS = {
    "all": "all pixels",
    "head": "head classes (90 % of the pixels)",
    "tail": "tail classes (the others)",
    "border": "near a border of classes",
}
_CIRCLE = {"marker": "o", "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 1.6}
_COLUMNS = ("setting", "share", "region", "labelled_share", *MEASURES)


@dataclass(frozen=True)
class LabelCurve:
    """One assignment's curve in one region, P points from few labels to many.

    Attributes:
        setting: ``[P]`` least score, or IAST's alpha.
        labelled: ``[P]`` share of the region's pixels that have a label.
        quality: ``[P]`` by measure; NaN where nothing is labelled.
    """

    setting: NDArray[np.float64]
    labelled: NDArray[np.float64]
    quality: Mapping[str, NDArray[np.float64]]


def read_label_curve(path: Path) -> dict[str, LabelCurve]:
    """Curve of each region of a `pseudo_label_curve` table.

    Raises:
        BismapError: if the file is not such a table.
    """
    rows = read_rows(path, _COLUMNS, "pseudo_label_curve")

    def column(region: str, name: str) -> NDArray[np.float64]:
        return np.array([number(row, name, path) for row in rows if row["region"] == region])

    return {
        region: LabelCurve(
            column(region, "setting"),
            column(region, "labelled_share"),
            {measure: column(region, measure) for measure in MEASURES},
        )
        for region in dict.fromkeys(row["region"] for row in rows)
    }


def chosen_point(curve: LabelCurve, chosen: Mapping[str, float], measure: str) -> tuple[float, float]:
    """Labelled share and quality at the configured threshold, linear between two points of the curve.

    Args:
        chosen: ``{"share": s}``, where the P points keep 1/P, 2/P, ... of the target's pixels, or ``{"setting": v}``.

    Returns:
        NaN for both where the curve does not reach so far.
    """
    points = np.arange(len(curve.setting), dtype=float)
    if "share" in chosen:
        place = chosen["share"] * len(points) - 1
    else:
        order = np.argsort(curve.setting, kind="stable")
        place = np.interp(chosen["setting"], curve.setting[order], points[order], left=np.nan, right=np.nan)
    ends = {"left": np.nan, "right": np.nan}
    labelled = np.interp(place, points, curve.labelled, **ends)
    return float(labelled), float(np.interp(place, points, curve.quality[measure], **ends))


def draw(figure: Figure, curves: Mapping[str, Mapping[str, LabelCurve]], chosen: Mapping[str, Mapping]) -> None:
    """A row a measure, a column a region.

    Args:
        curves: by assignment and region.
        chosen: by assignment, as `chosen_point` takes it.
    """
    regions = list(next(iter(curves.values())))
    grid = figure.subplots(len(MEASURES), len(regions), squeeze=False, sharex=True, sharey="row")
    for axes, (measure, title) in zip(grid, MEASURES.items(), strict=True):
        axes[0].set_ylabel(title)
        for ax, region in zip(axes, regions, strict=True):
            for color, (assignment, of_region) in zip(LINES, curves.items(), strict=False):
                _draw_line(ax, of_region[region], chosen[assignment], measure, color, assignment)
        axes[0].set_ylim(bottom=0)
    for ax, region in zip(grid[0], regions, strict=True):
        ax.set_title(REGIONS.get(region, region))
    grid[0, 0].set_xlim(0, 100)
    for ax in grid[-1]:
        ax.set_xlabel("pixels of the region that are labelled, %")
    lines, _ = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles=[
            *lines,
            Line2D([], [], color=FAINT, linestyle="", label="threshold as configured, if the curve has it", **_CIRCLE),
        ],
        loc="outside upper left",
        ncols=len(lines) + 1,
    )


def _draw_line(ax: Axes, curve: LabelCurve, chosen: Mapping[str, float], measure: str, color: str, label: str) -> None:
    quality = curve.quality[measure]
    ax.plot(100 * curve.labelled, 100 * quality, color=color, marker=".", markersize=3.5, label=label, clip_on=False)
    x, y = chosen_point(curve, chosen, measure)
    ax.plot(100 * x, 100 * y, color=color, clip_on=False, **_CIRCLE)
