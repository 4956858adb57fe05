"""Class densities of every full-resolution pixel, without ever building the upsampled features.

The paper upsamples the features (bilinear, ``align_corners=True``) and then evaluates the densities
(footnote 1, A§5). An interpolated feature is a weighted mean ``f = sum_i w_i f_i`` of four neighbours, so a
Gaussian's log density, a quadratic function of ``f``, is ``sum_ij w_i w_j q(f_i, f_j)`` with the *polarised*
log density

    q(u, v) = constant - 1/2 u'Pv + 1/2 s'(u + v),    q(f, f) = log(pi N(f; mean, variance)),

where ``P`` is the diagonal precision and ``s = P mean``. The few ``q`` that occur (a pixel with itself, its
right, its lower and its two diagonal neighbours) are matrix products at low resolution.

Precision: ``q`` contains everything that cancels (means far from zero over small variances) and is computed
in float64; it is then rounded to float32. What is left to do at full resolution is a sum of terms that cancel
where the features of neighbours lie on both sides of a mean. Features are not negative (ReLU), so in a channel
below the mean a term is at most mean^2 / (2 variance), and the sum over channels of mean^2 / variance bounds what
cancels: nothing for a channel at the variance floor around zero, far too much for one at the floor around another
mean. A component where that sum exceeds ``STIFF`` is summed in float64 throughout. The result agrees with a float64
evaluation of the upsampled features within max(0.01 nat, 1e-6 of its value).
"""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bismap.errors import BismapError
from bismap.prototypes.mixtures import STIFF

# Low-resolution rows whose products are held at once: bounds the memory, does not change the result.
TILE_ROWS_CPU, TILE_ROWS_CUDA = 16, 32
REFINED_PIXELS = 4096
# Two classes closer than this are told apart in float64: twice the error of the float32 sums (nat, and relative).
TIE_ABSOLUTE, TIE_RELATIVE = 1e-3, 2e-6
EXP_FLOOR = -80.0


class MixtureParameters(Protocol):
    """Per class weights ``[K_c]``, means and variances ``[K_c, d]``; None for a class without prototypes."""

    weights: object
    means: object
    variances: object


@dataclass(frozen=True)
class GaussianBank:
    """All components of all present classes side by side, as quadratic functions of the feature.

    ``log(pi_g N_g(f)) = constant[g] + linear[:, g]·f + quadratic[:, g]·f²``, all float64.

    Attributes:
        quadratic: ``[d, G]``, minus half the precisions.
        linear: ``[d, G]``, precision times mean.
        constant: ``[G]``.
        members: ``[G, C']`` of 0 and 1: which column's class a component belongs to.
        classes: ``[C']`` trainId of each column; classes without prototypes have no column.
        stiff: how many components, the last ones, need float64 sums.
    """

    quadratic: Tensor
    linear: Tensor
    constant: Tensor
    members: Tensor
    classes: Tensor
    stiff: int

    @property
    def parts(self) -> list[tuple[slice, torch.dtype]]:
        """Which components are summed in which type at full resolution."""
        plain = len(self.constant) - self.stiff
        parts = [(slice(plain), torch.float32)] if plain else []
        return [*parts, (slice(plain, None), torch.float64)] if self.stiff else parts


