"""RandAugment's pool and CutOut's square (A§7)."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from bismap.random import stream
from bismap.training.strong import OPERATIONS, Strong, cut_out, rand_augment


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(30, 220, (16, 24, 3), dtype=np.uint8))


def test_ranges_of_the_pool(image):
    assert len(OPERATIONS) == 9
    expected = {
        ("brightness", 1): ImageEnhance.Brightness(image).enhance(0.14),
        ("colour", 9): ImageEnhance.Color(image).enhance(0.86),
        ("contrast", 5): ImageEnhance.Contrast(image).enhance(0.5),
        ("sharpness", 9): ImageEnhance.Sharpness(image).enhance(0.86),
        ("posterize", 1): ImageOps.posterize(image, 4),
        ("posterize", 9): ImageOps.posterize(image, 7),
        ("solarize", 5): ImageOps.solarize(image, 128),
        ("identity", 3): image,
    }
    for (name, magnitude), result in expected.items():
        np.testing.assert_array_equal(np.asarray(OPERATIONS[name](image, magnitude)), np.asarray(result))


def test_rand_augment_is_keyed_and_varied(image):
    def changed(key: int, probability: float = 0.5) -> bytes:
        return rand_augment(image, stream("ra", key), Strong(2, probability, 0.2)).tobytes()

    assert changed(1) == changed(1)
    assert len({changed(key) for key in range(60)}) > 25
    assert changed(1, probability=0.0) == image.tobytes()


def test_cut_out_is_a_square_clipped_at_the_border():
    areas = []
    for i in range(400):
        rows, columns = cut_out((896, 512), stream("cutout", i), 0.2)
        mask = np.zeros((512, 896), bool)
        mask[rows, columns] = True
        areas.append(mask.sum())
    assert max(areas) == 179 * 179
    assert min(areas) > 0.2 * 179 * 179
    assert np.mean(np.array(areas) < 179 * 179) > 0.2
