"""What a stage is given: its settings, its input files, and a private folder to write to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bismap.errors import BismapError
from bismap.processes import ALONE, Processes


@dataclass(frozen=True)
class Job:
    """One run of one stage.

    Attributes:
        settings: exactly the settings this stage reads; plain builtins.
        inputs: input files by name; an optional input that is not used is an empty tuple.
        roots: where raw data sets and weight files lie; where they lie does not change the result.
        out: private, empty folder; everything in it is committed when the stage returns.
        state: folder that survives a killed attempt of the same work.
        shard: ``(i, n)``: this job does part ``i`` of ``n``; ``(0, 1)`` is the whole.
        device: ``"cpu"`` or ``"cuda:N"``.
        processes: this one's place among those that do the job together; the first one writes.
        save_every: steps between saved states of a training; None for the stage's own choice.
        threads: number of CPU threads to use.
        provenance: settings, code and inputs of every stage upstream; filled for stages that report it.
    """

    settings: Mapping[str, Any]
    out: Path
    state: Path
    inputs: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    roots: Mapping[str, Path] = field(default_factory=dict)
    shard: tuple[int, int] = (0, 1)
    device: str = "cpu"
    processes: Processes = ALONE
    save_every: int | None = None
    threads: int = 1
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def input(self, name: str) -> Path:
        """The single input file called ``name``.

        Raises:
            BismapError: if there is none, or more than one.
        """
        files = self.inputs.get(name, ())
        if len(files) != 1:
            raise BismapError(f"input `{name}`: expected exactly one file, got {len(files)}")
        return files[0]

    def input_list(self, name: str) -> tuple[Path, ...]:
        """All input files called ``name``, in the order given; may be empty."""
        return tuple(self.inputs.get(name, ()))

    def root(self, name: str) -> Path:
        """Folder of the raw data set called ``name``.

        Raises:
            BismapError: if the command did not name it.
        """
        if name not in self.roots:
            raise BismapError(f"the folder `{name}` was not given: --setup must hold it under `roots`")
        return self.roots[name]
