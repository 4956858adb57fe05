"""Files of the densities: class map, 16-bit log densities, tables."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data import shards
from bismap.data.images import read_gray16, read_png_label, write_gray16, write_label
from bismap.errors import BismapError
from bismap.pseudo_labels.grid import CODES, DensityGrid

DENSITY_SUFFIX = ".density.png"
GRID, HISTOGRAM, IMAGES = "grid.json", "histogram.csv", "images.csv"


class DensityWriter:
    """Writes one image after the other, then the tables of the shard."""

    def __init__(self, out: Path, grid: DensityGrid, names: Sequence[str], palette: Sequence[int]) -> None:
        self._out, self._grid, self._names, self._palette = out, grid, names, palette
        self._histogram = np.zeros((len(names), CODES), np.int64)
        self._rows: list[dict[str, object]] = []

    def add(self, image_id: str, classes: NDArray[np.uint8], density: NDArray[np.float32]) -> None:
        """Write ``{id}.png`` and ``{id}.density.png`` of one image; both arrays ``[height, width]``."""
        codes = self._grid.encode(density)
        write_label(self._out / f"{image_id}.png", classes, self._palette)
        write_gray16(self._out / f"{image_id}{DENSITY_SUFFIX}", codes)
        flat = classes.ravel().astype(np.int64) * CODES + codes.ravel()
        self._histogram += np.bincount(flat, minlength=self._histogram.size).reshape(self._histogram.shape)
        stored = self._grid.decode(codes)
        self._rows.append(
            {
                "id": image_id,
                "mean_density": round(float(stored.mean()), 4),
                "median_density": round(float(np.median(stored)), 4),
            }
        )

    def close(self) -> None:
        """Write grid.json (the grid, and the class names), histogram.csv and images.csv.

        histogram.csv has class, name, code, log_density and pixels of each class and code that occur.
        """
        grid = self._grid._asdict() | {"classes": list(self._names)}
        (self._out / GRID).write_text(json.dumps(grid, sort_keys=True) + "\n")
        classes, codes = self._histogram.nonzero()
        _write_rows(
            self._out / HISTOGRAM,
            ("class", "name", "code", "log_density", "pixels"),
            (
                (
                    c,
                    self._names[c],
                    code,
                    self._grid.offset + self._grid.step * code,
                    self._histogram[c, code],
                )
                for c, code in zip(classes.tolist(), codes.tolist(), strict=True)
            ),
        )
        columns = ("id", "mean_density", "median_density")
        _write_rows(self._out / IMAGES, columns, (tuple(row[name] for name in columns) for row in self._rows))


def read_grid(manifests: Sequence[Path]) -> tuple[DensityGrid, list[str]]:
    """The grid and the class names that all shards share.

    Raises:
        BismapError: if they differ.
    """
    grids = {path.read_text() for path in shards.tables(manifests, GRID)}
    if len(grids) != 1:
        raise BismapError(f"the density shards were made with different grids or classes: {sorted(grids)}")
    grid = json.loads(grids.pop())
    names = grid.pop("classes")
    return DensityGrid(**grid), names


def read_histogram(manifests: Sequence[Path], classes: int) -> NDArray[np.int64]:
    """Pixels by class and code over all shards: ``[classes, CODES]``."""
    counts = np.zeros((classes, CODES), np.int64)
    for path in shards.tables(manifests, HISTOGRAM):
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                counts[int(row["class"]), int(row["code"])] += int(row["pixels"])
    return counts


def density_images(manifests: Sequence[Path]) -> list[tuple[str, Path, Path]]:
    """Id, class map and density file of each image of all shards, sorted by id."""
    maps = shards.files(manifests, ".png")
    return [(image_id, path, path.with_name(f"{image_id}{DENSITY_SUFFIX}")) for image_id, path in maps.items()]


def read_scores(class_map: Path, density: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Most likely class and density code of every pixel, ``[height, width]`` each."""
    classes, codes = read_png_label(class_map), read_gray16(density)
    if classes.shape != codes.shape:
        raise BismapError(f"{density}: {codes.shape} pixels, but {class_map} has {classes.shape}")
    return classes, codes


def _write_rows(path: Path, header: Sequence[str], rows: Iterator[tuple]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
