"""One picture of a run: what it is shown of the target and predicts there, and its source images with weights."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bismap.data.images import read_gray8, read_image, read_png_label
from bismap.errors import BismapError
from bismap.inspect.colormap import colorize
from bismap.inspect.sheet import Row, Section, draw_sheet
from bismap.random import seed64

if TYPE_CHECKING:
    from bismap.data.dataset import Dataset, Item

Files = Mapping[str, Path]
Column = tuple[str, Callable[["Item", int], Image.Image | None]]


def draw_overview(
    target: "Dataset",
    target_items: "Sequence[Item]",
    source: "Dataset",
    source_items: "Sequence[Item]",
    *,
    pseudo_labels: Files,
    predictions: Files,
    stylized: Files,
    transferability: Files,
    panel_width: int,
) -> Image.Image:
    """Draw the chosen images; a column is there if its files are (an empty mapping: the run has none).

    Raises:
        BismapError: if files are given, but not for each of the images.
    """
    sections = (
        target_section(target, target_items, pseudo_labels, predictions, panel_width),
        source_section(source, source_items, stylized, transferability, panel_width),
    )
    legend = [*zip(target.classes.names, target.classes.colors, strict=True), ("no label", (0, 0, 0))]
    return draw_sheet(sections, legend, panel_width)


def choose_items(items: "Sequence[Item]", rows: int, seed: int) -> "list[Item]":
    """``rows`` of the items, drawn by id and seed alone, sorted by id."""
    drawn = sorted(items, key=lambda item: seed64(seed, "overview", item.id))[:rows]
    return sorted(drawn, key=lambda item: item.id)


def target_section(
    dataset: "Dataset", items: "Sequence[Item]", pseudo_labels: Files, predictions: Files, width: int
) -> Section:
    """Photograph, pseudo-label, prediction and truth of target images."""
    columns: list[Column] = [("photograph", _photograph)]
    columns += _label_column(dataset, "pseudo-label", pseudo_labels)
    columns += _label_column(dataset, "prediction", predictions)
    columns += _truth_column(dataset, items, "truth")
    return _section("Target images", columns, items, width)


def source_section(
    dataset: "Dataset", items: "Sequence[Item]", stylized: Files, transferability: Files, width: int
) -> Section:
    """Source image, its stylised version, its labels and its transferability map."""
    columns: list[Column] = [("source image", _photograph)]
    if stylized:
        columns.append(("stylised", lambda item, width: _picture(read_image(_file(stylized, item), None), width)))
    columns += _truth_column(dataset, items, "labels")
    if transferability:
        columns.append(("transferability", lambda item, width: _map(_file(transferability, item), width)))
    scale = "weight in the source loss" if transferability else None
    return _section("Source images", columns, items, width, scale)


def _section(
    heading: str, columns: Sequence[Column], items: "Sequence[Item]", width: int, scale: str | None = None
) -> Section:
    rows = (Row(item.id, tuple(draw(item, width) for _, draw in columns)) for item in items)
    return Section(heading, tuple(title for title, _ in columns), tuple(rows), scale)


def _label_column(dataset: "Dataset", title: str, files: Files) -> list[Column]:
    if not files:
        return []
    return [(title, lambda item, width: _labels(dataset, read_png_label(_file(files, item)), item, width))]


def _truth_column(dataset: "Dataset", items: "Sequence[Item]", title: str) -> list[Column]:
    def draw(item: "Item", width: int) -> Image.Image | None:
        return None if item.label is None else _labels(dataset, dataset.read_label(item), item, width)

    return [(title, draw)] if any(item.label is not None for item in items) else []


def _file(files: Files, item: "Item") -> Path:
    if item.id not in files:
        raise BismapError(f"overview: there is no file of {item.id} among {len(files)}; run the stage before it again")
    return files[item.id]


def _photograph(item: "Item", width: int) -> Image.Image:
    return _picture(read_image(item.image, None), width)


def _picture(pixels: NDArray[np.uint8], width: int) -> Image.Image:
    return Image.fromarray(pixels).resize((width, _height(pixels, width)), Image.Resampling.LANCZOS)


def _labels(dataset: "Dataset", label: NDArray[np.uint8], item: "Item", width: int) -> Image.Image:
    height = round(width * item.height / item.width)
    small = np.asarray(Image.fromarray(label).resize((width, height), Image.Resampling.NEAREST))
    palette = np.array(dataset.classes.palette(), np.uint8).reshape(256, 3)
    return Image.fromarray(palette[small])


def _map(path: Path, width: int) -> Image.Image:
    weights = read_gray8(path)
    small = Image.fromarray(weights).resize((width, _height(weights, width)), Image.Resampling.NEAREST)
    return Image.fromarray(colorize(np.asarray(small)))


def _height(pixels: NDArray[np.uint8], width: int) -> int:
    return round(width * pixels.shape[0] / pixels.shape[1])
