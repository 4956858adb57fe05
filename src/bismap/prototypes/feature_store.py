"""Class features on disk: one zarr v3 store a shard, written once, checked when it is read.

Layout: group ``{trainid:02d}`` per class with at least one feature, holding ``features`` float16 [n, d] and
``keys`` uint64 [n], ascending by key; the root's attributes say the feature length and n of every class.

zarr reads a missing chunk as the fill value and passes over flipped bytes, so features fill with NaN, every
chunk carries a checksum, and files are counted against the declared n.

zarr keeps the metadata, and reads the stores as any other. Shard files are written and read here directly, a few
chunks at a time that stay in the cache: through zarr every byte is copied to fresh memory twice. Nothing is
compressed: half of a post-ReLU feature is zeros, but at what zstd makes of them (0.6 of the size) it writes and
reads slower than a disk.
"""

import math
import os
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
import numpy as np
import zarr
from zarr.codecs import Crc32cCodec

from bismap.data.ahead import map_ahead
from bismap.errors import BismapError
from bismap.prototypes.features import MAX_KEY, ClassFeatures

STORE = "features.zarr"

# A chunk (2 MB of 256 float16) is what one read decodes, a shard (33 MB) is one file.
CHUNK_ROWS = 4096
SHARD_CHUNKS = 16

# Chunks that are read before they are looked at.
READ_CHUNKS = 8

# Bytes of a checksum.
_CRC = 4

