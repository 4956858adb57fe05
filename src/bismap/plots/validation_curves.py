"""IoU of each class over a training: what stands in its validation.csv, a panel a class beside the mean of all."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from bismap.errors import BismapError
from bismap.plots.style import FAINT, LEFT_OUT, MAIN, panel_grid, panel_rows
from bismap.plots.tables import number, read_rows

Curves = Mapping[str, NDArray[np.float64]]


def read_validation(path: Path) -> Curves:
    """Columns of validation.csv: ``step``, ``miou`` and IoU of each class that the truth has, in percent.

    Raises:
        BismapError: if the file is not such a table, or there is none: the training measured no IoU.
    """
    if not path.exists():
        raise BismapError(f"{path}: the run was trained without `settings.training.validate_every`")
    rows = read_rows(path, ("step", "miou"), "train")
    there = [name for name in rows[0] if name == "step" or any(row[name] for row in rows)]
    if "miou" not in there:
        raise BismapError(f"{path}: the truth has no pixel of any class")
    columns = {name: np.array([number(row, name, path) for row in rows]) for name in there}
    return {name: values if name == "step" else 100 * values for name, values in columns.items()}


def height(curves: Curves) -> float:
    """Inches of the picture."""
    return 1.7 * panel_rows(len(curves) - 1) + 0.4


def draw(figure: Figure, curves: Curves, measured: str) -> None:
    """A panel for the mean, then one a class with the mean faint behind it; all have the same axes.

    Args:
        measured: what the IoUs are of, for the axis.
    """
    steps, mean = curves["step"], curves["miou"]
    names = [name for name in curves if name != "step"]
    top = min(100.0, 1.1 * max(curves[name].max() for name in names) + 1)
    dots = {"marker": "." if len(steps) <= 40 else None, "markersize": 4, "clip_on": False}
    for ax, name in zip(panel_grid(figure, len(names), share_x=True), names, strict=True):
        if name != "miou":
            ax.plot(steps, mean, color=LEFT_OUT, **dots)
        ax.plot(steps, curves[name], color=MAIN, **dots)
        ax.set_title("mean of the classes" if name == "miou" else name)
        ax.set_title(f"last {curves[name][-1]:.1f}", loc="right", fontsize=7.5, color=FAINT, fontweight="normal")
        ax.set_xlim(0, steps[-1])
        ax.set_ylim(0, top)
    figure.supylabel(f"IoU on {measured}, %", fontsize=8, color=FAINT)
    figure.supxlabel("optimiser step – grey: mean of the classes", fontsize=8, color=FAINT)
