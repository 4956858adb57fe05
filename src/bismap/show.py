"""`bismap show`: what an experiment has so far, and where to look."""

import json
from pathlib import Path

from bismap.errors import BismapError


def show(folder: Path) -> str:
    """Scores of the runs below ``results/{experiment}`` and the files worth opening.

    Raises:
        BismapError: if there is no such folder.
    """
    if not folder.is_dir():
        raise BismapError(f"there is no {folder}: name an experiment's folder, such as results/demo")
    lines = [_score(path) for path in sorted(folder.glob("*.json"))] or ["no run is scored yet"]
    places = [path for pattern in _WORTH_A_LOOK for path in sorted(folder.glob(pattern)) if path.exists()]
    return "\n".join([f"{folder}:", *lines, "Where to look:", *(f"  {path}" for path in places)])


_WORTH_A_LOOK = (
    "*.json",
    "tables/*.md",
    "figures/*.png",
    "*/overview.png",
    "*/plots/",
    "*/pseudo_labels/*/*-of-*/",
    "*/transferability/*-of-*/",
    "stylized/*-of-*/",
    "*/metrics.csv",
)


def _score(path: Path) -> str:
    report = json.loads(path.read_text())
    scores = "  ".join(f"{name} {_percent(found)}" for name, found in sorted(report["miou"].items()))
    return f"  {path.stem:<26} {scores}"


def _percent(found: object) -> str:
    value = found["miou"] if isinstance(found, dict) else found
    return "-" if value is None else f"{100 * value:.1f} %"
