"""What can be laid over a photograph: whose files they are, and how numbers become bytes."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bismap.data.images import read_gray8, read_gray16
from bismap.data.shards import files
from bismap.errors import BismapError
from bismap.pseudo_labels.files import read_grid, read_histogram
from bismap.pseudo_labels.grid import ScoreGrid

Files = Mapping[str, Path]

OUTLIERS = 0.005
"""Share of a score's pixels at either end that the colour bar leaves out."""

UNITS = {"density": "nat", "odds": "nat", "gap": "feature distance", "confidence": "probability"}
"""Of the scores, by the name that their tables have for them."""


class Set(NamedTuple):
    """The files of one layer: ``files`` by image id, ``manifests`` of the shards that hold them."""

    manifests: tuple[Path, ...]
    files: Files


def deal(manifests: Sequence[Path], wanted: Sequence[tuple[str, Sequence[str]]]) -> list[Set]:
    """Shard manifests of several sets, one set after the other, as sets.

    Args:
        manifests: of the first set's shards, then of the second's, and so on.
        wanted: of each set a name for the message, and the ids of its images.

    Raises:
        BismapError: naming the set that does not hold one PNG for each of its images.
    """
    left, sets = deque(manifests), []
    for name, ids in wanted:
        taken: list[Path] = []
        found: dict[str, Path] = {}
        while left and len(found) < len(ids):
            taken.append(left.popleft())
            found |= files(taken[-1:], ".png")
        if missing := sorted(set(ids) - found.keys()):
            raise BismapError(f"gallery: {name}: {len(missing)} images have no file, {missing[0]} first; make it again")
        if extra := sorted(found.keys() - set(ids)):
            raise BismapError(f"gallery: {name}: {len(extra)} files belong to no image of the split, {extra[0]} first")
        sets.append(Set(tuple(taken), found))
    if left:
        raise BismapError(f"gallery: {left[0]}: a manifest more than the layers need; make the layers again")
    return sets


@dataclass(frozen=True)
class Transferability:
    """Maps of weights in [0, 1], stored in 255 steps."""

    files: Files
    quantity: str = "weight in the source loss"
    unit: str = ""
    low: float = 0.0
    high: float = 1.0

    def read(self, image_id: str) -> tuple[NDArray[np.uint8], float]:
        """Bytes of a map, uint8 ``[H, W]`` (0 = ``low``, 255 = ``high``), and its mean."""
        weights = read_gray8(self.files[image_id])
        return weights, float(weights.mean()) / 255


@dataclass(frozen=True)
class Scores:
    """Maps of log densities or another score, brought to 255 steps between ``low`` and ``high``."""

    files: Files
    quantity: str
    unit: str
    low: float
    high: float
    score: str
    grid: ScoreGrid

    @classmethod
    def of(cls, found: Set) -> "Scores":
        """The scores of a set; the ends of the scale leave out ``OUTLIERS`` of its pixels each."""
        score, grid, names = read_grid(found.manifests)
        pixels = read_histogram(found.manifests, len(names)).sum(axis=0).cumsum()
        low, high = (int(np.searchsorted(pixels, share * pixels[-1])) for share in (OUTLIERS, 1 - OUTLIERS))
        low, high = grid.decode(np.array([low, max(high, low + 1)])).tolist()
        title = f"log {score}" if score in ("density", "odds") else score
        return cls(found.files, title, UNITS[score], low, high, score, grid)

    def read(self, image_id: str) -> tuple[NDArray[np.uint8], float]:
        """Bytes of a map, uint8 ``[H, W]`` (0 = ``low`` or less, 255 = ``high`` or more), and its mean before that."""
        path = self.files[image_id]
        values = self.grid.decode(read_gray16(path.with_name(f"{image_id}.{self.score}.png")))
        share = np.clip((values - self.low) / (self.high - self.low), 0, 1)
        return np.rint(share * 255).astype(np.uint8), float(values.mean())


Map = Transferability | Scores
