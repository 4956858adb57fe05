"""Which pixels keep their label (Eq. 6): a least score, or the share of the target set to keep."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.pseudo_labels.grid import CODES, ScoreGrid

SLACK = 0.01
"""Share of the pixels that may be kept beyond what was asked for, where they are not told apart."""


def choose_code(threshold: Mapping[str, float], grid: ScoreGrid, histogram: NDArray[np.int64]) -> int:
    """Smallest code kept.

    Args:
        threshold: ``{"least": score}``, or ``{"share": s}`` of the set's pixels to keep.
        grid: of the codes.
        histogram: pixels by class and code ``[classes, CODES]`` over the whole target set.

    Raises:
        BismapError: unless exactly one of the two is given; if the threshold lies among the scores that were
            clipped at an end of the grid, where it cannot tell one from another; or if no pixel reaches it.
    """
    match dict(threshold):
        case {"least": score, **rest} if not rest:
            return _code_of_score(histogram.sum(0), score, grid)
        case {"share": share, **rest} if not rest:
            return _told_apart(histogram.sum(0), share, grid)
    raise BismapError(f"threshold: expected either `least` or `share`, got {sorted(threshold)}")


def _code_of_score(pixels: NDArray[np.int64], least: float, grid: ScoreGrid) -> int:
    code = grid.threshold_code(least)
    if not pixels[code:].any():
        highest = float(grid.decode(np.flatnonzero(pixels)[-1]))
        raise BismapError(
            f"pseudo_labels: no pixel of the target set scores {least:g} or more, the highest score is {highest:g}: "
            "features of another network than the published one need a threshold of their own, or `share`"
        )
    return code


def code_of_share(pixels: NDArray[np.int64], share: float) -> int:
    """The greatest code whose pixels, with all above it, are at least ``share`` of all ``pixels [CODES]``."""
    at_least = pixels[::-1].cumsum()[::-1]
    return int(np.flatnonzero(at_least >= share * at_least[0])[-1])


def _told_apart(pixels: NDArray[np.int64], share: float, grid: ScoreGrid) -> int:
    code = code_of_share(pixels, share)
    if code == 0 and share < 1:
        raise BismapError(
            f"pseudo_labels: share {share:g} cannot be kept: {pixels[0] / pixels.sum():.1%} of the pixels score "
            f"less than {grid.offset:g} and are not told apart (for densities: lower densities.density_offset)"
        )
    kept = pixels[code:].sum() / pixels.sum()
    if code == CODES - 1 and kept > share + SLACK:
        raise BismapError(
            f"pseudo_labels: share {share:g} cannot be kept: {kept:.1%} of the pixels score {grid.decode(code):g} or "
            "more and are not told apart; keep at least so many, or choose by another assignment"
        )
    return code


def keep(classes: NDArray[np.uint8], codes: NDArray[np.uint16], least: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Labels of the pixels whose code is at least that of their class, ``least [C]``; the others ignored (Eq. 6)."""
    return np.where(codes >= least[classes], classes, np.uint8(IGNORE))