def gaussian_bank(mixtures: MixtureParameters, device: torch.device | str = "cpu") -> GaussianBank:
    """Collect the components of all classes that have prototypes.

    Raises:
        BismapError: if no class has prototypes, or a variance is not positive.
    """
    present = [c for c, means in enumerate(mixtures.means) if means is not None]
    if not present:
        raise BismapError("source prototypes: no class has a mixture, so no pixel can get a label")

    def column(values: object) -> Tensor:
        return torch.cat([torch.as_tensor(values[c], dtype=torch.float64) for c in present]).to(device)

    weights, means, variances = (column(v) for v in (mixtures.weights, mixtures.means, mixtures.variances))
    if not bool((variances > 0).all()):
        raise BismapError("source prototypes: a variance is not positive; fit the mixtures again")
    owner = torch.cat([torch.full((len(mixtures.means[c]),), i) for i, c in enumerate(present)]).to(device)
    stiff = (means.square() / variances).sum(1) > STIFF
    order = stiff.argsort(stable=True)
    weights, means, variances, owner = (values[order] for values in (weights, means, variances, owner))
    squared = means.square() / variances + variances.log() + math.log(2 * math.pi)
    return GaussianBank(
        quadratic=(-0.5 / variances).T.contiguous(),
        linear=(means / variances).T.contiguous(),
        constant=weights.log() - 0.5 * squared.sum(1),
        members=F.one_hot(owner, len(present)).double(),
        classes=torch.tensor(present, dtype=torch.uint8, device=device),
        stiff=int(stiff.sum()),
    )


