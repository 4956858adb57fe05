"""Class features on disk: one zarr v3 store a shard, written once, checked when it is read.

Layout: group ``{trainid:02d}`` per class with at least one feature, holding ``features`` float16 [n, d] and
``keys`` uint64 [n], ascending by key; the root's attributes say the feature length and n of every class.

zarr reads a missing chunk as the fill value and passes over flipped bytes, so features fill with NaN, every
chunk carries a checksum, files are counted against the declared n, and what is read must be finite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import ZstdCodec

from bismap.errors import BismapError
from bismap.prototypes.features import MAX_KEY, ClassFeatures

STORE = "features.zarr"

# A chunk (2 MB of 256 float16) is what one read decodes, a shard (33 MB) is one file.
CHUNK_ROWS = 4096
SHARD_CHUNKS = 16


def write_features(path: Path, classes: Sequence[ClassFeatures]) -> None:
    """Write one shard's features, one entry of ``classes`` per trainId."""
    attributes = {"dim": classes[0].features.shape[1], "rows": [len(c.keys) for c in classes]}
    root = zarr.create_group(path, zarr_format=3, attributes=attributes)
    for trainid, kept in enumerate(classes):
        if len(kept.keys):
            group = root.create_group(f"{trainid:02d}")
            _write(group, "features", kept.features, np.float16("nan"))
            _write(group, "keys", kept.keys, MAX_KEY)


def _write(group: zarr.Group, name: str, values: np.ndarray, fill_value: float | int) -> None:
    rows = min(CHUNK_ROWS, len(values))
    chunks = (rows, *values.shape[1:])
    shards = (rows * min(SHARD_CHUNKS, -(-len(values) // rows)), *values.shape[1:])
    group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        shards=shards,
        compressors=ZstdCodec(level=1, checksum=True),
        fill_value=fill_value,
        config={"write_empty_chunks": True},  # a file of fill values is a file, too
    )[:] = values


@dataclass(frozen=True)
class FeatureStore:
    """One shard's features, read lazily: ``rows`` is n of every class, ``dim`` the feature length."""

    path: Path
    dim: int
    rows: tuple[int, ...]

    def keys(self, trainid: int) -> np.ndarray:
        """All keys of a class, uint64 [n], ascending.

        Raises:
            BismapError: if they are missing, corrupt or not ascending.
        """
        if not self.rows[trainid]:
            return np.empty(0, np.uint64)
        keys = self._read(self._array(trainid, "keys"), 0, self.rows[trainid])
        if (keys[1:] < keys[:-1]).any():
            raise self._corrupt(f"{trainid:02d}/keys", "keys are not ascending")
        return keys

    def copy_features(self, trainid: int, target: np.ndarray, positions: np.ndarray) -> None:
        """Put a class's first rows at ``target[positions]``, row i at ``positions[i]``; memory of one file.

        Raises:
            BismapError: if the rows are missing, corrupt or not finite.
        """
        if not len(positions):
            return
        array = self._array(trainid, "features")
        step = array.shards[0]
        for start in range(0, len(positions), step):
            where = positions[start : start + step]
            block = self._read(array, start, start + len(where))
            if not np.isfinite(block).all():
                raise self._corrupt(f"{trainid:02d}/features", f"rows from {start} are missing or not finite")
            target[where] = block

    def _array(self, trainid: int, name: str) -> zarr.Array:
        node = f"{trainid:02d}/{name}"
        try:
            array = zarr.open_array(self.path, path=node, mode="r")
        except (OSError, KeyError, ValueError) as error:
            raise self._corrupt(node, str(error)) from error
        if array.shape[0] != self.rows[trainid] or array.shape[1:] not in ((), (self.dim,)):
            raise self._corrupt(node, f"shape {array.shape}, expected {self.rows[trainid]} rows")
        files, expected = _files(array)
        if files != expected:
            raise self._corrupt(node, f"{files} of {expected} files are there")
        return array

    def _read(self, array: zarr.Array, start: int, stop: int) -> np.ndarray:
        try:
            return np.asarray(array[start:stop])
        except (RuntimeError, ValueError, OSError) as error:
            raise self._corrupt(array.path, f"rows {start} to {stop}: {error}") from error

    def _corrupt(self, node: str, what: str) -> BismapError:
        return BismapError(f"{self.path}/{node}: {what}; the store is damaged, make `features` again")


def _files(array: zarr.Array) -> tuple[int, int]:
    """Shard files that exist, and that must exist (zarr counts the chunks they have room for)."""
    chunks_per_file = array.shards[0] // array.chunks[0]
    return array.nchunks_initialized // chunks_per_file, -(-array.shape[0] // array.shards[0])


def open_features(path: Path) -> FeatureStore:
    """Open one shard's store.

    Raises:
        BismapError: if it is no feature store.
    """
    try:
        attributes = zarr.open_group(path, mode="r").attrs
        return FeatureStore(path, int(attributes["dim"]), tuple(attributes["rows"]))
    except (OSError, KeyError, ValueError) as error:
        raise BismapError(f"{path} is no store of class features ({error}); run `features` again") from error


def open_all(paths: Sequence[Path], classes: int) -> list[FeatureStore]:
    """Open all shards' stores.

    Raises:
        BismapError: if there is none, or they differ in feature length or from ``classes``.
    """
    stores = [open_features(path) for path in paths]
    shapes = {(store.dim, len(store.rows)) for store in stores}
    if len(shapes) != 1 or classes != len(stores[0].rows):
        raise BismapError(
            f"expected feature shards of one feature length and {classes} classes, got (length, classes) "
            f"{sorted(shapes)}; run `features` for all shards with the same model and data set"
        )
    return stores


def gather(stores: Sequence[FeatureStore], trainid: int, limit: int) -> np.ndarray:
    """The class's ``limit`` features with the smallest keys over all shards: float16 [n, d], by key.

    The result does not depend on how the set was split. Memory: the result, one file's rows, all keys.

    Raises:
        BismapError: if a store is damaged; the file is named.
    """
    keys = [store.keys(trainid) for store in stores]
    order = np.argsort(np.concatenate(keys), kind="stable")[:limit]
    features = np.empty((len(order), stores[0].dim), np.float16)
    ends = np.cumsum([len(k) for k in keys])
    owner = np.searchsorted(ends, order, side="right")
    for i, store in enumerate(stores):
        # Each shard is sorted, so what it contributes is its first rows, in order.
        store.copy_features(trainid, features, np.flatnonzero(owner == i))
    return features
