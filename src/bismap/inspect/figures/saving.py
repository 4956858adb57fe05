"""Figures as PNG and SVG whose bytes depend on nothing but what is drawn."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

DPI = 400
"""Pixels of the PNG per inch."""

TITLE, SMALL = 7.5, 6.5
"""Sizes of letters, points."""

INK, FAINT = "#191919", "#737373"


def save_figure(figure: Figure, folder: Path) -> None:
    """Write ``figure.png`` and ``figure.svg`` into a folder."""
    FigureCanvasAgg(figure).print_png(folder / "figure.png", metadata={"Software": None})
    # Ids within an SVG are random, letters are outlines, its date and program are written, unless told otherwise.
    with rc_context({"svg.hashsalt": "bismap", "svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(folder / "figure.svg", metadata={"Date": None, "Creator": None})
