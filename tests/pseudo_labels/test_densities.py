"""Full-resolution densities against float64 densities of the upsampled features."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from scipy.stats import norm

from bismap.errors import BismapError
from bismap.pseudo_labels import densities
from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes, most_probable_classes

DIM, COMPONENTS = 12, 3


def mixtures(rng, classes=4, absent=(), dead=0, dim=DIM):
    """Random mixtures; in ``dead`` channels the variance is at the floor around zero."""
    found = SimpleNamespace(weights=[], means=[], variances=[])
    for c in range(classes):
        if c in absent:
            for values in (found.weights, found.means, found.variances):
                values.append(None)
            continue
        means = rng.gamma(1.0, 1.0, (COMPONENTS, dim))
        variances = rng.uniform(0.05, 0.5, (COMPONENTS, dim))
        means[:, :dead], variances[:, :dead] = 0.0, 1e-6
        found.weights.append(rng.dirichlet(np.ones(COMPONENTS)))
        found.means.append(means)
        found.variances.append(variances)
    return found


def reference(features, found, size):
    """Best class and its log density, fp64, from features upsampled first (A§5)."""
    width, height = size
    up = F.interpolate(features[None].double(), (height, width), mode="bilinear", align_corners=True)[0].numpy()
    scores = np.full((len(found.means), height, width), -np.inf)
    for c, means in enumerate(found.means):
        if means is None:
            continue
        logs = [
            np.log(found.weights[c][k])
            + norm.logpdf(up, means[k][:, None, None], np.sqrt(found.variances[c][k])[:, None, None]).sum(0)
            for k in range(len(means))
        ]
        scores[c] = logsumexp(logs, axis=0)
    return scores


def assert_right(features, found, size):
    """Densities within the tolerance of float64, and the right class wherever two are not closer than that."""
    classes, density = most_likely_classes(features, gaussian_bank(found), size)
    scores = reference(features, found, size)
    ordered = np.sort(scores, axis=0)
    best = ordered[-1]
    assert np.all(np.abs(density - best) <= np.maximum(0.01, 1e-6 * np.abs(best)))
    clear = best - ordered[-2] > 0.02
    assert clear.mean() > 0.9
    assert np.array_equal(classes[clear], scores.argmax(0)[clear])


@pytest.fixture(params=["cells", "rows"])
def form(request, monkeypatch):
    """Either form of the last step: compiled for the CPU, or in tensor operations as a GPU runs it."""
    if request.param == "rows":
        monkeypatch.setattr(densities, "fill_by_cells", by_rows)
    return request.param


def by_rows(image, classes, scores, top, bottom, *, odds):
    choose = (densities.by_odds if odds else densities.by_density)(image.bank.owner)
    densities.fill_by_rows(image, classes, scores, top, bottom, choose)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("dead", [0, 4])
def test_densities_agree_with_upsampling_first_in_float64(dead):
    rng = np.random.default_rng(3)
    found = mixtures(rng, dead=dead)
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 9, 14)), dtype=torch.float32)
    features[:dead, :, :7] = 0.0
    features[:dead, :, 7:] *= 0.02
    assert_right(features, found, (53, 33))


def around(centres, spread):
    """Features ``[d, 8, 6 n]``: a chequerboard of centre + and - spread for each of n centres ``[n, d]``.

    Its terms cancel: midway between neighbours a feature is the centre itself.
    """
    sign = np.where(np.add.outer(np.arange(8), np.arange(6 * len(centres))) % 2, 1.0, -1.0)
    values = np.repeat(centres, 6, 0).T[:, None] + sign * np.repeat(spread, 6, 0).T[:, None]
    return torch.tensor(values, dtype=torch.float32)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("stiff", [(1,), (0, 3), (0, 1, 2, 3)])
def test_all_variances_at_the_floor_around_a_mean_that_is_not_zero(stiff):
    """Components of one sample each; in float32 they would err by nats where features pass their mean."""
    rng = np.random.default_rng(6)
    found = mixtures(rng, dim=64)
    for c in stiff:
        found.weights[c], found.variances[c] = np.ones(1), np.full((1, 64), 1e-6)
        found.means[c] = rng.gamma(1.0, 1.0, (1, 64))
    centres = np.stack([means[0] for means in found.means])
    features = around(centres, np.minimum(np.abs(rng.normal(size=centres.shape)), centres))
    assert_right(features, found, (2 * features.shape[2] - 1, 15))


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("size", [(2, 2), (14, 9), (13, 4), (7, 40), (1, 1), (60, 61)])
def test_any_size(size):
    """Also smaller than the features, where some cells have no pixel."""
    rng = np.random.default_rng(7)
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 9, 14)), dtype=torch.float32)
    found = mixtures(rng)
    classes, density = most_likely_classes(features, gaussian_bank(found), size)
    scores = reference(features, found, size)
    np.testing.assert_allclose(density, scores.max(0), rtol=1e-6, atol=1e-4)
    assert np.array_equal(classes, scores.argmax(0))


def test_tiles_and_threads_change_nothing():
    rng = np.random.default_rng(4)
    bank = gaussian_bank(mixtures(rng))
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 10, 8)), dtype=torch.float32)
    whole = most_likely_classes(features, bank, (31, 37))
    before = torch.get_num_threads()
    try:
        for threads, tile_rows in ((1, 1), (2, 3), (3, 100)):
            torch.set_num_threads(threads)
            classes, density = most_likely_classes(features, bank, (31, 37), tile_rows)
            assert np.array_equal(classes, whole[0])
            assert np.array_equal(density, whole[1])
    finally:
        torch.set_num_threads(before)


def test_densities_so_low_that_nats_are_lost_in_rounding():
    rng = np.random.default_rng(8)
    found = mixtures(rng, dim=256)
    for variances in found.variances:
        variances[:] = 1e-6
    features = torch.full((256, 3, 3), 6e4)
    classes, density = most_likely_classes(features, gaussian_bank(found), (9, 9))
    scores = reference(features, found, (9, 9))
    np.testing.assert_allclose(density, scores.max(0), rtol=1e-6)
    assert (classes == classes[0, 0]).all()


def test_absent_classes_are_never_assigned():
    rng = np.random.default_rng(5)
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 5, 5)), dtype=torch.float32)
    classes, _ = most_likely_classes(features, gaussian_bank(mixtures(rng, absent=(0, 2))), (20, 20))
    assert set(np.unique(classes)) <= {1, 3}


def test_no_prototypes_at_all_is_an_error():
    with pytest.raises(BismapError, match="no class has a mixture"):
        gaussian_bank(mixtures(np.random.default_rng(0), absent=range(4)))


def test_prototypes_of_another_network_are_refused():
    bank = gaussian_bank(mixtures(np.random.default_rng(0)))
    with pytest.raises(BismapError, match="another network"):
        most_likely_classes(torch.zeros(DIM + 1, 4, 4), bank, (16, 16))


def test_absurd_features_are_refused():
    with pytest.raises(BismapError, match="beyond 1e"):
        most_likely_classes(torch.full((DIM, 3, 4), 2e9), gaussian_bank(mixtures(np.random.default_rng(0))), (16, 12))


def test_features_that_are_not_finite_are_refused():
    bank = gaussian_bank(mixtures(np.random.default_rng(0)))
    with pytest.raises(BismapError, match="not finite"):
        most_likely_classes(torch.full((DIM, 4, 4), float("nan")), bank, (16, 16))


def odds_of(scores):
    """Log odds of the greatest of ``[C, ...]`` log densities."""
    best = scores.max(0)
    others = np.where(np.arange(len(scores))[:, None, None] == scores.argmax(0), -np.inf, scores)
    return best - np.logaddexp.reduce(others, 0)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("size", [(53, 33), (14, 9), (7, 40), (1, 1)])
@pytest.mark.parametrize("dead", [0, 4])
def test_odds_agree_with_upsampling_first_in_float64(dead, size):
    rng = np.random.default_rng(3)
    found = mixtures(rng, dead=dead)
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 9, 14)), dtype=torch.float32)
    features[:dead, :, :7] = 0.0
    features[:dead, :, 7:] *= 0.02
    scores = reference(features, found, size)
    classes, odds = most_probable_classes(features, gaussian_bank(found), size)
    best = np.sort(scores, 0)
    # Either density may be off by 1e-6 of its value, as in `assert_right`.
    bound = np.maximum(0.01, 2e-6 * np.abs(best[-2:]).max(0))
    assert (np.abs(odds - odds_of(scores)) <= bound).all()
    clear = best[-1] - best[-2] > 0.02
    assert np.array_equal(classes[clear], scores.argmax(0)[clear])


@pytest.mark.usefixtures("form")
def test_odds_where_one_class_is_far_ahead():
    """Beside its density the others' vanish, but not beside each other."""
    rng = np.random.default_rng(8)
    found = mixtures(rng)
    features = torch.tensor(found.means[2][0][:, None, None] + rng.normal(0, 0.01, (DIM, 5, 6)), dtype=torch.float32)
    for c in (0, 1, 3):
        found.means[c] = found.means[c] + 20.0
    scores = reference(features, found, (23, 17))
    classes, odds = most_probable_classes(features, gaussian_bank(found), (23, 17))
    assert (classes == 2).all()
    assert odds.min() > 1000
    np.testing.assert_allclose(odds, odds_of(scores), rtol=1e-6)
