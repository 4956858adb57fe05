"""Log densities as 16-bit numbers: a grid on which comparing numbers is comparing densities."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bismap.errors import BismapError

CODES = 1 << 16


class DensityGrid(NamedTuple):
    """Log density ``offset + step * code``, nat; what lies below ``offset`` is clipped to code 0."""

    offset: float
    step: float

    def encode(self, density: NDArray[np.floating]) -> NDArray[np.uint16]:
        """Code of the greatest grid point not above each density, so that ``code >= n`` means ``p >= value(n)``."""
        exact = density.astype(np.float64)
        codes = np.floor((exact - self.offset) / self.step)
        codes -= self.decode(codes) > exact  # the difference may have been rounded up
        return np.clip(codes, 0, CODES - 1).astype(np.uint16)

    def decode(self, codes: NDArray[np.number]) -> NDArray[np.float64]:
        """Log densities of codes, nat."""
        return self.offset + self.step * np.asarray(codes, np.float64)

    def threshold_code(self, delta: float) -> int:
        """Smallest code kept at threshold ``delta``; CODES if none can reach it.

        Exact for a delta on the grid; another one is rounded up to the next grid point.

        Raises:
            BismapError: if delta is not above the offset, where densities are clipped.
        """
        if delta <= self.offset:
            raise BismapError(
                f"pseudo_labels: density {delta:g} is not above densities.density_offset ({self.offset:g} nat), where "
                "densities are clipped; lower the offset"
            )
        return min(math.ceil((delta - self.offset) / self.step - 1e-9), CODES)
