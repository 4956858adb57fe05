"""Log densities as polynomials against scipy, and the mixture files."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from bismap.errors import BismapError
from bismap.prototypes.mixtures import (
    CLASSES,
    Mixture,
    load_mixture,
    load_mixtures,
    mixture_file,
    polynomials,
    save_mixture,
)


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def random_mixture(rng, k, d):
    weights = torch.from_numpy(rng.dirichlet(np.ones(k)))
    return Mixture(weights, torch.from_numpy(rng.normal(size=(k, d))), torch.from_numpy(rng.uniform(0.1, 1, (k, d))))


def test_polynomials_agree_with_scipy():
    rng = np.random.default_rng(0)
    mixture, x = random_mixture(rng, 3, 5), rng.normal(size=(20, 5))
    constant, linear, quadratic = (part.numpy() for part in polynomials(mixture))
    for k, (w, m, v) in enumerate(zip(mixture.weights, mixture.means, mixture.variances, strict=True)):
        expected = np.log(w.item()) + multivariate_normal(m.numpy(), np.diag(v.numpy())).logpdf(x)
        np.testing.assert_allclose(constant[k] + x @ linear[k] + x**2 @ quadratic[k], expected, rtol=1e-10)


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
