"""Augmentation: the same place in image, labels and weights; the colour changes of torchvision; retries."""

import numpy as np
import pytest
import torchvision.transforms.functional as TF
from PIL import Image

from bismap.data import IGNORE
from bismap.random import stream
from bismap.training.augment import CROP_RETRIES, Augmentation, Geometry, Jitter, jitter, view

STILL = Jitter(0.0, 0.0, 0.0, 0.0)
UNCHANGED = Jitter(0.0, 1.0, 1.0, 1.0)


def grey(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.repeat(values[..., None], 3, axis=-1))


def photograph(width: int, height: int) -> Image.Image:
    small = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("position", range(20))
def test_image_labels_and_weights_stay_aligned(position):
    """Image, labels and weights all hold coordinates; they must agree at every pixel of the crop."""
    rows, columns = np.mgrid[:180, :240].astype(np.uint8)
    augmentation = Augmentation((96, 64), (0.3, 1.5), 240, STILL)
    geometry = augmentation.draw_geometry(stream("test", position), columns)
    across = view(geometry, UNCHANGED, grey(columns), columns, rows)
    down = view(geometry, UNCHANGED, grey(rows), columns, rows)
    inside = geometry.place(np.ones(geometry.inside[::-1], bool), 0)
    zoom = geometry.original[0] / geometry.scaled[0]
    assert across.image.shape == (64, 96, 3)
    for crop, truth in ((across.image, across.labels), (down.image, down.weights)):
        gap = np.abs(crop[..., 0].astype(int) - truth)[inside]
        assert gap.max() <= zoom / 2 + 1
        assert (crop[~inside] == 0).all()
    assert (across.labels[~inside] == IGNORE).all()
    assert (across.weights[~inside] == 0).all()


# Sizes without pixels whose centre falls on a border, where nearest neighbour is a matter of rounding.
@pytest.mark.parametrize("scaled", [(96, 64), (180, 120), (320, 256)])
def test_cut_equals_resize_then_crop(scaled):
    image = photograph(180, 120)
    label = np.random.default_rng(1).integers(0, 19, (120, 180), dtype=np.uint8)
    geometry = Geometry(image.size, scaled, left=13, top=8, crop=(64, 48), flip=False)
    box = (13, 8, 77, 56)
    whole = np.asarray(image.resize(scaled, Image.Resampling.BILINEAR).crop(box)).astype(int)
    difference = np.abs(np.asarray(geometry.cut_image(image)) - whole)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02
    nearest = Image.fromarray(label).resize(scaled, Image.Resampling.NEAREST).crop(box)
    np.testing.assert_array_equal(geometry.cut_map(label), np.asarray(nearest))


@pytest.mark.parametrize("factors", [Jitter(0.13, 1.4, 0.6, 1.3), Jitter(-0.2, 0.5, 1.5, 0.5)])
def test_jitter_is_torchvision_s(factors):
    image = photograph(60, 50)
    expected = TF.adjust_hue(image, factors.hue)
    expected = TF.adjust_brightness(expected, factors.brightness)
    expected = TF.adjust_saturation(expected, factors.saturation)
    expected = TF.adjust_contrast(expected, factors.contrast)
    np.testing.assert_array_equal(np.asarray(jitter(image, image, factors)), np.asarray(expected))


def test_contrast_of_a_part_turns_about_the_grey_of_the_whole():
    image = photograph(400, 300)
    factors = Jitter(0.1, 1.3, 0.7, 0.5)
    box = (20, 30, 120, 100)
    whole = np.asarray(jitter(image, image, factors).crop(box)).astype(int)
    part = np.asarray(jitter(image.crop(box), image, factors))
    assert np.abs(part - whole).max() <= 1


def test_jitter_draws_within_its_ranges():
    draws = np.array([Jitter(0.2, 0.5, 0.4, 0.3).draw(stream("jitter", i)) for i in range(500)])
    centres, widths = np.array([0, 1, 1, 1]), np.array([0.2, 0.5, 0.4, 0.3])
    low, high = (draws.min(0) - centres) / widths, (draws.max(0) - centres) / widths
    assert (low >= -1).all()
    assert (low < -0.97).all()
    assert (high <= 1).all()
    assert (high > 0.97).all()


def test_scale_is_relative_to_the_reference_width():
    augmentation = Augmentation((8, 8), (0.5, 1.5), 200, STILL)
    label = np.arange(100 * 60, dtype=np.uint8).reshape(60, 100)
    sizes = [augmentation.draw_geometry(stream("scale", i), label).scaled for i in range(300)]
    widths = np.array([width for width, _ in sizes])
    assert widths.min() >= 100
    assert widths.max() < 300
    assert all(height == int(width * 0.6) for width, height in sizes)
    flips = [augmentation.draw_geometry(stream("scale", i), label).flip for i in range(300)]
    assert 110 < sum(flips) < 190


def test_crops_of_a_single_label_are_drawn_anew():
    """Only a thin stripe differs, 5 % of all places see it; with retries about 1 - .95^21 = 66 % do."""
    label = np.zeros((40, 400), np.uint8)
    label[:, 200] = 1
    augmentation = Augmentation((20, 40), (1.0, 1.0), 400, STILL)
    hits = 0
    for i in range(200):
        geometry = augmentation.draw_geometry(stream("retry", i), label)
        hits += bool(geometry.cut_map(label).any())
    assert 0.5 < hits / 200 < 0.8
    assert CROP_RETRIES == 20


def test_an_image_of_one_label_still_gives_a_crop():
    augmentation = Augmentation((8, 8), (1.0, 1.0), 32, STILL)
    geometry = augmentation.draw_geometry(stream("one"), np.full((32, 32), IGNORE, np.uint8))
    assert geometry.inside == (8, 8)
