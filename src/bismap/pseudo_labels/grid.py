"""Scores as 16-bit numbers: a grid on which comparing numbers is comparing scores."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bismap.errors import BismapError

CODES = 1 << 16


class ScoreGrid(NamedTuple):
    """Score ``offset + step * code``; what lies below ``offset`` is clipped to code 0, what lies above to the last."""

    offset: float
    step: float

    def encode(self, scores: NDArray[np.floating]) -> NDArray[np.uint16]:
        """Code of the greatest grid point not above each score, so that ``code >= n`` means ``score >= value(n)``."""
        exact = scores.astype(np.float64)
        codes = np.floor((exact - self.offset) / self.step)
        codes -= self.decode(codes) > exact  # the difference may have been rounded up
        return np.clip(codes, 0, CODES - 1).astype(np.uint16)

    def decode(self, codes: NDArray[np.number]) -> NDArray[np.float64]:
        """Scores of codes."""
        return self.offset + self.step * np.asarray(codes, np.float64)

    def threshold_code(self, least: float) -> int:
        """Smallest code of at least the score ``least``; CODES if none can reach it.

        Exact for a score on the grid; another one is rounded up to the next grid point.

        Raises:
            BismapError: if it is not above the offset, where scores are clipped.
        """
        if least <= self.offset:
            raise BismapError(
                f"pseudo_labels: {least:g} is not above {self.offset:g}, where the stored scores are clipped (for "
                "densities: densities.density_offset)"
            )
        return min(math.ceil((least - self.offset) / self.step - 1e-9), CODES)
