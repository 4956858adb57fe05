"""The pass over the features that an EM step makes: responsibilities, and what they weigh summed up.

A component's weighted log density is a polynomial of the feature (`mixtures`), and the M-step needs the sums
of x and x^2 weighed by the responsibilities: all of it matrix products. In float32 the terms of the polynomial
may cancel: a near-constant channel with mean 0.3 and the variance floor 1e-6 has terms of 45,000 nat which
differ by a few. The sum over channels of mean^2 / variance bounds what cancels; a mixture with a component where
it exceeds ``STIFF`` is computed in float64. A dead channel (mean exactly 0, as ReLU makes it) adds nothing to
that sum and stays exact in float32, which is why features are not centred.

Features stay float16 in memory; what is widened at once fits a core's cache, or a GPU's. Sums over more than
``TASK_ROWS`` rows are float64. On a CPU the result does not depend on the number of threads.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numba import types
from numba.extending import overload
from torch import Tensor

from bismap.errors import BismapError
from bismap.kernels import exp32, half_to_float, kernel
from bismap.prototypes.mixtures import Mixture, polynomials
from bismap.threads import one_thread_each

# Float32 products of 1e4 nat err by about 6e-8 * 1e4 = 0.6 mnat a rounding: inside 0.01 nat after summation.
STIFF = 1e4

# A component this far below a sample's densest (nat) takes 1e-18 of it: less than the sums are rounded by.
NEGLIGIBLE = -41.0

# Rows whose moments lie in a core's second-level cache; rows that one task of a thread sums up; a GPU's portion.
BLOCK_ROWS, TASK_ROWS, CUDA_ROWS = 512, 16384, 1 << 16

# The compiled loops take rows and components by these numbers at a time.
_TILE, _GROUP = 16, 4


@dataclass(frozen=True)
class Sums:
    """Sums over samples, float64.

    Attributes:
        log_likelihood: of all samples, nat.
        responsibility: ``[K]``.
        first, second: ``[K, d]``, of x and x^2 weighed by the responsibilities.
    """

    log_likelihood: Tensor
    responsibility: Tensor
    first: Tensor
    second: Tensor


def stiff(mixture: Mixture) -> Tensor:
    """bool ``[K]``: components whose float32 terms cancel by more than a density's tolerance."""
    return (mixture.means.square() / mixture.variances).sum(1) > STIFF


def expect(x: Tensor, mixture: Mixture, dtype: torch.dtype) -> Sums:
    """Sums over the samples ``x`` ``[n, d]`` float16, n > 0, computed in ``dtype`` on the device where they lie.

    On CUDA, float32 products must be IEEE: ``torch.backends.cuda.matmul.allow_tf32`` off (the default).

    Raises:
        BismapError: if ``x`` is of another type.
    """
    if x.dtype != torch.float16:
        raise BismapError(f"features are {x.dtype}, expected torch.float16 as the feature store holds them")
    parts = _on_cuda(x, mixture, dtype) if x.is_cuda else _on_cpu(x, mixture, dtype)
    total = [torch.stack(column).sum(0) for column in zip(*parts, strict=True)]
    return Sums(*total)


Part = tuple[Tensor, Tensor, Tensor, Tensor]
"""What `Sums` holds, of some of the samples."""


def _on_cuda(x: Tensor, mixture: Mixture, dtype: torch.dtype) -> list[Part]:
    constant, linear, quadratic = (part.to(x.device, dtype) for part in polynomials(mixture))
    parts = []
    for rows in x.split(CUDA_ROWS):
        wide = rows.to(dtype)
        squares = wide.square()
        joint = torch.addmm(constant, wide, linear.T).addmm_(squares, quadratic.T)
        density = joint.logsumexp(1)
        share = (joint - density[:, None]).exp_()
        parts.append((density.double().sum(), share.double().sum(0), share.T @ wide, share.T @ squares))
    return [tuple(value.double() for value in part) for part in parts]


def _on_cpu(x: Tensor, mixture: Mixture, dtype: torch.dtype) -> list[Part]:
    missing = -len(mixture) % _GROUP
    constant, linear, quadratic = polynomials(mixture)
    constant = F.pad(constant, (0, missing), value=-math.inf)
    linear, quadratic = (F.pad(part, (0, 0, 0, missing)) for part in (linear, quadratic))
    coefficients = [part.to(dtype).contiguous().numpy() for part in (constant, linear, quadratic)]
    bits = x.numpy().view(np.uint16)
    starts = range(0, len(x), TASK_ROWS)
    parts = one_thread_each().map(lambda start: _task(bits[start : start + TASK_ROWS], *coefficients), starts)
    return [tuple(value[: len(mixture)] if value.ndim else value for value in part) for part in parts]


