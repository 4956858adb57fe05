"""EM against scikit-learn at equal steps, and its rules."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture

from bismap.errors import BismapError
from bismap.prototypes.expectation import stiff
from bismap.prototypes.gmm import em_step, fit, unit_mixture
from bismap.prototypes.kmeans import kmeans_centres
from bismap.prototypes.mixtures import Mixture
from tests.prototypes.reference import log_density

K, D = 8, 32
REG = 1e-6


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def post_relu(n, kind="plain", seed=0, d=D):
    """Features as the network gives them: non-negative, sparse, several modes."""
    rng = np.random.default_rng(seed)
    centres, spread = 1.2 * rng.normal(size=(K, d)), rng.uniform(0.1, 0.6, size=(K, d))
    mode = rng.integers(K, size=n)
    x = np.maximum(centres[mode] + spread[mode] * rng.normal(size=(n, d)), 0)
    if kind == "dead":
        x[:, :4] = 0
        x[mode < 2, 4:8] = 0
    elif kind == "constant":
        x[:, :4] = 0.3
        x[mode < 2, 4:8] = 0.7
    return x.astype(np.float16)


def start(x, k=K):
    return unit_mixture(torch.from_numpy(kmeans_centres(x, k, seed=1, threads=1)))


def run_steps(x, begin, steps):
    return fit(torch.from_numpy(x), begin, reg_covar=REG, tolerance=-np.inf, max_steps=steps)


def sklearn_fit(x, begin, max_iter, tol=0.0):
    k = len(begin)
    model = GaussianMixture(
        k,
        covariance_type="diag",
        reg_covar=REG,
        tol=tol,
        max_iter=max_iter,
        means_init=begin.means.numpy(),
        weights_init=np.full(k, 1 / k),
        precisions_init=np.ones(begin.means.shape),
    )
    return model.fit(x.astype(np.float64))


@pytest.mark.parametrize("kind", ["plain", "dead", "constant"])
@pytest.mark.parametrize("steps", [1, 4, 15])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_agrees_with_sklearn_at_equal_steps(kind, steps):
    x = post_relu(3000, kind)
    begin = start(x)
    ours, theirs = run_steps(x, begin, steps), sklearn_fit(x, begin, steps)
    assert ours.steps == steps
    np.testing.assert_allclose(ours.mixture.means, theirs.means_, atol=1e-5)
    np.testing.assert_allclose(ours.mixture.weights, theirs.weights_, atol=1e-5)
    density = log_density(ours.mixture, x)
    np.testing.assert_allclose(density, theirs.score_samples(x.astype(np.float64)), atol=0.015)


def test_default_stop_is_one_step_before_sklearn():
    # A§4: scikit-learn measures the log-likelihood before the M-step, so it takes one step more.
    x = post_relu(2000)
    begin = start(x)
    ours = fit(torch.from_numpy(x), begin, reg_covar=REG, tolerance=1e-3, max_steps=100)
    assert ours.converged
    assert sklearn_fit(x, begin, 100, tol=1e-3).n_iter_ == ours.steps + 1
    gains = np.diff(ours.trace)
    assert (gains[:-1] >= 1e-3).all()
    assert gains[-1] < 1e-3


def test_step_limit():
    x = post_relu(500)
    stopped = fit(torch.from_numpy(x), start(x), reg_covar=REG, tolerance=1e-9, max_steps=2)
    assert not stopped.converged
    assert stopped.steps == 2


def test_same_again():
    x = post_relu(3000)
    first, second = (run_steps(x, start(x), 5).mixture for _ in range(2))
    assert torch.equal(first.means, second.means)
    assert torch.equal(first.variances, second.variances)


def test_one_component_is_the_closed_form():
    x = post_relu(1000)
    fitted = fit(torch.from_numpy(x), start(x, 1), reg_covar=REG, tolerance=1e-3, max_steps=100)
    wide = x.astype(np.float64)
    np.testing.assert_allclose(fitted.mixture.means[0], wide.mean(0), rtol=1e-6)
    np.testing.assert_allclose(fitted.mixture.variances[0], wide.var(0) + REG, rtol=1e-5)
    assert fitted.mixture.weights.tolist() == [1]


def test_spherical_components_are_those_of_scikit_learn():
    x = post_relu(2000, d=6) + np.float16(0.5)
    begin = start(x, 3)
    options = {"reg_covar": REG, "tolerance": -np.inf, "max_steps": 5}
    ours = fit(torch.from_numpy(x), begin, covariance="spherical", **options).mixture
    reference = GaussianMixture(3, covariance_type="spherical", reg_covar=REG)
    reference.weights_, reference.means_ = begin.weights.numpy(), begin.means.numpy()
    reference.precisions_cholesky_ = np.ones(3)
    wide = x.astype(np.float64)
    for _ in range(5):
        reference._m_step(wide, reference._e_step(wide)[1])
    np.testing.assert_allclose(ours.means, reference.means_, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(ours.variances, np.repeat(reference.covariances_[:, None], 6, 1), rtol=1e-3, atol=1e-5)


def test_tied_components_share_the_pooled_variance():
    x = post_relu(2000, d=6) + np.float16(0.5)
    begin = start(x, 3)
    options = {"reg_covar": REG, "tolerance": -np.inf, "max_steps": 1}
    free = fit(torch.from_numpy(x), begin, **options).mixture
    tied = fit(torch.from_numpy(x), begin, covariance="tied", **options).mixture
    pooled = (free.weights[:, None] * free.variances).sum(0)
    torch.testing.assert_close(tied.variances, pooled.expand(3, 6))
    torch.testing.assert_close(tied.means, free.means)


@given(seed=st.integers(0, 2**31), n=st.integers(40, 300), d=st.integers(1, 12))
@settings(max_examples=25, deadline=None)
def test_log_likelihood_never_falls(seed, n, d):
    # reg_covar is no part of the likelihood that EM climbs: noise keeps variances far above it, the slack is its rest.
    noise = np.random.default_rng(seed).normal(size=(n, d)) * 0.05
    x = (post_relu(n, seed=seed, d=d) + noise).astype(np.float16)
    trace = run_steps(x, start(x, 3), 8).trace
    assert (np.diff(trace) > -1e-2).all()


def test_a_component_that_narrows_within_a_step_is_exact():
    # From variance 1 straight to the floor: the float32 sums of that step could not carry it.
    rng = np.random.default_rng(0)
    x = np.concatenate([np.full((500, D), 1.3), 10 + rng.normal(size=(500, D))]).astype(np.float16)
    begin = unit_mixture(torch.from_numpy(x[[0, -1]].astype(np.float32)))
    assert not stiff(begin).any()
    _, improved = em_step(torch.from_numpy(x), begin, REG)
    torch.testing.assert_close(improved.variances[0], torch.full((D,), REG, dtype=torch.float64), rtol=1e-6, atol=0)


def test_empty_component_is_dropped():
    x = post_relu(500)
    begin = start(x, 3)
    far = torch.cat([begin.means, torch.full((1, D), 1e3, dtype=torch.float64)])
    with_empty = unit_mixture(far)
    fitted = run_steps(x, with_empty, 3)
    assert len(fitted.mixture) == 3
    assert fitted.mixture.weights.sum() == pytest.approx(1)
    torch.testing.assert_close(fitted.mixture.means, run_steps(x, begin, 3).mixture.means, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("n", "components"), [(1, 1), (5, 5), (8, 8), (20, 8)])
def test_few_samples(n, components):
    x = post_relu(n)
    fitted = fit(torch.from_numpy(x), start(x), reg_covar=REG, tolerance=1e-3, max_steps=100)
    assert len(fitted.mixture) <= components
    if n <= K:  # the points are far apart, so each is a component of its own
        assert len(fitted.mixture) == components
    assert fitted.mixture.variances.min() >= REG
    assert np.isfinite(fitted.trace).all()


def test_identical_samples():
    x = np.repeat(post_relu(1), 100, axis=0)
    mixture = fit(torch.from_numpy(x), start(x), reg_covar=REG, tolerance=1e-3, max_steps=100).mixture
    assert len(mixture) == 1
    np.testing.assert_array_equal(mixture.means[0], x[0].astype(np.float64))
    np.testing.assert_allclose(mixture.variances, REG)


def test_not_finite():
    x = post_relu(50)
    x[3, 4] = np.inf
    with pytest.raises(BismapError, match="finite"):
        run_steps(x, unit_mixture(torch.zeros(1, D)), 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_cuda_agrees_with_cpu():
    x = post_relu(5000, "constant")
    begin = start(x)
    cpu = run_steps(x, begin, 10).mixture
    there = Mixture(*(t.cuda() for t in vars(begin).values()))
    cuda = fit(torch.from_numpy(x).cuda(), there, reg_covar=REG, tolerance=-np.inf, max_steps=10).mixture
    torch.testing.assert_close(cuda.means.cpu(), cpu.means, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(log_density(cuda, x), log_density(cpu, x), rtol=1e-5, atol=0.015)
