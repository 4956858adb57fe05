"""Contact sheet of the target prototypes: of each cluster, the image cells nearest to its centre."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors import SafetensorError
from safetensors.numpy import load_file

from bismap.data.ahead import map_ahead
from bismap.data.images import read_image
from bismap.errors import BismapError
from bismap.extractor.cell_store import CellShard
from bismap.inspect.sheet import EMPTY, FAINT, GAP, INK, MARGIN, PAPER, SMALL, TITLE
from bismap.plots.tables import count, number, read_rows
from bismap.transferability.nearest import nearest

MOST = 48
"""Clusters on a sheet; of more, so many are taken at even steps from the largest to the smallest."""

CELLS = 8
"""Cells shown of a cluster, each from another image."""

CONTEXT = 0.5
"""Of a cell's width and height, what is shown around it at each side: the network sees more than the cell, too."""

CROP = (96, 72)
"""Most width and height of a crop, pixels."""

FRAME = (255, 210, 0)
HEADING = 20
COLUMNS = 2


@dataclass(frozen=True)
class Cluster:
    """A target prototype.

    Attributes:
        number: its row in centres.safetensors.
        size: cells nearest to it.
        spread: mean L2 distance of those cells to the centre, in the extractor's feature space.
    """

    number: int
    size: int
    spread: float


@dataclass(frozen=True, order=True)
class Near:
    """A cell of an image near a centre; sorts by distance, then by image and cell."""

    distance: float
    image_id: str
    cell: int


@dataclass(frozen=True)
class Prototypes:
    """Centres ``[J, d]`` float32 and what is known of their clusters."""

    centres: NDArray[np.float32]
    clusters: Sequence[Cluster]


def read_prototypes(folder: Path) -> Prototypes:
    """What a `target_prototypes` folder holds.

    Raises:
        BismapError: if a file is missing or damaged, or the two do not fit.
    """
    table = folder / "clusters.csv"
    rows = read_rows(table, ("cluster", "size", "mean_distance"), "target_prototypes")
    clusters = [
        Cluster(count(row, "cluster", table), count(row, "size", table), number(row, "mean_distance", table))
        for row in rows
    ]
    try:
        centres = load_file(folder / "centres.safetensors")["centres"]
    except (OSError, SafetensorError, KeyError) as error:
        raise BismapError(
            f"{folder / 'centres.safetensors'}: no centres ({error}); run `target_prototypes` again"
        ) from None
    if len(centres) != len(clusters):
        raise BismapError(
            f"{table}: {len(clusters)} clusters, but {len(centres)} centres; run `target_prototypes` again"
        )
    return Prototypes(centres, clusters)


def nearest_cells(shards: Sequence[CellShard], centres: NDArray[np.float32]) -> list[list[Near]]:
    """Of each cluster the `CELLS` cells nearest to its centre, at most one an image, nearest first.

    A cell counts for the cluster that it belongs to. Memory of one chunk of cells.

    Raises:
        BismapError: if cells and centres differ in length.
    """
    length = shards[0].features.shape[2]
    if length != centres.shape[1]:
        raise BismapError(
            f"target cells have {length} values, target prototypes {centres.shape[1]}: both must come from the same "
            "extractor; run `target_prototypes` again"
        )
    found: list[list[Near]] = [[] for _ in centres]
    for shard in shards:
        for image_id, cells in shard.images():
            index, distance = nearest(cells, centres)
            for cluster in np.unique(index).tolist():
                cell = int(np.where(index == cluster, distance, np.inf).argmin())
                found[cluster] = sorted([*found[cluster], Near(float(distance[cell]), image_id, cell)])[:CELLS]
    return found


def chosen_clusters(clusters: Sequence[Cluster]) -> list[Cluster]:
    """Clusters on the sheet, the largest first: all, or `MOST` of them at even steps of rank."""
    ranked = sorted(clusters, key=lambda cluster: (-cluster.size, cluster.number))
    if len(ranked) <= MOST:
        return ranked
    return [ranked[round(place)] for place in np.linspace(0, len(ranked) - 1, MOST)]


Box = tuple[int, int, int, int]


def cell_boxes(cell: int, grid: tuple[int, int], size: tuple[int, int]) -> tuple[Box, Box]:
    """What is cut out for a cell, and the cell within the cut-out; left, top, right, bottom in pixels.

    Args:
        cell: row by row.
        grid: rows and columns.
        size: width and height of the image.
    """
    row, column = divmod(cell, grid[1])
    spans = [_spans(place, cells, length) for place, cells, length in zip((column, row), grid[::-1], size, strict=True)]
    (left, right), (top, bottom) = (outer for outer, _ in spans)
    (cell_left, cell_right), (cell_top, cell_bottom) = (inner for _, inner in spans)
    return (left, top, right, bottom), (cell_left - left, cell_top - top, cell_right - left, cell_bottom - top)


