"""The extract stage: cells of every image, whatever the shards."""

import numpy as np
import pytest

from bismap.errors import BismapError
from bismap.extractor.cell_store import open_all
from bismap.extractor.network import Recipe, new_extractor, save_extractor
from bismap.stages import extract

from .small_domains import make_domain, make_job

SETTINGS = {"domain": "target", "split": "train", "batch": 2, "input_size": [64, 32], "grid": [2, 4]}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "target", 5, 20)
    extractor = new_extractor(Recipe({"backbone": "small", "width": 2}, 16, "none"), 0, "cpu")
    save_extractor(tmp_path / "model.safetensors", extractor)
    return tmp_path


def extracted(root, name, shards, **changes):
    outs = [f"{name}/{i}-of-{shards}" for i in range(shards)]
    for out in outs:
        extract.run(make_job(root, out, SETTINGS | changes, extractor=[root / "model.safetensors"]))
    stores = open_all([root / out / "cells.zarr" for out in outs])
    return {image_id: cells for store in stores for image_id, cells in store.images()}


def test_shards_do_not_matter(root):
    whole, parts = extracted(root, "whole", 1), extracted(root, "parts", 3)
    assert list(whole) == [f"target{i}" for i in range(5)]
    assert whole.keys() == parts.keys()
    for image_id, cells in whole.items():
        np.testing.assert_array_equal(parts[image_id], cells)
    assert whole["target0"].shape == (8, 16)


def test_more_shards_than_images(root):
    assert len(extracted(root, "many", 7)) == 5


def test_sky_is_told_from_road(root):
    cells = extracted(root, "whole", 1)["target0"]
    sky, road = cells[:4], cells[4:]
    assert np.linalg.norm(sky.mean(0) - road.mean(0)) > np.linalg.norm(sky - sky.mean(0), axis=1).mean()


def test_grid_that_does_not_fit(root):
    with pytest.raises(BismapError, match="does not divide the extractor's map of 2 x 4"):
        extracted(root, "bad", 1, grid=[4, 4])
