"""Expectation-maximisation for Gaussian mixtures with diagonal covariance (A§4), on CPU and CUDA.

Each step goes once over the features in chunks: one matrix product gives the log densities, one the sums of
the M-step. Features stay in the dtype they come in (float16), only a chunk is widened; sums over chunks are
float64. A component that needs it is computed in float64 (see `mixtures`), and a step that makes a component
narrower than its float32 sums can carry is repeated with that component in float64.

Rules:

- *stop*: when a step raises the mean log-likelihood, measured after the M-step, by less than ``tolerance``
  (A§4; scikit-learn measures before it and so takes one step more), or after ``max_steps`` steps.
- *empty component*: one whose responsibilities sum to less than ``EMPTY`` describes no sample; it is dropped
  and the other weights are renormalised.
- *fewer distinct samples than components*: as many components as distinct samples (`kmeans`). A component of
  one sample has that sample as mean and ``reg_covar`` as variance; identical samples are one such component.
- *absent class*: no features, no mixture (recorded by the stage).
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bismap.errors import BismapError
from bismap.prototypes.mixtures import Components, LogJoint, Mixture, chunks

# The released code adds this to each responsibility sum; below it a component's mean is made of that alone.
EMPTY = 1e-6


@dataclass(frozen=True)
class Fit:
    """Result of EM.

    Attributes:
        mixture: the parameters after ``steps`` steps.
        trace: mean log-likelihood (nat a sample) after 0, 1, ... ``steps`` steps.
        converged: the last step raised it by less than the tolerance.
    """

    mixture: Mixture
    trace: tuple[float, ...]
    converged: bool

    @property
    def steps(self) -> int:
        """Number of EM steps taken."""
        return len(self.trace) - 1


def unit_mixture(means: Tensor) -> Mixture:
    """The start of A§4: equal weights and variance 1 around ``means`` [K, d]; float64 on their device."""
    means = means.double()
    weights = torch.full((len(means),), 1 / len(means), dtype=torch.float64, device=means.device)
    return Mixture(weights, means, torch.ones_like(means))


def fit(
    x: Tensor,
    start: Mixture,
    *,
    reg_covar: float,
    tolerance: float,
    max_steps: int,
    chunk_rows: int | None = None,
) -> Fit:
    """Fit a mixture to ``x`` [n, d] (float16 or wider), from ``start`` on the same device.

    Args:
        reg_covar: added to every variance.
        tolerance: least increase of the mean log-likelihood (nat) that is worth another step.
        max_steps: most EM steps taken.
        chunk_rows: rows widened at once; None = what suits the device.

    Raises:
        BismapError: if the log-likelihood is not finite.
    """
    mixture, trace = start, list[float]()
    for step in range(max_steps + 1):
        log_likelihood, improved = em_step(x, mixture, reg_covar, chunk_rows)
        trace.append(log_likelihood)
        if not math.isfinite(log_likelihood):
            raise BismapError(f"log-likelihood {log_likelihood} after {step} EM steps: are the features finite?")
        if step > 0 and trace[-1] - trace[-2] < tolerance:
            return Fit(mixture, tuple(trace), converged=True)
        if step < max_steps:
            mixture = improved
    return Fit(mixture, tuple(trace), converged=False)


def em_step(x: Tensor, mixture: Mixture, reg_covar: float, chunk_rows: int | None = None) -> tuple[float, Mixture]:
    """One EM step: the mean log-likelihood (nat) of ``x`` under ``mixture``, and the improved mixture."""
    double = mixture.stiff
    while True:
        sums = _expect(x, mixture, double, chunk_rows)
        alive = sums.responsibility >= EMPTY
        improved = _maximise(sums, reg_covar)
        too_narrow = improved.stiff & alive & ~double
        if not too_narrow.any():
            return sums.log_likelihood / len(x), improved[alive]
        double = double | too_narrow


@dataclass
class _Sums:
    """Sums over samples, in float64: ``responsibility`` [K], ``moments`` [K, 2d] of x and x^2."""

    responsibility: Tensor
    moments: Tensor
    log_likelihood: float


def _expect(x: Tensor, mixture: Mixture, double: Tensor, chunk_rows: int | None) -> _Sums:
    log_joint = LogJoint(Components.of([mixture], x.device), double)
    k, d = mixture.means.shape
    responsibility = torch.zeros(k, dtype=torch.float64, device=x.device)
    moment_sums = torch.zeros(k, 2 * d, dtype=torch.float64, device=x.device)
    log_likelihood = torch.zeros((), dtype=torch.float64, device=x.device)
    for part in chunks(x, chunk_rows):
        moments = log_joint.moments(part)
        joint = log_joint(moments)
        share = joint.softmax(1)
        # The log density, by the component with the largest share: half the time of logsumexp.
        log_likelihood += (joint.amax(1) - share.amax(1).log()).sum(dtype=torch.float64)
        responsibility += share.sum(0, dtype=torch.float64)
        for block, part_share, moment in zip(log_joint.blocks, log_joint.split(share), moments, strict=True):
            moment_sums[block.index] += part_share.T @ moment
    return _Sums(responsibility, moment_sums, float(log_likelihood))


def _maximise(sums: _Sums, reg_covar: float) -> Mixture:
    mass = sums.responsibility.clamp_min(torch.finfo(torch.float64).tiny)
    means, squares = (sums.moments / mass[:, None]).chunk(2, dim=1)
    variances = (squares - means.square()).clamp_min(0) + reg_covar
    return Mixture(mass / mass.sum(), means, variances)
