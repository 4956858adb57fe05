"""One GPU job per GPU: a lock per device, so that jobs of one machine, whoever's, never share a card."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from bismap.errors import BismapError
from bismap.processes import ALONE, Processes

POLL_S = 1.0
LOCKS = Path("/tmp")  # not the user's own temporary folder: the locks are between all jobs of the machine

log = logging.getLogger(__name__)


@contextmanager
def hold_device(wanted: str, processes: Processes = ALONE) -> Iterator[str]:
    """Yield ``"cpu"`` or ``"cuda:N"``, holding that GPU's lock meanwhile; each of several processes gets its own.

    ``wanted`` is ``"cpu"``, ``"cuda"`` (an error where there is none) or ``"auto"``.

    Raises:
        BismapError: if a GPU is demanded and none can be seen, or fewer than there are processes.
    """
    import torch

    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        yield "cpu"
        return
    if not torch.cuda.is_available():
        raise BismapError(
            "a CUDA GPU is demanded (`device: cuda`), but torch sees none. Run on a machine with one, "
            "or set `device: auto` for this experiment in config.yaml to compute on the CPU."
        )
    cards = torch.cuda.device_count()
    if cards < processes.size:
        raise BismapError(f"{processes.size} processes need a GPU each, but this machine shows {cards}")
    with _turn(processes):
        index, lock = _first_free(cards)
    with lock:
        if processes.size > 1:
            torch.cuda.set_device(index)  # NCCL talks from the current device
        yield f"cuda:{index}"


@contextmanager
def _turn(processes: Processes) -> Iterator[None]:
    """Of jobs that need several GPUs, one gathers them at a time: two that hold one each would wait for ever."""
    if processes.size == 1:
        yield
        return
    with _open_lock(_lock_file("several")) as lock:
        if processes.first:
            fcntl.flock(lock, fcntl.LOCK_EX)
        processes.wait()  # for the first one's turn
        yield
        processes.wait()  # until each has its GPU


def _first_free(count: int) -> tuple[int, IO[bytes]]:
    import torch

    # The UUID, not the index: which card is `0` differs between jobs that see different cards of one machine.
    paths = [_lock_file(str(torch.cuda.get_device_properties(index).uuid)) for index in range(count)]
    told = False
    while True:
        for index, path in enumerate(paths):
            lock = _open_lock(path)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            return index, lock
        if not told:
            log.info("waiting for a free GPU: other jobs hold all %d", count)
            told = True
        time.sleep(POLL_S)


def _lock_file(uuid: str) -> Path:
    return LOCKS / f"bismap-cuda-{uuid}.lock"


def _open_lock(path: Path) -> IO[bytes]:
    """Open a lock file, which any user of the machine may have made: to lock it, reading is enough."""
    while True:
        # Linux may refuse to open another user's file in /tmp with O_CREAT, whatever its mode.
        with suppress(FileNotFoundError):
            return path.open("rb")
        with suppress(FileExistsError):
            lock = path.open("xb")
            os.fchmod(lock.fileno(), 0o666)  # whatever the umask
            return lock
