"""The kinds of tables: per-class IoU (Tables 1 and 2 of the paper), ablation (3 and 4), sweep of thresholds (5)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bismap.errors import BismapError
from bismap.inspect.names import ASSIGNMENTS
from bismap.inspect.tables.model import CHECK, Column, Line, Statistic, Table
from bismap.inspect.tables.published import Figures

Report = Mapping[str, Any]
"""What `evaluate` or `pseudo_label_quality` wrote."""

SHORT = {
    "sidewalk": "side.",
    "building": "buil.",
    "traffic light": "light",
    "traffic sign": "sign",
    "vegetation": "vege.",
    "terrain": "terr.",
    "person": "pers.",
    "motorcycle": "motor",
    "bicycle": "bike",
}
"""Names of classes as the paper's tables print them."""

PUBLISHED_AS = {"traffic light": "light", "traffic sign": "sign", "labelled_share": "pseudo-label share %"}
"""Names in published.csv that differ from ours."""

PARTS = {
    "stylized": "GPA",
    "transferability": "STM",
    **ASSIGNMENTS,
    "consistency": "consistency",
    "distillation": "distillation",
}
"""What an ablation tells runs apart by, as printed, from left to right."""

THRESHOLDS = {"density": "δ = {:g}", "alpha": "α = {:g}"}
"""How a threshold is printed; others by their name."""


@dataclass(frozen=True)
class RowData:
    """A measured row.

    Attributes:
        settings: label, run, experiment, experiments (with each seed) and what the kind needs.
        evaluations: of each seed.
        qualities: of the pseudo-labels that the run of each seed learnt from; empty unless thresholds are compared.
    """

    settings: Mapping[str, Any]
    evaluations: tuple[Report, ...]
    qualities: tuple[Report, ...] = ()

    def over_seeds(self, read: Callable[[Report], float | None]) -> list[float | None]:
        """A share of each seed's evaluation, in per cent."""
        return [_percent(read(report)) for report in self.evaluations]

    def line(self, texts: Sequence[str], numbers: Sequence[Statistic | None]) -> Line:
        """The row as it is printed."""
        own = self.settings
        return Line(own["label"], tuple(texts), tuple(numbers), own["experiment"], own["run"])


def make_table(settings: Mapping[str, Any], rows: Sequence[RowData], published: Figures) -> Table:
    """A table of the kind that ``settings`` ask for.

    Args:
        settings: experiment, name, kind, caption, means, published (the source, or None) and seeds.
        rows: from top to bottom.
        published: figures of the source; empty without one.

    Raises:
        BismapError: if an evaluation lacks a mean that is asked for.
    """
    for row in rows:
        for report in row.evaluations:
            _check_means(report, settings["means"])
    return _KINDS[settings["kind"]](settings, rows, published)


def _of_classes(settings: Mapping[str, Any], rows: Sequence[RowData], published: Figures) -> Table:
    report, means, source = rows[0].evaluations[0], settings["means"], settings["published"]
    members = {name for mean in means for name in report["subsets"][mean]}
    classes = [name for name in report["classes"] if name in members]
    columns = [Column(name, SHORT.get(name, name)) for name in classes]
    columns += [Column(mean, _heading(mean)) for mean in means]
    lines = [
        Line(method, (method, *_origin(source, "published")), _published(columns, figures), source=source)
        for method, figures in published.items()
    ]
    for row in rows:
        numbers = [Statistic.of(row.over_seeds(lambda one, name=name: one["iou"][name])) for name in classes]
        numbers += [_mean(row, mean) for mean in means]
        lines.append(row.line((row.settings["label"], *_origin(source, "here")), numbers))
    return _table(settings, rows, ("method", *_origin(source, "source")), columns, lines, wide=True)


def _ablation(settings: Mapping[str, Any], rows: Sequence[RowData], published: Figures) -> Table:
    means = settings["means"]
    parts = [part for part in PARTS if any(part in row.settings["parts"] for row in rows)]
    marks = [tuple(CHECK if part in row.settings["parts"] else "" for part in parts) for row in rows]
    # Labels where the marks alone do not tell the rows apart.
    labelled = len(set(marks)) < len(marks)
    columns = [
        *(Column(mean, _heading(mean)) for mean in means),
        *(Column(f"gain in {mean}", "gain" if len(means) == 1 else f"gain in {_heading(mean)}", False, True)
          for mean in means),
        *_beside(settings, means),
    ]  # fmt: skip
    lines = []
    for row, marked in zip(rows, marks, strict=True):
        numbers = [_mean(row, mean) for mean in means]
        numbers += [None if row is rows[0] else _gain(row, rows[0], mean) for mean in means]
        numbers += _published_beside(settings, means, published.get(row.settings["label"], {}))
        lines.append(row.line((row.settings["label"], *marked) if labelled else marked, numbers))
    headings = tuple(PARTS[part] for part in parts)
    return _table(settings, rows, ("run", *headings) if labelled else headings, columns, lines)


