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
        d_mean: [images] float64, the mean distance that each image's are compared with (Eq. 9).
    """

    ids: tuple[str, ...]
    distances: np.ndarray
    grid: tuple[int, int]
    d_mean: np.ndarray

    def of(self, image_id: str) -> tuple[np.ndarray, float]:
        """Distances [rows, cols] of one image, and its d_mean.

        Raises:
            BismapError: if the image was not among the extracted ones.
        """
        row = int(np.searchsorted(self.ids, image_id))
        if row == len(self.ids) or self.ids[row] != image_id:
            raise BismapError(f"image {image_id} has no cell features: run `extract` on the source again")
        return self.distances[row].reshape(self.grid), float(self.d_mean[row])


def save_distances(folder: Path, table: SourceDistances) -> None:
    """Write distances.npy, images.csv (id, its distances in short, d_mean) and summary.csv (one row)."""
    np.save(folder / "distances.npy", table.distances)
    cells = table.distances
    by_image = pd.DataFrame({"id": table.ids, "mean": cells.mean(1), "min": cells.min(1), "max": cells.max(1)})
    by_image["d_mean"] = table.d_mean
    by_image.to_csv(folder / "images.csv", index=False, lineterminator="\n")
    rows, cols = table.grid
    summary = {"images": len(table.ids), "rows": rows, "cols": cols, "mean": cells.mean()}
    summary |= {"min": cells.min(), "max": cells.max()}
    pd.DataFrame([summary]).to_csv(folder / "summary.csv", index=False, lineterminator="\n")


def load_distances(folder: Path) -> SourceDistances:
    """Read what ``save_distances`` wrote."""
    summary = pd.read_csv(folder / "summary.csv", dtype=str).iloc[0]
    images = pd.read_csv(folder / "images.csv", dtype=str, usecols=["id", "d_mean"], keep_default_na=False)
    grid = (int(summary["rows"]), int(summary["cols"]))
    # By numpy: pandas' own parser may be off by the last digit.
    return SourceDistances(
        tuple(images["id"]), np.load(folder / "distances.npy"), grid, images["d_mean"].to_numpy().astype(np.float64)
    )
