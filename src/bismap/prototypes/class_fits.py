"""One class's mixture from its gathered features, and the tables about all of them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bismap.prototypes.gmm import Fit, fit, unit_mixture
from bismap.prototypes.kmeans import kmeans_centres
from bismap.prototypes.mixtures import CLASSES


@dataclass(frozen=True)
class ClassFit:
    """What was fitted to a class: its number of ``samples``, and ``fit`` (None where there were none)."""

    samples: int
    fit: Fit | None

    @property
    def converged(self) -> bool:
        """EM stopped by its tolerance, not by the step limit; False for an absent class."""
        return self.fit is not None and self.fit.converged

    @property
    def components(self) -> int:
        """Components of the mixture; 0 for an absent class."""
        return len(self.fit.mixture) if self.fit else 0

    def status(self, components: int) -> str:
        """``absent``, ``reduced`` (fewer than the ``components`` asked for) or ``fitted``."""
        if self.fit is None:
            return "absent"
        return "reduced" if self.components < components else "fitted"


def fit_class(features: np.ndarray, settings: Mapping[str, Any], *, device: str, threads: int) -> ClassFit:
    """Fit one class (A§4): K-Means for the means, then EM.

    Args:
        features: [n, d] float16; n may be 0.
        settings: ``components``, ``covariance``, ``seed``, ``reg_covar``, ``tolerance``, ``max_steps``.
        device: where EM runs; K-Means runs on the CPU with ``threads`` threads.
    """
    if not len(features):
        return ClassFit(0, None)
    centres = kmeans_centres(features, settings["components"], seed=settings["seed"], threads=threads)
    fitted = fit(
        torch.from_numpy(features).to(device),
        unit_mixture(torch.from_numpy(centres).to(device)),
        covariance=settings["covariance"],
        reg_covar=settings["reg_covar"],
        tolerance=settings["tolerance"],
        max_steps=settings["max_steps"],
    )
    return ClassFit(len(features), fitted)


def write_tables(folder: Path, names: Sequence[str], fits: Sequence[ClassFit], components: int) -> None:
    """Write classes.csv (one row a class) and traces.csv (one row a class and EM step)."""
    with (folder / CLASSES).open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["class", "name", "samples", "components", "steps", "converged", "status"])
        for trainid, (name, done) in enumerate(zip(names, fits, strict=True)):
            steps = done.fit.steps if done.fit else 0
            row = [trainid, name, done.samples, done.components, steps, int(done.converged)]
            table.writerow([*row, done.status(components)])
    with (folder / "traces.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["class", "step", "mean_log_likelihood"])
        for trainid, done in enumerate(fits):
            for step, value in enumerate(done.fit.trace if done.fit else ()):
                table.writerow([trainid, step, f"{value:.6f}"])
