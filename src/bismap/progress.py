"""The line that a training writes into its log as it goes. Written and read here alone."""

import re
from dataclasses import dataclass

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
