"""Is a data set still the one that was indexed? By names, sizes and times; by content where only times differ.

Cheap to import and to call: the main process asks for every plan.
"""

import csv
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from bismap.data.layouts import RawFile, get_layout

# Files of another time that are read to see whether their content is another; more of them are the index's work.
REREAD = 200


class Stamp(NamedTuple):
    """Size in bytes and modification time of a file: where both are unchanged, so is its content."""

    bytes: int
    mtime_ns: int


class Stamped(NamedTuple):
    """A data set as it lies on disk: all of it in one hash, all but times in another, and each file's stamp."""

    digest: str
    shape: str
    stamps: Mapping[str, Stamp | None]


class Known(NamedTuple):
    """What the last sound index saw: under which identity, the two hashes of then, and of what it measured.

    An index that fails measures, too: ``measured`` tells whether the measurements are still those of this one.
    ``unmeasured`` is a hash of the stamps of files that it left out (known missing pairs).
    """

    identity: str
    digest: str
    shape: str
    measured: str
    unmeasured: str


def stamped(layout: str, root: Path, files: Sequence[RawFile]) -> Stamped:
    """Look at names, sizes and times of ``files``, and at the content of class and split files."""
    # Joined as text: as objects, 50,000 paths take half a second.
    stamps = {path: _stamp(f"{root}/{path}") for item in files for path in (item.image, item.label) if path}
    timed, untimed = hashlib.sha256(), hashlib.sha256()
    for item in files:
        for path in filter(None, (item.image, item.label)):
            stamp = stamps[path]  # None: `index` opens the file, and tells what is wrong with it
            timed.update(f"{item.split} {path} {stamp}\n".encode())
            untimed.update(f"{item.split} {path} {stamp and stamp.bytes}\n".encode())
    for pattern in get_layout(layout).keys:
        for path in sorted(root.glob(pattern)):
            line = f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode()
            timed.update(line)
            untimed.update(line)
    return Stamped(timed.hexdigest()[:16], untimed.hexdigest()[:16], stamps)


def identity(layout: str, root: Path, found: Stamped, cache: Path) -> str:
    """Hash that a data set goes by: that of its last index if no content has changed since, else its own.

    Args:
        layout: name of the layout.
        root: folder of the data set.
        found: how it lies there.
        cache: folder in which the index keeps what it saw.
    """
    known = _load(known_path(cache, layout))
    if known is None or known.shape != found.shape:
        return found.digest
    if known.digest == found.digest or _only_touched(root, found.stamps, known, cache_path(cache, layout)):
        return known.identity
    return found.digest


def remember(layout: str, cache: Path, found: Stamped, name: str) -> None:
    """Note that the data set as it lies now goes by ``name``."""
    path, measured = known_path(cache, layout), cache_path(cache, layout)
    known = Known(name, found.digest, found.shape, _sha256(measured), _unmeasured(found.stamps, _seen(measured)))
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(json.dumps(known._asdict()) + "\n")
    part.replace(path)


def known_path(folder: Path, layout: str) -> Path:
    """File in the data set's cache folder that holds what the index saw last."""
    return folder / f"listing-{layout}.json"


def cache_path(folder: Path, layout: str) -> Path:
    """File in the data set's cache folder that holds what was measured of each file under a layout."""
    return folder / f"index-{layout}-v1.csv"  # raise the number when the check of a single file gets stricter


def _load(path: Path) -> Known | None:
    try:
        return Known(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _only_touched(root: Path, stamps: Mapping[str, Stamp | None], known: Known, measured: Path) -> bool:
    if _sha256(measured) != known.measured:
        return False
    seen = _seen(measured)
    if _unmeasured(stamps, seen) != known.unmeasured:
        return False
    touched = [path for path, stamp in stamps.items() if path in seen and seen[path][0] != stamp]
    return len(touched) <= REREAD and all(_sha256(root / path) == seen[path][1] for path in touched)


def _seen(measured: Path) -> dict[str, tuple[Stamp, str]]:
    """Stamp and content hash of each file that was measured."""
    with measured.open(newline="", encoding="utf-8") as lines:
        return {name: (Stamp(int(size), int(time)), sha256) for name, size, time, sha256, *_ in csv.reader(lines)}


def _unmeasured(stamps: Mapping[str, Stamp | None], seen: Mapping[str, object]) -> str:
    left_out = sorted((path, stamp) for path, stamp in stamps.items() if path not in seen)
    return hashlib.sha256(repr(left_out).encode()).hexdigest()[:16]


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _stamp(path: str) -> Stamp | None:
    try:
        stat = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return Stamp(stat.st_size, stat.st_mtime_ns)
