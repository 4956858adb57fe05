"""How many parts a set of files is made in."""

import json
import math
import re
from pathlib import Path

from bismap.store import ENTRY

_NAME = re.compile(r"(\d+)-of-(\d+)")


def shard_names(folder: Path, images: int, shard_images: int) -> list[str]:
    """Names ``i-of-n`` of a set's shards.

    A finished set keeps the layout it was made with, whatever the shard size says now, as long as the number of its
    images is the same: all its parts have to be made anew otherwise. Finished means that each part's folder was
    made; Snakemake never removes those (it does remove the manifests beside them).
    """
    wanted = max(1, math.ceil(images / shard_images))
    whole = _whole_layouts(folder)
    kept = {} if wanted in whole else {n: made for n, made in whole.items() if _images(folder, n) - {None} == {images}}
    count = max(kept, key=lambda n: (kept[n], n)) if kept else wanted
    return [f"{part}-of-{count}" for part in range(count)]


def _images(folder: Path, count: int) -> set[int | None]:
    """Numbers of images that the parts of a layout were dealt from; None for a part that is not there now."""
    entries = [folder / f"{part}-of-{count}" / ENTRY for part in range(count)]
    return {_recorded(entry) for entry in entries}


def _recorded(entry: Path) -> int | None:
    try:
        return json.loads(entry.read_text()).get("images")
    except (OSError, ValueError):
        return None


def _whole_layouts(folder: Path) -> dict[int, float]:
    """Number of parts -> time of the newest part, for each layout of which all parts are there."""
    parts: dict[int, dict[int, float]] = {}
    if folder.is_dir():
        for path in folder.iterdir():
            match = _NAME.fullmatch(path.name)
            if match and (path.is_dir() or path.is_symlink()):  # an entry that was damaged may have been removed
                part, count = int(match[1]), int(match[2])
                parts.setdefault(count, {})[part] = path.lstat().st_mtime
    return {count: max(found.values()) for count, found in parts.items() if len(found) == count}
