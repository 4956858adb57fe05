"""A table as CSV (full precision), Markdown (as GitHub renders it) and LaTeX (booktabs)."""

import csv
import io
from collections.abc import Callable, Sequence

from bismap.inspect.tables.model import Line, Statistic, Table

CSV_COLUMNS = ("label", "experiment", "run", "source", "column", "mean_percent", "std_percent", "n")
"""One row a number; ``source`` is ``measured``, or where the number was published."""

DASH = "–"
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "✓": r"$\checkmark$",
    "δ": r"$\delta$",
    "α": r"$\alpha$",
    "±": r"$\pm$",
    "−": "$-$",
    DASH: "--",
}
_MARKDOWN = {character: f"\\{character}" for character in "\\`*_{}[]<>|~"} | {"\n": " "}


def to_csv(table: Table) -> str:
    """One row for each number that is there (``CSV_COLUMNS``), in the order of the table."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for line in table.lines:
        for column, number in zip(table.columns, line.numbers, strict=True):
            if number is None:
                continue
            source = column.source or line.source
            own = ("", "") if source else (line.experiment, line.run)
            values = [repr(number.mean), "" if number.std is None else repr(number.std), number.n or ""]
            writer.writerow([line.label, *own, source or "measured", column.name, *values])
    return text.getvalue()


def to_markdown(table: Table) -> str:
    """A paragraph with the caption, the table, and the notes."""
    headings = [_escaped(text, _MARKDOWN) for text in (*table.headings, *(column.heading for column in table.columns))]
    rows = [_cells(table, line, _MARKDOWN, _markdown_number) for line in table.lines]
    aligned = [":---"] * len(table.headings) + ["---:"] * len(table.columns)
    notes = " ".join(_escaped(note, _MARKDOWN) for note in table.notes)
    caption = f"**{_escaped(table.caption, _MARKDOWN)}** ({_escaped(table.experiment, _MARKDOWN)})"
    lines = [f"| {' | '.join(row)} |" for row in (headings, aligned, *rows)]
    return "\n".join([caption, "", *lines, "", notes, ""])


def to_latex(table: Table) -> str:
    """A floating table; a wide one goes over both columns of a page, its headings upright.

    A rule parts published rows from measured ones.
    """
    environment = "table*" if table.wide else "table"
    packages = "booktabs, graphicx and amssymb" if table.wide else "booktabs and amssymb"
    caption = " ".join(_escaped(text, _LATEX) for text in (f"{table.caption} ({table.experiment}).", *table.notes))
    return "\n".join(
        [
            f"% needs the packages {packages}",
            rf"\begin{{{environment}}}[t]",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\label{{tab:{table.experiment}-{table.name}}}",
            *([r"\resizebox{\textwidth}{!}{%"] if table.wide else []),
            rf"\begin{{tabular}}{{{'l' * len(table.headings)}{'r' * len(table.columns)}}}",
            r"\toprule",
            _latex_headings(table),
            r"\midrule",
            *_latex_rows(table),
            r"\bottomrule",
            r"\end{tabular}" + ("%" if table.wide else ""),
            *(["}"] if table.wide else []),
            rf"\end{{{environment}}}",
            "",
        ]
    )


def _latex_headings(table: Table) -> str:
    numbers = [_escaped(column.heading, _LATEX) for column in table.columns]
    if table.wide:
        numbers = [rf"\rotatebox{{90}}{{{text}}}" for text in numbers]
    return " & ".join([*(_escaped(text, _LATEX) for text in table.headings), *numbers]) + r" \\"


def _latex_rows(table: Table) -> list[str]:
    rows: list[str] = []
    for before, line in zip((None, *table.lines), table.lines, strict=False):
        if before is not None and before.source != line.source:
            rows.append(r"\midrule")
        rows.append(" & ".join(_cells(table, line, _LATEX, _latex_number)) + r" \\")
    return rows


def _cells(
    table: Table, line: Line, escapes: dict[str, str], write: Callable[[str, Statistic, bool, bool], str]
) -> Sequence[str]:
    """The cells of a row; a number from fewer seeds than others says from how many."""
    seeds = max((number.n or 0 for other in table.lines for number in other.numbers if number), default=0)
    cells = [_escaped(text, escapes) for text in line.texts]
    for place, number in enumerate(line.numbers):
        printed = table.printed(line, place)
        if number is None or printed is None:
            cells.append(_escaped(DASH, escapes))
            continue
        fewer = number.n is not None and number.n < seeds
        cells.append(write(printed, number, table.best(line, place), fewer))
    return cells


def _markdown_number(printed: str, number: Statistic, best: bool, fewer: bool) -> str:
    mean = printed.replace("-", "−")
    text = f"**{mean}**" if best else mean
    text += "" if number.std is None else f" ± {number.std:.1f}"
    return f"{text} ({number.n})" if fewer else text


def _latex_number(printed: str, number: Statistic, best: bool, fewer: bool) -> str:
    mean = f"${printed}$" if printed[0] in "+-" else printed
    text = rf"\textbf{{{mean}}}" if best else mean
    text += "" if number.std is None else rf" {{\scriptsize $\pm$ {number.std:.1f}}}"
    return rf"{text} {{\scriptsize ({number.n})}}" if fewer else text


def _escaped(text: str, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(character, character) for character in text)
