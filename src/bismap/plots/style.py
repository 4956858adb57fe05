"""How all plots look, and how they are written: the same bytes from the same numbers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, FAINT, GRID = "#222222", "#6f6f6f", "#e4e4e4"
MAIN, LEFT_OUT, ALARM = "#0072b2", "#c3cdd4", "#d55e00"
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")
"""Okabe and Ito's colours, which the colour-blind tell apart; `MAIN` and `ALARM` are two of them."""

SHADES = "Blues"
WIDTH = 12.0
"""Inches of every figure."""

PANEL_COLUMNS = 5

_STYLE = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "Helvetica"],  # text is laid out by the first
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "figure.titlesize": 11,
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "bismap",
}


@contextmanager
def svg(path: Path, height: float) -> Iterator[Figure]:
    """A figure of `WIDTH` by ``height`` inches to draw on, written to ``path`` at the end; no matplotlibrc is read."""
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        yield figure
        figure.savefig(path, format="svg", metadata={"Date": None})


def panel_rows(panels: int, columns: int = PANEL_COLUMNS) -> int:
    """Rows that so many panels need."""
    return -(-panels // columns)


def panel_grid(figure: Figure, panels: int, columns: int = PANEL_COLUMNS, *, share_x: bool = False) -> list[Axes]:
    """So many axes, row by row; what is left of the last row stays empty."""
    axes = figure.subplots(panel_rows(panels, columns), columns, squeeze=False, sharex=share_x)
    for place, ax in enumerate(axes.flat):
        if place >= panels:
            ax.set_axis_off()
        elif share_x and place + columns >= panels:
            ax.xaxis.set_tick_params(labelbottom=True)
    return list(axes.flat[:panels])


def remark(ax: Axes, lines: Sequence[str], x: float = 0.97, y: float = 0.95) -> None:
    """Small text at the upper (``y`` > 0.5) or lower, right (``x`` > 0.5) or left side within the axes."""
    ax.text(
        x,
        y,
        "\n".join(lines),
        transform=ax.transAxes,
        fontsize=7.5,
        color=FAINT,
        ha="right" if x > 0.5 else "left",
        va="top" if y > 0.5 else "bottom",
        linespacing=1.35,
    )


def matrix(
    ax: Axes, percent: Sequence[Sequence[float]], rows: Sequence[str], columns: Sequence[str], title: str
) -> None:
    """A table of percentages [R, C] as shaded cells with their numbers; those that round to 0 stay empty."""
    ax.pcolormesh(percent, cmap=SHADES, vmin=0, vmax=100, edgecolors="white", linewidth=0.6)
    for y, line in enumerate(percent):
        for x, value in enumerate(line):
            if round(value):
                color = "white" if value > 55 else INK
                ax.text(x + 0.5, y + 0.5, f"{value:.0f}", ha="center", va="center", fontsize=7, color=color)
    ax.set_xticks([x + 0.5 for x in range(len(columns))], columns)
    ax.set_yticks([y + 0.5 for y in range(len(rows))], rows)
    ax.tick_params(length=0)
    ax.invert_yaxis()
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
