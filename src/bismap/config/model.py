"""The configuration as a whole: data sets, weights, experiments and their runs."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bismap.config.base import Assignment, Count, Name, Section, Size, name_of
from bismap.config.settings import Settings
from bismap.config.tables import Table
from bismap.errors import BismapError

RESERVED_RUNS = ("datasets", "stylized", "extractor", "tables", "figures", "gallery")
RESERVED_EXPERIMENTS = ("datasets", "logs", "benchmarks", "weights")
RESERVED_STARTS = ("extractor", "random")
RENDERED_AS = {"source": "gta5", "target": "cityscapes"}

RunName = name_of("a run", RESERVED_RUNS)
ExperimentName = name_of("an experiment", RESERVED_EXPERIMENTS)
WeightsName = name_of("weights", RESERVED_STARTS)


class Render(Section):
    """A rendered data set: a stand-in for one on disk."""

    domain: Literal["source", "target"] = Field(description="which of the renderer's two worlds")
    seed: int = Field(ge=0, description="of the world; an experiment's other seeds replace it")
    width: Count = Field(description="pixels")
    height: Count = Field(description="pixels")
    images: dict[Name, Count] = Field(description="number of images per split")


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

    @model_validator(mode="after")
    def _read_as_rendered(self) -> "Dataset":
        if self.render is not None and self.layout != RENDERED_AS[self.render.domain]:
            raise ValueError(
                f"layout: the domain `{self.render.domain}` is rendered as {RENDERED_AS[self.render.domain]}, "
                f"but `{self.layout}` is to be read"
            )
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
    assignment: Assignment | None = Field(description="how the teacher's labels are chosen (retrain only)")
    consistency: bool = Field(description="train for consistency, too (retrain only)")
    init: Literal["imagenet", "simclr", "teacher"] = Field(
        description="what the backbone starts from (see `starts`); teacher: the whole network from the teacher's"
    )

    @model_validator(mode="after")
    def _objective_has_what_it_needs(self) -> "Run":
        if (self.objective == "warmup") != (self.teacher is None):
            raise ValueError("teacher: retrain and distill need one, warmup takes none")
        if (self.objective == "retrain") != (self.assignment is not None):
            raise ValueError("assignment: retrain needs one, other objectives take none")
        if self.init == "teacher" and self.teacher is None:
            raise ValueError("init: there is no teacher to start from")
        if self.consistency and self.objective != "retrain":
            raise ValueError("consistency: goes with the objective `retrain` only")
        return self


class Source(Section):
    """The labelled side."""

    dataset: str = Field(description="name under `datasets`")
    split: Name = Field(description="split to train on")


class Target(Section):
    """The side to adapt to."""

    dataset: str = Field(description="name under `datasets`")
    adapt: Name = Field(description="split whose images are adapted to; its labels are never trained on")
    evaluate: Name = Field(description="split whose labels score the runs")


class Experiment(Section):
    """Source, target, settings and runs."""

    source: Source
    target: Target
    seed: int = Field(ge=0, description="of everything random; results/{experiment}-s{seed}/ takes another")
    table_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(), description="seeds that tables average over, e.g. [101, 102]; none: the experiment's own"
    )
    device: Literal["auto", "cpu", "cuda"] = Field(description="`cuda` stops where there is no GPU")
    shard_images: Count = Field(description="images per job of a sharded stage")
    subsets: dict[str, tuple[str, ...]] = Field(
        description="mean IoUs to report: name -> classes; an empty list means all classes [A§13]"
    )
    starts: dict[Literal["imagenet", "simclr"], str] = Field(
        description="what `init` means here: name under `weights`, `extractor` or `random`"
    )
    settings: Settings
    runs: dict[RunName, Run]
    tables: dict[Name, Table] = Field(default_factory=dict, description="results/{experiment}/tables/{table}.md")

    @field_validator("subsets")
    @classmethod
    def _no_class_twice(cls, subsets: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, classes in subsets.items():
            twice = sorted({item for item in classes if classes.count(item) > 1})
            if twice:
                raise ValueError(f"`{name}` names a class twice: {', '.join(twice)}")
        return subsets

    @field_validator("table_seeds")
    @classmethod
    def _no_seed_twice(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("a seed stands there twice")
        return seeds


class Config(Section):
    """config.yaml, its shared settings and runs written out into each experiment.

    What one section says of another is checked in :mod:`bismap.config.references`.
    """

    rerun_on_new_packages: bool = Field(
        description="true: what was computed with another version of torch, faiss, scikit-learn ... runs again"
    )
    datasets: dict[Name, Dataset]
    weights: dict[WeightsName, Weights]
    experiments: dict[ExperimentName, Experiment]

    def experiment(self, name: str) -> Experiment:
        """An experiment by its name.

        Raises:
            BismapError: if there is none, with the names of those there are.
        """
        if name not in self.experiments:
            raise BismapError(f"there is no experiment `{name}`: config.yaml has {', '.join(self.experiments)}")
        return self.experiments[name]

    def resolved(self, experiment: str) -> dict:
        """An experiment with all its settings, as plain builtins.

        Raises:
            BismapError: if there is none of that name.
        """
        return self.experiment(experiment).model_dump(mode="json")
