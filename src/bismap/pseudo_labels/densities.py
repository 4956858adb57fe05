"""Class densities of every full-resolution pixel, without ever building the upsampled features.

The paper upsamples the features (bilinear, ``align_corners=True``) and then evaluates the densities
(footnote 1, A§5). An interpolated feature is a weighted mean ``f = sum_i w_i f_i`` of four neighbours, so a
Gaussian's log density, a quadratic function of ``f``, is ``sum_ij w_i w_j q(f_i, f_j)`` with the *polarised*
log density

    q(u, v) = constant - 1/2 u'Pv + 1/2 s'(u + v),    q(f, f) = log(pi N(f; mean, variance)),

where ``P`` is the diagonal precision and ``s = P mean``. The few ``q`` that occur (a pixel with itself, its
right, its lower and its two diagonal neighbours) are matrix products at low resolution.

Everything is float64, but for the exponentials of differences to the densest component (with variances at
the floor the terms of ``q`` cancel, and so do those of the sum where neighbours lie on both sides of a mean) and
for what on a CPU only tells which components matter (`cells`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bismap.errors import BismapError
from bismap.pseudo_labels.cells import LANES, fill_cells, squared_steps_across, squared_steps_along
from bismap.threads import one_thread_each

# Rows of features that one thread, or one pass over a GPU, does at once; does not change the result on a CPU.
TILE_ROWS = 32
# Rows of pixels that a GPU does in one operation: bounds the memory.
ROWS_AT_ONCE = 16
# No network gives larger features; with the floor of variances, densities stay above `NOWHERE`.
LARGEST = 1e9
# A component that pads the bank: no density, whatever the feature.
NOWHERE = -1e30


Choice = Callable[[Tensor], tuple[Tensor, Tensor]]


class MixtureParameters(Protocol):
    """Per class weights ``[K_c]``, means and variances ``[K_c, d]``; None for a class without prototypes."""

    weights: object
    means: object
    variances: object


@dataclass(frozen=True)
class GaussianBank:
    """All components of all present classes side by side, as quadratic functions of the feature.

    ``log(pi_g N_g(f)) = constant[g] + linear[:, g]·f + quadratic[:, g]·f²``, all float64. For
    `most_likely_classes` G is a multiple of `LANES`: components without density fill it up.

    Attributes:
        quadratic: ``[d, G]``, minus half the precisions.
        linear: ``[d, G]``, precision times mean.
        constant: ``[G]``.
        owner: ``[G]`` trainId of the class that a component belongs to, ascending; uint8.
    """

    quadratic: Tensor
    linear: Tensor
    constant: Tensor
    owner: Tensor


def gaussian_bank(mixtures: MixtureParameters, device: torch.device | str = "cpu") -> GaussianBank:
    """Collect the components of all classes that have prototypes.

    Raises:
        BismapError: if no class has prototypes, or a variance is not positive.
    """
    present = [c for c, means in enumerate(mixtures.means) if means is not None]
    if not present:
        raise BismapError("source prototypes: no class has a mixture, so no pixel can get a label")

    def column(values: object) -> Tensor:
        return torch.cat([torch.as_tensor(values[c], dtype=torch.float64) for c in present])

    weights, means, variances = (column(v) for v in (mixtures.weights, mixtures.means, mixtures.variances))
    if not bool((variances > 0).all()):
        raise BismapError("source prototypes: a variance is not positive; fit the mixtures again")
    owner = torch.cat([torch.full((len(mixtures.means[c]),), c, dtype=torch.uint8) for c in present])
    squared = means.square() / variances + variances.log() + math.log(2 * math.pi)
    missing = -len(weights) % LANES
    return GaussianBank(
        quadratic=F.pad((-0.5 / variances).T, (0, missing)).contiguous().to(device),
        linear=F.pad((means / variances).T, (0, missing)).contiguous().to(device),
        constant=F.pad(weights.log() - 0.5 * squared.sum(1), (0, missing), value=NOWHERE).to(device),
        owner=F.pad(owner, (0, missing), value=present[-1]).to(device),
    )


def most_likely_classes(
    features: Tensor, bank: GaussianBank, size: tuple[int, int], tile_rows: int = TILE_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """Most likely class of every pixel and its log density (Eq. 4-5), at full resolution.

    The density is that of the features upsampled to ``size``; the module docstring says how. On the CPU the
    work runs on ``torch.get_num_threads()`` threads, with the same result for any number.

    Args:
        features: ``[d, h, w]``, float32 or float64, h and w at least 2.
        bank: on the features' device.
        size: ``(width, height)`` of the result.
        tile_rows: rows of ``features`` that a thread does at once.

    Returns:
        Classes (trainIds), uint8 ``[height, width]``, and their log densities in nat, float32, same shape.

    Raises:
        BismapError: if the features are not finite or absurd, too small, or of another length than the prototypes.
    """
    return _best(features, bank, size, tile_rows, odds=False)


def most_probable_classes(
    features: Tensor, bank: GaussianBank, size: tuple[int, int], tile_rows: int = TILE_ROWS
) -> tuple[np.ndarray, np.ndarray]:
    """Most likely class of every pixel, and the log odds of its density to the sum of all others'.

    Infinite where no other class has prototypes. Args, errors and results otherwise as of `most_likely_classes`.
    """
    return _best(features, bank, size, tile_rows, odds=True)


def _best(
    features: Tensor, bank: GaussianBank, size: tuple[int, int], tile_rows: int, *, odds: bool
) -> tuple[np.ndarray, np.ndarray]:
    if features.is_cuda:
        return map_by_rows(features, bank, size, by_odds(bank.owner) if odds else by_density(bank.owner))
    image, tiles = _image(features, bank, size), _tiles(features, tile_rows)
    classes, scores = _results(features, size)
    list(one_thread_each().map(lambda tile: fill_by_cells(image, classes, scores, *tile, odds=odds), tiles))
    return classes.numpy(), scores.numpy()


def map_by_rows(
    features: Tensor, bank: GaussianBank, size: tuple[int, int], choose: Choice
) -> tuple[np.ndarray, np.ndarray]:
    """Class and score of every pixel as ``choose`` makes them of its components' log densities ``[..., G]``.

    Args, errors and the results' types as of `most_likely_classes`; the work is in tensor operations on any device.
    """
    image, tiles = _image(features, bank, size), _tiles(features, TILE_ROWS)
    classes, scores = _results(features, size)
    for tile in tiles:
        fill_by_rows(image, classes, scores, *tile, choose)
    return classes.cpu().numpy(), scores.cpu().numpy()


def _image(features: Tensor, bank: GaussianBank, size: tuple[int, int]) -> "Image":
    _check(features, bank)
    (width, height), device = size, features.device
    rows, columns = _axis(features.shape[1], height, device), _axis(features.shape[2], width, device)
    return Image(features.permute(1, 2, 0), bank, rows, columns)


def _tiles(features: Tensor, rows: int) -> list[tuple[int, int]]:
    last = features.shape[1] - 1
    return [(top, min(top + rows, last)) for top in range(0, last, rows)]


def _results(features: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    shape = size[::-1]
    return tuple(torch.empty(shape, dtype=dtype, device=features.device) for dtype in (torch.uint8, torch.float32))


def _check(features: Tensor, bank: GaussianBank) -> None:
    if features.shape[0] != len(bank.linear):
        raise BismapError(
            f"features of length {features.shape[0]} do not fit prototypes of length {len(bank.linear)}: "
            "the prototypes were made from another network"
        )
    if min(features.shape[1:]) < 2:
        raise BismapError(f"feature map of {tuple(features.shape[1:])}: at least 2 x 2 is needed (size > 4 pixels)")


def _sound(rows: Tensor) -> Tensor:
    """The rows themselves, known to hold numbers that can be computed with."""
    # A NaN is the least and the greatest of all; ten times as fast as asking every value.
    if not all(bool(extreme.abs() <= LARGEST) for extreme in rows.aminmax()):
        raise BismapError(f"the network's features are not finite, or beyond {LARGEST:g}")
    return rows


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
class Image:
    """What tiles share: features ``[h, w, d]``, the bank, and where pixels lie between features."""

    features: Tensor
    bank: GaussianBank
    rows: _Axis
    columns: _Axis


@torch.inference_mode()
def fill_by_cells(image: Image, classes: Tensor, scores: Tensor, top: int, bottom: int, *, odds: bool = False) -> None:
    """Pixels whose upper neighbour is among the rows ``top`` to ``bottom - 1``, on one thread of a CPU.

    Args:
        classes: out, ``[H, W]`` uint8, trainIds.
        scores: out, ``[H, W]`` float32, nat.
        odds: whether scores are log odds (`most_probable_classes`), not log densities.
    """
    bank, rows, columns = image.bank, image.rows, image.columns
    (width, length), components = image.features.shape[1:], len(bank.constant)
    # Two rows each, taken in turns: a row of features is the lower one first, then the upper one.
    features = torch.empty(2, width, length, dtype=torch.float64)
    logs = torch.empty(2, width, components, dtype=torch.float64)
    along = torch.empty(2, width - 1, components)
    across, steps = torch.empty(2 * width - 1, components), torch.empty(2 * width - 1, length)
    squares = torch.empty(width, length, dtype=torch.float64)
    quarters = -0.5 * bank.quadratic
    narrow, by_component = quarters.float(), quarters.T.contiguous().numpy()
    edges = torch.searchsorted(columns.start, torch.arange(width)).numpy()
    edges[-1] = len(columns.start)

    def take(y: int) -> None:
        place = y % 2
        _sound(features[place].copy_(image.features[y]))
        torch.addmm(bank.constant, features[place], bank.linear, out=logs[place])
        logs[place].addmm_(torch.square(features[place], out=squares), bank.quadratic)
        squared_steps_along(features[place].numpy(), steps.numpy())
        torch.mm(steps[: width - 1], narrow, out=along[place])

    take(top)
    for y in range(top, bottom):
        take(y + 1)
        upper = y % 2
        squared_steps_across(features[upper].numpy(), features[1 - upper].numpy(), steps.numpy())
        torch.mm(steps, narrow, out=across)
        inside = slice(*torch.searchsorted(rows.start, torch.tensor([y, y + 1])).tolist())
        fill_cells(
            features.numpy(),
            logs.numpy(),
            along.numpy(),
            across.numpy(),
            upper,
            by_component,
            bank.owner.numpy(),
            edges,
            columns.fraction.numpy(),
            rows.fraction[inside].numpy(),
            odds,
            classes[inside].numpy(),
            scores[inside].numpy(),
        )


@torch.inference_mode()
def fill_by_rows(image: Image, classes: Tensor, scores: Tensor, top: int, bottom: int, choose: Choice) -> None:
    """What `fill_by_cells` does, for all rows at once: in whole-tensor operations, as a GPU wants them.

    Args:
        choose: class and score of pixels from their components' log densities ``[..., G]``.
    """
    features = _sound(image.features[top : bottom + 1].to(torch.float64, memory_format=torch.contiguous_format))
    affine = torch.matmul(features, image.bank.linear) + image.bank.constant
    same, cross = _along_rows(features, affine, image.bank), _across_rows(features, affine, image.bank)
    inside = slice(*torch.searchsorted(image.rows.start, image.rows.start.new_tensor([top, bottom])).tolist())
    rows = image.rows[inside]
    y, (above, below, both) = rows.start - top, rows.products()[..., None, None].unbind(1)
    mixed = above * same[y] + below * same[y + 1] + both * cross[y]
    first = inside.start
    for part in mixed.split(ROWS_AT_ONCE):
        target = slice(first, first + len(part))
        classes[target], scores[target] = choose(_mix_columns(image.columns, part))
        first += len(part)


def _along_rows(f: Tensor, affine: Tensor, bank: GaussianBank) -> Tensor:
    """``[r, 2w - 1, G]``: each pixel of r rows with itself, then each with its right neighbour."""
    right = _mean(affine[:, 1:], affine[:, :-1])
    return torch.cat([_polarised(affine, f.square(), bank), _polarised(right, f[:, 1:] * f[:, :-1], bank)], 1)


def _across_rows(f: Tensor, affine: Tensor, bank: GaussianBank) -> Tensor:
    """``[r - 1, 2w - 1, G]``: each pixel with its lower neighbour, then the mean over the diagonals of each cell."""
    affine = _mean(affine[1:], affine[:-1])
    diagonals = _mean(f[1:, 1:] * f[:-1, :-1], f[1:, :-1] * f[:-1, 1:])
    lower = _polarised(affine, f[1:] * f[:-1], bank)
    return torch.cat([lower, _polarised(_mean(affine[:, 1:], affine[:, :-1]), diagonals, bank)], 1)


def _polarised(affine: Tensor, products: Tensor, bank: GaussianBank) -> Tensor:
    return torch.addmm(affine.flatten(0, 1), products.flatten(0, 1), bank.quadratic).view(affine.shape)


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return (a + b).mul_(0.5)


def _mix_columns(columns: _Axis, rows: Tensor) -> Tensor:
    """Log density ``[R, W, G]`` of every component along R rows of pixels, from ``rows [R, 2w - 1, G]``."""
    left, between = columns.start, columns.start + (rows.shape[1] + 1) // 2
    before, after, both = columns.products()[..., None].unbind(1)
    return before * rows[:, left] + after * rows[:, left + 1] + both * rows[:, between]


def by_density(owner: Tensor) -> Choice:
    """Most likely class and its log density, where component g belongs to the class ``owner[g]``."""
    owners, members = torch.unique(owner, return_inverse=True)
    members = F.one_hot(members).float()

    def choose(logs: Tensor) -> tuple[Tensor, Tensor]:
        peak = logs.amax(-1, keepdim=True)
        # The winner's sum is at least 1, since the peak's own class has that; the others may underflow.
        sums, best = ((logs - peak).float().exp() @ members).max(-1)
        return owners[best], (peak[..., 0] + sums.log()).float()

    return choose


def by_odds(owner: Tensor) -> Choice:
    """Most likely class and its log odds against the others, where component g belongs to the class ``owner[g]``."""
    owners, components = torch.unique_consecutive(owner, return_counts=True)
    counts = components.tolist()

    def choose(logs: Tensor) -> tuple[Tensor, Tensor]:
        by_class = torch.stack([part.logsumexp(-1) for part in logs.split(counts, -1)], -1)
        best, place = by_class.max(-1)
        others = by_class.scatter(-1, place[..., None], -torch.inf).logsumexp(-1)
        return owners[place], (best - others).float()

    return choose
