"""The processes of one training: one, or several that ``torchrun`` has started, each with a GPU of its own."""

import importlib
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

# Process 0 may wait for a GPU, or for another job that does the same work; when one dies, torchrun ends the others.
PATIENCE = timedelta(days=30)


@dataclass(frozen=True)
class Processes:
    """This process's place among ``size``; the first one writes, all compute."""

    rank: int = 0
    size: int = 1

    @classmethod
    def of_environment(cls) -> "Processes":
        """As ``torchrun`` tells it; one process without it."""
        if "TORCHELASTIC_RUN_ID" not in os.environ:
            return cls()
        return cls(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def join(self) -> None:
        """Meet the other processes; the way back is `leave`."""
        if self.size > 1:
            backend = "cpu:gloo,cuda:nccl" if _torch().cuda.is_available() else "gloo"
            _torch().distributed.init_process_group(backend, timeout=PATIENCE)

    def leave(self) -> None:
        """Part from the other processes."""
        if self.size > 1:
            _torch().distributed.destroy_process_group()

    def wait(self) -> None:
        """Go on when all are here."""
        self.announce(None)

    def announce(self, value: Any) -> Any:
        """What the first process says, in all of them; waits for it."""
        if self.size == 1:
            return value
        box = [value]
        _torch().distributed.broadcast_object_list(box, src=0)
        self.totals(0)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        """What each process says, in all of them, in order."""
        if self.size == 1:
            return [value]
        said = [None] * self.size
        _torch().distributed.all_gather_object(said, value)
        return said

    def totals(self, *numbers: int) -> list[int]:
        """Each number summed over all processes."""
        if self.size == 1:
            return list(numbers)
        tensor = _torch().tensor(numbers)
        _torch().distributed.all_reduce(tensor)
        return tensor.tolist()

    def add_up(self, tensor: Any) -> Any:
        """Sum a tensor over all processes, in place."""
        if self.size > 1:
            _torch().distributed.all_reduce(tensor)
        return tensor

    def part(self, count: int) -> range:
        """Which of ``count`` items are this process's."""
        return range(self.rank, count, self.size)


def _torch() -> Any:
    # By name: no stage computes with torch because of this (`bismap.fingerprint` follows import statements).
    return importlib.import_module("torch")


ALONE = Processes()
