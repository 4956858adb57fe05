"""Read config.yaml: merge each experiment's overrides into the shared settings, report all errors at once."""

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bismap.config.model import Config
from bismap.errors import BismapError


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


def check_config(raw: Mapping[str, Any]) -> Config:
    """The checked configuration of a mapping as YAML gives it.

    Raises:
        BismapError: naming every bad key with its path.
    """
    try:
        return Config.model_validate(expand(raw))
    except ValidationError as error:
        lines = [f"  {_path(item['loc'])}: {_message(item)}" for item in error.errors()]
        unique = sorted(set(lines))
        raise BismapError("\n".join([f"config.yaml has {len(unique)} error(s):", *unique])) from error


def expand(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Write the shared ``settings`` and ``runs`` out into each experiment, the experiment's own values on top."""
    if not isinstance(raw, Mapping):
        raise BismapError("config.yaml must hold a mapping of sections")
    full = {name: deepcopy(value) for name, value in raw.items() if name not in ("settings", "runs")}
    experiments = full.get("experiments")
    if isinstance(experiments, dict):
        for name, experiment in experiments.items():
            if isinstance(experiment, dict):
                experiments[name] = _with_parents(name, experiments)
        for name, experiment in experiments.items():
            if isinstance(experiment, dict):
                experiments[name] = {
                    **experiment,
                    "settings": merge(raw.get("settings", {}), experiment.get("settings", {})),
                    "runs": merge(raw.get("runs", {}), experiment.get("runs", {})),
                }
    return full


def _with_parents(name: str, experiments: Mapping[str, Any]) -> dict[str, Any]:
    chain: list[str] = []
    while name is not None:
        if name in chain:
            raise BismapError(f"experiments.{chain[0]}: `like` goes round in a circle: {' -> '.join(chain)}")
        if name not in experiments:
            raise BismapError(f"experiments.{chain[-1]}.like: there is no experiment `{name}`")
        chain.append(name)
        name = experiments[name].get("like")
    merged: dict[str, Any] = {}
    for step in reversed(chain):
        merged = merge(merged, {key: value for key, value in experiments[step].items() if key != "like"})
    return merged


def merge(base: Any, override: Any) -> Any:
    """``override`` laid over ``base``: mappings key by key, everything else replaced whole."""
    if isinstance(base, Mapping) and isinstance(override, Mapping):
        return {
            key: merge(base[key], override[key]) if key in base and key in override else deepcopy(value)
            for key, value in {**base, **override}.items()
        }
    return deepcopy(override)


def json_schema() -> str:
    """JSON schema of the expanded configuration, for editors and the documentation."""
    return json.dumps(Config.model_json_schema(), indent=2, sort_keys=True) + "\n"


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(top)"


def _message(item: Mapping[str, Any]) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return "unknown key"
    if item["type"] == "missing":
        return "missing"
    return f"{message} (got {item['input']!r})" if not isinstance(item["input"], dict) else message
