"""The store: finished work by key, public paths as links to it.

A stage works in a private folder; when it is whole, the folder is renamed to ``{root}/{stage}/{key}``. That
rename is the commit: an entry is there entirely or not at all. Public paths are symbolic links into entries,
so a failed re-run leaves the last good entry in place and a parameter changed back finds its result again.

Layout below the root (``results/.store``)::

    {stage}/{key}/      an entry: the stage's files, manifest.csv, entry.json
    .work/              private folders of running jobs
    .state/{stage}/{key}/   what a killed job goes on from
    .locks/             one lock file per key in work
"""

import csv
import hashlib
import json
import os
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bismap.errors import BismapError

MANIFEST = "manifest.csv"
ENTRY = "entry.json"
HEARTBEAT_S = 10.0
DEAD_AFTER_S = 90.0


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's content, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(settings: Mapping[str, Any], code: str, inputs: Mapping[str, list[str]], extra: Any = None) -> str:
    """Key of a piece of work (32 hex digits): its settings, its code and the content of its inputs."""
    identity = {"settings": settings, "code": code, "inputs": inputs, "extra": extra}
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Store:
    """Finished work below ``root``; safe with several writers on a shared file system."""

    root: Path

    def entry(self, stage: str, key: str) -> Path:
        """Folder of the finished work with this key (which may not be there)."""
        return self.root / stage / key

    def state(self, stage: str, key: str) -> Path:
        """Folder for what a killed attempt leaves to the next one; made if missing."""
        path = self.root / ".state" / stage / key
        path.mkdir(parents=True, exist_ok=True)
        return path

    def has(self, stage: str, key: str) -> bool:
        return (self.entry(stage, key) / ENTRY).is_file()

    def produce(self, stage: str, key: str, work: Callable[[Path, Path], None], provenance: Mapping[str, Any]) -> Path:
        """Return the entry of this key, doing ``work(out, state)`` first if it is not there.

        ``work`` writes into the empty folder ``out``. A second process with the same key waits for the first
        and takes over when that one is dead.
        """
        entry = self.entry(stage, key)
        with self._lock(stage, key):
            if not self.has(stage, key):
                out = self.root / ".work" / f"{stage}-{key}-{uuid.uuid4().hex[:8]}"
                out.mkdir(parents=True)
                try:
                    work(out, self.state(stage, key))
                    self._commit(out, entry, provenance)
                finally:
                    shutil.rmtree(out, ignore_errors=True)
                shutil.rmtree(self.root / ".state" / stage / key, ignore_errors=True)
        return entry

    def _commit(self, out: Path, entry: Path, provenance: Mapping[str, Any]) -> None:
        write_manifest(out)
        with (out / ENTRY).open("w") as file:
            json.dump(provenance, file, sort_keys=True, indent=1)
            file.write("\n")
        for path in sorted(out.rglob("*")):
            _fsync(path)
        _fsync(out)
        entry.parent.mkdir(parents=True, exist_ok=True)
        out.rename(entry)
        _fsync(entry.parent)

    @contextmanager
    def _lock(self, stage: str, key: str) -> Iterator[None]:
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        with _exclusive(folder / f"{stage}-{key}.lock"):
            yield


def write_manifest(folder: Path) -> None:
    """Write ``manifest.csv``: path, bytes and sha256 of every file in ``folder``, sorted by path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise BismapError(f"the stage wrote nothing into {folder}")
    with (folder / MANIFEST).open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("path", "bytes", "sha256"))
        for path in files:
            writer.writerow((path.relative_to(folder).as_posix(), path.stat().st_size, sha256_file(path)))


def entry_of(path: Path) -> Path | None:
    """The store entry that ``path`` (usually a public link) leads into, or None."""
    target = path.resolve()
    for folder in (target, *target.parents):
        if (folder / ENTRY).is_file() and (folder / MANIFEST).is_file():
            return folder
    return None


def content(path: Path) -> str:
    """Identity of an input's content.

    For a file of an entry it is the hash of the entry's manifest, which covers every file beside it too; for
    any other file the hash of its bytes.

    Raises:
        BismapError: if the file is not there.
    """
    if not path.exists():
        raise BismapError(f"input file {path} does not exist")
    entry = entry_of(path)
    return sha256_file(entry / MANIFEST if entry else path)


def link(public: Path, target: Path) -> None:
    """Make ``public`` a relative symbolic link to ``target``, replacing an older link in one step.

    Raises:
        BismapError: if something that is not a link stands at ``public``.
    """
    public.parent.mkdir(parents=True, exist_ok=True)
    if public.exists() and not public.is_symlink():
        if not public.is_dir() or any(public.iterdir()):
            raise BismapError(f"{public} exists and is not a link into the store: move it away first")
        public.rmdir()
    temporary = public.with_name(f".{public.name}.{uuid.uuid4().hex[:8]}")
    temporary.symlink_to(os.path.relpath(target.resolve(), public.parent.resolve()))
    temporary.replace(public)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Hold a lock file; its owner touches it while alive, so that a waiter sees a dead owner on any host."""
    me = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    _acquire(path, me)
    alive = threading.Event()
    beat = threading.Thread(target=_heartbeat, args=(path, alive), daemon=True)
    beat.start()
    try:
        yield
    finally:
        alive.set()
        beat.join()
        with suppress(FileNotFoundError):
            if path.read_text() == me:
                path.unlink()


def _acquire(path: Path, me: str) -> None:
    seen: tuple[str, float] | None = None
    since = time.monotonic()
    while not _create(path, me):
        try:
            now = (path.read_text(), path.stat().st_mtime)
        except FileNotFoundError:
            continue
        if now != seen:
            seen, since = now, time.monotonic()
        if _owner_is_dead(now[0]) or time.monotonic() - since > DEAD_AFTER_S:
            _break(path, now[0])
        else:
            time.sleep(0.5)


def _create(path: Path, me: str) -> bool:
    # A hard link to a complete file is atomic on NFS too, where O_EXCL once was not.
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    temporary.write_text(me)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def _owner_is_dead(owner: str) -> bool:
    """True if the owner was a process of this host that is gone; of another host only silence tells."""
    host, pid, *_ = [*owner.split(), "", ""]
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _break(path: Path, owner: str) -> None:
    # Renaming first makes sure that of two waiters only one removes the dead owner's lock.
    grave = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    with suppress(FileNotFoundError):
        path.rename(grave)
        if grave.read_text() != owner:
            with suppress(FileExistsError):
                os.link(grave, path)
        grave.unlink()


def _heartbeat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        with suppress(FileNotFoundError):
            os.utime(path)
