"""Cell features on disk: one zarr v3 store a job, written once, and checked when it is read.

zarr reads a missing chunk as the fill value and passes over flipped bytes, so a store has a NaN fill, a
checksum in every chunk, and its chunks are counted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from bismap.errors import BismapError

STORE = "cells.zarr"
CHUNK_IMAGES = 16


@dataclass(frozen=True)
class CellShard:
    """Cells of one shard: ``features`` is a lazy array [images, rows * cols, d], ``ids`` names its images."""

    folder: Path
    features: zarr.Array
    ids: tuple[str, ...]
    grid: tuple[int, int]

    def images(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield ``(id, cells [rows * cols, d] float32)``; memory of one chunk.

        Raises:
            BismapError: if a chunk is corrupt or an image's cells are not finite.
        """
        for start in range(0, len(self.ids), CHUNK_IMAGES):
            ids = self.ids[start : start + CHUNK_IMAGES]
            for image_id, cells in zip(ids, self._chunk(start), strict=True):
                if not np.isfinite(cells).all():
                    raise BismapError(f"{self.folder}: cells of image {image_id} are not finite; extract again")
                yield image_id, cells

    def _chunk(self, start: int) -> np.ndarray:
        try:
            return np.asarray(self.features[start : start + CHUNK_IMAGES])
        except (RuntimeError, ValueError, OSError) as error:
            raise BismapError(
                f"{self.folder}: images from number {start} cannot be read ({error}); the store is corrupt, "
                "remove this entry and extract it again"
            ) from error


class CellWriter:
    """Writes the cells of ``ids`` in order, one chunk at a time; memory of one chunk."""

    def __init__(self, folder: Path, ids: Sequence[str], grid: tuple[int, int], dim: int) -> None:
        self._array = zarr.open_group(folder, mode="w-", zarr_format=3).create_array(
            "features",
            shape=(len(ids), grid[0] * grid[1], dim),
            chunks=(CHUNK_IMAGES, grid[0] * grid[1], dim),
            dtype="float32",
            fill_value=np.nan,
            compressors=ZstdCodec(level=1, checksum=True),
            attributes={"ids": list(ids), "grid": list(grid)},
        )
        self._waiting: list[np.ndarray] = []
        self._done = 0

    def add(self, cells: np.ndarray) -> None:
        """Append the cells [rows * cols, d] of the next image."""
        self._waiting.append(cells)
        if len(self._waiting) == CHUNK_IMAGES:
            self._flush()

    def close(self) -> None:
        """Write what is waiting.

        Raises:
            BismapError: if not every image was added.
        """
        self._flush()
        if self._done != self._array.shape[0]:
            raise BismapError(f"cells of {self._done} images written, {self._array.shape[0]} expected")

    def _flush(self) -> None:
        if self._waiting:
            self._array[self._done : self._done + len(self._waiting)] = np.stack(self._waiting)
            self._done += len(self._waiting)
            self._waiting.clear()


def open_cells(folder: Path) -> CellShard:
    """Open one shard's store and count its chunks.

    Raises:
        BismapError: if it is no cell store, or chunks are missing.
    """
    try:
        array = zarr.open_group(folder, mode="r")["features"]
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise BismapError(f"{folder} is no store of cell features ({error}); run `extract` again") from error
    if array.nchunks_initialized != array.nchunks:
        raise BismapError(
            f"{folder}: {array.nchunks - array.nchunks_initialized} of {array.nchunks} chunks are missing; "
            "remove this entry and extract it again"
        )
    ids, grid = array.attrs["ids"], array.attrs["grid"]
    return CellShard(folder, array, tuple(ids), (grid[0], grid[1]))


def open_all(folders: Sequence[Path]) -> list[CellShard]:
    """Open all shards of one domain.

    Raises:
        BismapError: if there are none, an image is in two of them, or their shapes differ.
    """
    shards = [open_cells(folder) for folder in folders]
    if not any(shard.ids for shard in shards):
        raise BismapError("no cell features were given: expected the shard manifests of `extract`")
    shapes = {(shard.grid, shard.features.shape[2]) for shard in shards}
    if len(shapes) > 1:
        raise BismapError(f"shards differ in (grid, feature length): {sorted(shapes)}; extract them alike")
    seen: set[str] = set()
    for shard in shards:
        if twice := seen.intersection(shard.ids):
            raise BismapError(f"{shard.folder}: image {min(twice)} is in another shard too")
        seen.update(shard.ids)
    return shards
