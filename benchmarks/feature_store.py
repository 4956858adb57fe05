"""Writing and reading a shard's class features: our store beside zarr's defaults and plain NumPy files.

    python benchmarks/feature_store.py [--rows 300000] [--folder /tmp] [--rounds 5]

Reads are cold: each file's pages are dropped from the system's cache before (which a file system in memory does not
do). One form reads our files and throws them away: what the disk gives. Writes end with an fsync of every
file, for all forms alike.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import zarr
from comparison import Section

from bismap.prototypes.feature_store import open_features, write_features
from bismap.prototypes.features import ClassFeatures

D = 256
RAW = "our files, read and thrown away"


def make_class(rows: int) -> ClassFeatures:
    """Post-ReLU features, half of them zero, and ascending keys."""
    rng = np.random.default_rng(0)
    features = np.empty((rows, D), np.float16)
    for start in range(0, rows, 50_000):
        block = features[start : start + 50_000]
        block[:] = np.maximum(rng.standard_normal(block.shape, dtype=np.float32), 0)
    return ClassFeatures(features, np.sort(rng.integers(0, 2**63, rows, dtype=np.uint64)))


def write_defaults(path: Path, kept: ClassFeatures) -> None:
    group = zarr.create_group(path)
    group.create_array("features", data=kept.features)
    group.create_array("keys", data=kept.keys)


def write_numpy(path: Path, kept: ClassFeatures) -> None:
    path.mkdir()
    np.save(path / "features.npy", kept.features)
    np.save(path / "keys.npy", kept.keys)


def read_ours(path: Path) -> np.ndarray:
    store = open_features(path)
    features = np.empty((store.rows[0], D), np.float16)
    store.copy_features(0, features, np.arange(len(store.keys(0))))
    return features


def read_defaults(path: Path) -> np.ndarray:
    group = zarr.open_group(path, mode="r")
    assert len(group["keys"][:])
    return group["features"][:]


def read_numpy(path: Path) -> np.ndarray:
    assert len(np.load(path / "keys.npy"))
    return np.load(path / "features.npy")


def read_raw(path: Path) -> int:
    """Every byte of the files, to one buffer."""
    buffer, size = np.empty(8 << 20, np.uint8), 0
    for file in files(path):
        with file.open("rb", buffering=0) as opened:
            while read := opened.readinto(buffer):
                size += read
    return size


def files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


def write_seconds(write: Callable[[Path], None], path: Path) -> float:
    shutil.rmtree(path, ignore_errors=True)
    os.sync()
    start = time.perf_counter()
    write(path)
    for file in files(path):
        _with_descriptor(file, os.fsync)
    return time.perf_counter() - start


def read_seconds(read: Callable[[Path], object], path: Path) -> float:
    for file in files(path):
        _with_descriptor(file, lambda descriptor: os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED))
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def _with_descriptor(file: Path, function: Callable[[int], object]) -> None:
    descriptor = os.open(file, os.O_RDONLY)
    try:
        function(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--folder", default=None, help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    kept = make_class(args.rows)
    forms = {
        "ours, checksums on": (lambda path: write_features(path, [kept]), read_ours),
        "zarr's defaults": (lambda path: write_defaults(path, kept), read_defaults),
        "np.save / np.load": (lambda path: write_numpy(path, kept), read_numpy),
    }
    size = kept.features.nbytes / 2**20
    writes, reads = {name: [] for name in forms}, {name: [] for name in forms}
    sizes = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for _ in range(args.rounds + 1):
            for number, (name, (write, read)) in enumerate(forms.items()):
                path = Path(folder) / str(number)
                writes[name].append(write_seconds(write, path))
                sizes[name] = sum(file.stat().st_size for file in files(path)) / 2**20
                reads[name].append(read_seconds(read, path))
                assert np.array_equal(read(path), kept.features)
            reads.setdefault(RAW, []).append(read_seconds(read_raw, Path(folder) / "0"))
    kind = f"{args.rows:,} x {D} float16, {size:.0f} MB"
    on_disk = "; ".join(f"{name}: {value:.0f} MB" for name, value in sizes.items())
    for title, taken, required in (
        ("write", writes, {"zarr's defaults": 5}),
        ("cold read", reads, {RAW: 0.7}),
    ):
        seconds = {name: median(values[1:]) for name, values in taken.items()}  # the first round meets fresh memory
        rates = "; ".join(f"{name} {size / value:.0f} MB/s" for name, value in seconds.items())
        Section(f"Feature store, {title}, {kind}", required, notes=[f"Rates: {rates}.", f"On disk: {on_disk}."]).print(
            seconds
        )


if __name__ == "__main__":
    main()
