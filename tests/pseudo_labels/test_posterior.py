"""Posterior odds against probabilities by Bayes' rule in plain numpy; smoothing by its definition."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import norm

from bismap.prototypes.mixtures import Mixture, Mixtures
from bismap.pseudo_labels.densities import gaussian_bank, most_likely_classes, most_probable_classes
from bismap.pseudo_labels.posterior import ODDS_GRID, smoothed

D = 6


def mixture(seed, components):
    rng = np.random.default_rng(seed)
    weights = rng.random(components) + 0.2
    return Mixture(
        torch.from_numpy(weights / weights.sum()),
        torch.from_numpy(rng.normal(size=(components, D))),
        torch.from_numpy(rng.uniform(0.3, 1.5, (components, D))),
    )


@pytest.fixture
def mixtures():
    return Mixtures.of([mixture(0, 3), None, mixture(1, 1), mixture(2, 5)])


def likelihoods(mixtures, features):
    """``[..., C]`` of features ``[..., d]``; 0 for a class without a mixture."""
    found = np.zeros((*features.shape[:-1], len(mixtures)))
    for c in range(len(mixtures)):
        if mixtures[c] is not None:
            weights, means, variances = (part.numpy() for part in vars(mixtures[c]).values())
            each = norm.pdf(features[..., None, :], means, np.sqrt(variances)).prod(-1)
            found[..., c] = each @ weights
    return found


def test_odds_are_those_of_bayes_rule(mixtures):
    features = torch.from_numpy(np.random.default_rng(3).normal(size=(D, 5, 7)).astype(np.float32))
    size = (23, 17)
    bank = gaussian_bank(mixtures)
    classes, odds = most_probable_classes(features, bank, size)
    upsampled = F.interpolate(features[None].double(), size=size[::-1], mode="bilinear", align_corners=True)[0]
    densities = likelihoods(mixtures, upsampled.permute(1, 2, 0).numpy())
    probability = densities.max(-1) / densities.sum(-1)
    np.testing.assert_array_equal(classes, densities.argmax(-1))
    np.testing.assert_allclose(odds, np.log(probability / (1 - probability)), rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(classes, most_likely_classes(features, bank, size)[0])


def test_far_features_have_odds_too(mixtures):
    """Where all probabilities underflow and that of the best class rounds to 1."""
    bank = gaussian_bank(mixtures)
    _, odds = most_probable_classes(torch.full((D, 2, 2), 60.0), bank, (4, 4))
    assert np.isfinite(odds).all()
    assert (odds > 100).all()


def test_one_class_alone_has_the_greatest_odds():
    bank = gaussian_bank(Mixtures.of([None, mixture(0, 2)]))
    classes, odds = most_probable_classes(torch.zeros(D, 2, 2), bank, (4, 4))
    assert (classes == 1).all()
    assert (ODDS_GRID.encode(odds) == 65535).all()


def test_least_odds_are_on_the_grid():
    assert -np.log(254) > ODDS_GRID.offset  # of as many classes as a label file can hold


def test_smoothing_adds_a_share_of_the_variance_within_classes(mixtures):
    rng, draws = np.random.default_rng(0), []
    for found in (mixtures[c] for c in (0, 2, 3)):
        weights, means, variances = (part.numpy() for part in vars(found).values())
        chosen = rng.choice(len(weights), 200_000, p=weights)
        draws.append(rng.normal(means[chosen], np.sqrt(variances[chosen])).var(0).mean())
    raised = smoothed(mixtures, 0.5)
    added = (raised.variances[3] - mixtures.variances[3]).numpy()
    np.testing.assert_allclose(added, added[0, 0])
    assert added[0, 0] == pytest.approx(0.5 * np.mean(draws), rel=0.01)
    assert raised[1] is None
    assert torch.equal(raised.means[0], mixtures.means[0])
    assert torch.equal(smoothed(mixtures, 0.0).variances[0], mixtures.variances[0])
