"""Embedded features of several runs side by side; misclassified ones stand out by colour, outline and size."""

import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bismap.inspect.figures.embedding import Embedding
from bismap.inspect.figures.saving import DPI, FAINT, INK, SMALL, TITLE

SIDE = 3.4  # of a panel, inches
GAP, HEAD, FOOT, LINE, MARGIN = 0.1, 0.2, 0.42, 0.11, 0.05  # inches
LETTERS = 64  # in a line below a panel

# Okabe and Ito's palette, which the colour-blind can tell apart; its vermillion is kept for what is misclassified.
COLORS = ("#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#F0E442", "#999999")
MARKERS = ("o", "^", "s", "D", "v", "P")
WRONG = "#D55E00"
RIGHT_SIZE, WRONG_SIZE = 2.6, 3.2  # points


def draw_embeddings(embeddings: Mapping[str, Embedding], classes: Mapping[int, str]) -> Figure:
    """A panel for each run.

    Args:
        embeddings: by run.
        classes: trainId -> name, at most as many as there are markers.
    """
    below = {run: textwrap.fill(wrong_shares(own, classes), LETTERS) for run, own in embeddings.items()}
    foot = FOOT + LINE * max(text.count("\n") for text in below.values())
    width = len(embeddings) * (SIDE + GAP) - GAP + 2 * MARGIN
    height = HEAD + SIDE + foot
    figure = Figure(figsize=(width, height), dpi=DPI)
    for place, (run, embedding) in enumerate(embeddings.items()):
        left = MARGIN + place * (SIDE + GAP)
        axes = figure.add_axes((left / width, foot / height, SIDE / width, SIDE / height))
        _draw(axes, embedding, list(classes))
        axes.set_title(run, size=TITLE, color=INK, pad=3)
        axes.set_xlabel(below[run], size=SMALL, color=INK, labelpad=3)
    figure.legend(
        handles=[*(_handle(place, name) for place, name in enumerate(classes.values())), _wrong_handle()],
        loc="lower center",
        bbox_to_anchor=(0.5, 0.02),
        ncols=len(classes) + 1,
        fontsize=SMALL,
        labelcolor=INK,
        frameon=False,
        borderpad=0,
        handletextpad=0.2,
        columnspacing=1.4,
    )
    return figure


def wrong_shares(embedding: Embedding, classes: Mapping[int, str]) -> str:
    """How much of each class is misclassified, in words."""
    wrong = embedding.misclassified
    shares = [f"{name} {100 * wrong[embedding.labels == label].mean():.0f} %" for label, name in classes.items()]
    return f"misclassified: {', '.join(shares)}"


def _draw(axes: Axes, embedding: Embedding, labels: Sequence[int]) -> None:
    wrong = embedding.misclassified
    for missed in (False, True):  # what is misclassified lies on top
        for place, label in enumerate(labels):
            chosen = (embedding.labels == label) & (wrong == missed)
            axes.plot(*embedding.places[chosen].T, **_style(place, missed))
    axes.set(xticks=[], yticks=[])
    axes.margins(0.03)
    axes.spines[:].set(color=FAINT, linewidth=0.5)


def _style(place: int, missed: bool) -> dict:
    style = {"linestyle": "none", "marker": MARKERS[place], "markeredgewidth": 0.35}
    if missed:
        return style | {"color": WRONG, "markeredgecolor": "black", "markersize": WRONG_SIZE, "zorder": 3}
    return style | {"color": COLORS[place], "markeredgecolor": "white", "markersize": RIGHT_SIZE, "zorder": 2}


def _handle(place: int, name: str) -> Line2D:
    return Line2D([], [], label=name, **(_style(place, False) | {"markersize": 5}))


def _wrong_handle() -> Line2D:
    return Line2D([], [], label="misclassified (shape: true class)", **(_style(0, True) | {"markersize": 5}))
