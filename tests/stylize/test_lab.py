import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from bismap.stylize.lab import lab_to_rgb, rgb_to_lab


def test_rgb_to_lab_agrees_with_scikit_image():
    colours = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    colours[0, :3] = [[0, 0, 0], [255, 255, 255], [1, 0, 2]]
    np.testing.assert_allclose(rgb_to_lab(colours), rgb2lab(colours), atol=1e-10)


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_lab_to_rgb_agrees_with_scikit_image_also_out_of_gamut():
    rng = np.random.default_rng(1)
    lab = rng.uniform([0, -120, -120], [100, 120, 120], (4000, 3))
    expected = np.rint(lab2rgb(lab[None])[0] * 255)
    np.testing.assert_array_equal(lab_to_rgb(lab), expected)


def test_every_grey_and_a_lattice_of_colours_come_back():
    levels = np.arange(0, 256, 15)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).astype(np.uint8)
    np.testing.assert_array_equal(lab_to_rgb(rgb_to_lab(colours)), colours)
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    np.testing.assert_array_equal(lab_to_rgb(rgb_to_lab(greys)), greys)


def test_no_colours_at_all():
    assert rgb_to_lab(np.zeros((0, 3), np.uint8)).shape == (0, 3)
