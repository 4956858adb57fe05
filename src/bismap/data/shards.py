"""Parts of a data set: how items are dealt to jobs, and how their files are found again."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from bismap.errors import BismapError

T = TypeVar("T")


def split(items: Sequence[T], shard: tuple[int, int]) -> Sequence[T]:
    """Part ``i`` of ``n`` of the items: a contiguous slice; the parts of all ``i`` are the whole, in order.

    Raises:
        BismapError: unless ``0 <= i < n``.
    """
    i, n = shard
    if not 0 <= i < n:
        raise BismapError(f"shard {i} of {n}: expected 0 <= shard < number of shards")
    return items[i * len(items) // n : (i + 1) * len(items) // n]


def files(manifests: Sequence[Path], suffix: str) -> dict[str, Path]:
    """Files named ``{id}{suffix}`` of all shard folders by id, sorted by id.

    Ids hold no dot, so that ``.png`` does not find ``{id}.density.png``.

    Args:
        manifests: of each shard folder (columns path, bytes, sha256).
        suffix: end of the names, with its dot.

    Raises:
        BismapError: if two shards hold the same id.
    """
    found: dict[str, Path] = {}
    for manifest in manifests:
        for name in _names(manifest):
            stem = name.removesuffix(suffix)
            if stem == name or "." in stem or "/" in stem:
                continue
            path = folder(manifest) / name
            if stem in found:
                raise BismapError(f"{path}: duplicate of {found[stem]}; remove the shards of one of the two sets")
            found[stem] = path
    return dict(sorted(found.items()))


def tables(manifests: Sequence[Path], name: str) -> list[Path]:
    """The file ``name`` of each shard folder, in the order of the manifests.

    Raises:
        BismapError: if a shard lacks it.
    """
    for manifest in manifests:
        if name not in _names(manifest):
            raise BismapError(f"{manifest}: the shard holds no file {name}; remove the shard and make it again")
    return [folder(manifest) / name for manifest in manifests]


def folder(manifest: Path) -> Path:
    """The folder whose files a manifest lists: it lies there, whatever public path leads to it."""
    return manifest.resolve().parent


def _names(manifest: Path) -> Iterator[str]:
    try:
        with manifest.open(newline="", encoding="utf-8") as lines:
            yield from (row["path"] for row in csv.DictReader(lines))
    except (OSError, KeyError) as error:
        raise BismapError(f"{manifest}: not a manifest with a column `path` ({error!r})") from None
