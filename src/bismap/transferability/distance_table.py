"""Distances of all source cells as a file: what `source_distances` writes and `transferability` reads."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bismap.errors import BismapError


@dataclass(frozen=True)
class SourceDistances:
    """Distances of the whole source set to the nearest target prototypes.

    Attributes:
        ids: image ids, sorted.
        distances: [images, rows * cols] float64, cells row by row.
        grid: rows and columns.
        d_mean: mean over all cells of all images, correctly rounded, so that no order can change it.
    """

    ids: tuple[str, ...]
    distances: np.ndarray
    grid: tuple[int, int]
    d_mean: float

    def of(self, image_id: str) -> np.ndarray:
        """Distances [rows, cols] of one image.

        Raises:
            BismapError: if the image was not among the extracted ones.
        """
        row = int(np.searchsorted(self.ids, image_id))
        if row == len(self.ids) or self.ids[row] != image_id:
            raise BismapError(f"image {image_id} has no cell features: run `extract` on the source again")
        return self.distances[row].reshape(self.grid)


def save_distances(folder: Path, table: SourceDistances) -> None:
    """Write distances.npy, images.csv (id and its distances in short) and summary.csv (one row)."""
    np.save(folder / "distances.npy", table.distances)
    cells = table.distances
    by_image = pd.DataFrame({"id": table.ids, "mean": cells.mean(1), "min": cells.min(1), "max": cells.max(1)})
    by_image.to_csv(folder / "images.csv", index=False, lineterminator="\n")
    rows, cols = table.grid
    summary = {"images": len(table.ids), "rows": rows, "cols": cols, "d_mean": table.d_mean}
    summary |= {"min": cells.min(), "max": cells.max()}
    pd.DataFrame([summary]).to_csv(folder / "summary.csv", index=False, lineterminator="\n")


def load_distances(folder: Path) -> SourceDistances:
    """Read what ``save_distances`` wrote."""
    summary = pd.read_csv(folder / "summary.csv", dtype=str).iloc[0]
    ids = pd.read_csv(folder / "images.csv", dtype={"id": str}, usecols=["id"], keep_default_na=False)["id"]
    grid = (int(summary["rows"]), int(summary["cols"]))
    return SourceDistances(tuple(ids), np.load(folder / "distances.npy"), grid, float(summary["d_mean"]))
