"""The line that a training writes into its log as it goes. Written and read here alone."""

import logging
import re
import time
from dataclasses import dataclass
from datetime import timedelta

log = logging.getLogger(__name__)

_LINE = re.compile(r"step (\d+)/(\d+)  loss (\S+)  lr (\S+)  (\S+) it/s  ETA (.+)")


@dataclass(frozen=True)
class StepLine:
    """How far a training is.

    Attributes:
        step: optimiser steps done.
        steps: steps in all.
        loss: mean total loss since the line before.
        lr: learning rate of the backbone.
        rate: steps a second since this attempt began.
        left: time to the end at that rate, as ``H:MM:SS``, days before it.
    """

    step: int
    steps: int
    loss: float
    lr: float
    rate: float
    left: str

    def __str__(self) -> str:
        return (
            f"step {self.step}/{self.steps}  loss {self.loss:.4f}  lr {self.lr:.3g}  "
            f"{self.rate:.2f} it/s  ETA {self.left}"
        )


def read_step(text: str) -> StepLine | None:
    """The step line that a line of a log ends with, or None if it is another line or an unfinished one."""
    found = _LINE.search(text)
    if found is None:
        return None
    step, steps, *numbers, left = found.groups()
    try:
        return StepLine(int(step), int(steps), *map(float, numbers), left.strip())
    except ValueError:
        return None


class Progress:
    """Writes the lines of one attempt.

    Args:
        steps: optimiser steps in all.
        first: steps that earlier attempts have done.
    """

    def __init__(self, steps: int, first: int) -> None:
        self._steps = steps
        self._first = first
        self._began = time.monotonic()

    def report(self, step: int, loss: float, lr: float) -> None:
        """Log how far it is: ``loss`` as the mean since the line before, learning rate ``lr`` of the backbone."""
        rate = (step - self._first) / max(time.monotonic() - self._began, 1e-9)
        left = timedelta(seconds=int((self._steps - step) / rate))
        log.info("%s", StepLine(step, self._steps, loss, lr, rate, str(left)))
