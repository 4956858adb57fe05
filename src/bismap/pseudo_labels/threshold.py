"""Which pixels keep their label (Eq. 6): a density delta, or the share of the target set to keep."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.pseudo_labels.grid import DensityGrid


def choose_code(threshold: Mapping[str, float], grid: DensityGrid, histogram: NDArray[np.int64]) -> int:
    """Smallest density code kept.

    Args:
        threshold: ``{"density": delta}`` in nat, or ``{"share": s}`` of the set's pixels to keep.
        grid: of the codes.
        histogram: pixels by class and code ``[classes, CODES]`` over the whole target set.

    Raises:
        BismapError: unless exactly one of the two is given; if the threshold lies among the densities that were
            clipped at the grid's offset, where it cannot tell one from another; or if no pixel reaches it.
    """
    match dict(threshold):
        case {"density": delta, **rest} if not rest:
            return _code_of_density(histogram.sum(0), delta, grid)
        case {"share": share, **rest} if not rest:
            return _code_of_share(histogram.sum(0), share, grid)
    raise BismapError(f"threshold: expected either `density` or `share`, got {sorted(threshold)}")


def _code_of_density(pixels: NDArray[np.int64], delta: float, grid: DensityGrid) -> int:
    code = grid.threshold_code(delta)
    if not pixels[code:].any():
        highest = float(grid.decode(np.flatnonzero(pixels)[-1]))
        raise BismapError(
            f"pseudo_labels: no pixel of the target set has a log density of density ({delta:g} nat) or more, the "
            f"highest is {highest:g}: features of another network than the published one need a delta of their own, "
            "or `share`"
        )
    return code


def _code_of_share(pixels: NDArray[np.int64], share: float, grid: DensityGrid) -> int:
    """The greatest code whose pixels, with all above it, are at least ``share`` of all pixels."""
    at_least = pixels[::-1].cumsum()[::-1]
    code = int(np.flatnonzero(at_least >= share * at_least[0])[-1])
    if code == 0 and share < 1:
        raise BismapError(
            f"pseudo_labels: share {share:g} cannot be kept: {pixels[0] / at_least[0]:.1%} of the pixels have a log "
            f"density below densities.density_offset ({grid.offset:g} nat) and are not told apart; lower the offset"
        )
    return code


def keep(classes: NDArray[np.uint8], codes: NDArray[np.uint16], code: int) -> NDArray[np.uint8]:
    """Labels of the pixels whose density code is at least ``code``, the others ignored (Eq. 6)."""
    return np.where(codes >= code, classes, np.uint8(IGNORE))
