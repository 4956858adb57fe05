"""Cells of a map."""

import numpy as np
import pytest
import torch

from bismap.errors import BismapError
from bismap.extractor.cells import extract_cells, pool_cells
from bismap.extractor.network import Recipe, new_extractor


def test_paper_grid_pools_pairs_of_columns():
    maps = torch.arange(32.0).view(1, 1, 4, 8)
    cells = pool_cells(maps, (4, 4))[0, :, 0].view(4, 4)
    assert torch.equal(cells, (maps[0, 0, :, 0::2] + maps[0, 0, :, 1::2]) / 2)


def test_cells_are_row_by_row():
    maps = torch.zeros(1, 2, 4, 6)
    maps[0, 1, 2:, :2] = 1  # lower left
    cells = pool_cells(maps, (2, 3))
    assert cells.shape == (1, 6, 2)
    assert cells[0, :, 1].tolist() == [0, 0, 0, 1, 0, 0]


def test_grid_that_does_not_divide_the_map():
    with pytest.raises(BismapError, match=r"grid of 4 x 3 cells .* does not divide .* map of 4 x 8"):
        pool_cells(torch.zeros(1, 2, 4, 8), (4, 3))


def test_cells_do_not_depend_on_how_many_images_a_shard_has():
    extractor = new_extractor(Recipe({"backbone": "small", "width": 4}, 16, "none"), 0, "cpu")
    extractor.backbone.eval()
    images = list(np.random.default_rng(0).integers(0, 256, (5, 32, 64, 3), np.uint8))
    whole = list(extract_cells(extractor, images, (2, 4), 3))
    parts = [
        *extract_cells(extractor, images[:1], (2, 4), 3),
        *extract_cells(extractor, images[1:], (2, 4), 3),
    ]
    assert len(whole) == 5
    np.testing.assert_array_equal(np.stack(whole), np.stack(parts))
    assert np.ptp(whole[0]) > 0
