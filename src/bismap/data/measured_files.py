"""What the index keeps of each raw file, read once: a cache by name, size and time spares unchanged files."""

import csv
import hashlib
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from bismap.data.images import decode_image, read_bytes
from bismap.data.listing import Stamp
from bismap.data.raw_labels import decode_raw_label
from bismap.errors import BismapError

T = TypeVar("T")

log = logging.getLogger(__name__)

_LOG_SECONDS = 10


class Measured(NamedTuple):
    """Content hash and size of an image or label file; pixels of each raw label id, empty for images."""

    sha256: str
    height: int
    width: int
    pixels: Mapping[int, int]


Cache = dict[str, tuple[Stamp, Measured]]


def measure_all(
    root: Path,
    images: Iterable[str],
    labels: Iterable[str],
    encodings: Sequence[str],
    threads: int,
    cache: Cache,
) -> tuple[Cache, dict[str, str]]:
    """Decodes every file whose size or time differs from the cache.

    Args:
        root: folder of the data set.
        images: paths of photographs relative to ``root``.
        labels: paths of label files relative to ``root``.
        encodings: accepted encodings of the label files.
        threads: files decoded at a time.
        cache: of an earlier run, or empty.

    Returns:
        What was measured of each sound file, and what is wrong with each of the others.
    """

    def work(task: tuple[str, bool]) -> tuple[str, tuple[Stamp, Measured] | str]:
        name, is_label = task
        try:
            return name, _measure(root / name, encodings if is_label else None, cache.get(name))
        except BismapError as error:
            return name, str(error).removeprefix(f"{root / name}: ")

    tasks = [(name, False) for name in sorted(set(images))] + [(name, True) for name in sorted(set(labels))]
    found: Cache = {}
    faults: dict[str, str] = {}
    # Threads, not processes: Pillow and libpng decode without the interpreter lock.
    with ThreadPoolExecutor(threads) as pool:
        for name, result in _progress(pool.map(work, tasks), len(tasks)):
            if isinstance(result, str):
                faults[name] = result
            else:
                found[name] = result
    return found, faults


def _measure(
    path: Path, encodings: Sequence[str] | None, known: tuple[Stamp, Measured] | None
) -> tuple[Stamp, Measured]:
    try:
        stat = path.stat()
    except OSError as error:
        raise BismapError(f"{path}: cannot be read ({error.strerror})") from None
    stamp = Stamp(stat.st_size, stat.st_mtime_ns)
    if known and known[0] == stamp:
        return known
    data = read_bytes(path)
    pixels: dict[int, int] = {}
    if encodings is None:
        height, width = decode_image(data, path).shape[:2]
    else:
        raw = decode_raw_label(data, encodings, path)
        height, width = raw.shape
        counts = np.bincount(raw.ravel())
        pixels = {int(label): int(counts[label]) for label in np.flatnonzero(counts)}
    return stamp, Measured(hashlib.sha256(data).hexdigest(), height, width, pixels)


def _progress(results: Iterable[T], total: int) -> Iterable[T]:
    """Passes results on, with a line in the log now and then."""
    last = time.monotonic()
    for done, result in enumerate(results, start=1):
        if time.monotonic() - last > _LOG_SECONDS:
            last = time.monotonic()
            log.info("checked %d of %d files", done, total)
        yield result
    log.info("checked %d files", total)


def load_cache(path: Path) -> Cache:
    """What an earlier run measured; nothing if there is no such file, or a damaged one."""
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return dict(_from_row(row) for row in csv.reader(lines))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, csv.Error) as error:
        log.warning("%s is damaged (%s): all files are read anew", path, error)
        return {}


def save_cache(path: Path, cache: Cache) -> None:
    """Replaces the cache in one step; of several writers, the last one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with part.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(_to_row(name, *entry) for name, entry in sorted(cache.items()))
    part.replace(path)


def _to_row(name: str, stamp: Stamp, measured: Measured) -> list[str | int]:
    pixels = " ".join(f"{label}:{count}" for label, count in measured.pixels.items())
    return [name, *stamp, measured.sha256, measured.height, measured.width, pixels]


def _from_row(row: list[str]) -> tuple[str, tuple[Stamp, Measured]]:
    name, size, mtime_ns, sha256, height, width, pixels = row
    pairs = (pair.split(":") for pair in pixels.split())
    counts = {int(label): int(count) for label, count in pairs}
    if len(sha256) != 64:
        raise ValueError(f"bad hash of {name}")
    return name, (Stamp(int(size), int(mtime_ns)), Measured(sha256, int(height), int(width), counts))