@torch.inference_mode()
def _task(bits: np.ndarray, constant: np.ndarray, linear: np.ndarray, quadratic: np.ndarray) -> Part:
    """Sums over ``bits`` ``[n, d]`` (float16 seen as uint16), for padded components; one thread of a CPU."""
    x = np.zeros((BLOCK_ROWS, bits.shape[1]), linear.dtype)
    squares, share = np.zeros_like(x), np.zeros((len(linear), BLOCK_ROWS), linear.dtype)
    first = torch.zeros(linear.shape, dtype=torch.from_numpy(x).dtype)
    second, responsibility = torch.zeros_like(first), torch.zeros(len(linear), dtype=torch.float64)
    wide, wide_squares, weights = torch.from_numpy(x), torch.from_numpy(squares), torch.from_numpy(share)
    log_likelihood = 0.0
    for start in range(0, len(bits), BLOCK_ROWS):
        rows = bits[start : start + BLOCK_ROWS]
        log_likelihood += _respond(rows, constant, linear, quadratic, x, squares, share, responsibility.numpy())
        first.addmm_(weights, wide)
        second.addmm_(weights, wide_squares)
    return torch.tensor(log_likelihood, dtype=torch.float64), responsibility, first.double(), second.double()


@kernel
def _respond(rows, constant, linear, quadratic, x, squares, share, responsibility):
    """Widen ``rows``, square them and share them out among the components.

    Args:
        rows: ``[n, d]`` bits of float16.
        constant, linear, quadratic: of the components ``[K]`` and ``[K, d]``.
        x, squares: out, ``[BLOCK_ROWS, d]``; rows after the n-th are left as they are.
        share: out, ``[K, BLOCK_ROWS]``, 0 after the n-th.
        responsibility: ``[K]``, added to.

    Returns:
        Sum of the log densities, nat.
    """
    components, joint = len(linear), np.empty((len(linear), _TILE), linear.dtype)
    top, total = np.empty(_TILE, linear.dtype), np.empty(_TILE, linear.dtype)
    log_likelihood = 0.0
    for start in range(0, len(rows), _TILE):
        count = min(_TILE, len(rows) - start)
        _widen(rows, start, count, x, squares)
        for i in range(0, _TILE, _GROUP):
            for k in range(0, components, _GROUP):
                _evaluate(x, squares, start + i, constant, linear, quadratic, k, joint, i)
        log_likelihood += _normalise(joint, start, count, top, total, share, responsibility)
    last = -(-len(rows) // _TILE) * _TILE
    for k in range(components):
        for i in range(last, share.shape[1]):
            share[k, i] = 0
    return log_likelihood


@kernel
def _widen(rows, start, count, x, squares):
    for i in range(start, start + count):
        for j in range(rows.shape[1]):
            value = x.dtype.type(half_to_float(rows[i, j]))
            x[i, j] = value
            squares[i, j] = value * value


@kernel
def _products(x, i, c, k):
    """Products of four rows of ``x`` with four of ``c``, by row: sixteen sums that stay in registers."""
    a0 = x.dtype.type(0)
    a1 = a2 = a3 = b0 = b1 = b2 = b3 = c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = a0
    for j in range(x.shape[1]):
        xa, xb, xc, xd = x[i, j], x[i + 1, j], x[i + 2, j], x[i + 3, j]
        k0, k1, k2, k3 = c[k, j], c[k + 1, j], c[k + 2, j], c[k + 3, j]
        a0 += xa * k0
        a1 += xa * k1
        a2 += xa * k2
        a3 += xa * k3
        b0 += xb * k0
        b1 += xb * k1
        b2 += xb * k2
        b3 += xb * k3
        c0 += xc * k0
        c1 += xc * k1
        c2 += xc * k2
        c3 += xc * k3
        d0 += xd * k0
        d1 += xd * k1
        d2 += xd * k2
        d3 += xd * k3
    return (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3)


@kernel
def _evaluate(x, squares, i, constant, linear, quadratic, k, joint, column):
    """log(w N(x)) of four rows and four components, to four columns of ``joint``."""
    first, second = _products(x, i, linear, k), _products(squares, i, quadratic, k)
    for row in range(_GROUP):
        for c in range(_GROUP):
            joint[k + c, column + row] = constant[k + c] + (first[row][c] + second[row][c])


def _exponential(x):
    """exp, as exact as the type of ``x``."""
    raise NotImplementedError  # compiled code takes the form below


@overload(_exponential, inline="always")
def _(x):
    return (lambda x: exp32(x)) if x == types.float32 else (lambda x: math.exp(x))


@kernel
def _normalise(joint, start, count, top, total, share, responsibility):
    """Responsibilities of ``count`` samples, the columns of ``joint``; returns the sum of their log densities."""
    components, floor, nothing = len(joint), joint.dtype.type(NEGLIGIBLE), joint.dtype.type(0)
    for t in range(_TILE):
        top[t] = joint[0, t]
        total[t] = 0
    for k in range(1, components):
        for t in range(_TILE):
            top[t] = max(top[t], joint[k, t])
    for k in range(components):
        for t in range(_TILE):
            gap = joint[k, t] - top[t]
            value = _exponential(max(gap, floor)) if gap > floor else nothing
            share[k, start + t] = value
            total[t] += value
    # Each total is at most the number of components: their product does not overflow.
    log_likelihood, product = 0.0, 1.0
    for t in range(count):
        log_likelihood += top[t]
        product *= total[t]
    for t in range(_TILE):
        total[t] = 1 / total[t] if t < count else 0
    for k in range(components):
        mass = nothing
        for t in range(_TILE):
            share[k, start + t] *= total[t]
            mass += share[k, start + t]
        responsibility[k] += mass
    return log_likelihood + math.log(product)
