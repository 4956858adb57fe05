"""Mixtures of a run's classes: how EM went, what the components weigh, and which class is nearest to each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from bismap.errors import BismapError
from bismap.plots.style import ALARM, FAINT, INK, MAIN, matrix, panel_grid, panel_rows, remark
from bismap.plots.tables import count, number, read_rows
from bismap.prototypes.mixtures import CLASSES, Mixture, Mixtures, load_mixtures, polynomials


@dataclass(frozen=True)
class ClassFit:
    """A class that has prototypes.

    Attributes:
        trainid: of the class.
        name: of the class.
        samples: features that the mixture was fitted to.
        converged: EM stopped by its tolerance, not by the step limit.
        trace: mean log-likelihood (nat a feature) after 0, 1, ... EM steps, ``[steps + 1]``.
        weights: of the components, greatest first, ``[K]``.
    """

    trainid: int
    name: str
    samples: int
    converged: bool
    trace: NDArray[np.float64]
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class Neighbours:
    """Nearest other class of each prototype, by density at the component's mean.

    Attributes:
        shares: ``[C, C]``, share of the mixture of class ``row`` (sum of weights) whose means are densest, of all other
            classes, in class ``column``; rows of classes without prototypes, and all with a single class, are 0.
        margins: ``[C]`` least log density (nat) of a component's mean in its own class less that in the nearest other;
            not above 0: that prototype lies within another class. NaN where there is none.
    """

    shares: NDArray[np.float64]
    margins: NDArray[np.float64]


def read_fits(folder: Path, mixtures: Mixtures) -> tuple[list[ClassFit], list[str]]:
    """Classes that have prototypes, and the names of those that have none.

    Raises:
        BismapError: if a table is missing or does not fit the mixtures.
    """
    table = folder / "traces.csv"
    traces: dict[int, list[float]] = {}
    for row in read_rows(table, ("class", "step", "mean_log_likelihood"), "source_prototypes"):
        traces.setdefault(count(row, "class", table), []).append(number(row, "mean_log_likelihood", table))
    fits, absent = [], []
    columns = ("class", "name", "samples", "converged", "status")
    for row in read_rows(folder / CLASSES, columns, "source_prototypes"):
        trainid, samples = (count(row, name, folder / CLASSES) for name in ("class", "samples"))
        if row["status"] == "absent":
            absent.append(row["name"])
            continue
        if trainid not in traces:
            raise BismapError(f"{table}: no row of class {row['name']}; run `source_prototypes` again")
        weights = np.sort(mixtures.weights[trainid].numpy())[::-1]
        converged = row["converged"] == "1"
        fits.append(ClassFit(trainid, row["name"], samples, converged, np.array(traces[trainid]), weights))
    return fits, absent


def log_density(mixture: Mixture, points: torch.Tensor) -> torch.Tensor:
    """Log density (nat) of a class's mixture at points ``[n, d]`` float64 -> ``[n]`` (Eq. 4-5)."""
    constant, linear, quadratic = polynomials(mixture)
    return torch.logsumexp(constant + points @ linear.T + points.square() @ quadratic.T, 1)


def neighbours(mixtures: Mixtures) -> Neighbours:
    """Nearest other class of every component."""
    classes = len(mixtures)
    shares, margins = np.zeros((classes, classes)), np.full(classes, np.nan)
    present = [trainid for trainid in range(classes) if mixtures.weights[trainid] is not None]
    if len(present) < 2:
        return Neighbours(shares, margins)
    for trainid in present:
        own = mixtures[trainid]
        others = [other for other in present if other != trainid]
        elsewhere = torch.stack([log_density(mixtures[other], own.means) for other in others], 1)
        greatest, nearest = elsewhere.max(1)
        margins[trainid] = float((log_density(own, own.means) - greatest).min())
        np.add.at(shares[trainid], np.array(others)[nearest.numpy()], own.weights.numpy())
    return Neighbours(shares, margins)


@dataclass(frozen=True)
class Fitted:
    """All that the picture shows of a run's mixtures."""

    fits: Sequence[ClassFit]
    absent: Sequence[str]
    neighbours: Neighbours


def read_fitted(folder: Path) -> Fitted:
    """What a `source_prototypes` folder holds.

    Raises:
        BismapError: if a file is missing or damaged.
    """
    mixtures = load_mixtures(folder)
    fits, absent = read_fits(folder, mixtures)
    return Fitted(fits, absent, neighbours(mixtures))


def heights(fitted: Fitted) -> tuple[float, float]:
    """Inches of the traces, and of the two tables below them."""
    return 1.55 * panel_rows(len(fitted.fits)) + 0.6, 0.24 * len(fitted.fits) + 1.6


def draw(figure: Figure, fitted: Fitted) -> None:
    """EM traces class by class; below them weights, and nearest classes with margins."""
    above, below = figure.subfigures(2, 1, height_ratios=heights(fitted))
    for ax, fit in zip(panel_grid(above, len(fitted.fits)), fitted.fits, strict=True):
        _draw_trace(ax, fit)
    above.supxlabel("EM step", fontsize=8)
    above.supylabel("mean log-likelihood, nat a feature (without step 0)", fontsize=8)
    left, right = below.subplots(1, 2, width_ratios=(1, 2.2))
    _draw_weights(left, fitted)
    _draw_neighbours(right, fitted)


def _draw_trace(ax: Axes, fit: ClassFit) -> None:
    # Step 0 is K-Means with unit variances, so far below the others that these would be one flat line.
    ax.plot(np.arange(1, len(fit.trace)), fit.trace[1:], color=MAIN, marker=".", markersize=3)
    ax.set_title(fit.name)
    ax.margins(y=0.1)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    lines = [f"{fit.samples:,} features", f"{len(fit.weights)} components", f"ends at {fit.trace[-1]:.1f} nat"]
    remark(ax, lines, y=0.05)
    if not fit.converged:
        ax.text(0.97, 0.5, "step limit reached", transform=ax.transAxes, fontsize=7.5, color=ALARM, ha="right")


def _draw_weights(ax: Axes, fitted: Fitted) -> None:
    most = max(len(fit.weights) for fit in fitted.fits)
    percent = np.zeros((len(fitted.fits), most))
    for row, fit in zip(percent, fitted.fits, strict=True):
        row[: len(fit.weights)] = 100 * fit.weights
    matrix(ax, percent, [fit.name for fit in fitted.fits], range(1, most + 1), "weight of each component, %")
    ax.set_xlabel("component, heaviest first")


def _draw_neighbours(ax: Axes, fitted: Fitted) -> None:
    order = [fit.trainid for fit in fitted.fits]
    names = [fit.name for fit in fitted.fits]
    percent = 100 * fitted.neighbours.shares[np.ix_(order, order)]
    matrix(ax, percent, names, names, "nearest other class of the components, % of the class's weight")
    ax.set_xticks(ax.get_xticks(), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_ylabel("class of the component")
    ax.set_xlabel("other class with the greatest density at its mean")
    side, last = len(names) + 0.25, len(names) + 2.2
    ax.set_xlim(0, last)
    ax.text(side, -0.15, "least margin, nat", fontsize=7.5, color=FAINT)
    for place, trainid in enumerate(order):
        margin = fitted.neighbours.margins[trainid]
        text = "–" if np.isnan(margin) else f"{margin:,.1f}"
        ax.text(side, place + 0.5, text, fontsize=7.5, va="center", color=ALARM if margin <= 0 else INK)
    if fitted.absent:
        ax.figure.supxlabel(f"without prototypes: {', '.join(fitted.absent)}", fontsize=8, color=ALARM)
