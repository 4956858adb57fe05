"""One GPU job per GPU: a lock per device, so that jobs of one workstation never share a card."""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bismap.errors import BismapError

POLL_S = 1.0


@contextmanager
def hold_device(wanted: str) -> Iterator[str]:
    """Yield ``"cpu"`` or ``"cuda:N"``, holding that GPU's lock meanwhile.

    ``wanted`` is ``"cpu"``, ``"cuda"`` (an error where there is none) or ``"auto"``.

    Raises:
        BismapError: if a GPU is demanded and none can be seen.
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
    index, lock = _first_free(torch.cuda.device_count())
    with lock:
        yield f"cuda:{index}"


def _first_free(count: int) -> tuple[int, IO[str]]:
    names = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if os.environ.get("CUDA_VISIBLE_DEVICES") else []
    while True:
        for index in range(count):
            name = names[index] if index < len(names) else str(index)
            path = Path(tempfile.gettempdir()) / f"bismap-cuda-{name.replace('/', '_')}.lock"
            lock = path.open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                continue
            return index, lock
        time.sleep(POLL_S)
