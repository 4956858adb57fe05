"""Learning curves of a training: what stands in its metrics.csv, a panel a column."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from numpy.typing import NDArray

from bismap.plots.style import FAINT, MAIN, panel_grid, panel_rows, remark
from bismap.plots.tables import number, read_rows

TITLES = {
    "loss": ("loss, all terms weighted", "nat"),
    "source_ce": ("source cross-entropy", "nat"),
    "target_ce": ("target cross-entropy", "nat"),
    "target_rce": ("target reverse cross-entropy", "nat"),
    "consistency": ("consistency, unweighted", "nat"),
    "distillation": ("distillation, unweighted", "nat"),
    "lr": ("learning rate of the backbone", ""),
    "ema_distance": ("student to mean teacher", "relative distance"),
    "unlabelled_crops": ("crops without a label", "crops a value"),
}
"""Title and unit of the columns; one that is not here is drawn under its own name."""

COLUMNS = 4

SMOOTHED = 0.05
"""Share of the rows that the smoothed line is a mean of."""

WIDE = 20.0
"""From this ratio of the greatest to the least value on, the axis is logarithmic."""

Curves = Mapping[str, NDArray[np.float64]]


def read_curves(path: Path) -> Curves:
    """Columns of metrics.csv, ``step`` among them; a count that is 0 throughout is left out.

    Raises:
        BismapError: if the file is not such a table.
    """
    rows = read_rows(path, ("step", "lr", "loss"), "train")
    curves = {name: np.array([number(row, name, path) for row in rows]) for name in rows[0]}
    return {name: values for name, values in curves.items() if name != "unlabelled_crops" or values.any()}


def window_of(rows: int) -> int:
    """Odd number of rows that a point of the smoothed line is the mean of; 1 is none."""
    return 2 * int(SMOOTHED * rows / 2) + 1


def smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Centred running mean over ``window`` (odd) values; at the ends over those there are. Shape as ``values``."""
    ones = np.ones(window)
    return np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")


def is_wide(values: NDArray[np.float64]) -> bool:
    """True if a logarithmic axis shows more of the values than a linear one."""
    return bool(values.min() > 0 and values.max() >= WIDE * values.min())


def height(curves: Curves) -> float:
    """Inches of the picture."""
    return 2.5 * panel_rows(len(curves) - 1, COLUMNS) + 0.4


def draw(figure: Figure, curves: Curves) -> None:
    """A panel a column: the rows as they are, and above `1 / SMOOTHED` rows or so, faint below their running mean."""
    steps = curves["step"]
    names = sorted((name for name in curves if name != "step"), key=_place)
    window = window_of(len(steps))
    for ax, name in zip(panel_grid(figure, len(names), COLUMNS), names, strict=True):
        _draw_column(ax, steps, curves[name], name, 1 if name == "lr" else window)
    between = int(steps[1] - steps[0]) if len(steps) > 1 else int(steps[0])
    of_mean = f"; strong: running mean over {window} of them" if window > 1 else ""
    figure.supxlabel(f"optimiser step – each value is the mean over {between} steps{of_mean}", fontsize=8, color=FAINT)


def _place(name: str) -> tuple[int, str]:
    order = list(TITLES)
    return (order.index(name) if name in order else order.index("lr"), name)


def _draw_column(ax: Axes, steps: NDArray[np.float64], values: NDArray[np.float64], name: str, window: int) -> None:
    title, unit = TITLES.get(name, (name, ""))
    if window > 1:
        ax.plot(steps, values, color=MAIN, alpha=0.3, linewidth=0.8)
    ax.plot(steps, smoothed(values, window), color=MAIN, marker="." if len(steps) <= 40 else None, markersize=4)
    if name != "lr" and is_wide(values):
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        low, high = ax.get_ylim()
        ax.set_ylim(min(0, low) if values.min() < 0 else 0, high)
    ax.set_xlim(0, steps[-1])
    ax.set_title(title)
    ax.set_ylabel(unit)
    remark(ax, [f"last {values[-1]:.3g}"])
