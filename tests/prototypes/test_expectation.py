"""The pass of an EM step against float64, far from every mean and with variances at the floor."""

import math

import numpy as np
import pytest
import torch

from bismap.errors import BismapError
from bismap.prototypes import expectation
from bismap.prototypes.expectation import expect, stiff
from bismap.prototypes.mixtures import Mixture
from tests.prototypes.reference import log_density

D = 256


def assert_exact(got, expected):
    tolerance = np.maximum(0.01, 1e-6 * np.abs(expected))
    assert (np.abs(got - expected) <= tolerance).all(), np.abs((got - expected) / tolerance).max()


def random_mixture(rng, k, d=D, scale=0.3):
    weights = torch.from_numpy(rng.dirichlet(np.ones(k)))
    means = torch.from_numpy(np.maximum(rng.normal(size=(k, d)), 0))
    return Mixture(weights, means, torch.from_numpy(rng.uniform(0.1, 1, size=(k, d)) * scale**2))


def samples(rng, mixture, n):
    component = rng.integers(len(mixture), size=n)
    noise = rng.normal(size=(n, mixture.means.shape[1])) * mixture.variances.numpy()[component] ** 0.5
    return np.maximum(mixture.means.numpy()[component] + noise, 0).astype(np.float16)


def narrow_mixture(kind, rng, d=D):
    mixture = random_mixture(rng, 4, d)
    means, variances = mixture.means.clone(), mixture.variances.clone()
    if kind == "dead":  # channels that ReLU holds at 0
        means[:, :100], variances[:, :100] = 0, 1e-6
    elif kind == "constant":  # channels stuck at a value above 0 in two of the components
        means[:2, :100], variances[:2, :100] = 0.7001953125, 1e-6
    elif kind == "leaking":  # channels that are almost never on: mean of the order of the deviation
        means[:, :100], variances[:, :100] = 2e-3, 3e-6
    elif kind == "one sample":  # a component on one sample: every variance at the floor
        means[0], variances[0] = torch.from_numpy(samples(rng, mixture, 1)[0]).double(), 1e-6
    return Mixture(mixture.weights, means, variances)


def densities(mixture, x):
    """Log density of each row, by passes over one row each."""
    dtype = torch.float64 if stiff(mixture).any() else torch.float32
    return np.array([expect(row[None], mixture, dtype).log_likelihood.item() for row in torch.from_numpy(x)])


@pytest.mark.parametrize("components", [1, 3, 4, 8, 9])
def test_densities_near_and_far(components):
    rng = np.random.default_rng(1)
    mixture = random_mixture(rng, components)
    x = np.concatenate([samples(rng, mixture, 40), samples(rng, random_mixture(rng, 4), 40)])
    assert not stiff(mixture).any()
    assert_exact(densities(mixture, x), log_density(mixture, x))


@pytest.mark.parametrize("kind", ["dead", "constant", "leaking", "one sample"])
def test_variances_at_the_floor(kind):
    rng = np.random.default_rng(2)
    mixture = narrow_mixture(kind, rng)
    near, far = samples(rng, mixture, 50), samples(rng, random_mixture(rng, 4), 50)
    x = np.concatenate([near, far, (near + far) / 2, mixture.means.numpy().astype(np.float16)])
    assert_exact(densities(mixture, x), log_density(mixture, x))


def test_float32_alone_would_miss_the_bound():
    rng = np.random.default_rng(3)
    mixture = narrow_mixture("one sample", rng)[torch.tensor([0])]
    x = mixture.means.half()
    exact = log_density(mixture, x.numpy())[0]
    assert abs(expect(x, mixture, torch.float32).log_likelihood.item() - exact) > 1
    assert expect(x, mixture, torch.float64).log_likelihood.item() == pytest.approx(exact, abs=1e-6)


def direct_sums(mixture, x):
    """Log-likelihood, responsibilities, and sums of x and x^2, in float64."""
    wide = x.astype(np.float64)
    singles = [
        log_density(Mixture(torch.ones(1), mixture.means[[k]], mixture.variances[[k]]), x)
        + math.log(mixture.weights[k])
        for k in range(len(mixture))
    ]
    total = np.logaddexp.reduce(singles)
    share = np.exp(np.array(singles) - total)
    return total.sum(), share.sum(1), share @ wide, share @ wide**2


# Rows that fill no group, no block (512) and no task; whole ones; and one row more. Channels and components that
# fill no tile, one, and several.
@pytest.mark.parametrize("n", [1, 15, 16, 17, 511, 512, 513, 1023, 1024, 1025, 1537])
@pytest.mark.parametrize(("k", "d"), [(1, 12), (6, 33), (17, 100), (4, 256)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sums(monkeypatch, n, k, d, dtype):
    monkeypatch.setattr(expectation, "TASK_ROWS", 1024)
    rng = np.random.default_rng(4)
    mixture = random_mixture(rng, k, d, scale=2.0)
    x = samples(rng, mixture, n)
    sums = expect(torch.from_numpy(x), mixture, dtype)
    likelihood, responsibility, first, second = direct_sums(mixture, x)
    assert sums.log_likelihood.item() == pytest.approx(likelihood, rel=1e-5, abs=1e-4)
    np.testing.assert_allclose(sums.responsibility, responsibility, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sums.first, first, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(sums.second, second, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("d", [40, 64])
def test_rows_that_do_not_lie_in_order_in_memory(d):
    rng = np.random.default_rng(8)
    mixture = random_mixture(rng, 3, d)
    x = torch.from_numpy(samples(rng, mixture, 70))
    expected = vars(expect(x, mixture, torch.float32))
    wide = torch.zeros(70, 2 * d, dtype=torch.float16)
    wide[:, ::2] = x
    for other in (x.T.contiguous().T, wide[:, ::2]):
        found = vars(expect(other, mixture, torch.float32))
        assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_form_for_a_gpu_gives_the_same(monkeypatch):
    monkeypatch.setattr(expectation, "CUDA_ROWS", 300)
    rng = np.random.default_rng(5)
    mixture = random_mixture(rng, 6, 12, scale=2.0)
    x = torch.from_numpy(samples(rng, mixture, 1000))
    parts = expectation._on_cuda(x, mixture, torch.float64)
    cpu = expect(x, mixture, torch.float64)
    gpu = [torch.stack(column).sum(0) for column in zip(*parts, strict=True)]
    for got, expected in zip(gpu, (cpu.log_likelihood, cpu.responsibility, cpu.first, cpu.second), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


def test_number_of_threads_does_not_matter(monkeypatch):
    monkeypatch.setattr(expectation, "TASK_ROWS", 1024)
    rng = np.random.default_rng(6)
    mixture = random_mixture(rng, 5, 20)
    x = torch.from_numpy(samples(rng, mixture, 3000))
    before = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            results.append(expect(x, mixture, torch.float32))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(vars(other).values(), vars(results[0]).values(), strict=True))


def test_other_types_are_refused():
    with pytest.raises(BismapError, match=r"expected torch\.float16"):
        expect(torch.zeros(3, D), random_mixture(np.random.default_rng(7), 2), torch.float32)
