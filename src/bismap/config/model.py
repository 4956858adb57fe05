"""The configuration as a whole: data sets, weights, experiments and their runs."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from bismap.config.base import Count, Section, Size
from bismap.config.settings import Settings

RESERVED_RUNS = {"datasets", "stylized", "extractor", "tables", "figures", "gallery"}
RESERVED_EXPERIMENTS = {"datasets", "logs", "benchmarks", "weights"}


class Render(Section):
    """A rendered data set: a stand-in for one on disk."""

    domain: Literal["source", "target"] = Field(description="which of the renderer's two worlds")
    seed: int = Field(ge=0, description="of the world; an experiment's other seeds replace it")
    width: Count = Field(description="pixels")
    height: Count = Field(description="pixels")
    images: dict[str, Count] = Field(description="number of images per split")


class Dataset(Section):
    """One data set on disk, or rendered."""

    layout: Literal["gta5", "synthia", "cityscapes", "folder"] = Field(description="how its folder is built")
    root: str | None = Field(default=None, description="its folder; null for a rendered one")
    size: Size = Field(description="width and height that images are resized to at load, pixels [A§2.3]")
    scale_reference_width: Count = Field(description="width that the random scale refers to, pixels [A§2.3]")
    missing_pairs: tuple[str, ...] = Field(
        default=(), description="ids known to lack image or label, or whose sizes differ: left out [A§13]"
    )
    render: Render | None = Field(default=None, description="how to render it; null for data on disk")

    @model_validator(mode="after")
    def _on_disk_or_rendered(self) -> "Dataset":
        if (self.root is None) == (self.render is None):
            raise ValueError("give either `root` (data on disk) or `render`")
        return self


class Weights(Section):
    """A file of pre-trained weights, as its authors distribute it."""

    file: str = Field(description="where the file lies")
    kind: Literal["torchvision", "simclr", "bismaps", "proda"] = Field(description="its layout (docs/weights.md)")
    sha256: str | None = Field(description="digest of the file or its first digits; null: not checked")
    source: str = Field(description="where to get it")


class Run(Section):
    """One trained model of an experiment."""

    objective: Literal["warmup", "retrain", "distill"] = Field(description="what it minimises")
    source: Literal["raw", "stylized"] = Field(description="which source images it sees")
    transferability: str | None = Field(description="run whose class entropy weighs source pixels; null: weight 1")
    teacher: str | None = Field(description="run whose labels of target images it learns; null: none")
    assignment: Literal["maps"] | None = Field(description="how the teacher's labels are chosen (retrain only)")
    consistency: bool = Field(description="train for consistency, too (retrain only)")
    init: Literal["imagenet", "simclr"] = Field(description="what the backbone starts from (see `starts`)")

    @model_validator(mode="after")
    def _objective_has_what_it_needs(self) -> "Run":
        if (self.objective == "warmup") != (self.teacher is None):
            raise ValueError("teacher: retrain and distill need one, warmup takes none")
        if (self.objective == "retrain") != (self.assignment is not None):
            raise ValueError("assignment: retrain needs one, other objectives take none")
        if self.consistency and self.objective != "retrain":
            raise ValueError("consistency: goes with the objective `retrain` only")
        return self


class Source(Section):
    """The labelled side."""

    dataset: str = Field(description="name under `datasets`")
    split: str = Field(description="split to train on")


class Target(Section):
    """The side to adapt to."""

    dataset: str = Field(description="name under `datasets`")
    adapt: str = Field(description="split whose images are adapted to; its labels are never trained on")
    evaluate: str = Field(description="split whose labels score the runs")


class Experiment(Section):
    """Source, target, settings and runs."""

    source: Source
    target: Target
    seed: int = Field(ge=0, description="of everything random; results/{experiment}-s{seed}/ takes another")
    device: Literal["auto", "cpu", "cuda"] = Field(description="`cuda` stops where there is no GPU")
    shard_images: Count = Field(description="images per job of a sharded stage")
    subsets: dict[str, tuple[str, ...]] = Field(
        description="mean IoUs to report: name -> classes; an empty list means all classes [A§13]"
    )
    starts: dict[Literal["imagenet", "simclr"], str] = Field(
        description="what `init` means here: name under `weights`, `extractor` or `random`"
    )
    settings: Settings
    runs: dict[str, Run]

    @field_validator("runs")
    @classmethod
    def _names(cls, runs: dict[str, Run]) -> dict[str, Run]:
        for name in runs:
            if name in RESERVED_RUNS or not name.isidentifier():
                raise ValueError(f"`{name}` cannot name a run: reserved, or not of letters, digits and _")
        return runs

    @model_validator(mode="after")
    def _runs_form_a_dag(self) -> "Experiment":
        for name, run in self.runs.items():
            for role in ("teacher", "transferability"):
                other = getattr(run, role)
                if other is not None and other not in self.runs:
                    raise ValueError(f"runs.{name}.{role}: there is no run `{other}`")
        for name in self.runs:
            self._check_chain(name, ())
        return self

    def _check_chain(self, name: str, seen: tuple[str, ...]) -> None:
        if name in seen:
            raise ValueError(f"runs need each other in a circle: {' -> '.join((*seen, name))}")
        for other in filter(None, (self.runs[name].teacher, self.runs[name].transferability)):
            self._check_chain(other, (*seen, name))


class Config(Section):
    """config.yaml, its shared settings and runs written out into each experiment."""

    datasets: dict[str, Dataset]
    weights: dict[str, Weights]
    experiments: dict[str, Experiment]

    @model_validator(mode="after")
    def _names_are_known(self) -> "Config":
        problems = [problem for name in self.experiments for problem in self._problems(name)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _problems(self, name: str) -> list[str]:
        experiment = self.experiments[name]
        found = []
        if name in RESERVED_EXPERIMENTS or not name.isidentifier():
            found.append(f"experiments.{name}: reserved, or not of letters, digits and _")
        for side in ("source", "target"):
            dataset = getattr(experiment, side).dataset
            if dataset not in self.datasets:
                found.append(f"experiments.{name}.{side}.dataset: there is no data set `{dataset}`")
        starts = {*self.weights, "extractor", "random"}
        for init, start in experiment.starts.items():
            if start not in starts:
                found.append(f"experiments.{name}.starts.{init}: there are no weights `{start}`")
        needed = {run.init for run in experiment.runs.values()} - set(experiment.starts)
        found += [f"experiments.{name}.starts.{init}: missing, but a run starts from it" for init in sorted(needed)]
        weights = experiment.settings.extractor.weights
        if weights is not None and weights not in self.weights:
            found.append(f"experiments.{name}.settings.extractor.weights: there are no weights `{weights}`")
        return found

    def resolved(self, experiment: str) -> dict:
        """An experiment with all its settings, as plain builtins."""
        return self.experiments[experiment].model_dump(mode="json")
