"""An EM step of a class's mixture: ours beside scikit-learn and the form of public torch mixtures.

    python benchmarks/gmm.py [--samples 300000] [--rounds 5]

All start from the same means with variance 1 and take one step (E and M) over the same features. The
broadcasting form keeps ``[n, K, d]`` arrays and multiplies the square out, as ldeecke/gmm-torch does; it runs in
chunks of 8,192 on a third of the samples at most, and its time is scaled.
"""

import argparse
import math
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from comparison import Section, Work, compare, memory_above_imports
from sklearn.mixture import GaussianMixture
from torch import Tensor

from bismap.prototypes.expectation import expect
from bismap.prototypes.gmm import em_step, unit_mixture
from bismap.prototypes.mixtures import Mixture

K, D = 8, 256
REG = 1e-6
BROADCAST_SAMPLES, BROADCAST_CHUNK = 100_000, 8192


def make_features(n: int) -> tuple[Tensor, Tensor]:
    """Post-ReLU features ``[n, D]`` float16 around K centres, and the centres."""
    generator = torch.Generator().manual_seed(0)
    centres = 0.3 + 0.6 * torch.randn(K, D, generator=generator)
    x = torch.empty(n, D, dtype=torch.float16)
    for part in x.split(50_000):
        mode = torch.randint(K, (len(part),), generator=generator)
        part.copy_((centres[mode] + 0.3 * torch.randn(len(part), D, generator=generator)).relu_())
    return x, centres.relu()


def sklearn_step(x: np.ndarray, start: Mixture) -> tuple[float, np.ndarray, np.ndarray]:
    """Mean log-likelihood before the step, means and variances after it."""
    model = GaussianMixture(K, covariance_type="diag", reg_covar=REG)
    model.weights_ = start.weights.numpy().astype(x.dtype)
    model.means_ = start.means.numpy().astype(x.dtype)
    model.covariances_ = start.variances.numpy().astype(x.dtype)
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    likelihood, log_share = model._e_step(x)
    model._m_step(x, log_share)
    return float(likelihood), model.means_, model.covariances_


def broadcasting_step(x: Tensor, start: Mixture) -> tuple[Tensor, Tensor]:
    """Means and variances after the step, by ``[n, K, d]`` arrays."""
    weights, means, variances = start.weights.float(), start.means.float(), start.variances.float()
    mass, first, second = torch.zeros(K, 1), torch.zeros(K, D), torch.zeros(K, D)
    for part in x.split(BROADCAST_CHUNK):
        wide = part.float()[:, None]
        quadratic = ((wide * wide - 2 * wide * means + means * means) / variances).sum(2)
        joint = weights.log() - 0.5 * (quadratic + (2 * math.pi * variances).log().sum(1))
        share = (joint - joint.logsumexp(1, keepdim=True)).exp()[..., None]
        mass += share.sum(0)
        first += (share * wide).sum(0)
        second += (share * wide * wide).sum(0)
    after = first / mass
    return after, second / mass - after**2 + REG


def fit_file(path: str) -> None:
    """Three steps over the features of a file."""
    x = torch.from_numpy(np.load(path))
    mixture = unit_mixture(make_features(1)[1])
    for _ in range(3):
        _, mixture = em_step(x, mixture, REG)


def load_code(_path: str) -> None:
    """A step over one sample: what it takes is numba and the compiled code."""
    em_step(torch.zeros(1, D, dtype=torch.float16), unit_mixture(make_features(1)[1]), REG)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    x, centres = make_features(args.samples)
    start = unit_mixture(centres)
    part = x[: min(BROADCAST_SAMPLES, args.samples)]
    peers = {f"scikit-learn, {kind.__name__}": x.numpy().astype(kind) for kind in (np.float64, np.float32)}

    likelihood, ours = em_step(x, start, REG)
    exact_likelihood, means, variances = sklearn_step(peers["scikit-learn, float64"], start)
    few = sklearn_density(part[:4096].double().numpy(), start)
    single = [expect(row[None], start, torch.float32).log_likelihood.item() for row in part[:4096]]
    error = float((np.abs(np.array(single) - few) / np.maximum(0.01, 1e-6 * np.abs(few))).max())
    part_means, _ = broadcasting_step(part, start)
    _, ours_of_part = em_step(part, start, REG)

    seconds = compare(
        {
            "ours, float16 in": lambda: em_step(x, start, REG),
            **{name: lambda wide=wide: sklearn_step(wide, start) for name, wide in peers.items()},
            "broadcasting, torch float32": lambda: broadcasting_step(part, start),
        },
        args.rounds,
        {"broadcasting, torch float32": args.samples / len(part)},
    )
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "features.npy")
        np.save(path, x.numpy())
        memory, code = (memory_above_imports(function, path) for function in (fit_file, load_code))
    size = x.numel() * 2 / 2**20
    Section(
        f"EM step, {args.samples:,} x {D}, K = {K}, diagonal",
        {"scikit-learn, float64": 20, "scikit-learn, float32": 3, "broadcasting, torch float32": 250},
        ("a step", 1),
        [
            f"Agreement with scikit-learn in float64: log-likelihood {abs(likelihood - exact_likelihood):.1e} nat a "
            f"sample, means {apart(ours.means, means):.1e}, variances {apart(ours.variances, variances):.1e}; with "
            f"broadcasting on {len(part):,} samples: means {apart(ours_of_part.means, part_means):.1e}.",
            f"Log densities of 4,096 samples: {error:.3f} of the allowed max(0.01 nat, 1e-6 of the value).",
            f"Memory of three steps above the process after imports, the features ({size:.0f} MB) with it: "
            f"{memory:.0f} MB, {memory / size:.2f} × the features (allowed: 1.3). A step over one sample takes "
            f"{code:.0f} MB: compiled code, loaded at the first call.",
        ],
        Work(fp32=8 * args.samples * D * K, bytes=2 * x.numel()),
    ).print(seconds)


def apart(ours: Tensor, theirs: np.ndarray | Tensor) -> float:
    """Greatest difference."""
    return float((ours - torch.as_tensor(theirs)).abs().max())


def sklearn_density(x: np.ndarray, start: Mixture) -> np.ndarray:
    """Log density of each row, float64."""
    model = GaussianMixture(K, covariance_type="diag")
    model.weights_, model.means_ = start.weights.numpy(), start.means.numpy()
    model.precisions_cholesky_ = 1 / np.sqrt(start.variances.numpy())
    return model.score_samples(x)


if __name__ == "__main__":
    main()
