"""`bismap store`: list what the store holds, measure it, and prune what no public path points to."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bismap.errors import BismapError
from bismap.store import ENTRY, Store


@dataclass(frozen=True)
class Held:
    """One finished entry: its size in bytes, when it was committed, and whether a public path leads to it."""

    stage: str
    key: str
    path: Path
    bytes: int
    committed: float
    linked: bool


def held(store: Store) -> list[Held]:
    """All finished entries, oldest first.

    Public paths are looked for beside the store: in the folder that holds it.

    Raises:
        BismapError: if there is no store.
    """
    if not store.root.is_dir():
        raise BismapError(f"there is no store at {store.root}")
    linked = set(_linked_entries(store.root.resolve().parent, store.root.resolve()))
    found = []
    for entry in sorted(store.root.glob("[!.]*/*")):
        if (entry / ENTRY).is_file():
            size = sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
            committed = (entry / ENTRY).stat().st_mtime
            found.append(Held(entry.parent.name, entry.name, entry, size, committed, entry.resolve() in linked))
    return sorted(found, key=lambda item: (item.committed, item.stage, item.key))


def prune(store: Store, limit: int) -> list[Held]:
    """Remove the oldest entries that no public path leads to until the store holds at most ``limit`` bytes.

    Returns the entries removed. Entries with a public path stay, also when they alone exceed the limit.
    """
    entries = held(store)
    excess = sum(item.bytes for item in entries) - limit
    removed = []
    for item in entries:
        if excess <= 0:
            break
        if item.linked:
            continue
        # Out of sight first: a half-removed entry must never be found under its key.
        grave = store.root / ".work" / f"pruned-{item.stage}-{item.key}"
        grave.parent.mkdir(parents=True, exist_ok=True)
        item.path.rename(grave)
        shutil.rmtree(grave)
        excess -= item.bytes
        removed.append(item)
    return removed


def _linked_entries(results: Path, root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(results):
        if Path(folder).resolve() == root:
            folders.clear()
            continue
        for name in (*folders, *files):
            path = Path(folder) / name
            if path.is_symlink():
                target = path.resolve()
                if target.is_relative_to(root) and target != root:
                    yield root.joinpath(*target.relative_to(root).parts[:2])
