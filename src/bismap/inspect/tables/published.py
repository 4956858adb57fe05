"""Figures that others have published, each with its source (``published.csv``: source, experiment, method, measure,
value; all in per cent, empty where the source has a dash).
"""

import csv
from pathlib import Path

from bismap.errors import BismapError

PUBLISHED = Path(__file__).with_name("published.csv")

Figures = dict[str, dict[str, float]]
"""Of one source: method -> measure -> value, in the order of the source."""


def read_published(path: Path) -> dict[str, Figures]:
    """Figures by source.

    Raises:
        BismapError: if the file is not as described above.
    """
    found: dict[str, Figures] = {}
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                method = found.setdefault(row["source"], {}).setdefault(row["method"], {})
                if row["value"]:
                    method[row["measure"]] = float(row["value"])
    except (OSError, KeyError, ValueError) as error:
        raise BismapError(f"{path}: no table of published figures ({error!r})") from None
    return found
