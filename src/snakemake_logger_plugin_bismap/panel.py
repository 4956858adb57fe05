"""Lines at the end of a terminal that are drawn anew every second."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from snakemake_logger_plugin_bismap.run import Run

EVERY_S = 1.0
_CLEAR_BELOW = "\r\x1b[J"


class Panel:
    """The overview of ``run`` on ``terminal``.

    The cursor rests at its first line, an empty one: what a job prints there by itself stays readable above.
    """

    def __init__(self, terminal: TextIO, run: Run) -> None:
        self._terminal = terminal
        self._run = run
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Draw from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_drawing, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Take the overview away."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._write(_CLEAR_BELOW)

    def above(self, write: Callable[[], None]) -> None:
        """Let ``write`` print lines that stay, above the overview."""
        with self._lock:
            if self._thread is not None:
                self._write(_CLEAR_BELOW)
            write()
            if self._thread is not None:
                self._draw()

    def _keep_drawing(self) -> None:
        while not self._ended.wait(EVERY_S):
            with self._lock, suppress(OSError):  # a disk or a terminal that fails for a moment ends no overview
                self._draw()

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        lines = ["", *self._run.lines(size.columns - 1, size.lines - 2)]
        self._write(_CLEAR_BELOW + "\n".join(lines) + f"\x1b[{len(lines) - 1}A\r")

    def _write(self, text: str) -> None:
        self._terminal.write(text)
        self._terminal.flush()
