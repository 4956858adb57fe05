"""The store: finished work by key, public paths as links to it.

A stage works in a private folder; when it is whole, the folder is renamed to ``{root}/{stage}/{key}``. That
rename is the commit: an entry is there entirely or not at all. Public paths are symbolic links into entries,
so a failed re-run leaves the last good entry in place and a parameter changed back finds its result again.

Layout below the root (``results/.store``)::

    {stage}/{key}/      an entry: the stage's files, manifest.csv, entry.json
    .last/              for each public path that ever was, a link to its last good result
    .newest/            for each public path, the key of the job that was started last for it
    .work/              private folders of running jobs
    .state/{stage}/{key}/   what a killed job goes on from
    .locks/             one lock file per key in work
    .cache/             what `index` measured of each raw file
    accepted_code.json  code declared equal to older one
"""

import csv
import errno
import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bismap.errors import BismapError
from bismap.locks import Holder, Lease, hold, hold_if_free, look

MANIFEST = "manifest.csv"
ENTRY = "entry.json"
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
STATE_DAYS = 30.0  # a killed job that nobody has continued for so long is given up


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
        """Folder for what a killed attempt leaves to the next one; made if missing, in use from now on."""
        path = self.root / ".state" / stage / key
        path.mkdir(parents=True, exist_ok=True)
        os.utime(path)
        return path

    def has(self, stage: str, key: str) -> bool:
        """True if the finished work with this key is there, every file of it in its full length."""
        return is_whole(self.entry(stage, key))

    def produce(
        self,
        stage: str,
        key: str,
        work: Callable[[Path, Path], None],
        provenance: Mapping[str, Any],
        publish: Callable[[Path], None] = lambda entry: None,
    ) -> Path:
        """Return the entry of this key, doing ``work(out, state)`` first if it is not there.

        ``work`` writes into the empty folder ``out``; ``publish(entry)`` makes the public paths. A second process
        with the same key waits for the first and takes over when that one is dead.

        Raises:
            BismapError: if the disk is full, or another process has taken over; nothing is committed then.
        """
        entry = self.entry(stage, key)
        with self._naming_a_full_disk(), self.lock(stage, key) as lease:
            self.remove_left_overs(stage, key)
            if not self.has(stage, key):
                self.discard(stage, key)
                with self._private(stage, key) as out:
                    with lease:
                        work(out, self.state(stage, key))
                        _seal(out, provenance)
                    _commit(out, entry)
            self._drop_states(stage, key)
            with suppress(PermissionError):
                os.utime(entry / ENTRY)  # used now: pruning starts with what was not used for longest
            publish(entry)
        return entry

    @contextmanager
    def _private(self, stage: str, key: str) -> Iterator[Path]:
        out = self.root / ".work" / f"{stage}-{key}-{uuid.uuid4().hex[:8]}"
        out.mkdir(parents=True)
        try:
            yield out
        except Exception as error:
            if _is_disk_full(error, out):
                written = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
                raise BismapError(self._full(f"the job had written {written / 1e6:.1f} MB", error)) from error
            raise
        finally:
            _remove(out)

    @contextmanager
    def _naming_a_full_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in NO_SPACE:
                raise BismapError(self._full("not even a lock or a link could be written", error)) from error
            raise

    def _full(self, written: str, error: Exception) -> str:
        return (
            f"no space left on the disk of {self.root}: {shutil.disk_usage(self.root).free / 1e6:.1f} MB are free, "
            f"{written} ({error}). Nothing half-written is kept, what was finished stays. "
            "Free some space (`bismap store prune --limit-gb ...` removes what no result refers to) and start again."
        )

    def remove_left_overs(self, stage: str, key: str) -> None:
        """Remove private folders of a dead job of this key; the caller holds it."""
        for folder in (self.root / ".work").glob(f"{stage}-{key}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def discard(self, stage: str, key: str) -> None:
        """Remove an entry, if it is there; the caller holds its key."""
        entry = self.entry(stage, key)
        if entry.exists():
            # Out of sight first: a half-removed entry must never be found under its key.
            grave = self.root / ".work" / f"{stage}-{key}-{uuid.uuid4().hex[:8]}"
            grave.parent.mkdir(parents=True, exist_ok=True)
            entry.rename(grave)
            shutil.rmtree(grave, ignore_errors=True)

    def _drop_states(self, stage: str, key: str) -> None:
        """Remove the state of finished work, and those of the same stage that nobody went on from for `STATE_DAYS`."""
        shutil.rmtree(self.root / ".state" / stage / key, ignore_errors=True)
        for folder in (self.root / ".state" / stage).glob("*"):
            with suppress(FileNotFoundError):
                newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
                if time.time() - newest > STATE_DAYS * 86400:
                    with self.lock_if_free(stage, folder.name) as mine:
                        if mine:
                            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def lock(self, stage: str, key: str) -> Iterator[Lease]:
        """Hold this key; a second process waits, and takes over when the holder is dead."""
        with hold(self._lock_file(stage, key)) as lease:
            yield lease

    @contextmanager
    def lock_if_free(self, stage: str, key: str) -> Iterator[bool]:
        """Hold this key unless a living process does; yields whether it is held."""
        with hold_if_free(self._lock_file(stage, key)) as mine:
            yield mine

    def holder(self, stage: str, key: str) -> Holder | None:
        """Who works at this key, or has died at it; None if nobody. Writes nothing."""
        return look(self.root / ".locks" / f"{stage}-{key}.lock")

    def saved_step(self, stage: str, key: str) -> int | None:
        """The step that a killed attempt would go on from, None if it saved none. Writes nothing."""
        states = sorted((self.root / ".state" / stage / key).glob("step-*.json"), reverse=True)
        for sidecar in states:
            with suppress(OSError, ValueError, KeyError):
                said = json.loads(sidecar.read_text())
                if sidecar.with_suffix(".pt").stat().st_size == said["bytes"]:
                    return said["step"]
        return None

    def _lock_file(self, stage: str, key: str) -> Path:
        folder = self.root / ".locks"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{stage}-{key}.lock"

    def claim(self, public: Path, key: str) -> None:
        """Note the key of the job that was started last for a public path: that one alone may link it."""
        path = self._beside(".newest", public)
        if path is not None:
            with self._naming_a_full_disk(), self.lock("public", _digest(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(key)

    @contextmanager
    def if_newest(self, public: Path, key: str) -> Iterator[bool]:
        """Yield whether no job was started for a public path after that with this key; none is meanwhile."""
        path = self._beside(".newest", public)
        if path is None:
            yield True
            return
        with self.lock("public", _digest(path)):
            yield not path.is_file() or path.read_text() == key

    def last_good(self, public: Path) -> Path | None:
        """Where the last good result of a public path still lies when Snakemake has taken that path away."""
        path = self._beside(".last", public)
        return path if path is not None and path.exists() else None

    def remember(self, public: Path, target: Path) -> None:
        """Note ``target`` as the last good result of ``public``, a path beside the store."""
        path = self._beside(".last", public)
        if path is not None:
            link(path, target)

    def _beside(self, kind: str, public: Path) -> Path | None:
        beside, path = self.root.parent.absolute(), public.absolute()
        return self.root / kind / path.relative_to(beside) if path.is_relative_to(beside) else None


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:32]


def _seal(out: Path, provenance: Mapping[str, Any]) -> None:
    write_manifest(out)
    with (out / ENTRY).open("w") as file:
        json.dump(provenance, file, sort_keys=True, indent=1)
        file.write("\n")
    for path in sorted(out.rglob("*")):
        _fsync(path)
    _fsync(out)


def _commit(out: Path, entry: Path) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    out.rename(entry)
    _fsync(entry.parent)


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


def read_manifest(path: Path) -> list[tuple[str, int, str]]:
    """Name, bytes and SHA-256 of each file that a manifest lists."""
    with path.open(newline="") as lines:
        return [(row["path"], int(row["bytes"]), row["sha256"]) for row in csv.DictReader(lines)]


def is_whole(entry: Path) -> bool:
    """True if every file of an entry's manifest is there in its full length."""
    try:
        files = read_manifest(entry / MANIFEST)
        return (entry / ENTRY).is_file() and all((entry / name).stat().st_size == size for name, size, _ in files)
    except (OSError, KeyError, ValueError):
        return False


def entry_of(path: Path) -> Path | None:
    """The store entry that ``path`` (usually a public link) leads into, or None."""
    target = path.resolve()
    for folder in (target, *target.parents):
        if (folder / ENTRY).is_file() and (folder / MANIFEST).is_file():
            return folder
    return None


def pinned(path: Path) -> Path:
    """The file of an entry that a public path leads to now, wherever that will lead later; other paths as they are."""
    return path if entry_of(path) is None else path.resolve()


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


def _remove(folder: Path) -> None:
    """Remove a folder, also from under threads of a failed job that still write (zarr's do)."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _is_disk_full(error: BaseException | None, out: Path) -> bool:
    # Not every library tells it: numpy counts bytes, torch sees a stream fail. The disk itself does.
    if shutil.disk_usage(out).free < 1 << 16:
        return True
    while error is not None:
        if getattr(error, "errno", None) in NO_SPACE or "No space left" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
