"""The pass over the features that an EM step makes: responsibilities, and what they weigh summed up.

A component's weighted log density is a polynomial of the feature (`mixtures`), and the M-step needs the sums
of x and x^2 weighed by the responsibilities: all of it matrix products. In float32 the terms of the polynomial
may cancel: a near-constant channel with mean 0.3 and the variance floor 1e-6 has terms of 45,000 nat which
differ by a few. The sum over channels of mean^2 / variance bounds what cancels; a mixture with a component where
it exceeds ``STIFF`` is computed in float64. A dead channel (mean exactly 0, as ReLU makes it) adds nothing to
that sum and stays exact in float32, which is why features are not centred.

Features stay float16 in memory; what is widened at once fits a core's cache, or a GPU's. Sums over more than
`tiles` takes at once, or ``CUDA_ROWS``, are float64. On a CPU the result does not depend on the number of threads.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bismap.errors import BismapError
from bismap.prototypes.mixtures import Mixture, polynomials
from bismap.prototypes.tiles import CHANNELS, COMPONENTS, add_sums
from bismap.threads import one_thread_each

# Float32 products of 1e4 nat err by about 6e-8 * 1e4 = 0.6 mnat a rounding: inside 0.01 nat after summation.
STIFF = 1e4

# Rows that one task of a thread sums up; a GPU's portion.
TASK_ROWS, CUDA_ROWS = 16384, 1 << 16


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
    (components, channels), bits = mixture.means.shape, x.numpy().view(np.uint16)
    more, wider = -components % COMPONENTS, -channels % CHANNELS
    constant, linear, quadratic = polynomials(mixture)
    constant = F.pad(constant, (0, more), value=-math.inf)
    tables = [constant, *(F.pad(part, (0, wider, 0, more)) for part in (linear, quadratic))]
    tables = [table.to(dtype).contiguous().numpy() for table in tables]

    def task(start: int) -> Part:
        rows = bits[start : start + TASK_ROWS]
        if wider:
            rows = np.pad(rows, ((0, 0), (0, wider)))
        rows = np.ascontiguousarray(rows)  # as `add_sums` reads them; most are
        sums = [np.zeros(shape) for shape in (len(tables[0]), tables[1].shape, tables[1].shape)]
        log_likelihood = add_sums(rows, *tables, *sums)
        found = (np.float64(log_likelihood), sums[0][:components], *(s[:components, :channels] for s in sums[1:]))
        return tuple(torch.as_tensor(value) for value in found)

    return list(one_thread_each().map(task, range(0, len(x), TASK_ROWS)))
