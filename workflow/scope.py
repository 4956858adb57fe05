"""One experiment with one seed: what `{exp}` in a path stands for."""

import re
from dataclasses import dataclass
from pathlib import Path

from bismap.config import Config
from bismap.config.model import Experiment, Run, Settings
from bismap.errors import BismapError

RESULTS = Path("results")

_SEEDED = re.compile(r"(.+?)(?:-s(\d+))?")


def split_seed(name: str) -> tuple[str, int | None]:
    """``"gta-s3"`` -> ``("gta", 3)``; ``"gta"`` -> ``("gta", None)``."""
    base, seed = _SEEDED.fullmatch(name).groups()
    return base, None if seed is None else int(seed)


@dataclass(frozen=True)
class Scope:
    """An experiment with its seed, and the names that follow from both: ``name`` has the seed, ``base`` has not."""

    config: Config
    name: str
    base: str
    experiment: Experiment
    seed: int

    @classmethod
    def of(cls, config: Config, wildcard: str) -> "Scope":
        """The experiment and seed of a path.

        Raises:
            BismapError: if there is no such experiment, with the names of those there are.
        """
        base, seed = split_seed(wildcard)
        experiment = config.experiment(base)
        return cls(config, wildcard, base, experiment, experiment.seed if seed is None else seed)

    @property
    def folder(self) -> str:
        return f"{RESULTS}/{self.name}"

    @property
    def settings(self) -> Settings:
        return self.experiment.settings

    @property
    def source_dataset(self) -> str:
        return self._seeded(self.experiment.source.dataset)

    @property
    def target_dataset(self) -> str:
        return self._seeded(self.experiment.target.dataset)

    def _seeded(self, dataset: str) -> str:
        # A rendered world follows the experiment's seed; data on disk is what it is.
        rendered = self.config.datasets[dataset].render is not None
        return f"{dataset}-s{self.seed}" if rendered and self.seed != self.experiment.seed else dataset

    def dataset(self, role: str) -> str:
        return self.source_dataset if role == "source" else self.target_dataset

    def split(self, role: str) -> str:
        """Name of the split that serves as ``source``, ``adapt`` or ``evaluate``."""
        if role == "source":
            return self.experiment.source.split
        return getattr(self.experiment.target, role)

    def run(self, name: str) -> Run:
        """A run by its name.

        Raises:
            BismapError: if the experiment has none of that name, with the names of those it has.
        """
        runs = self.experiment.runs
        if name not in runs:
            raise BismapError(f"experiment `{self.base}` has no run `{name}`: it has {', '.join(runs)}")
        return runs[name]

    def start_of(self, run: str) -> str:
        """What the run starts from: ``random``, ``extractor``, ``teacher`` or the name of a weights file."""
        init = self.run(run).init
        return init if init == "teacher" else self.experiment.starts[init]
