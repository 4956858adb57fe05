"""Gaussian mixtures with diagonal covariance: their files, and log densities by matrix products.

A component's weighted log density is a polynomial of the feature,

    log(w_k N_k(x)) = constant_k + linear_k . x - half_precision_k . x^2
    linear = mean / variance,  half_precision = 1 / (2 variance),

so that all components together are one matrix product. In float32 its terms may cancel: a near-constant
channel with mean 0.3 and the variance floor 1e-6 has terms of 45,000 nat which differ by a few. The sum over
channels of mean^2 / variance bounds what cancels; a component where it exceeds ``STIFF`` needs float64. A dead
channel (mean exactly 0, as ReLU makes it) adds nothing to that sum and stays exact in float32, which is why
features are not centred. EM takes float32 where it can; log densities, which are asked for far from every
mean too, where a float32 sum of 256 terms errs by 1e-6 of its value, are evaluated in float64. They are
natural logs and include -(d/2) log(2 pi) (Eq. 4-5).
"""

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from bismap.errors import BismapError

CLASSES = "classes.csv"

# Float32 products of 1e4 nat err by about 6e-8 * 1e4 = 0.6 mnat a rounding: inside 0.01 nat after summation.
STIFF = 1e4

# Rows evaluated at once: on the CPU their moments stay in the L2 cache, on a GPU they fill it.
CHUNK_ROWS = {"cpu": 2048, "cuda": 1 << 16}


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

    @property
    def stiff(self) -> Tensor:
        """bool [K]: components whose float32 terms cancel by more than a density's tolerance."""
        return (self.means.square() / self.variances).sum(1) > STIFF


@dataclass(frozen=True)
class Components:
    """What a matrix product needs of C mixtures, each padded to the same number K of components.

    Attributes:
        linear: [C, K, d] float64, mean / variance; 0 in padding.
        half_precision: [C, K, d] float64, 1 / (2 variance); 0 in padding.
        constant: [C, K] float64; -inf in padding, so that an absent class has density 0.
    """

    linear: Tensor
    half_precision: Tensor
    constant: Tensor

    @classmethod
    def of(cls, mixtures: Sequence[Mixture | None], device: torch.device | str) -> "Components":
        """Pack ``mixtures`` (None = absent class).

        Raises:
            BismapError: if every class is absent.
        """
        present = [mixture for mixture in mixtures if mixture is not None]
        if not present:
            raise BismapError("no class has a mixture: expected at least one, run `source_prototypes` again")
        shape = (len(mixtures), max(len(mixture) for mixture in present))
        linear = torch.zeros(*shape, present[0].means.shape[1], dtype=torch.float64)
        half_precision = torch.zeros_like(linear)
        constant = torch.full(shape, -math.inf, dtype=torch.float64)
        for c, mixture in enumerate(mixtures):
            if mixture is not None:
                k = len(mixture)
                linear[c, :k] = mixture.means / mixture.variances
                half_precision[c, :k] = 0.5 / mixture.variances
                constant[c, :k] = _constant(mixture)
        return cls(linear.to(device), half_precision.to(device), constant.to(device))


def _constant(mixture: Mixture) -> Tensor:
    offset = (2 * math.pi * mixture.variances).log() + mixture.means.square() / mixture.variances
    return mixture.weights.log() - 0.5 * offset.sum(1)


@dataclass(frozen=True)
class Block:
    """Components evaluated in one dtype: ``index`` [m] of all, ``coefficients`` [m, 2d], ``constant`` [m]."""

    index: Tensor
    coefficients: Tensor
    constant: Tensor

    @property
    def dtype(self) -> torch.dtype:
        return self.coefficients.dtype


class LogJoint:
    """Evaluates log(w_k N_k(x)) of M components; those of ``double`` [M] in float64, the rest in float32.

    Float32 products must be IEEE: no autocast, and ``torch.backends.cuda.matmul.allow_tf32`` off (the default).
    """

    def __init__(self, components: Components, double: Tensor) -> None:
        coefficients = torch.cat([components.linear, -components.half_precision], -1).flatten(0, 1)
        constant = components.constant.flatten()
        self.blocks = []
        for chosen, dtype in ((~double, torch.float32), (double, torch.float64)):
            index = chosen.nonzero().squeeze(1)
            if len(index):
                self.blocks.append(Block(index, coefficients[index].to(dtype), constant[index].to(dtype)))
        self._place = torch.cat([block.index for block in self.blocks]).argsort()

    def moments(self, x: Tensor) -> list[Tensor]:
        """[x, x^2] as [n, 2d], once for each block in its dtype."""
        return [_moments(x, block.dtype) for block in self.blocks]

    def __call__(self, moments: Sequence[Tensor]) -> Tensor:
        """log(w_k N_k(x)) as [n, M], given ``self.moments(x)``; float64 if any component is."""
        parts = [
            torch.addmm(block.constant, moment, block.coefficients.T)
            for block, moment in zip(self.blocks, moments, strict=True)
        ]
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1)[:, self._place]

    def split(self, values: Tensor) -> list[Tensor]:
        """``values`` [n, M] as one [n, m] for each block, in its dtype."""
        if len(self.blocks) == 1:
            return [values]
        return [values[:, block.index].to(block.dtype) for block in self.blocks]


def _moments(x: Tensor, dtype: torch.dtype) -> Tensor:
    d = x.shape[1]
    out = torch.empty(len(x), 2 * d, dtype=dtype, device=x.device)
    out[:, :d] = x
    torch.mul(out[:, :d], out[:, :d], out=out[:, d:])
    return out


def chunks(x: Tensor, rows: int | None) -> Iterator[Tensor]:
    """Consecutive slices of ``x``; ``rows`` None takes what suits its device."""
    yield from x.split(rows or CHUNK_ROWS[x.device.type])


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

    def components(self, device: torch.device | str = "cpu") -> Components:
        """The constants of all classes on ``device``."""
        return Components.of([self[c] for c in range(len(self))], device)

    def log_density(self, x: Tensor, chunk_rows: int | None = None) -> Tensor:
        """p_c(x), the natural log density of each class (Eq. 4-5); -inf for absent classes.

        Within max(0.01 nat, 1e-6 of its value) of float64; memory of ``chunk_rows`` rows and the result.

        Args:
            x: [N, d] features of any float dtype, on the device that computes.

        Returns:
            [N, C] float32.
        """
        components = self.components(x.device)
        log_joint = LogJoint(components, torch.ones_like(components.constant, dtype=torch.bool).flatten())
        parts = [
            log_joint(log_joint.moments(part)).unflatten(1, components.constant.shape).logsumexp(2).float()
            for part in chunks(x, chunk_rows)
        ]
        return torch.cat(parts)


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
