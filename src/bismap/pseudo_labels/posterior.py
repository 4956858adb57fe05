"""Posterior odds of the most likely class: its density against the sum of all others'.

With equal priors, Bayes' rule gives a class c the probability p_c / sum p over the classes. As a number near 1 says
little, the score is the logarithm of its odds,

    log p_c(f) - log(sum over the other classes of p_c'(f))    nat,

with p_c of Eq. 4-5 and features upsampled as for the densities. A density tells how well a class's mixture explains a
pixel, and mixtures with narrow components have great densities whether or not another class explains it as well; the
odds tell which explains it (docs/study.md). Not from the paper.

Few features make a mixture narrow: variances are raised by a share of what features of a class vary by. The
number has no unit, so that it means the same for another network.
"""

import dataclasses

from bismap.prototypes.mixtures import Mixture, Mixtures
from bismap.pseudo_labels.grid import ScoreGrid

# Log odds from -8 (the greatest of C has at least 1 / (C - 1)) to 1016 nat.
ODDS_GRID = ScoreGrid(-8.0, 1 / 64)


def smoothed(mixtures: Mixtures, smoothing: float) -> Mixtures:
    """The mixtures with all variances raised by ``smoothing`` times the mean variance within a class.

    That mean is over channels, then over the classes that have a mixture.
    """
    spreads = [_spread(mixtures[c]) for c in range(len(mixtures)) if mixtures[c] is not None]
    raised = smoothing * sum(spreads) / max(len(spreads), 1)
    variances = [None if found is None else found + raised for found in mixtures.variances]
    return dataclasses.replace(mixtures, variances=variances)


def _spread(mixture: Mixture) -> float:
    """Mean over channels of the variance of a whole mixture: within its components and between them."""
    weights, means = mixture.weights[:, None], mixture.means
    second = (weights * (mixture.variances + means.square())).sum(0)
    return float((second - (weights * means).sum(0).square()).mean())
