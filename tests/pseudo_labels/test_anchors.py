"""Category anchors and the gap rule, against direct distances (A§17, 11)."""

from functools import reduce
from operator import add

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.prototypes.class_means import MIN_FEATURES, ClassMeans
from bismap.pseudo_labels.anchors import GAP_GRID, anchor_bank, nearest_anchors

C, D = 5, 12


def images(rng, number):
    """Features [n, D] and the class of each correct one; class 4 is too rare in every image."""
    for _ in range(number):
        classes = rng.choice([0, 1, 2, IGNORE], size=60).astype(np.uint8)
        classes[: MIN_FEATURES - 1] = 4
        yield torch.from_numpy(rng.gamma(1.0, 1.0, (60, D)).astype(np.float16)), classes


def collected(given):
    means = ClassMeans.zeros(C, D)
    for features, classes in given:
        means.add_image(features, classes)
    return means


def test_an_anchor_is_the_mean_of_the_images_means():
    given = list(images(np.random.default_rng(0), 7))
    found = collected(given).anchors()
    for c in range(C):
        means = [x.numpy()[k == c].astype(float).mean(0) for x, k in given if (k == c).sum() >= MIN_FEATURES]
        if means:
            np.testing.assert_allclose(found[c], np.mean(means, 0), atol=1e-7)
        else:
            assert np.isnan(found[c]).all()
    assert np.isnan(found[3:]).all()


def test_shards_and_order_change_no_bit(tmp_path):
    given = list(images(np.random.default_rng(1), 9))
    whole = collected(given).anchors()
    parts = [collected(given[i::3][::-1]) for i in (2, 0, 1)]
    for i, part in enumerate(parts):
        part.save(tmp_path / f"{i}.safetensors")
    loaded = [ClassMeans.load(tmp_path / f"{i}.safetensors") for i in range(3)]
    np.testing.assert_array_equal(reduce(add, loaded).anchors(), whole)


def test_gaps_are_those_of_upsampled_features():
    rng = np.random.default_rng(2)
    anchors = np.maximum(rng.normal(size=(19, 256)), 0)  # as the published file: not negative, norms of about 11
    anchors[[3, 7]] = np.nan
    features = torch.from_numpy(np.maximum(rng.normal(size=(256, 6, 9)), 0).astype(np.float32))
    classes, gaps = nearest_anchors(features, anchor_bank(anchors), (35, 22))
    up = F.interpolate(features[None].double(), (22, 35), mode="bilinear", align_corners=True)[0].permute(1, 2, 0)
    distances = np.linalg.norm(up.numpy()[:, :, None] - anchors, axis=-1)
    ordered = np.sort(distances, -1)  # NaN last
    np.testing.assert_array_equal(classes, np.nanargmin(distances, -1))
    np.testing.assert_allclose(gaps, ordered[..., 1] - ordered[..., 0], atol=1e-6)


def test_a_pixel_on_an_anchor_has_the_distance_between_two_as_gap():
    anchors = np.zeros((2, 4))
    anchors[1, 0] = 3.0
    classes, gaps = nearest_anchors(torch.zeros(4, 3, 3), anchor_bank(anchors), (9, 9))
    assert not classes.any()
    np.testing.assert_allclose(gaps, 3.0)


def test_a_gap_of_nothing_is_not_clipped():
    assert GAP_GRID.encode(np.zeros(1, np.float32))[0] == GAP_GRID.threshold_code(0.0) == 1


def test_one_anchor_has_no_second():
    anchors = np.full((3, 4), np.nan)
    anchors[1] = 1.0
    with pytest.raises(BismapError, match="1 classes have one"):
        anchor_bank(anchors)


def test_a_file_of_something_else_is_refused(tmp_path):
    with pytest.raises(BismapError, match="no class means"):
        ClassMeans.load(tmp_path / "missing.safetensors")