def _spans(place: int, cells: int, length: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Pixels of the cut-out and of the cell along one side; at an edge the cut-out moves inwards and stays as large."""
    cell = length / cells
    extent = min(cell * (1 + 2 * CONTEXT), length)
    first = min(max(cell * (place - CONTEXT), 0), length - extent)
    return (round(first), round(first + extent)), (round(cell * place), round(cell * (place + 1)))


def crop(image: NDArray[np.uint8], cell: int, grid: tuple[int, int]) -> Image.Image:
    """A cell of an image ``[H, W, 3]`` with what is around it, at most `CROP` large, the cell framed."""
    outer, inner = cell_boxes(cell, grid, (image.shape[1], image.shape[0]))
    part = Image.fromarray(image).crop(outer)
    scale = min(CROP[0] / part.width, CROP[1] / part.height)
    part = part.resize((round(part.width * scale), round(part.height * scale)), Image.Resampling.LANCZOS)
    left, top, right, bottom = (round(edge * scale) for edge in inner)
    ImageDraw.Draw(part).rectangle((left, top, right - 1, bottom - 1), outline=FRAME)
    return part


def read_crops(
    near: Sequence[Sequence[Near]], images: dict[str, Path], grid: tuple[int, int], threads: int
) -> dict[tuple[str, int], Image.Image]:
    """Crop of each cell by image and cell; every image is read once.

    Raises:
        BismapError: if an image is unknown or damaged.
    """
    wanted: dict[str, set[int]] = {}
    for cell in (cell for cells in near for cell in cells):
        wanted.setdefault(cell.image_id, set()).add(cell.cell)
    if unknown := sorted(wanted.keys() - images.keys()):
        raise BismapError(
            f"plot_clusters: {len(unknown)} images of the cell features are not in the target split, {unknown[0]} "
            "first; run `extract` again"
        )

    def of(item: tuple[str, set[int]]) -> dict[tuple[str, int], Image.Image]:
        image_id, cells = item
        image = read_image(images[image_id])
        return {(image_id, cell): crop(image, cell, grid) for cell in sorted(cells)}

    return {key: part for parts in map_ahead(of, sorted(wanted.items()), threads) for key, part in parts.items()}


def draw_sheet(
    shown: Sequence[Cluster], near: Sequence[Sequence[Near]], crops: dict[tuple[str, int], Image.Image], of: Prototypes
) -> Image.Image:
    """Clusters in two columns, read down: a line of text and a row of crops each.

    Args:
        shown: clusters to draw, in their order.
        near: their cells, nearest first.
        crops: of all those cells.
        of: all prototypes, for the figures in the heading.
    """
    width, height = (max(part.size[side] for part in crops.values()) for side in (0, 1))
    column = CELLS * (width + GAP // 2) + 2 * GAP
    line = SMALL + GAP // 2 + height + GAP + GAP // 2
    rows = -(-len(shown) // COLUMNS)
    top = MARGIN + HEADING + 2 * GAP
    sheet = Image.new("RGB", (2 * MARGIN + COLUMNS * column, top + rows * line + MARGIN), PAPER)
    pen = ImageDraw.Draw(sheet)
    cells = sum(cluster.size for cluster in of.clusters)
    whole = f"{len(shown)} of {len(of.clusters)} clusters of {cells:,} target cells, the largest first"
    pen.text((MARGIN, MARGIN), whole, INK, ImageFont.load_default(TITLE))
    for place, (cluster, found) in enumerate(zip(shown, near, strict=True)):
        corner = (MARGIN + place // rows * column, top + place % rows * line)
        _draw_cluster(
            sheet, corner, cluster, [crops[cell.image_id, cell.cell] for cell in found], cells, (width, height)
        )
    return sheet


def _draw_cluster(
    sheet: Image.Image, corner: tuple[int, int], cluster: Cluster, parts: Sequence[Image.Image], cells: int, size: tuple
) -> None:
    pen, (left, top) = ImageDraw.Draw(sheet), corner
    font = ImageFont.load_default(SMALL)
    name = f"cluster {cluster.number}"
    figures = f"{cluster.size:,} cells, {cluster.size / cells:.1%}, mean distance to the centre {cluster.spread:.3g}"
    pen.text((left, top), name, INK, font)
    pen.text((left + font.getlength(name) + 2 * GAP, top), figures, FAINT, font)
    top += SMALL + GAP // 2
    for place in range(CELLS):
        x = left + place * (size[0] + GAP // 2)
        if place < len(parts):
            sheet.paste(parts[place], (x, top))
        else:
            pen.rectangle((x, top, x + size[0] - 1, top + size[1] - 1), EMPTY)