def most_likely_classes(
    features: Tensor,
    bank: GaussianBank,
    size: tuple[int, int],
    tile_rows: int | None = None,
    rows_at_once: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Most likely class of every pixel and its log density (Eq. 4-5), at full resolution.

    The density is that of the features upsampled to ``size``; the module docstring says how. On the CPU the
    work runs on ``torch.get_num_threads()`` threads, with the same result for any number.

    Args:
        features: ``[d, h, w]``, float32 or float64, h and w at least 2.
        bank: on the features' device.
        size: ``(width, height)`` of the result.
        tile_rows: rows of ``features`` per tile; memory grows with it.
        rows_at_once: of these, how many are computed in one operation. With 1, full-resolution rows go one by one
            too. None, for this and for ``tile_rows``, is a good value for the device.

    Returns:
        Classes (trainIds), uint8 ``[height, width]``, and their log densities in nat, float32, same shape.

    Raises:
        BismapError: if the features are not finite, too small, or of another length than the prototypes.
    """
    _check(features, bank)
    (width, height), device = size, features.device
    tile_rows = tile_rows or (TILE_ROWS_CUDA if features.is_cuda else TILE_ROWS_CPU)
    # On a CPU, one row at a time stays in the core's cache; a GPU wants many at once.
    rows_at_once = rows_at_once or (tile_rows if features.is_cuda else 1)
    rows, columns = _axis(features.shape[1], height, device), _axis(features.shape[2], width, device)
    image = _Image(features.permute(1, 2, 0), bank, rows, columns)
    classes = torch.empty((height, width), dtype=torch.uint8, device=device)
    density = torch.empty((height, width), dtype=torch.float32, device=device)
    last = features.shape[1] - 1
    with _workers(device) as pool:
        tiles = [(top, min(top + tile_rows, last)) for top in range(0, last, tile_rows)]
        list(pool.map(lambda tile: _fill(image, classes, density, *tile, rows_at_once), tiles))
    return classes.cpu().numpy(), density.cpu().numpy()


def _check(features: Tensor, bank: GaussianBank) -> None:
    if features.shape[0] != len(bank.linear):
        raise BismapError(
            f"features of length {features.shape[0]} do not fit prototypes of length {len(bank.linear)}: "
            "the prototypes were made from another network"
        )
    if min(features.shape[1:]) < 2:
        raise BismapError(f"feature map of {tuple(features.shape[1:])}: at least 2 x 2 is needed (size > 4 pixels)")
    if not bool(torch.isfinite(features).all()):
        raise BismapError("the network's features are not finite (NaN or infinity)")


@contextmanager
def _workers(device: torch.device) -> Iterator[ThreadPoolExecutor]:
    """Threads that each run single-threaded torch operations: no barriers, and results free of their number."""
    threads = torch.get_num_threads()
    workers = 1 if device.type == "cuda" else threads
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True)
class _Axis:
    """Bilinear interpolation along one axis, ``align_corners=True``.

    Fine position ``i`` lies ``fraction[i]`` (0 to 1, float64) beyond the coarse position ``start[i]``.
    """

    start: Tensor
    fraction: Tensor

    def products(self) -> Tensor:
        """Squared weight of the near and of the far neighbour, and twice their product: ``[..., 3]``."""
        near, far = 1 - self.fraction, self.fraction
        return torch.stack([near * near, far * far, 2 * near * far], -1)

    def __getitem__(self, positions: Tensor) -> "_Axis":
        return _Axis(self.start[positions], self.fraction[positions])


def _axis(coarse: int, fine: int, device: torch.device) -> _Axis:
    # In whole numbers: a float32 coordinate is off by 3e-5 at 512, thousands of nats at the variance floor.
    steps, position = max(fine - 1, 1), torch.arange(fine, device=device) * (coarse - 1)
    start = (position // steps).clamp(max=coarse - 2)
    return _Axis(start, (position - start * steps).double() / steps)


@dataclass(frozen=True)
class _Image:
    features: Tensor  # [h, w, d]
    bank: GaussianBank
    rows: _Axis
    columns: _Axis


@torch.inference_mode()
def _fill(image: _Image, classes: Tensor, density: Tensor, top: int, bottom: int, rows_at_once: int) -> None:
    """Compute the full-resolution rows whose upper neighbour is among the rows ``top`` to ``bottom - 1``."""
    members = image.bank.members.float()
    for first, same, cross in _sweep(image, top, bottom, rows_at_once):
        end = min(first + rows_at_once, bottom)
        inside = ((image.rows.start >= first) & (image.rows.start < end)).nonzero()[:, 0]
        for fine in inside.split(1 if rows_at_once == 1 else len(image.rows.start)):
            rows, target = image.rows[fine], slice(int(fine[0]), int(fine[-1]) + 1)
            logs = [
                _mix_columns(image.columns, _mix_rows(rows, first, *part)).float()
                for part in zip(same, cross, strict=True)
            ]
            best, column, lead = _best_class(logs[0] if len(logs) == 1 else torch.cat(logs, -1), members)
            _decide_close_calls(image, rows, best, column, lead)
            classes[target] = image.bank.classes[column]
            density[target] = best


def _sweep(image: _Image, top: int, bottom: int, step: int) -> Iterator[tuple[int, list[Tensor], list[Tensor]]]:
    """Polarised log densities of the rows ``top`` to ``bottom`` (inclusive), ``step`` cells at a time.

    Yields:
        The first row; ``same [r+1, 2w-1, G']`` of each row's pixels with themselves, then with their right
        neighbours; and ``cross [r, 2w-1, G']`` of each row with the next: pixels with their lower neighbours,
        then the mean over the two diagonals of each cell. Both halves interpolate vertically in the same way.
        ``same`` and ``cross`` are lists, by part of the bank.
    """
    last = _along_rows(image.features[top : top + 1], image.bank)
    for first in range(top, bottom, step):
        new = _along_rows(image.features[first + 1 : min(first + step, bottom) + 1], image.bank)
        f, affine = torch.cat([last[0], new[0]]), torch.cat([last[1], new[1]])
        same = _joined(last[2], new[2], 0)
        yield first, same, _across_rows(f, affine, image.bank)
        last = f[-1:], affine[-1:], [part[-1:] for part in same]


def _along_rows(features: Tensor, bank: GaussianBank) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Features ``[r, w, d]`` and their affine term ``[r, w, G]`` in float64, and ``same [r, 2w-1, G']``."""
    f = features.to(torch.float64, memory_format=torch.contiguous_format)
    affine = torch.addmm(bank.constant, f.flatten(0, 1), bank.linear).view(*f.shape[:2], -1)
    own = _polarised(affine, f.square(), bank)
    right = _polarised(_mean(affine[:, 1:], affine[:, :-1]), f[:, 1:] * f[:, :-1], bank)
    return f, affine, _joined(own, right, 1)


def _across_rows(f: Tensor, affine: Tensor, bank: GaussianBank) -> list[Tensor]:
    """``cross [r, 2w-1, G']`` of r + 1 rows."""
    affine = _mean(affine[1:], affine[:-1])
    lower = _polarised(affine, f[1:] * f[:-1], bank)
    diagonals = _mean(f[1:, 1:] * f[:-1, :-1], f[1:, :-1] * f[:-1, 1:])
    return _joined(lower, _polarised(_mean(affine[:, 1:], affine[:, :-1]), diagonals, bank), 1)


def _polarised(affine: Tensor, products: Tensor, bank: GaussianBank) -> list[Tensor]:
    total = torch.addmm(affine.flatten(0, 1), products.flatten(0, 1), bank.quadratic).view(affine.shape)
    return [total[..., components].to(dtype) for components, dtype in bank.parts]


def _joined(first: list[Tensor], second: list[Tensor], axis: int) -> list[Tensor]:
    return [torch.cat(part, axis) for part in zip(first, second, strict=True)]


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return (a + b).mul_(0.5)


def _mix_rows(rows: _Axis, top: int, same: Tensor, cross: Tensor) -> Tensor:
    """Polarised log densities ``[R, 2w-1, G]`` along R full-resolution rows; ``same`` starts at row ``top``."""
    mixed = same.new_empty((len(rows.start), *same.shape[1:]))
    for out, y, (upper, lower, both) in zip(mixed, (rows.start - top).tolist(), rows.products().tolist(), strict=True):
        torch.mul(same[y], upper, out=out).add_(same[y + 1], alpha=lower).add_(cross[y], alpha=both)
    return mixed


def _mix_columns(columns: _Axis, mixed: Tensor) -> Tensor:
    """Log density ``[R, W, G]`` of every component at every pixel, from ``mixed [R, 2w-1, G]``."""
    rows, length, _ = mixed.shape
    left = columns.start
    entries = torch.stack([left, left + 1, left + (length + 1) // 2], 1)
    entries = entries + length * torch.arange(rows, device=left.device)[:, None, None]
    weights = columns.products().to(mixed.dtype).repeat(rows, 1)
    # embedding_bag gathers and sums weighted table rows in one pass over its output.
    logs = F.embedding_bag(entries.flatten(0, 1), mixed.flatten(0, 1), per_sample_weights=weights, mode="sum")
    return logs.view(rows, len(left), -1)


def _best_class(logs: Tensor, members: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log density and column of the most likely class and its lead over the second, from ``logs [..., G]``."""
    peak = logs.amax(-1, keepdim=True)
    # The winner's sum is at least 1, since the peak's own class has that; the others may underflow.
    sums = logs.sub_(peak).clamp_(min=EXP_FLOOR).exp_() @ members
    if sums.shape[-1] == 1:
        sums = F.pad(sums, (0, 1))
    top, column = sums.topk(2, dim=-1)
    top = top.log_()
    return peak[..., 0] + top[..., 0], column[..., 0], top[..., 0] - top[..., 1]


def _decide_close_calls(image: _Image, rows: _Axis, best: Tensor, column: Tensor, lead: Tensor) -> None:
    """Evaluate in float64, in place, the pixels of these rows whose two best classes float32 cannot tell apart."""
    close = (lead < TIE_ABSOLUTE + TIE_RELATIVE * best.abs()).nonzero()
    for y, x in (part.unbind(1) for part in close.split(REFINED_PIXELS) if len(part)):
        f = _interpolate(image.features, rows[y], image.columns[x])
        logs = image.bank.constant + f @ image.bank.linear + f.square() @ image.bank.quadratic
        exact, column[y, x], _ = _best_class(logs, image.bank.members)
        best[y, x] = exact.float()


def _interpolate(features: Tensor, y: _Axis, x: _Axis) -> Tensor:
    """Features ``[n, d]`` in float64 at n positions of ``features [h, w, d]``."""

    def along_x(row: Tensor) -> Tensor:
        near, far = features[row, x.start].double(), features[row, x.start + 1].double()
        return near.lerp_(far, x.fraction[:, None])

    return along_x(y.start).lerp_(along_x(y.start + 1), y.fraction[:, None])
