"""What a killed training goes on from: written whole, checked by hash, the last two kept; and the stop signals.

A state is ``step-{step}.pt`` and the sidecar ``step-{step}.json`` (step, bytes, sha256), which is written
last: a state without a matching sidecar does not count.
"""

import hashlib
import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO

import torch

from bismap.errors import BismapError

KEEP = 2

log = logging.getLogger(__name__)


def save(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Write the state reached after ``step`` steps and remove all but the last two.

    Args:
        state: tensors and builtins only, so that it loads without executing code.

    Raises:
        BismapError: if it cannot be written (disk full); earlier states stay.
    """
    path = folder / f"step-{step:08d}.pt"
    _replace(path, lambda file: torch.save(state, file))
    sidecar = {"step": step, "bytes": path.stat().st_size, "sha256": _sha256(path)}
    _replace(path.with_suffix(".json"), lambda file: file.write(json.dumps(sidecar).encode()))
    for old in sorted(folder.glob("step-*.pt"))[:-KEEP]:
        old.with_suffix(".json").unlink(missing_ok=True)
        old.unlink()


def load_newest(folder: Path) -> dict[str, Any] | None:
    """The newest whole state, or None if there is none."""
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        if _is_whole(path):
            return torch.load(path, map_location="cpu", weights_only=True)
        log.warning("training state %s is incomplete or damaged: trying the one before", path)
    return None


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGUSR1 in a list instead of dying of them (in the main thread, where one can)."""
    received: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    old = {number: signal.signal(number, note) for number in (signal.SIGTERM, signal.SIGUSR1)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _is_whole(path: Path) -> bool:
    try:
        sidecar = json.loads(path.with_suffix(".json").read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    return path.stat().st_size == sidecar["bytes"] and _sha256(path) == sidecar["sha256"]


def _replace(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        temporary.unlink(missing_ok=True)
        raise BismapError(f"cannot write the training state {path}: {error}; is the disk full?") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
