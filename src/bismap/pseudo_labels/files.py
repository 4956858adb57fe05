"""Files of an assignment's scores: class map, 16-bit scores, tables.

The score of a pixel is what says how sure its class is: the log density (`densities`), the distance to the second
nearest anchor less that to the nearest (`anchor_gaps`), or the greatest probability (`confidences`).
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data import shards
from bismap.data.images import read_gray16, read_png_label, write_gray16, write_label
from bismap.errors import BismapError
from bismap.pseudo_labels.grid import CODES, ScoreGrid

GRID, HISTOGRAM, IMAGES = "grid.json", "histogram.csv", "images.csv"


class ScoreWriter:
    """Writes one image after the other, then the tables of the shard; ``score`` names what the numbers are."""

    def __init__(self, out: Path, score: str, grid: ScoreGrid, names: Sequence[str], palette: Sequence[int]) -> None:
        self._out, self._score, self._grid, self._names, self._palette = out, score, grid, names, palette
        self._histogram = np.zeros((len(names), CODES), np.int64)
        self._rows: list[dict[str, object]] = []

    def add(self, image_id: str, classes: NDArray[np.uint8], scores: NDArray[np.float32]) -> None:
        """Write ``{id}.png`` and ``{id}.{score}.png`` of one image; both arrays ``[height, width]``."""
        codes = self._grid.encode(scores)
        write_label(self._out / f"{image_id}.png", classes, self._palette)
        write_gray16(self._out / f"{image_id}.{self._score}.png", codes)
        flat = classes.ravel().astype(np.int64) * CODES + codes.ravel()
        self._histogram += np.bincount(flat, minlength=self._histogram.size).reshape(self._histogram.shape)
        stored = self._grid.decode(codes)
        self._rows.append(
            {
                "id": image_id,
                f"mean_{self._score}": round(float(stored.mean()), 4),
                f"median_{self._score}": round(float(np.median(stored)), 4),
            }
        )

    def close(self) -> None:
        """Write grid.json (score, grid and class names), histogram.csv and images.csv.

        histogram.csv has class, name, code, score and pixels of each class and code that occur.
        """
        grid = self._grid._asdict() | {"score": self._score, "classes": list(self._names)}
        (self._out / GRID).write_text(json.dumps(grid, sort_keys=True) + "\n")
        classes, codes = self._histogram.nonzero()
        _write_rows(
            self._out / HISTOGRAM,
            ("class", "name", "code", self._score, "pixels"),
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
        columns = ("id", f"mean_{self._score}", f"median_{self._score}")
        _write_rows(self._out / IMAGES, columns, (tuple(row[name] for name in columns) for row in self._rows))


def read_grid(manifests: Sequence[Path]) -> tuple[str, ScoreGrid, list[str]]:
    """The name of the score, its grid and the class names that all shards share.

    Raises:
        BismapError: if they differ.
    """
    grids = {path.read_text() for path in shards.tables(manifests, GRID)}
    if len(grids) != 1:
        raise BismapError(f"the shards of the scores were made with different grids or classes: {sorted(grids)}")
    grid = json.loads(grids.pop())
    score, names = grid.pop("score"), grid.pop("classes")
    return score, ScoreGrid(**grid), names


def read_histogram(manifests: Sequence[Path], classes: int) -> NDArray[np.int64]:
    """Pixels by class and code over all shards: ``[classes, CODES]``."""
    counts = np.zeros((classes, CODES), np.int64)
    for path in shards.tables(manifests, HISTOGRAM):
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                counts[int(row["class"]), int(row["code"])] += int(row["pixels"])
    return counts


def scored_images(manifests: Sequence[Path], score: str) -> list[tuple[str, Path, Path]]:
    """Id, class map and score file of each image of all shards, sorted by id."""
    maps = shards.files(manifests, ".png")
    return [(image_id, path, path.with_name(f"{image_id}.{score}.png")) for image_id, path in maps.items()]


def read_scores(class_map: Path, scores: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class and code of the score of every pixel, ``[height, width]`` each."""
    classes, codes = read_png_label(class_map), read_gray16(scores)
    if classes.shape != codes.shape:
        raise BismapError(f"{scores}: {codes.shape} pixels, but {class_map} has {classes.shape}")
    return classes, codes


def _write_rows(path: Path, header: Sequence[str], rows: Iterator[tuple]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)
