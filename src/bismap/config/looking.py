"""Settings of the stages that make something to look at: pictures, figures, plots, the gallery."""

from typing import Annotated

from pydantic import Field, field_validator

from bismap.config.base import Assignment, Count, Name, Section


class Overview(Section):
    """The picture of a run."""

    images: Count = Field(description="rows of target images, and of source images")
    thumb_width: Count = Field(description="width of one picture, pixels")


Drawn = Annotated[
    Count | Annotated[tuple[str, ...], Field(min_length=1)],
    Field(description="rows: how many images the seed draws, or a list of their ids"),
]


class Qualitative(Section):
    """Figure 4: predictions of runs beside the truth."""

    runs: tuple[str, ...] = Field(min_length=1, description="runs, from left to right")
    images: Drawn


class LabelComparison(Section):
    """Figure 5: pseudo-labels of several assignments of one teacher."""

    run: str = Field(description="the teacher")
    assignments: tuple[Assignment, ...] = Field(
        min_length=1, description="names under pseudo_labels, from left to right"
    )
    images: Drawn


class FeatureEmbedding(Section):
    """Figure 6: t-SNE of target features of classes that are easily confused."""

    runs: tuple[str, ...] = Field(min_length=1, description="runs, a panel each")
    classes: tuple[str, ...] = Field(min_length=2, max_length=6, description="names of true classes")
    samples_per_class: Count = Field(description="features of each class at most; all have as many as the rarest")


class Plots(Section):
    """What the plots compare."""

    assignments: tuple[Assignment, ...] = Field(
        min_length=1, description="assignments in the plot of label curves; `softmax` is what the mixtures must beat"
    )

    @field_validator("assignments")
    @classmethod
    def _none_twice(cls, assignments: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(assignments)) < len(assignments):
            raise ValueError("names an assignment twice")
        return assignments


class Gallery(Section):
    """The pages that show an experiment."""

    runs: tuple[Name, ...] = Field(min_length=1, description="runs to show, with all that they learnt from")
    source_images: Count = Field(description="source images to show, drawn by the seed")
    width: Count = Field(description="width of pictures at most, pixels")

    @field_validator("runs")
    @classmethod
    def _no_run_twice(cls, runs: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted({run for run in runs if runs.count(run) > 1}):
            raise ValueError(f"names a run twice: {', '.join(twice)}")
        return runs
