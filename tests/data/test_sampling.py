import numpy as np
from scipy import stats

from bismap.data.sampling import pixel_keys

PIXELS = np.arange(200_000, dtype=np.uint32)


def unit(keys):
    return keys / 2.0**64


def test_keys_are_uniform():
    keys = pixel_keys(0, "a", PIXELS)
    assert keys.dtype == np.uint64
    assert stats.kstest(unit(keys), "uniform").pvalue > 1e-3
    for byte in range(8):
        counts = np.bincount((keys >> np.uint64(8 * byte)).astype(np.uint8), minlength=256)
        assert stats.chisquare(counts).pvalue > 1e-4


def test_keys_of_neighbours_images_and_seeds_are_independent():
    keys = unit(pixel_keys(0, "a", PIXELS))
    others = [
        np.roll(keys, 1),
        np.roll(keys, 1914),
        unit(pixel_keys(0, "b", PIXELS)),
        unit(pixel_keys(1, "a", PIXELS)),
    ]
    for other in others:
        table, _, _ = np.histogram2d(keys, other, bins=16)
        assert stats.chi2_contingency(table).pvalue > 1e-4
        assert abs(np.corrcoef(keys, other)[0, 1]) < 4 / np.sqrt(len(PIXELS))


def test_images_with_consecutive_names_get_a_fair_share():
    smallest = np.array([pixel_keys(0, f"{number:05d}", PIXELS[:1]) for number in range(5_000)])
    assert stats.kstest(unit(smallest.ravel()), "uniform").pvalue > 1e-3


def test_keys_depend_on_the_pixel_and_not_on_its_company():
    keys = pixel_keys(3, "x", PIXELS[:1000])
    order = np.random.default_rng(0).permutation(1000)
    np.testing.assert_array_equal(pixel_keys(3, "x", order), keys[order])
    np.testing.assert_array_equal(pixel_keys(3, "x", PIXELS[7:8].astype(np.int64)), keys[7:8])
    np.testing.assert_array_equal(pixel_keys(3, "x", PIXELS[:6].reshape(2, 3)), keys[:6].reshape(2, 3))


def test_keys_never_collide_within_an_image():
    assert len(np.unique(pixel_keys(0, "a", PIXELS))) == len(PIXELS)


def test_keys_stay_the_same_across_releases():
    # A kept set of features is only the same set again while these numbers are.
    assert pixel_keys(0, "a", PIXELS[:2]).tolist() == [10195783749020353542, 15264674340132577710]
