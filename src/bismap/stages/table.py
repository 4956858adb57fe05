"""Stage ``table``: runs side by side."""

import json
from collections.abc import Sequence
from pathlib import Path

from bismap.errors import BismapError
from bismap.inspect.tables.kinds import Report, RowData, make_table
from bismap.inspect.tables.published import Figures, read_published
from bismap.inspect.tables.writers import to_csv, to_latex, to_markdown
from bismap.job import Job


def run(job: Job) -> None:
    """Write ``table.csv``, ``table.md`` and ``table.tex``."""
    table = make_table(job.settings, _rows(job), _published(job))
    for suffix, write in {"csv": to_csv, "md": to_markdown, "tex": to_latex}.items():
        (job.out / f"table.{suffix}").write_text(write(table), encoding="utf-8")


def _rows(job: Job) -> list[RowData]:
    rows, seeds = job.settings["rows"], len(job.settings["seeds"])
    evaluations = _read(job, "evaluations", len(rows) * seeds)
    sweep = job.settings["kind"] == "sweep"
    qualities = _read(job, "qualities", len(rows) * seeds) if sweep else []
    found = []
    for place, row in enumerate(rows):
        own = slice(place * seeds, (place + 1) * seeds)
        _check_run(row["run"], row["experiments"], evaluations[own], job.input_list("evaluations")[own])
        found.append(RowData(row, tuple(evaluations[own]), tuple(qualities[own])))
    return found


def _read(job: Job, name: str, expected: int) -> list[Report]:
    paths = job.input_list(name)
    if len(paths) != expected:
        raise BismapError(f"input `{name}`: expected {expected} files, one for each row and seed, got {len(paths)}")
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def _check_run(run: str, experiments: Sequence[str], reports: Sequence[Report], paths: Sequence[Path]) -> None:
    for experiment, report, path in zip(experiments, reports, paths, strict=True):
        if (report["experiment"], report["run"]) != (experiment, run):
            raise BismapError(
                f"{path}: the score of {report['experiment']}/{report['run']}, expected that of {experiment}/{run}"
            )


def _published(job: Job) -> Figures:
    source = job.settings["published"]
    if source is None:
        return {}
    path = job.input("published")
    sources = read_published(path)
    if source not in sources:
        raise BismapError(f"{path.name}: there is no source `{source}`; known: {', '.join(sources)}")
    return sources[source]
