"""The gallery as a folder: ``index.html``, and all that it loads in ``files/``."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_image, read_png_label, resize_label
from bismap.fingerprint import ASSETS as SUFFIXES
from bismap.gallery.figures import (
    PARTS,
    Figures,
    area_rows,
    class_areas,
    class_pixels,
    image_miou,
    labelled_share,
    presence,
    rounded,
    split_scores,
)
from bismap.gallery.layers import Files, Map
from bismap.gallery.palette import safe_colors
from bismap.gallery.pictures import shown_size, write_layers, write_part, write_photograph, write_thumbnail
from bismap.inspect.colormap import VIRIDIS

ASSETS = Path(__file__).parent / "assets"
PAGE = "index.html"
TRUTH, PHOTOGRAPH, STYLIZED, PREDICTION = "truth", "photograph", "stylized", "prediction"
KINDS = ("photographs", "thumbnails", "stylized")


@dataclass(frozen=True)
class Section:
    """Images of one split with their layers.

    Attributes:
        key: short name, which is a folder, too.
        title: what a reader calls the images.
        total: how many the split has; `items` may be a part of them.
        stylized: stylised images; empty if there are none.
        labels: label images by key of the layer: pseudo-labels, and ``prediction/{run}``.
        maps: maps of numbers by key of the layer.
        titles: of each layer in `labels` and `maps`.
    """

    key: str
    title: str
    dataset: Dataset
    items: Sequence[Item]
    total: int
    stylized: Files = field(default_factory=dict)
    labels: Mapping[str, Files] = field(default_factory=dict)
    maps: Mapping[str, Map] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> dict[str, str]:
        """Run -> key of its predictions."""
        return {key.split("/", 1)[1]: key for key in self.labels if key.startswith(f"{PREDICTION}/")}


def write_gallery(
    out: Path,
    experiment: str,
    sections: Sequence[Section],
    *,
    runs: Sequence[str],
    subsets: Mapping[str, Sequence[str]],
    width: int,
    threads: int,
) -> None:
    """Write the gallery of an experiment into ``out``; memory is that of ``2 * threads`` images.

    Args:
        out: an empty folder.
        experiment: its name.
        sections: in the order in which they are offered; all of one class set.
        runs: in the order in which they are offered.
        subsets: name of a mean IoU -> its classes; none = all.
        width: of pictures at most, pixels.
        threads: that read and write images.

    Raises:
        BismapError: naming a file that is damaged, or a label that is no class.
    """
    files = out / "files"
    copy_assets(out)
    classes = sections[0].dataset.classes
    described = [write_section(files, section, subsets, width, threads) for section in sections]
    write_part(
        files,
        "experiment",
        {
            "name": experiment,
            "runs": list(runs),
            "classes": list(classes.names),
            "colors": {"own": [list(c) for c in classes.colors], "safe": [list(c) for c in safe_colors(len(classes))]},
            "scale": VIRIDIS.tolist(),
            "parts": PARTS,
            "sections": described,
        },
    )


def copy_assets(out: Path) -> None:
    """Copy the page into ``out`` and its style and scripts into ``out/files``."""
    (out / "files" / "page").mkdir(parents=True)
    for path in sorted(path for path in ASSETS.iterdir() if path.suffix in SUFFIXES):
        shutil.copyfile(path, out / path.name if path.name == PAGE else out / "files" / "page" / path.name)


def write_section(
    files: Path, section: Section, subsets: Mapping[str, Sequence[str]], width: int, threads: int
) -> dict[str, Any]:
    """Write the pictures of a section and the scores of its runs; returns what the page must know at once."""
    for kind in KINDS:
        (files / section.key / kind).mkdir(parents=True)
    found = list(map_ahead(partial(_image, files, section, width), section.items, threads))
    runs: dict[str, Any] = {}
    mious: dict[str, list[float | None]] = {}
    for run, key in section.runs.items():
        areas = [figures.areas.get(key) for figures in found]
        measured = [one for one in areas if one is not None]
        if measured:
            write_part(files, f"{section.key}/scores/{run}", [None if one is None else area_rows(one) for one in areas])
            mious[run] = [None if one is None else image_miou(one) for one in areas]
            runs[run] = split_scores(np.sum(measured, axis=0), section.dataset.classes.names, subsets)
    return {
        "key": section.key,
        "title": section.title,
        "total": section.total,
        "layers": _layers(section),
        "runs": runs,
        "images": {
            "id": [item.id for item in section.items],
            "size": [shown_size(item.width, item.height, width) for item in section.items],
            "truth": [int(item.label is not None) for item in section.items],
            "present": [presence(figures) for figures in found],
            "labelled": {key: [rounded(f.labelled[key]) for f in found] for key in found[0].labelled},
            "mean": {key: [rounded(f.means[key]) for f in found] for key in found[0].means},
            "miou": mious,
        },
    }


def _layers(section: Section) -> list[dict[str, Any]]:
    """Key, title and kind of each layer, in the order in which they are offered."""
    layers: list[dict[str, Any]] = [{"key": PHOTOGRAPH, "title": "Photograph", "kind": "photograph"}]
    if section.stylized:
        layers.append({"key": STYLIZED, "title": "Stylised", "kind": "photograph"})
    if any(item.label is not None for item in section.items):
        layers.append({"key": TRUTH, "title": "Truth", "kind": "labels"})
    layers += [{"key": key, "title": section.titles[key], "kind": "labels"} for key in section.labels]
    layers += [
        {"key": key, "title": section.titles[key], "kind": "map", "quantity": m.quantity, "unit": m.unit}
        | {"low": m.low, "high": m.high}
        for key, m in section.maps.items()
    ]
    return layers


def _image(files: Path, section: Section, width: int, item: Item) -> Figures:
    """Write all pictures of one image."""
    size = shown_size(item.width, item.height, width)
    folder = files / section.key
    pixels = read_image(item.image)
    write_photograph(folder / "photographs" / f"{item.id}.jpg", pixels, size)
    write_thumbnail(folder / "thumbnails" / f"{item.id}.jpg", pixels, size)
    if section.stylized:
        write_photograph(folder / "stylized" / f"{item.id}.jpg", read_image(section.stylized[item.id]), size)

    labels = {key: read_png_label(paths[item.id]) for key, paths in section.labels.items()}
    truth = None if item.label is None else section.dataset.read_label(item)
    shown = ({} if truth is None else {TRUTH: truth}) | labels
    write_layers(files, f"{section.key}/labels/{item.id}", {k: resize_label(v, size) for k, v in shown.items()})

    maps = {key: one.read(item.id) for key, one in section.maps.items()}
    if maps:
        write_layers(files, f"{section.key}/maps/{item.id}", {k: resize_label(v, size) for k, (v, _) in maps.items()})
    return _figures(section, item, truth, labels, {key: mean for key, (_, mean) in maps.items()})


def _figures(
    section: Section,
    item: Item,
    truth: NDArray[np.uint8] | None,
    labels: Mapping[str, NDArray[np.uint8]],
    means: Mapping[str, float],
) -> Figures:
    classes = len(section.dataset.classes)
    predictions = list(section.runs.values())
    # Where there is no truth, the last run's opinion says what an image shows.
    seen = truth if truth is not None else labels[predictions[-1]] if predictions else np.empty((0, 0), np.uint8)
    return Figures(
        present=class_pixels(seen, classes),
        pixels=max(seen.size, 1),
        labelled={key: labelled_share(label) for key, label in labels.items() if key not in predictions},
        means=means,
        areas={} if truth is None else {key: class_areas(truth, labels[key], classes, item.id) for key in predictions},
    )
