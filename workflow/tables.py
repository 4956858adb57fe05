"""What the tables and figures of an experiment are made of: rows, runs and seeds as config.yaml names them."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bismap.config.tables import Table, TableRow
from bismap.errors import BismapError
from bismap.inspect.tables.published import PUBLISHED, read_published
from workflow.scope import Scope, split_seed


@dataclass(frozen=True)
class Row:
    """A row of a table with what stands behind it.

    Attributes:
        spec: as written in config.yaml.
        scopes: the experiment, or its variant, with each seed.
    """

    spec: TableRow
    scopes: tuple[Scope, ...]


def table_settings(scope: Scope, name: str) -> dict[str, Any]:
    """What decides a table's content beside the files it is made from.

    Raises:
        BismapError: if config.yaml names something for it that is not there.
    """
    table, rows = _resolve(scope, name)
    return {
        "experiment": scope.name,
        "name": name,
        "kind": table.kind,
        "caption": table.caption,
        "means": list(table.means or [next(iter(scope.experiment.subsets))]),
        "published": table.published,
        "seeds": [row.seed for row in rows[0].scopes],
        "rows": [_row_settings(table, row) for row in rows],
    }


def table_files(scope: Scope, name: str) -> dict[str, list[str]]:
    """Input files of a table: all seeds of a row in succession.

    Raises:
        BismapError: as of ``table_settings``.
    """
    table, rows = _resolve(scope, name)
    results = [(one.folder, row.spec.run) for row in rows for one in row.scopes]
    labels = [_labels_of(one, row.spec.run) for row in rows for one in row.scopes] if table.kind == "sweep" else []
    return {
        "evaluations": [f"{folder}/{run}.json" for folder, run in results],
        "qualities": [f"{folder}.json" for folder in labels],
        "published": [os.path.relpath(PUBLISHED)] if table.published else [],
    }


def named_runs(scope: Scope, setting: str, runs: Sequence[str]) -> Sequence[str]:
    """The runs that a setting names.

    Raises:
        BismapError: if the experiment has no such run; the setting is named.
    """
    for run in runs:
        try:
            scope.run(run)
        except BismapError as error:
            raise BismapError(f"experiments.{scope.base}.settings.{setting}: {error}") from None
    return runs


def _resolve(scope: Scope, name: str) -> tuple[Table, list[Row]]:
    tables = scope.experiment.tables
    if name not in tables:
        raise BismapError(f"experiment `{scope.base}` has no table `{name}`: it has {', '.join(tables) or 'none'}")
    table = tables[name]
    where = f"experiments.{scope.base}.tables.{name}"
    subsets = scope.experiment.subsets
    if not subsets:
        raise BismapError(f"{where}: it shows mean IoUs, but experiments.{scope.base}.subsets names none")
    if unknown := [mean for mean in table.means if mean not in subsets]:
        raise BismapError(f"{where}.means: there is no mean `{unknown[0]}` in subsets; known: {', '.join(subsets)}")
    if table.published and table.published not in (sources := read_published(PUBLISHED)):
        raise BismapError(
            f"{where}.published: {PUBLISHED.name} has no source `{table.published}`; known: {', '.join(sources)}"
        )
    return table, [_row(scope, spec, f"{where}, row `{spec.label}`", table.kind) for spec in table.rows]


def _row(scope: Scope, spec: TableRow, where: str, kind: str) -> Row:
    try:
        row = Row(spec, tuple(_scopes(scope, spec.variant)))
        run = row.scopes[0].run(spec.run)
    except BismapError as error:
        raise BismapError(f"{where}: {error}") from None
    if kind == "sweep" and run.assignment is None:
        raise BismapError(f"{where}: run `{spec.run}` learns from no pseudo-labels, so that it has no threshold")
    return row


def _scopes(scope: Scope, variant: str | None) -> Iterator[Scope]:
    """The experiment (or its variant) with each seed that its tables average over."""
    name = f"{scope.base}_{variant}" if variant else scope.base
    if name not in scope.config.experiments:
        begin = f"{scope.base}_"
        variants = [other.removeprefix(begin) for other in scope.config.experiments if other.startswith(begin)]
        raise BismapError(
            f"there is no variant `{variant}` of `{scope.base}`, which would be the experiment `{name}`; known: "
            f"{', '.join(variants) or 'none'}"
        )
    own = scope.config.experiment(name).seed
    for seed in _seeds(scope):
        yield Scope.of(scope.config, name if seed == own else f"{name}-s{seed}")


def _seeds(scope: Scope) -> tuple[int, ...]:
    # In the folder of one seed, that seed alone.
    alone = split_seed(scope.name)[1] is not None or not scope.experiment.table_seeds
    return (scope.seed,) if alone else scope.experiment.table_seeds


def _row_settings(table: Table, row: Row) -> dict[str, Any]:
    settings = {
        "label": row.spec.label,
        "run": row.spec.run,
        "experiment": row.scopes[0].base,
        "experiments": [one.name for one in row.scopes],
    }
    if table.kind == "ablation":
        settings["parts"] = _parts(row.scopes[0], row.spec.run)
    if table.kind == "sweep":
        settings["threshold"] = _threshold(row.scopes[0], row.spec.run)
    return settings


def _parts(scope: Scope, name: str) -> list[str]:
    """What distinguishes a run, itself and through its teachers."""
    found, run = set(), scope.run(name)
    while run is not None:
        found |= {"stylized"} if run.source == "stylized" else set()
        found |= {"transferability"} if run.transferability else set()
        found |= {run.assignment} if run.assignment else set()
        found |= {"consistency"} if run.consistency else set()
        found |= {"distillation"} if run.objective == "distill" else set()
        run = scope.run(run.teacher) if run.teacher else None
    return sorted(found)


def _threshold(scope: Scope, name: str) -> dict[str, float]:
    """Name and value of what decides how much of a run's pseudo-labels is kept."""
    assignment = scope.run(name).assignment
    section = getattr(scope.settings.pseudo_labels, assignment)
    if assignment == "ias":
        return {"alpha": section.alpha}
    return {name: value for name, value in section.model_dump().items() if value is not None}


def _labels_of(scope: Scope, name: str) -> str:
    run = scope.run(name)
    return f"{scope.folder}/{run.teacher}/pseudo_labels/{run.assignment}"
