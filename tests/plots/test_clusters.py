"""The contact sheet: nearest cells by brute force, cut-outs within the image."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellWriter, open_all
from bismap.plots.clusters import (
    CELLS,
    FRAME,
    MOST,
    Cluster,
    Prototypes,
    cell_boxes,
    chosen_clusters,
    crop,
    draw_sheet,
    nearest_cells,
    read_crops,
    read_prototypes,
)

GRID = (2, 3)


def stores(tmp_path, cells, parts):
    for part in range(parts):
        mine = sorted(cells)[part::parts]
        writer = CellWriter(tmp_path / f"{parts}-{part}.zarr", mine, GRID, 4)
        for image_id in mine:
            writer.add(cells[image_id])
        writer.close()
    return open_all([tmp_path / f"{parts}-{part}.zarr" for part in range(parts)])


@pytest.fixture
def cells():
    rng = np.random.default_rng(0)
    return {f"i{i:02d}": rng.normal(size=(6, 4)).astype(np.float32) for i in range(30)}


CENTRES = np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32)


@pytest.mark.parametrize("parts", [1, 3])
def test_cells_are_the_nearest_of_their_cluster_one_an_image(tmp_path, cells, parts):
    found = nearest_cells(stores(tmp_path, cells, parts), CENTRES)
    for cluster in range(5):
        best = []
        for image_id, of_image in cells.items():
            distances = np.linalg.norm(of_image[:, None].astype(float) - CENTRES, axis=2)
            mine = [cell for cell in range(6) if distances[cell].argmin() == cluster]
            best += [min((distances[cell, cluster], image_id, cell) for cell in mine)] if mine else []
        assert [(near.image_id, near.cell) for near in found[cluster]] == [key[1:] for key in sorted(best)[:CELLS]]
        np.testing.assert_allclose([near.distance for near in found[cluster]], [key[0] for key in sorted(best)[:CELLS]])


def test_cells_of_another_extractor_are_refused(tmp_path, cells):
    with pytest.raises(BismapError, match="target cells have 4 values, target prototypes 3"):
        nearest_cells(stores(tmp_path, cells, 1), CENTRES[:, :3])


def test_of_many_clusters_the_sheet_goes_from_the_largest_to_the_smallest():
    few = [Cluster(number, size, 1.0) for number, size in enumerate([5, 9, 7, 9])]
    assert [cluster.number for cluster in chosen_clusters(few)] == [1, 3, 2, 0]
    many = [Cluster(number, 1000 - number, 1.0) for number in range(10 * MOST)]
    shown = [cluster.number for cluster in chosen_clusters(many)]
    assert len(set(shown)) == MOST
    assert (shown[0], shown[-1]) == (0, 10 * MOST - 1)
    assert {9, 10, 11} >= set(np.diff(shown))


def test_a_cut_out_holds_its_cell_and_lies_within_the_image():
    for cell in range(6):
        outer, inner = cell_boxes(cell, GRID, (301, 100))
        left, top, right, bottom = outer
        assert 0 <= left < right <= 301
        assert 0 <= top < bottom <= 100
        assert (right - left, bottom - top) == (pytest.approx(2 * 301 / 3, abs=1), 100)
        row, column = divmod(cell, 3)
        expected = [column * 301 / 3, row * 50, (column + 1) * 301 / 3, (row + 1) * 50]
        shifted = np.add(inner, [left, top, left, top])
        np.testing.assert_allclose(shifted, expected, atol=1)


def test_the_frame_is_drawn_around_the_cell():
    image = np.zeros((60, 90, 3), np.uint8)
    image[30:, 30:60] = 200
    part = np.asarray(crop(image, 4, GRID))
    rows, columns = np.nonzero((part == FRAME).all(2))
    inside = part[rows.min() + 2 : rows.max() - 1, columns.min() + 2 : columns.max() - 1]
    assert inside.min() > 150
    assert part[:, : columns.min() - 2].max() < 50


def prototypes(folder, sizes):
    folder.mkdir()
    save_file({"centres": CENTRES}, folder / "centres.safetensors")
    rows = [f"{number},{size},1.5" for number, size in enumerate(sizes)]
    (folder / "clusters.csv").write_text("cluster,size,mean_distance\n" + "\n".join(rows) + "\n")
    return folder


def test_the_sheet_shows_every_crop(tmp_path, cells):
    of = Prototypes(CENTRES, [Cluster(number, 9, 1.0) for number in range(5)])
    near = nearest_cells(stores(tmp_path, cells, 1), CENTRES)
    for number, image_id in enumerate(sorted(cells)):
        Image.new("RGB", (90, 60), (number * 8, 250, 3)).save(tmp_path / f"{image_id}.png")
    images = {image_id: tmp_path / f"{image_id}.png" for image_id in cells}
    sheet = np.asarray(draw_sheet(of.clusters, near, read_crops(near, images, GRID, 2), of))
    shown = {tuple(color) for color in sheet[(sheet[..., 1] == 250) & (sheet[..., 2] == 3)].tolist()}
    assert shown == {(8 * int(cell.image_id[1:]), 250, 3) for cells in near for cell in cells}
    del images[near[0][0].image_id]
    with pytest.raises(BismapError, match=f"not in the target split, {near[0][0].image_id} first"):
        read_crops(near, images, GRID, 1)


def test_prototypes_that_do_not_fit_their_table_are_named(tmp_path):
    assert [cluster.size for cluster in read_prototypes(prototypes(tmp_path / "a", [5, 4, 3, 2, 1])).clusters] == [
        5, 4, 3, 2, 1,
    ]  # fmt: skip
    with pytest.raises(BismapError, match="4 clusters, but 5 centres"):
        read_prototypes(prototypes(tmp_path / "b", [5, 4, 3, 2]))
    with pytest.raises(BismapError, match=r"clusters\.csv: expected a whole number in column size, found `1\.5`"):
        read_prototypes(prototypes(tmp_path / "d", [1, 1, 1.5, 1, 1]))
    folder = prototypes(tmp_path / "c", [1] * 5)
    (folder / "centres.safetensors").write_bytes(b"{}")
    with pytest.raises(BismapError, match=r"centres\.safetensors: no centres"):
        read_prototypes(folder)
