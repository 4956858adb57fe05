"""Mixtures: neighbours and margins against densities by scipy, and what is drawn of them."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from bismap.errors import BismapError
from bismap.plots.mixtures import ClassFit, Fitted, Neighbours, draw, neighbours, read_fitted
from bismap.prototypes.mixtures import Mixture, Mixtures, mixture_file, save_mixture


def mixture(rng, centre, components):
    weights = rng.random(components) + 0.1
    means, variances = centre + rng.normal(size=(components, 3)), rng.random((components, 3)) + 0.2
    return Mixture(*(torch.from_numpy(values) for values in (weights / weights.sum(), means, variances)))


@pytest.fixture
def mixtures():
    rng = np.random.default_rng(0)
    return Mixtures.of([mixture(rng, 0, 4), mixture(rng, 1, 3), None, mixture(rng, 8, 5), mixture(rng, 0.5, 2)])


def density(mixture, point):
    parts = zip(mixture.weights.numpy(), mixture.means.numpy(), mixture.variances.numpy(), strict=True)
    return logsumexp([np.log(w) + multivariate_normal.logpdf(point, m, np.diag(v)) for w, m, v in parts])


def test_the_nearest_other_class_is_the_densest_at_the_mean(mixtures):
    found = neighbours(mixtures)
    for own in (0, 1, 3, 4):
        expected, margins = np.zeros(5), []
        for weight, mean in zip(mixtures.weights[own].numpy(), mixtures.means[own].numpy(), strict=True):
            others = {c: density(mixtures[c], mean) for c in (0, 1, 3, 4) if c != own}
            nearest = max(others, key=others.get)
            expected[nearest] += weight
            margins.append(density(mixtures[own], mean) - others[nearest])
        np.testing.assert_allclose(found.shares[own], expected)
        np.testing.assert_allclose(found.margins[own], min(margins))
    assert not found.shares[2].any()
    assert np.isnan(found.margins[2])
    assert not found.shares[:, 2].any()


def test_a_single_class_has_no_neighbour(mixtures):
    found = neighbours(Mixtures.of([None, mixtures[0]]))
    assert not found.shares.any()
    assert np.isnan(found.margins).all()


def folder_of(tmp_path, mixtures):
    for trainid in (0, 1, 3, 4):
        save_mixture(mixture_file(tmp_path, trainid), mixtures[trainid])
    status = ["fitted", "fitted", "absent", "fitted", "reduced"]
    rows = [f"{c},class{c},{90 * (s != 'absent')},8,2,{int(c != 1)},{s}" for c, s in enumerate(status)]
    (tmp_path / "classes.csv").write_text("class,name,samples,components,steps,converged,status\n" + "\n".join(rows))
    traces = [f"{c},{step},{c + step / 2}" for c in (0, 1, 3, 4) for step in range(4)]
    (tmp_path / "traces.csv").write_text("class,step,mean_log_likelihood\n" + "\n".join(traces))
    return tmp_path


def test_what_is_drawn_is_what_the_folder_holds(tmp_path, mixtures):
    fitted = read_fitted(folder_of(tmp_path, mixtures))
    assert fitted.absent == ["class2"]
    assert [fit.converged for fit in fitted.fits] == [True, False, True, True]
    figure = Figure()
    draw(figure, fitted)
    trace = next(ax for ax in figure.axes if ax.lines)
    np.testing.assert_array_equal(trace.lines[0].get_xydata(), [[1, 0.5], [2, 1.0], [3, 1.5]])
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert texts.count("step limit reached") == 1
    weights = figure.axes[-2].collections[0].get_array().reshape(4, 5)
    np.testing.assert_allclose(weights[0, :4], 100 * np.sort(mixtures.weights[0].numpy())[::-1])
    assert weights[0, 4] == 0
    shares = figure.axes[-1].collections[0].get_array().reshape(4, 4)
    np.testing.assert_allclose(shares, 100 * neighbours(mixtures).shares[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])])


def test_a_prototype_within_another_class_is_marked():
    fits = [ClassFit(c, f"class{c}", 9, True, np.array([0.0, 1.0]), np.ones(1)) for c in range(2)]
    figure = Figure()
    draw(figure, Fitted(fits, [], Neighbours(np.array([[0, 1.0], [1, 0]]), np.array([-3.0, 4.0]))))
    color = {text.get_text(): text.get_color() for text in figure.axes[-1].texts}
    assert color["-3.0"] != color["4.0"]


def test_a_damaged_mixture_or_a_lost_trace_is_named(tmp_path, mixtures):
    folder = folder_of(tmp_path, mixtures)
    (folder / "traces.csv").write_text("class,step,mean_log_likelihood\n0,0,1\n")
    with pytest.raises(BismapError, match=r"traces\.csv: no row of class class1"):
        read_fitted(folder)
    mixture_file(folder, 3).write_bytes(b"")
    with pytest.raises(BismapError, match=r"03\.safetensors is no mixture"):
        read_fitted(folder)
