"""`bismap store`: list what the store holds, prune what no public path points to, find what is damaged."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bismap.errors import BismapError
from bismap.store import ENTRY, MANIFEST, Store, read_manifest, sha256_file

Use = Literal["linked", "last good", "not linked"]


@dataclass(frozen=True)
class Held:
    """One finished entry: its size in bytes, when it was used last, and what leads to it.

    ``use`` is ``"linked"`` where a public path leads to it or to something that was made from it, whose provenance
    it is; ``"last good"`` where the same holds of the last good result of a public path that is not there now, as
    during a re-run of its job and after that has failed.
    """

    stage: str
    key: str
    path: Path
    bytes: int
    used: float
    use: Use


def held(store: Store) -> list[Held]:
    """All finished entries, in the order in which pruning takes them: by use, then the one not used for longest.

    Public paths are looked for beside the store: in the folder that holds it, or holds the link to it.

    Raises:
        BismapError: if there is no store.
    """
    if not store.root.is_dir():
        raise BismapError(f"there is no store at {store.root}")
    root = store.root.resolve()
    linked = _with_upstream(_leading_into(store.root.parent, root), root)
    last = _with_upstream(_leading_into(root / ".last", root), root)
    found = []
    for entry in root.glob("[!.]*/*"):
        with suppress(FileNotFoundError):  # another process may prune, too
            if (entry / ENTRY).is_file():
                size = sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
                use: Use = "linked" if entry in linked else "last good" if entry in last else "not linked"
                found.append(Held(entry.parent.name, entry.name, entry, size, (entry / ENTRY).stat().st_mtime, use))
    order: list[Use] = ["not linked", "last good", "linked"]
    return sorted(found, key=lambda item: (order.index(item.use), item.used, item.stage, item.key))


def unfinished(store: Store) -> int:
    """Bytes of what killed jobs have left to go on from; pruning leaves it."""
    total = 0
    for folder, _, names in os.walk(store.root / ".state"):
        for name in names:
            with suppress(FileNotFoundError):  # a training that saves a state removes an older one
                total += (Path(folder) / name).stat().st_size
    return total


def prune(store: Store, limit: int) -> list[Held]:
    """Remove entries that no public path leads to until the store holds at most ``limit`` bytes.

    Those that were the last good result of a public path go last. Entries with a public path stay, also when they
    alone exceed the limit. What killed jobs have left in private folders goes, too.

    Returns:
        The entries removed.
    """
    entries = held(store)
    _remove_left_overs(store)
    excess = sum(item.bytes for item in entries) - limit
    removed = []
    for item in entries:
        if excess <= 0 or item.use == "linked":
            break
        if _remove_unused(store, item):
            excess -= item.bytes
            removed.append(item)
    _drop_dangling(store.root / ".last")
    return removed


def damaged(store: Store, remove: bool) -> list[tuple[Held, list[str]]]:
    """Entries of which a file is missing or differs from its hash, with the names of those files.

    Args:
        remove: also remove these entries, so that the next run makes them anew.
    """
    found = []
    for item in held(store):
        wrong = _damaged_files(item.path)
        if wrong:
            found.append((item, wrong))
            if remove:
                with store.lock(item.stage, item.key):
                    if _damaged_files(item.path):  # a job may have made it anew meanwhile
                        store.discard(item.stage, item.key)
    return found


def _damaged_files(entry: Path) -> list[str]:
    try:
        listed = read_manifest(entry / MANIFEST)
    except (OSError, KeyError, TypeError, ValueError):
        return [MANIFEST] if entry.is_dir() else []
    return [name for name, size, sha256 in listed if not _is_as_written(entry / name, size, sha256)]


def _is_as_written(path: Path, size: int, sha256: str) -> bool:
    try:
        return path.stat().st_size == size and sha256_file(path) == sha256
    except OSError:
        return False


def _remove_unused(store: Store, item: Held) -> bool:
    """Remove an entry unless a job has taken it up since it was listed."""
    with store.lock_if_free(item.stage, item.key) as mine, suppress(FileNotFoundError):
        if mine and (item.path / ENTRY).stat().st_mtime == item.used:
            store.discard(item.stage, item.key)
            return True
    return False


def _remove_left_overs(store: Store) -> None:
    """Locks and private folders of dead jobs."""
    names = {path.stem for path in (store.root / ".locks").glob("*.lock")}
    names |= {path.name.rpartition("-")[0] for path in (store.root / ".work").glob("*")}
    for name in names:
        stage, _, key = name.partition("-")
        with store.lock_if_free(stage, key) as mine:
            if mine:
                store.remove_left_overs(stage, key)


def _drop_dangling(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.exists():
            path.unlink(missing_ok=True)


def _with_upstream(entries: Iterable[Path], root: Path) -> set[Path]:
    """Entries, and all that they were made from by their provenance."""
    found, todo = set(), list(entries)
    while todo:
        entry = todo.pop()
        if entry not in found:
            found.add(entry)
            with suppress(OSError, ValueError, KeyError):  # a damaged entry is not asked
                inputs = json.loads((entry / ENTRY).read_text())["inputs"].values()
                todo += [root / one["stage"] / one["key"] for files in inputs for one in files if "key" in one]
    return found


def _leading_into(folder: Path, root: Path) -> Iterator[Path]:
    """Entries of the store at ``root`` that symbolic links below ``folder`` lead into; links elsewhere are followed."""
    todo, seen = [folder], set()
    while todo:
        where = todo.pop()
        real = where.resolve()
        if real in seen or real == root:
            continue
        seen.add(real)
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(where) as found:
            for item in found:
                if item.name.startswith("."):  # the store itself, and links that a kill kept from their place
                    continue
                target = Path(item.path).resolve() if item.is_symlink() else None
                if target is not None and target.is_relative_to(root):
                    parts = target.relative_to(root).parts
                    if len(parts) >= 2 and not parts[0].startswith("."):
                        yield root.joinpath(*parts[:2])
                elif item.is_dir():
                    todo.append(Path(item.path))