# What zarr and look-ups raise for metadata that are damaged or another's.
_UNREADABLE = (OSError, KeyError, ValueError, TypeError, AttributeError, ArithmeticError)


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
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=chunks,
        shards=shards,
        compressors=[Crc32cCodec()],
        fill_value=fill_value,
    )
    for start in range(0, len(values), shards[0]):
        path = _shard_path(group.store_path.store.root, array, start // shards[0])
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_shard(path, values[start : start + shards[0]], rows, shards[0] // rows, fill_value)


def _shard_path(root: Path, array: zarr.Array, number: int) -> Path:
    return Path(root).joinpath(array.path, "c", str(number), *["0"] * (len(array.shape) - 1))


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
        keys = np.concatenate([block.copy() for block in self._chunks(trainid, "keys", self.rows[trainid])])
        if (keys[1:] < keys[:-1]).any():
            raise self._corrupt(f"{trainid:02d}/keys", "keys are not ascending")
        return keys

    def copy_features(self, trainid: int, target: np.ndarray, positions: np.ndarray) -> None:
        """Put a class's first rows at ``target[positions]``, row i at ``positions[i]``; memory of some chunks.

        Raises:
            BismapError: if the rows are missing or corrupt.
        """
        start = 0
        for block in self._chunks(trainid, "features", len(positions)):
            where = positions[start : start + len(block)]
            adjoining = where[-1] - where[0] == len(where) - 1  # as in a set of one shard: a copy in one piece
            target[slice(where[0], where[-1] + 1) if adjoining else where] = block[: len(where)]
            start += len(block)

    def _chunks(self, trainid: int, name: str, rows: int) -> Iterator[np.ndarray]:
        """The chunks that hold the first ``rows`` rows, in order; each is overwritten by a later one."""
        if not rows:
            return
        array = self._array(trainid, name)
        step, per_file, length = array.chunks[0], array.shards[0] // array.chunks[0], array.shape[1:]
        # One is looked at while the system reads to the other.
        buffers = np.empty((2, READ_CHUNKS, step * math.prod(length) * array.dtype.itemsize + _CRC), np.uint8)

        def read(turn: int, number: int, chunks: range) -> np.ndarray:
            buffer = buffers[turn % 2][: len(chunks)]
            return _read_chunks(_shard_path(self.path, array, number), per_file, chunks, buffer)

        start = 0
        try:
            portions = enumerate(_portions(-(-rows // step), per_file))
            for chunks in map_ahead(lambda portion: read(portion[0], *portion[1]), portions, threads=1):
                for chunk in chunks:
                    yield _checked(chunk).view(array.dtype).reshape(step, *length)[: array.shape[0] - start]
                    start += step
        except (OSError, ValueError) as error:
            raise self._corrupt(array.path, f"rows from {start}: {error}") from error

    def _array(self, trainid: int, name: str) -> zarr.Array:
        node = f"{trainid:02d}/{name}"
        try:
            array = zarr.open_array(self.path, path=node, mode="r")
        except _UNREADABLE as error:
            raise self._corrupt(node, str(error)) from error
        dtype, length = {"features": (np.float16, (self.dim,)), "keys": (np.uint64, ())}[name]
        if (array.dtype, array.shape, array.shards is None) != (dtype, (self.rows[trainid], *length), False):
            raise self._corrupt(node, f"{array.dtype} {array.shape}, expected {self.rows[trainid]} rows in shards")
        try:
            files, expected = _files(array)
        except _UNREADABLE as error:
            raise self._corrupt(node, str(error)) from error
        if files != expected:
            raise self._corrupt(node, f"{files} of {expected} files are there")
        return array

    def _corrupt(self, node: str, what: str) -> BismapError:
        return BismapError(f"{self.path}/{node}: {what}; the store is damaged, make `features` again")


def _portions(chunks: int, per_file: int) -> Iterator[tuple[int, range]]:
    """What is read at once to get the first ``chunks``: the number of a file, and which of its chunks."""
    for number in range(-(-chunks // per_file)):
        wanted = min(per_file, chunks - number * per_file)
        for first in range(0, wanted, READ_CHUNKS):
            yield number, range(first, min(first + READ_CHUNKS, wanted))


def _write_shard(path: Path, values: np.ndarray, rows: int, chunks: int, fill_value: float | int) -> None:
    """Write a zarr v3 shard file with room for ``chunks`` of ``rows`` values each, all or a part of them there.

    The chunks, each with its checksum, lie one after the other; the last is filled up. At the end of the file stand
    offset and length of each (uint64; all bits set for one that is not there), and a checksum.
    """
    index, offset = np.full((chunks, 2), 2**64 - 1, "<u8"), 0
    with path.open("wb") as file:
        for number, start in enumerate(range(0, len(values), rows)):
            chunk = values[start : start + rows]
            missing = [(0, rows - len(chunk)), *[(0, 0)] * (chunk.ndim - 1)]
            whole = np.pad(chunk, missing, constant_values=fill_value) if len(chunk) < rows else chunk
            content = np.ascontiguousarray(whole).view(np.uint8).ravel()
            file.write(content)
            file.write(_crc(content))
            index[number] = offset, len(content) + _CRC
            offset += len(content) + _CRC
        file.write(index.tobytes())
        file.write(_crc(index.tobytes()))


def _read_chunks(path: Path, per_file: int, chunks: range, buffer: np.ndarray) -> np.ndarray:
    """Some chunks of a file of `_write_shard`, with their checksums: ``buffer`` has a row for each.

    Raises:
        ValueError: if the index's checksum does not fit, or the file is not laid out like this.
    """
    length = buffer.shape[1]
    with path.open("rb") as file:
        file.seek(-16 * per_file - _CRC, os.SEEK_END)
        index = _checked(np.frombuffer(file.read(), np.uint8)).view("<u8").reshape(per_file, 2)
        if (index[chunks.start : chunks.stop] != [(i * length, length) for i in chunks]).any():
            raise ValueError("a chunk is missing")
        file.seek(chunks.start * length)
        if file.readinto(buffer) != buffer.size:
            raise ValueError("the file is cut off")
    return buffer


def _crc(content: np.ndarray | bytes) -> bytes:
    return struct.pack("<I", google_crc32c.value(content))


def _checked(data: np.ndarray) -> np.ndarray:
    """Bytes without the CRC-32C that ends them, which must be theirs."""
    content = data[:-_CRC]
    if bytes(data[-_CRC:]) != _crc(content):
        raise ValueError("a checksum does not fit")
    return content


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
    except _UNREADABLE as error:
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

    The result does not depend on how the set was split. Memory: the result, some chunks, all keys.

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
