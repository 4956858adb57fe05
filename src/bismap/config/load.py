"""Read config.yaml and check it, all errors at once, each at the place where the user wrote it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bismap.config.expand import Expanded, expand
from bismap.config.model import Config
from bismap.config.problems import Location, Problem
from bismap.config.references import reference_problems
from bismap.errors import BismapError

UNKNOWN = "unknown key"


def load_config(path: Path) -> Config:
    """The checked configuration of a file.

    Raises:
        BismapError: naming every bad key with its path.
    """
    try:
        raw = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise BismapError(f"there is no {path}: run from the project's root folder") from error
    except yaml.YAMLError as error:
        raise BismapError(f"{path} is no YAML: {error}") from error
    return check_config(raw)


def check_config(raw: Any) -> Config:
    """The checked configuration of what YAML gives.

    Raises:
        BismapError: naming every bad key with its path.
    """
    if not isinstance(raw, Mapping):
        raise BismapError("config.yaml must hold a mapping of sections")
    expanded = expand(raw)
    problems = [*expanded.problems, *reference_problems(expanded.full)]
    try:
        config = Config.model_validate(expanded.full)
    except ValidationError as error:
        problems += _type_problems(error)
    if problems:
        lines = _lines(problems, expanded)
        raise BismapError("\n".join([f"config.yaml has {len(lines)} error(s):", *lines]))
    return config


def _type_problems(error: ValidationError) -> Iterator[Problem]:
    for item in error.errors():
        location = tuple(part for part in item["loc"] if part != "[key]")  # a name at fault, not its value
        combined = item["type"] == "value_error" and isinstance(item["input"], Mapping)
        yield Problem(location, _message(item), item["type"] == "missing", combined)


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return UNKNOWN
    if item["type"] == "missing":
        return "missing"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "string_pattern_mismatch":
        message = "a name consists of letters (a-z, A-Z), digits and _ only"
    return message if isinstance(item["input"], Mapping) else f"{message} (got {item['input']!r})"


def _lines(problems: Iterable[Problem], expanded: Expanded) -> list[str]:
    """One line for each error: unknown keys first, which explain much of the rest; what is inherited comes once."""
    found: dict[tuple[Location, str, bool], set[str]] = defaultdict(set)
    for problem in problems:
        where = expanded.written(problem)
        if where is not None:
            found[where, problem.text, problem.combined] |= _experiment(problem.location)
    lines = []
    for where, text, combined in sorted(found, key=_order):
        note = _concerned(where, found[where, text, combined], expanded) if combined else ""
        lines.append(f"  {_path(where)}: {text}{note}")
    return lines


def _order(error: tuple[Location, str, bool]) -> tuple[bool, bool, str, str]:
    where, text, _ = error
    return len(where) > 1, text != UNKNOWN, _path(where), text


def _concerned(where: Location, experiments: set[str], expanded: Expanded) -> str:
    """For which experiments an inherited value is wrong, unless it is for all: others may have what goes with it."""
    if not experiments or experiments == set(expanded.chains) or _experiment(where) & experiments:
        return ""
    return f" (in experiment {', '.join(sorted(experiments))})"


def _experiment(location: Location) -> set[str]:
    return {str(location[1])} if location[0] == "experiments" and len(location) > 1 else set()


def _path(location: Location) -> str:
    return ".".join(map(str, location)) or "(top)"
