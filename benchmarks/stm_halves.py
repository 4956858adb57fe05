"""Are source pixels of low weight the harmful ones? Training on either half of the source's pixels.

    python benchmarks/stm_halves.py DATA FOLDER [FOLDER ...]

FOLDER is an experiment's, e.g. results/study_demo-s201, whose run `gpa_stm` is finished; run from the folder that holds
config.yaml. The labelled source pixels are split in two ways: at the median weight (Eq. 9), and within each class at
its median distance to the target's prototypes, which leaves the share of each class as it is. A network is trained on
each half as `gpa_stm` was, with weight 1 on its pixels and 0 on the others, and scored on the evaluation split. Rows go
to docs/study/halves.csv under the name DATA.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from experiment import Finished, figures, measure_each
from numpy.typing import NDArray
from study_data import HALVES

from bismap.data import shards
from bismap.data.dataset import Dataset
from bismap.data.images import read_gray8, resize_label, write_gray8
from bismap.store import write_manifest
from bismap.transferability.distance_table import SourceDistances, load_distances

Choice = Callable[[str, NDArray[np.uint8]], NDArray[np.bool_]]
"""Of an image's id and label: which pixels are of the half with high weights."""


def median(values: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """The value from which on upwards is the share of ``counts`` that is nearest to a half."""
    order = np.argsort(values)
    values, counts = values[order], counts[order]
    distinct, first = np.unique(values, return_index=True)
    above = counts.sum() - np.concatenate([[0], np.cumsum(counts)])[first]
    return float(distinct[np.abs(above - counts.sum() / 2).argmin()])


def by_weight(weights: dict[str, Path], labels: dict[str, NDArray[np.uint8]]) -> Choice:
    """High: at or above the median weight of all labelled pixels."""
    counts = np.zeros(256)
    for image_id, label in labels.items():
        counts += np.bincount(read_gray8(weights[image_id])[label != 255], minlength=256)
    least = median(np.arange(256.0), counts)
    return lambda image_id, _: read_gray8(weights[image_id]) >= least


def by_distance(distances: SourceDistances, labels: dict[str, NDArray[np.uint8]]) -> Choice:
    """High: nearer than the median distance of the pixels of the same class."""
    cells = dict(zip(distances.ids, distances.distances.reshape(-1, *distances.grid), strict=True))
    pixels: dict[int, list[tuple[float, int]]] = {}
    for image_id, label in labels.items():
        spread = _spread(cells[image_id], label.shape)
        for c in np.unique(label[label != 255]):
            values, counts = np.unique(spread[label == c], return_counts=True)
            pixels.setdefault(int(c), []).extend(zip(values.tolist(), counts.tolist(), strict=True))
    least = np.full(256, np.inf)
    for c, pairs in pixels.items():
        values, counts = np.array(pairs).T
        least[c] = median(values, counts)
    return lambda image_id, label: _spread(cells[image_id], label.shape) < least[label]


def _spread(cells: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Cells at the size of a label: pixel i lies in cell i * cells // length."""
    rows, columns = (np.arange(length) * count // length for length, count in zip(shape, cells.shape, strict=True))
    return cells[np.ix_(rows, columns)]


def halves(done: Finished) -> Iterator[dict]:
    """Train and score on each half of both splits."""
    settings = done.settings("gpa_stm/model.safetensors")
    labels = _labels(done.source, settings["source"])
    weights = shards.files(done.shards("gpa/transferability"), ".png")
    distances = load_distances(shards.folder(done.folder / "extractor/source_distances.csv"))
    start = (done.folder / "extractor/model.safetensors",)
    choices = {"all pixels": by_weight(weights, labels), "within a class": by_distance(distances, labels)}
    for split, choice in choices.items():
        for half in ("high", "low"):
            with tempfile.TemporaryDirectory() as place:
                maps = _write(Path(place, "maps"), labels, choice, high=half == "high")
                report = done.train_and_score(Path(place), settings, (maps,), start, "gpa_stm")
            yield {"split": split, "half": half, "seed": done.scope.seed} | figures(report)


def _labels(dataset: Dataset, side: dict) -> dict[str, NDArray[np.uint8]]:
    return {
        item.id: resize_label(dataset.read_label(item), tuple(side["size"])) for item in dataset.items(side["split"])
    }


def _write(out: Path, labels: dict[str, NDArray[np.uint8]], choice: Choice, *, high: bool) -> Path:
    """Maps of 1 on the half and 0 elsewhere, as the stage `transferability` writes maps; returns their manifest."""
    out.mkdir()
    for image_id, label in labels.items():
        write_gray8(out / f"{image_id}.png", np.where(choice(image_id, label) == high, 255, 0).astype(np.uint8))
    write_manifest(out)
    return out / "manifest.csv"


if __name__ == "__main__":
    measure_each(__doc__, halves, HALVES, ["split", "half", "seed"])
