"""Distance of every source cell to its nearest target prototype, and d_mean of Eq. 9."""

import math
from collections.abc import Sequence

import numpy as np

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellShard
from bismap.transferability.distance_table import SourceDistances
from bismap.transferability.nearest import nearest


def measure(shards: Sequence[CellShard], centres: np.ndarray) -> SourceDistances:
    """Distances of all cells of ``shards`` to ``centres`` [J, d]; memory of one chunk and the result.

    Raises:
        BismapError: if cells and centres differ in length, or the mean distance is 0.
    """
    length = shards[0].features.shape[2]
    if length != centres.shape[1]:
        raise BismapError(
            f"source cells have {length} values, target prototypes {centres.shape[1]}: "
            "both must come from the same extractor"
        )
    # One image at a time: the shape of the product, and so its rounding, is the same for any shards.
    found = {image_id: nearest(cells, centres)[1] for shard in shards for image_id, cells in shard.images()}
    ids = sorted(found)
    distances = np.stack([found[image_id] for image_id in ids])
    d_mean = math.fsum(distances.ravel()) / distances.size
    if d_mean == 0:
        raise BismapError("every source cell lies on a target prototype: Eq. 9 has no scale (mean distance 0)")
    return SourceDistances(tuple(ids), distances, shards[0].grid, d_mean)
