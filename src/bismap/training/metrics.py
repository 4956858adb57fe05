"""Learning curves: means over every ``log_every`` steps, kept exact across a resume."""

import csv
from pathlib import Path
from typing import Any


class Metrics:
    """Rows of the table ``metrics.csv``, and the sums of the row in work."""

    def __init__(self, log_every: int) -> None:
        self.log_every = log_every
        self.rows: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}
        self._steps = 0
        self._unlabelled = 0

    def add(self, values: dict[str, float], unlabelled: int) -> None:
        """Take in one step: its loss terms and its number of crops without a labelled pixel."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._steps += 1
        self._unlabelled += unlabelled

    def is_due(self, step: int, last: bool) -> bool:
        """True if a row ends after the 1-based ``step``."""
        return last or step % self.log_every == 0

    def close_row(self, step: int, lr: float, ema_distance: float | None) -> dict[str, float]:
        """End the row at the 1-based ``step`` and return it."""
        row = {"step": step, "lr": lr}
        row |= {name: total / self._steps for name, total in self._sums.items()}
        row["unlabelled_crops"] = self._unlabelled
        if ema_distance is not None:
            row["ema_distance"] = ema_distance
        self.rows.append(row)
        self._sums, self._steps, self._unlabelled = {}, 0, 0
        return row

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows, "sums": self._sums, "steps": self._steps, "unlabelled": self._unlabelled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.rows, self._sums = state["rows"], state["sums"]
        self._steps, self._unlabelled = state["steps"], state["unlabelled"]

    def write(self, path: Path) -> None:
        """Write the table: step, backbone learning rate, mean of each loss term, number of crops without a
        labelled pixel, relative distance between student and mean teacher where there is one."""
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]), lineterminator="\n")
            writer.writeheader()
            for row in self.rows:
                writer.writerow({name: f"{value:.7g}" for name, value in row.items()})
