"""Gaussian mixtures with diagonal covariance: what they are, and their files.

A component's weighted log density is a polynomial of the feature,

    log(w_k N_k(x)) = constant_k + linear_k . x + quadratic_k . x^2
    linear = mean / variance,  quadratic = -1 / (2 variance),

so that all components together are matrix products. Densities are natural logs and include -(d/2) log(2 pi)
(Eq. 4-5).
"""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bismap.errors import BismapError

CLASSES = "classes.csv"


@dataclass(frozen=True)
class Mixture:
    """One class's mixture: ``weights`` [K], ``means`` and ``variances`` [K, d], all float64."""

    weights: Tensor
    means: Tensor
    variances: Tensor

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, components: Tensor) -> "Mixture":
        weights = self.weights[components]
        return Mixture(weights / weights.sum(), self.means[components], self.variances[components])


def polynomials(mixture: Mixture) -> tuple[Tensor, Tensor, Tensor]:
    """``constant [K]``, ``linear [K, d]`` and ``quadratic [K, d]`` of log(w_k N_k(x)), float64."""
    linear = mixture.means / mixture.variances
    offset = (2 * math.pi * mixture.variances).log() + mixture.means * linear
    return mixture.weights.log() - 0.5 * offset.sum(1), linear, -0.5 / mixture.variances


@dataclass(frozen=True)
class Mixtures:
    """The mixtures of C classes; None where a class is absent.

    Attributes:
        weights: C times [K_c] float64.
        means: C times [K_c, d] float64.
        variances: C times [K_c, d] float64.
    """

    weights: Sequence[Tensor | None]
    means: Sequence[Tensor | None]
    variances: Sequence[Tensor | None]

    @classmethod
    def of(cls, classes: Sequence[Mixture | None]) -> "Mixtures":
        """Collect one mixture (or None) per class."""
        return cls(*([getattr(m, name, None) for m in classes] for name in ("weights", "means", "variances")))

    def __len__(self) -> int:
        return len(self.weights)

    def __getitem__(self, trainid: int) -> Mixture | None:
        if self.weights[trainid] is None:
            return None
        return Mixture(self.weights[trainid], self.means[trainid], self.variances[trainid])


def mixture_file(folder: Path, trainid: int) -> Path:
    """Where a class's mixture lies in the folder of `source_prototypes`."""
    return folder / f"{trainid:02d}.safetensors"


def save_mixture(path: Path, mixture: Mixture) -> None:
    """Write one class's mixture as safetensors, float64."""
    save_file({name: getattr(mixture, name).cpu().contiguous() for name in _FIELDS}, path)


_FIELDS = ("weights", "means", "variances")


def load_mixture(path: Path) -> Mixture:
    """Read one class's mixture.

    Raises:
        BismapError: if the file is missing or is no mixture.
    """
    try:
        tensors = load_file(path)
        mixture = Mixture(*(tensors[name].double() for name in _FIELDS))
    except (OSError, SafetensorError, KeyError) as error:
        raise BismapError(f"{path} is no mixture ({error}); run `source_prototypes` again") from error
    if not _valid(mixture):
        raise BismapError(
            f"{path}: expected weights [K] that sum to 1, means [K, d] and positive variances [K, d], got "
            f"{[tuple(tensors[name].shape) for name in _FIELDS]}; run `source_prototypes` again"
        )
    return mixture


def _valid(mixture: Mixture) -> bool:
    weights, means, variances = mixture.weights, mixture.means, mixture.variances
    shapes_agree = weights.ndim == 1 and means.shape == variances.shape and means.shape[:1] == weights.shape
    finite = all(bool(tensor.isfinite().all()) for tensor in (weights, means, variances))
    return (
        shapes_agree
        and finite
        and bool((weights > 0).all() and (variances > 0).all())
        and abs(float(weights.sum()) - 1) < 1e-6
    )


def load_mixtures(folder: Path) -> Mixtures:
    """Read all classes of a `source_prototypes` folder; those its classes.csv calls absent are None.

    Raises:
        BismapError: if a file is missing, is no mixture, or has another feature length than the others.
    """
    try:
        with (folder / CLASSES).open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise BismapError(f"{folder / CLASSES}: {error}; run `source_prototypes` again") from error
    classes = [
        None if row["status"] == "absent" else load_mixture(mixture_file(folder, int(row["class"]))) for row in rows
    ]
    dims = {mixture.means.shape[1] for mixture in classes if mixture is not None}
    if len(dims) != 1:
        raise BismapError(f"{folder}: expected mixtures of one feature length, got lengths {sorted(dims)}")
    return Mixtures.of(classes)
