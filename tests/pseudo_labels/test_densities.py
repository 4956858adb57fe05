"""Full-resolution densities against float64 densities of the upsampled features."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.special import logsumexp
from scipy.stats import norm

from bismap.errors import BismapError
from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes

DIM, COMPONENTS = 12, 3


def mixtures(rng, classes=4, absent=(), dead=0):
    """Random mixtures; in ``dead`` channels the variance is at the floor around zero."""
    found = SimpleNamespace(weights=[], means=[], variances=[])
    for c in range(classes):
        if c in absent:
            for values in (found.weights, found.means, found.variances):
                values.append(None)
            continue
        means = rng.gamma(1.0, 1.0, (COMPONENTS, DIM))
        variances = rng.uniform(0.05, 0.5, (COMPONENTS, DIM))
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


@pytest.mark.parametrize("dead", [0, 4])
def test_densities_agree_with_upsampling_first_in_float64(dead):
    rng = np.random.default_rng(3)
    found = mixtures(rng, dead=dead)
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 9, 14)), dtype=torch.float32)
    features[:dead, :, :7] = 0.0
    features[:dead, :, 7:] *= 0.02
    size = (53, 33)
    classes, density = most_likely_classes(features, gaussian_bank(found), size)
    scores = reference(features, found, size)
    best = scores.max(0)
    assert np.all(np.abs(density - best) <= np.maximum(0.01, 1e-6 * np.abs(best)))
    ordered = np.sort(scores, axis=0)
    clear = ordered[-1] - ordered[-2] > 0.02
    assert clear.mean() > 0.9
    assert np.array_equal(classes[clear], scores.argmax(0)[clear])


def test_the_tile_size_changes_nothing():
    rng = np.random.default_rng(4)
    bank = gaussian_bank(mixtures(rng))
    features = torch.tensor(rng.gamma(1.0, 1.0, (DIM, 10, 8)), dtype=torch.float32)
    results = [most_likely_classes(features, bank, (31, 37), tile_rows=rows) for rows in (1, 3, 100)]
    for classes, density in results[1:]:
        assert np.array_equal(classes, results[0][0])
        assert np.array_equal(density, results[0][1])


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


def test_features_that_are_not_finite_are_refused():
    bank = gaussian_bank(mixtures(np.random.default_rng(0)))
    with pytest.raises(BismapError, match="not finite"):
        most_likely_classes(torch.full((DIM, 4, 4), float("nan")), bank, (16, 16))
