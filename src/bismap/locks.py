"""Lock files that work between processes and nodes on a shared disk, and outlive none of their owners for long.

An owner touches its file while it lives. A waiter takes over at once from a dead process of its own machine, and from
any other after `DEAD_AFTER_S` without a touch.
"""

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from bismap.errors import BismapError

log = logging.getLogger(__name__)

HEARTBEAT_S = 10.0
POLL_S = 0.5
EX_LOST = 75  # exit status of a process that has lost a lock
DEAD_AFTER_S = 90.0


@dataclass(frozen=True)
class Lease:
    """A lock as its holder has it. What is done ``with`` it counts only if nobody has taken it away meanwhile:
    a process that gives no sign of life, as when its machine or the network hangs, is taken for dead.
    """

    path: Path
    me: str

    def __enter__(self) -> None:
        self._check()

    def __exit__(self, *_: object) -> None:
        self._check()

    def _check(self) -> None:
        owner = _owner(self.path)
        if owner != self.me:
            raise BismapError(_lost(self.path, owner or "one that has ended"))


def _lost(path: Path, owner: str) -> str:
    return (
        f"{path} is held by another job now ({owner}): this one had given no sign of life for "
        f"{DEAD_AFTER_S:.0f} s. Its work is dropped, the other one does it"
    )


@contextmanager
def hold(path: Path) -> Iterator[Lease]:
    """Hold the lock at ``path``; waits while a living process does."""
    me = _new_owner()
    _acquire(path, me)
    with _held(path, me):
        yield Lease(path, me)


@contextmanager
def hold_if_free(path: Path) -> Iterator[bool]:
    """Hold the lock at ``path`` unless a living process does; yields whether it is held."""
    me = _new_owner()
    if not _create(path, me) and not (_break_dead(path) and _create(path, me)):
        yield False
        return
    with _held(path, me):
        yield True


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, or once did.

    Attributes:
        name: the process in words.
        alive: whether it is a living process here, or has touched the lock of late; None where that cannot be told:
            a process elsewhere, without a lock.
    """

    name: str
    alive: bool | None


def this_process() -> str:
    """This process, as `holder_of` reads it."""
    return f"{_host()} {os.getpid()}"


def holder_of(owner: str) -> Holder:
    """The process that an owner's text names."""
    place, pid, *_ = [*owner.split(), "", ""]
    here = place == _host() and pid.isdigit()
    name = f"process {pid or '?'} on {place.split('/')[0] or '?'}"
    return Holder(name, not _owner_is_dead(owner) if here else None)


def look(path: Path) -> Holder | None:
    """Who holds the lock at ``path``, or has left it behind; None if there is no lock. Nothing is written.

    A process elsewhere is alive if it touched the lock in the last `DEAD_AFTER_S` by this machine's clock.
    """
    try:
        owner, touched = path.read_text(), path.stat().st_mtime
    except FileNotFoundError:
        return None
    holder = holder_of(owner)
    return holder if holder.alive is not None else replace(holder, alive=time.time() - touched <= DEAD_AFTER_S)


def _new_owner() -> str:
    return f"{this_process()} {uuid.uuid4().hex}"


def _host() -> str:
    """Where a process number means this process: the machine, since it started, and the container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


@contextmanager
def _held(path: Path, me: str) -> Iterator[None]:
    """Keep a lock file that is mine; I touch it while alive, so that a waiter sees a dead owner on any host."""
    alive = threading.Event()
    beat = threading.Thread(target=_heartbeat, args=(path, me, alive), daemon=True)
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
    silent, before = 0.0, time.monotonic()
    while not _create(path, me):
        try:
            now = (path.read_text(), path.stat().st_mtime)
        except FileNotFoundError:
            continue
        if seen is None and not _owner_is_dead(now[0]):
            log.info("waiting for another job that does the same work (%s)", now[0])
        # A waiter that could not read the disk for long has not heard the owner be silent for so long.
        silent = silent + min(time.monotonic() - before, 2 * POLL_S) if now == seen else 0.0
        seen, before = now, time.monotonic()
        if _owner_is_dead(now[0]) or silent > DEAD_AFTER_S:
            _break(path, now[0])
        else:
            time.sleep(POLL_S)


def _break_dead(path: Path) -> bool:
    """Remove the lock of an owner that is seen to be dead; True if there is none now."""
    try:
        owner = path.read_text()
        silent = _now(path.parent) - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if _owner_is_dead(owner) or (silent > DEAD_AFTER_S and owner.split(" ")[0] != _host()):
        _break(path, owner)
        return True
    return False


def _create(path: Path, me: str) -> bool:
    # A hard link to a complete file is atomic on NFS too, where O_EXCL once was not.
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}")
    try:
        temporary.write_text(me)
        os.link(temporary, path)
    except FileExistsError:
        return temporary.stat().st_nlink == 2  # NFS: it was made, but the answer was lost and it was asked for again
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _now(folder: Path) -> float:
    """The time by the clock that stamps the files of a folder."""
    probe = folder / f"now.{uuid.uuid4().hex}"
    probe.touch()
    try:
        return probe.stat().st_mtime
    finally:
        probe.unlink()


def _owner_is_dead(owner: str) -> bool:
    """True if the owner was a process of this host that is gone; of another host only silence tells."""
    host, pid, *_ = [*owner.split(), "", ""]
    if host != _host() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return _is_zombie(int(pid))


def _is_zombie(pid: int) -> bool:
    """True for a process that has ended and that its parent has not asked about, which it may never do."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] == b"Z"
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


def _heartbeat(path: Path, me: str, stop: threading.Event) -> None:
    missed = 0
    while not stop.wait(HEARTBEAT_S):
        with suppress(OSError):  # a network disk may be away for a moment
            owner = _owner(path)
            missed = missed + 1 if owner is None else 0  # once may be a waiter that took it by mistake and puts it back
            if missed > 1 or owner not in (me, None):
                # What the new owner does in the same folders must not be disturbed for one more moment.
                log.error("%s: this job is ended at once", _lost(path, owner or "one that has ended"))
                os._exit(EX_LOST)
            if owner == me:
                os.utime(path)


def _owner(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None
