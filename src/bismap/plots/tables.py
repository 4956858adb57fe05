"""Tables of other stages, read with errors that name the file."""

import csv
from collections.abc import Sequence
from pathlib import Path

from bismap.errors import BismapError


def read_rows(path: Path, columns: Sequence[str], stage: str) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least these columns and a value in every cell.

    Args:
        stage: what made the file, for the message.

    Raises:
        BismapError: if it cannot be read, lacks a column, has no row or one that is cut off.
    """
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines)
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BismapError(f"{path}: cannot be read ({error}); run `{stage}` again") from None
    if missing := [name for name in columns if name not in (table.fieldnames or ())]:
        raise BismapError(f"{path}: expected the columns {', '.join(columns)}, {', '.join(missing)} missing")
    if not rows:
        raise BismapError(f"{path}: the table has no row; run `{stage}` again")
    for number, row in enumerate(rows, 2):
        if None in row or None in row.values():
            raise BismapError(f"{path}, line {number}: expected {len(table.fieldnames)} values; run `{stage}` again")
    return rows


def number(row: dict[str, str], column: str, path: Path) -> float:
    """A cell as a number.

    Raises:
        BismapError: if it is none.
    """
    try:
        return float(row[column])
    except ValueError:
        raise BismapError(f"{path}: expected a number in column {column}, found `{row[column]}`") from None


def count(row: dict[str, str], column: str, path: Path) -> int:
    """A cell as a whole number.

    Raises:
        BismapError: if it is none.
    """
    value = number(row, column, path)
    if not value.is_integer():
        raise BismapError(f"{path}: expected a whole number in column {column}, found `{row[column]}`")
    return int(value)
