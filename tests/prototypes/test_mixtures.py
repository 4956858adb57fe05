"""Log densities against scipy and float64, and the mixture files."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from bismap.errors import BismapError
from bismap.prototypes.mixtures import (
    CLASSES,
    Mixture,
    Mixtures,
    load_mixture,
    load_mixtures,
    mixture_file,
    save_mixture,
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def direct(mixture, x):
    """Float64 reference: the squared distance to each mean, formed before anything is summed."""
    weights, means, variances = (t.numpy() for t in (mixture.weights, mixture.means, mixture.variances))
    z = (x.astype(np.float64)[:, None] - means) ** 2 / variances
    terms = np.log(weights) - 0.5 * (z + np.log(2 * math.pi * variances)).sum(2)
    return logsumexp(terms, axis=1)


def assert_exact(got, expected):
    tolerance = np.maximum(0.01, 1e-6 * np.abs(expected))
    assert (np.abs(got - expected) <= tolerance).all(), np.abs((got - expected) / tolerance).max()


def random_mixture(rng, k, d, scale=0.3):
    weights = torch.from_numpy(rng.dirichlet(np.ones(k)))
    means = torch.from_numpy(np.maximum(rng.normal(size=(k, d)), 0))
    return Mixture(weights, means, torch.from_numpy(rng.uniform(0.1, 1, size=(k, d)) * scale**2))


def samples(rng, mixture, n):
    component = rng.integers(len(mixture), size=n)
    noise = rng.normal(size=(n, mixture.means.shape[1])) * mixture.variances.numpy()[component] ** 0.5
    return np.maximum(mixture.means.numpy()[component] + noise, 0).astype(np.float16)


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    mixture, x = random_mixture(rng, 3, 5), rng.normal(size=(20, 5)).astype(np.float32)
    terms = [
        np.log(w.item()) + multivariate_normal(m.numpy(), np.diag(v.numpy())).logpdf(x)
        for w, m, v in zip(mixture.weights, mixture.means, mixture.variances, strict=True)
    ]
    got = Mixtures.of([mixture]).log_density(torch.from_numpy(x))
    np.testing.assert_allclose(got[:, 0], logsumexp(terms, axis=0), rtol=1e-5)


@pytest.mark.parametrize("chunk_rows", [7, 64, None])
def test_classes_of_different_sizes(chunk_rows):
    rng = np.random.default_rng(1)
    classes = [random_mixture(rng, 8, 256), None, random_mixture(rng, 1, 256), random_mixture(rng, 3, 256)]
    x = np.concatenate([samples(rng, classes[c], 50) for c in (0, 2, 3)])
    got = Mixtures.of(classes).log_density(torch.from_numpy(x), chunk_rows).numpy()
    assert got.shape == (150, 4)
    assert (got[:, 1] == -np.inf).all()
    for c in (0, 2, 3):
        assert_exact(got[:, c], direct(classes[c], x))


def narrow_mixture(kind, rng, d=256):
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


@pytest.mark.parametrize("kind", ["dead", "constant", "leaking", "one sample"])
def test_variances_at_the_floor(kind):
    rng = np.random.default_rng(2)
    mixture = narrow_mixture(kind, rng)
    near, far = samples(rng, mixture, 200), samples(rng, random_mixture(rng, 4, 256), 200)
    x = np.concatenate([near, far, (near + far) / 2, mixture.means.numpy().astype(np.float16)])
    got = Mixtures.of([mixture]).log_density(torch.from_numpy(x)).numpy()
    assert_exact(got[:, 0], direct(mixture, x))


def test_float32_alone_would_miss_the_bound():
    # Shows that the float64 components are needed: the plain float32 form errs by nats.
    rng = np.random.default_rng(3)
    mixture = narrow_mixture("one sample", rng)[torch.tensor([0])]
    x = mixture.means.numpy().astype(np.float32)
    linear, half = (mixture.means / mixture.variances).float(), (0.5 / mixture.variances).float()
    constant = -0.5 * ((2 * math.pi * mixture.variances).log() + mixture.means**2 / mixture.variances).sum()
    plain = torch.from_numpy(x) @ linear.T - torch.from_numpy(x) ** 2 @ half.T + constant.float()
    assert abs(plain.item() - direct(mixture, x)[0]) > 1
    assert_exact(Mixtures.of([mixture]).log_density(torch.from_numpy(x))[0].numpy(), direct(mixture, x))


def write(folder, mixtures):
    rows = ["class,name,samples,components,steps,converged,status"]
    for trainid, mixture in enumerate(mixtures):
        rows.append(f"{trainid},name,1,1,1,1,{'absent' if mixture is None else 'fitted'}")
        if mixture is not None:
            save_mixture(mixture_file(folder, trainid), mixture)
    (folder / CLASSES).write_text("\n".join(rows) + "\n")


def test_file_round_trip(tmp_path):
    rng = np.random.default_rng(4)
    mixtures = [random_mixture(rng, 2, 6), None, random_mixture(rng, 3, 6)]
    write(tmp_path, mixtures)
    loaded = load_mixtures(tmp_path)
    assert len(loaded) == 3
    assert loaded[1] is None
    assert loaded.weights[1] is None
    for c in (0, 2):
        for name in ("weights", "means", "variances"):
            assert torch.equal(getattr(loaded, name)[c], getattr(mixtures[c], name))


def test_bad_files(tmp_path):
    rng = np.random.default_rng(5)
    with pytest.raises(BismapError, match=r"classes\.csv"):
        load_mixtures(tmp_path)
    write(tmp_path, [random_mixture(rng, 2, 6), random_mixture(rng, 2, 7)])
    with pytest.raises(BismapError, match=r"lengths \[6, 7\]"):
        load_mixtures(tmp_path)
    mixture_file(tmp_path, 1).unlink()
    with pytest.raises(BismapError, match=r"01\.safetensors"):
        load_mixtures(tmp_path)
    with pytest.raises(BismapError, match="no class has a mixture"):
        Mixtures.of([None]).log_density(torch.zeros(1, 3))


@pytest.mark.parametrize(
    ("name", "value"), [("variances", 0.0), ("weights", 0.7), ("means", math.nan), ("means", None)]
)
def test_invalid_mixture(tmp_path, name, value):
    mixture = random_mixture(np.random.default_rng(6), 2, 4)
    broken = getattr(mixture, name)
    broken = broken[:1] if value is None else broken.fill_(value)
    fields = {"weights": mixture.weights, "means": mixture.means, "variances": mixture.variances}
    save_mixture(tmp_path / "00.safetensors", Mixture(**fields | {name: broken}))
    with pytest.raises(BismapError, match="expected weights"):
        load_mixture(tmp_path / "00.safetensors")
