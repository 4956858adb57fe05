"""A table before it is written: texts on the left, numbers on the right."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CHECK = "✓"


@dataclass(frozen=True)
class Statistic:
    """A number over seeds, in per cent (a gain: in points).

    Attributes:
        mean: over the seeds that have one.
        std: sample standard deviation; None of a single number.
        n: number of seeds; None of a published number.
    """

    mean: float
    std: float | None = None
    n: int | None = None

    @classmethod
    def of(cls, values: Sequence[float | None]) -> "Statistic | None":
        """Over those that are not None; None if there are none."""
        known = [value for value in values if value is not None]
        if not known:
            return None
        return cls(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None, len(known))


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name: in the CSV.
        heading: as printed.
        compared: the greatest number is set in bold.
        signed: numbers carry their sign.
        source: where its numbers were published; None for measured ones.
    """

    name: str
    heading: str
    compared: bool = True
    signed: bool = False
    source: str | None = None


@dataclass(frozen=True)
class Line:
    """A row.

    Attributes:
        label: what the row is called.
        texts: its cells on the left.
        numbers: its cells on the right; None prints as a dash.
        experiment: whose run it is, without seed; empty for a published row.
        run: the run.
        source: where the row was published; None for a measured one.
    """

    label: str
    texts: tuple[str, ...]
    numbers: tuple[Statistic | None, ...]
    experiment: str = ""
    run: str = ""
    source: str | None = None


@dataclass(frozen=True)
class Table:
    """Headings of the texts, columns of numbers, and the rows; ``notes`` are whole sentences below."""

    experiment: str
    name: str
    caption: str
    headings: tuple[str, ...]
    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...]
    wide: bool = False

    def printed(self, line: Line, place: int) -> str | None:
        """The mean in a cell as printed, with one decimal; None for a dash."""
        number = line.numbers[place]
        return None if number is None else _one_decimal(number.mean, self.columns[place].signed)

    def best(self, line: Line, place: int) -> bool:
        """Whether no number of a compared column exceeds the cell's, as printed; where all are equal, none is best."""
        number = line.numbers[place]
        if number is None or not self.columns[place].compared:
            return False
        column = {round(other.numbers[place].mean, 1) for other in self.lines if other.numbers[place] is not None}
        return len(column) > 1 and round(number.mean, 1) == max(column)


def _one_decimal(value: float, signed: bool) -> str:
    rounded = round(value, 1) + 0.0  # no negative zero
    return f"{rounded:+.1f}" if signed and rounded else f"{rounded:.1f}"
