"""Features of a coarse grid of cells per image."""

from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F

from bismap.errors import BismapError
from bismap.extractor.network import Extractor


def pool_cells(maps: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
    """Average-pool maps [n, d, h, w] to cells [n, rows * cols, d], row by row.

    Raises:
        BismapError: if the grid does not divide the map.
    """
    height, width = maps.shape[2:]
    rows, cols = grid
    if height % rows or width % cols:
        raise BismapError(
            f"a grid of {rows} x {cols} cells (rows x columns) does not divide the extractor's map of "
            f"{height} x {width}: change the grid or the input size"
        )
    return F.avg_pool2d(maps, (height // rows, width // cols)).flatten(2).transpose(1, 2)


def extract_cells(
    extractor: Extractor, images: Iterable[np.ndarray], grid: tuple[int, int], batch: int
) -> Iterator[np.ndarray]:
    """Cells float32 [rows * cols, d] of each of ``images`` uint8 [h, w, 3], in order.

    The network always sees a full batch, the last one filled up with its last image: the kernels chosen, and
    so the rounding, depend on the batch's shape, and a shard's length must not be seen in its cells.
    """
    todo = iter(images)
    while block := list(islice(todo, batch)):
        filled = np.stack(block + block[-1:] * (batch - len(block)))
        yield from _cells(extractor, filled, grid)[: len(block)]


@torch.inference_mode()
def _cells(extractor: Extractor, images: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    maps = extractor.map(torch.from_numpy(images))
    return pool_cells(maps, grid).float().contiguous().cpu().numpy()
