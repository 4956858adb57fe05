"""Distances of the source's cells and their exact mean."""

import math

import numpy as np
import pytest

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellWriter, open_all
from bismap.transferability.distance_table import load_distances, save_distances
from bismap.transferability.source_distances import measure, upsampled

CENTRES = np.array([[0, 0], [10, 0]], np.float32)


def write(folder, cells, grid):
    writer = CellWriter(folder, list(cells), grid, 2)
    for image in cells.values():
        writer.add(np.asarray(image, np.float32))
    writer.close()
    return folder


def test_by_hand(tmp_path):
    cells = {"b": [[3, 4], [10, 1]], "a": [[7, 4], [0, 0]]}
    table = measure(open_all([write(tmp_path / "cells", cells, (1, 2))]), CENTRES)
    assert table.ids == ("a", "b")
    np.testing.assert_array_equal(table.distances, [[5, 0], [5, 1]])
    np.testing.assert_array_equal(table.d_mean, [11 / 4, 11 / 4])
    distances, d_mean = table.of("b")
    np.testing.assert_array_equal(distances, [[5, 1]])
    assert d_mean == 11 / 4
    with pytest.raises(BismapError, match="image c has no cell features"):
        table.of("c")


def test_shards_do_not_matter(tmp_path):
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(7, 2)).astype(np.float32)
    cells = {f"i{i:02d}": rng.normal(size=(6, 2)) * 10.0 ** rng.integers(-3, 3) for i in range(40)}
    whole = measure(open_all([write(tmp_path / "whole", cells, (2, 3))]), centres)
    names = list(cells)
    parts = [write(tmp_path / str(i), {name: cells[name] for name in names[i::3]}, (2, 3)) for i in (2, 0, 1)]
    split = measure(open_all(parts), centres)
    assert split.ids == whole.ids
    np.testing.assert_array_equal(split.distances, whole.distances)
    np.testing.assert_array_equal(split.d_mean, whole.d_mean)
    assert set(whole.d_mean) == {math.fsum(whole.distances.ravel()[::-1]) / whole.distances.size}


def test_file_round_trip(tmp_path):
    cells = {"null": [[1, 1], [2, 2], [3, 3]], "a": [[4, 4], [5, 5], [6, 6]]}
    table = measure(open_all([write(tmp_path / "cells", cells, (3, 1))]), CENTRES, mean="running")
    save_distances(tmp_path, table)
    loaded = load_distances(tmp_path)
    assert (loaded.ids, loaded.grid) == (("a", "null"), (3, 1))
    np.testing.assert_array_equal(loaded.d_mean, table.d_mean)
    np.testing.assert_array_equal(loaded.distances, table.distances)


def test_other_extractor(tmp_path):
    with pytest.raises(BismapError, match="same extractor"):
        measure(open_all([write(tmp_path / "cells", {"a": [[1, 1]]}, (1, 1))]), np.zeros((2, 3), np.float32))


def test_no_scale(tmp_path):
    with pytest.raises(BismapError, match="mean distance 0"):
        measure(open_all([write(tmp_path / "cells", {"a": [[10, 0]]}, (1, 1))]), CENTRES)


def test_running_mean_by_hand(tmp_path):
    """In order of the ids; each image has the value after its own (A§14.1 row 3)."""
    cells = {"c": [[1, 0]], "a": [[2, 0]], "b": [[0, 3]]}
    table = measure(open_all([write(tmp_path / "cells", cells, (1, 1))]), CENTRES, mean="running")
    np.testing.assert_allclose(table.d_mean, [2, 0.99 * 2 + 0.01 * 3, 0.99 * (0.99 * 2 + 0.01 * 3) + 0.01 * 1])


def test_upsampled_features_are_measured_between_the_cells(tmp_path):
    """Three of the four points lie between two cells; of the distances themselves the mean would be another."""
    cells = {"a": [[-4, 3], [4, 3]]}
    table = measure(open_all([write(tmp_path / "cells", cells, (1, 2))]), CENTRES[:1], upsample=2)
    assert table.grid == (2, 4)
    along = np.hypot([-4, -4 / 3, 4 / 3, 4], 3)
    np.testing.assert_allclose(table.of("a")[0], [along, along], rtol=1e-6)


def test_corners_are_aligned():
    cells = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    finer = upsampled(cells, (2, 3), 4).reshape(8, 12, 5)
    np.testing.assert_allclose(
        finer[[0, 0, -1, -1], [0, -1, 0, -1]], cells.reshape(2, 3, 5)[[0, 0, 1, 1], [0, 2, 0, 2]]
    )