def _sweep(settings: Mapping[str, Any], rows: Sequence[RowData], published: Figures) -> Table:
    means = settings["means"]
    columns = [
        Column("labelled_share", "labelled", compared=False),
        Column("accuracy_of_labelled", "right", compared=False),
        *(Column(mean, _heading(mean)) for mean in means),
        *_beside(settings, ["labelled_share", *means]),
    ]
    lines = []
    for row in rows:
        ((name, value),) = row.settings["threshold"].items()
        label = row.settings["label"]
        text = THRESHOLDS.get(name, name + " {:g}").format(value)
        numbers = [
            Statistic.of([_percent(one["labelled_share"]) for one in row.qualities]),
            Statistic.of([_percent(one["pixel_accuracy_of_labelled"]) for one in row.qualities]),
            *(_mean(row, mean) for mean in means),
        ]
        figures = published.get(f"{label} threshold {value:g}", {})
        numbers += _published_beside(settings, ["labelled_share", *means], figures)
        lines.append(row.line((label, text), numbers))
    note = "Labelled: share of the pixels adapted to that got a pseudo-label; right: share of these that are true."
    return _table(settings, rows, ("method", "threshold"), columns, lines, note)


_KINDS = {"classes": _of_classes, "ablation": _ablation, "sweep": _sweep}


def _table(
    settings: Mapping[str, Any],
    rows: Sequence[RowData],
    headings: Sequence[str],
    columns: Sequence[Column],
    lines: Sequence[Line],
    *notes: str,
    wide: bool = False,
) -> Table:
    notes = (*_notes(settings, rows, columns, lines), *notes)
    own = (settings["experiment"], settings["name"], settings["caption"])
    return Table(*own, tuple(headings), tuple(columns), tuple(lines), notes, wide)


def _notes(
    settings: Mapping[str, Any], rows: Sequence[RowData], columns: Sequence[Column], lines: Sequence[Line]
) -> list[str]:
    report, seeds, source = rows[0].evaluations[0], settings["seeds"], settings["published"]
    notes = [f"Per cent, on the {report['images']} images of split {report['split']}."]
    listed = ", ".join(map(str, seeds))
    if len(seeds) == 1:
        notes.append(f"One seed ({listed}).")
    else:
        notes.append(f"Mean ± standard deviation over n = {len(seeds)} seeds ({listed}).")
    measured = [number for line in lines for number in line.numbers if number is not None and number.n is not None]
    if any(number.n < len(seeds) for number in measured):
        notes.append("A number in brackets: so many of the seeds have the class.")
    if settings["kind"] == "classes" and any(None in line.numbers for line in lines):
        missing = " or not published" if source else ""
        notes.append(f"A dash: no pixel of the class in the truth{missing}.")
    elif source and any(None in line.numbers for line in lines):
        notes.append("A dash: nothing is published under the row's label.")
    if any(column.signed for column in columns):
        notes.append("Gain: over the first row, in points.")
    if source:
        notes.append(f"Published figures: {source}.")
    return notes


def _origin(source: str | None, text: str) -> tuple[str, ...]:
    """The cell that tells published rows from measured ones; none where all are measured."""
    return (text,) if source else ()


def _published(columns: Sequence[Column], figures: Mapping[str, float]) -> tuple[Statistic | None, ...]:
    values = [figures.get(_published_name(column.name)) for column in columns]
    return tuple(None if value is None else Statistic(value) for value in values)


def _beside(settings: Mapping[str, Any], names: Sequence[str]) -> list[Column]:
    """Columns of published numbers beside measured ones."""
    source = settings["published"]
    headings = {"labelled_share": "published labelled"}
    return [
        Column(name, headings.get(name, f"published {_heading(name)}"), name not in headings, source=source)
        for name in names
        if source
    ]


def _published_beside(
    settings: Mapping[str, Any], names: Sequence[str], figures: Mapping[str, float]
) -> tuple[Statistic | None, ...]:
    return _published(_beside(settings, names), figures)


def _published_name(name: str) -> str:
    return PUBLISHED_AS.get(name, _heading(name))


def _heading(mean: str) -> str:
    """``miou16`` -> ``mIoU16``; other names as they are."""
    return mean.replace("miou", "mIoU", 1) if mean.startswith("miou") else mean


def _mean(row: RowData, mean: str) -> Statistic | None:
    return Statistic.of(row.over_seeds(lambda report: report["miou"][mean]))


def _gain(row: RowData, first: RowData, mean: str) -> Statistic | None:
    """Seed by seed."""
    own, others = (one.over_seeds(lambda report: report["miou"][mean]) for one in (row, first))
    pairs = zip(own, others, strict=True)
    return Statistic.of([None if None in pair else pair[0] - pair[1] for pair in pairs])


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _check_means(report: Report, means: Sequence[str]) -> None:
    if missing := [mean for mean in means if mean not in report["miou"]]:
        name = f"{report['experiment']}/{report['run']}.json"
        raise BismapError(f"{name} has no mean `{missing[0]}`; it has {', '.join(report['miou'])}: score the run again")
