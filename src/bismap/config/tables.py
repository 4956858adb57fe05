"""Tables of results: which rows, and what they show."""

from typing import Literal

from pydantic import Field

from bismap.config.base import Name, Section


class TableRow(Section):
    """One run, of the experiment itself or of a variant of it."""

    label: str = Field(min_length=1, description="what the row is called")
    run: str = Field(description="name under `runs`")
    variant: Name | None = Field(
        default=None, description="the run is that of the experiment called {experiment}_{variant}; null: this one's"
    )


class Table(Section):
    """What results/{experiment}/tables/{table}.csv, .md and .tex hold."""

    kind: Literal["classes", "ablation", "sweep"] = Field(
        description="classes: IoU of each class; ablation: what each run has, and its gain over the first row; sweep: "
        "threshold, labelled share and accuracy of the pseudo-labels that a run learnt from"
    )
    caption: str = Field(description="what the table shows, in a few words")
    means: tuple[Name, ...] = Field(default=(), description="mean IoUs, names under `subsets`; none: the first of them")
    published: str | None = Field(
        default=None,
        description="source in src/bismap/inspect/tables/published.csv whose figures stand beside; null: none",
    )
    rows: tuple[TableRow, ...] = Field(min_length=1, description="from top to bottom")
