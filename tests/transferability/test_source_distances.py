"""Distances of the source's cells and their exact mean."""

import math

import numpy as np
import pytest

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellWriter, open_all
from bismap.transferability.distance_table import load_distances, save_distances
from bismap.transferability.source_distances import measure

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
    assert table.d_mean == 11 / 4
    np.testing.assert_array_equal(table.of("b"), [[5, 1]])
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
    assert split.d_mean == whole.d_mean == math.fsum(whole.distances.ravel()[::-1]) / whole.distances.size


def test_file_round_trip(tmp_path):
    cells = {"null": [[1, 1], [2, 2], [3, 3]], "a": [[4, 4], [5, 5], [6, 6]]}
    table = measure(open_all([write(tmp_path / "cells", cells, (3, 1))]), CENTRES)
    save_distances(tmp_path, table)
    loaded = load_distances(tmp_path)
    assert (loaded.ids, loaded.grid, loaded.d_mean) == (("a", "null"), (3, 1), table.d_mean)
    np.testing.assert_array_equal(loaded.distances, table.distances)


def test_other_extractor(tmp_path):
    with pytest.raises(BismapError, match="same extractor"):
        measure(open_all([write(tmp_path / "cells", {"a": [[1, 1]]}, (1, 1))]), np.zeros((2, 3), np.float32))


def test_no_scale(tmp_path):
    with pytest.raises(BismapError, match="mean distance 0"):
        measure(open_all([write(tmp_path / "cells", {"a": [[10, 0]]}, (1, 1))]), CENTRES)
