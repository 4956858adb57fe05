"""Expectation-maximisation for Gaussian mixtures with diagonal covariance (A§4), on CPU and CUDA.

Each step goes once over the features (`expectation`). A mixture that needs it is computed in float64, and a
step that makes a component narrower than its float32 sums can carry is repeated in float64.

Rules:

- *stop*: when a step raises the mean log-likelihood, measured after the M-step, by less than ``tolerance``
  (A§4; scikit-learn measures before it and so takes one step more), or after ``max_steps`` steps.
- *empty component*: one whose responsibilities sum to less than ``EMPTY`` describes no sample; it is dropped
  and the other weights are renormalised.
- *fewer distinct samples than components*: as many components as distinct samples (`kmeans`). A component of
  one sample has that sample as mean and (unless tied) ``reg_covar`` as variance; identical samples are one such
  component.
- *covariance*: `diagonal` (anisotropic, BiSMAP's), `spherical` (isotropic: a component has one variance, the mean
  over the channels) or `tied` (all components share one diagonal); the M-step's maximum under that constraint.
- *absent class*: no features, no mixture (recorded by the stage).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from bismap.errors import BismapError
from bismap.prototypes.expectation import Sums, expect, stiff
from bismap.prototypes.mixtures import Mixture

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
    covariance: str = "diagonal",
    reg_covar: float,
    tolerance: float,
    max_steps: int,
) -> Fit:
    """Fit a mixture to ``x`` [n, d] float16, n > 0, from ``start`` on the same device.

    Args:
        covariance: ``diagonal``, ``spherical`` or ``tied``.
        reg_covar: added to every variance.
        tolerance: least increase of the mean log-likelihood (nat) that is worth another step.
        max_steps: most EM steps taken.

    Raises:
        BismapError: if a feature is not finite.
    """
    if not all(bool(extreme.isfinite()) for extreme in x.aminmax()):
        raise BismapError("features are not finite (NaN or infinity); run `features` again")
    mixture, trace = start, list[float]()
    for step in range(max_steps + 1):
        log_likelihood, improved = em_step(x, mixture, reg_covar, covariance)
        trace.append(log_likelihood)
        if step > 0 and trace[-1] - trace[-2] < tolerance:
            return Fit(mixture, tuple(trace), converged=True)
        if step < max_steps:
            mixture = improved
    return Fit(mixture, tuple(trace), converged=False)


def em_step(x: Tensor, mixture: Mixture, reg_covar: float, covariance: str = "diagonal") -> tuple[float, Mixture]:
    """One EM step: the mean log-likelihood (nat) of ``x`` under ``mixture``, and the improved mixture."""
    dtype = torch.float64 if stiff(mixture).any() else torch.float32
    sums = expect(x, mixture, dtype)
    improved = _maximise(sums, reg_covar, covariance)
    if dtype == torch.float32 and stiff(improved).any():
        sums = expect(x, mixture, torch.float64)
        improved = _maximise(sums, reg_covar, covariance)
    return float(sums.log_likelihood) / len(x), improved


def _maximise(sums: Sums, reg_covar: float, covariance: str) -> Mixture:
    alive = sums.responsibility >= EMPTY
    mass = sums.responsibility[alive]
    means, squares = (sum_[alive] / mass[:, None] for sum_ in (sums.first, sums.second))
    weights = mass / mass.sum()
    variances = (squares - means.square()).clamp_min(0)
    if covariance == "spherical":
        variances = variances.mean(1, keepdim=True).expand_as(means)
    elif covariance == "tied":
        variances = (weights @ variances).expand_as(means)
    return Mixture(weights, means, variances + reg_covar)
