import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import lambertw
from skimage.color import lab2rgb, rgb2lab
from skimage.exposure import match_histograms

from bismap.stylize.gpa import align, fit_gamma, match_values

BETA = 0.01
STEPS = st.integers(-100_000, 100_000)


def photograph(seed, shape=(60, 80), low=0, high=255):
    """Smooth colours with a little noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(low, high, (5, 6, 3))
    smooth = np.kron(coarse, np.ones((-(-shape[0] // 5), -(-shape[1] // 6), 1)))[: shape[0], : shape[1]]
    return np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)


def objective(gamma, lightness, target, beta=BETA):
    log_l = np.log(np.clip(lightness.ravel(), 1e-3, 1))
    return (np.exp(np.multiply.outer(gamma, log_l)).mean(-1) - target) ** 2 + beta * (gamma - 1) ** 2


def grid_minimum(lightness, target, beta=BETA):
    """Minimum by four nested grids, the first over [0, 40]."""
    low, high = 0.0, 40.0
    for _ in range(4):
        grid = np.linspace(low, high, 1001)
        best = grid[objective(grid, lightness, target, beta).argmin()]
        step = grid[1] - grid[0]
        low, high = max(best - 2 * step, 0), best + 2 * step
    return best


@pytest.mark.parametrize(
    ("low", "high", "target"),
    [(0.1, 0.9, 0.5), (0.1, 0.9, 0.05), (0.1, 0.9, 0.95), (0.0, 0.05, 0.6), (0.9, 1.0, 0.2), (0.3, 0.4, 0.35)],
)
def test_gamma_is_the_minimum_of_a_fine_grid(low, high, target):
    lightness = np.random.default_rng(0).uniform(low, high, 500)
    assert fit_gamma(lightness, target, BETA) == pytest.approx(grid_minimum(lightness, target), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=20),
    st.floats(0, 1),
    st.sampled_from([0.001, 0.01, 0.1]),
)
def test_gamma_is_never_beaten_by_a_grid(lightness, target, beta):
    lightness = np.array(lightness)
    gamma = fit_gamma(lightness, target, beta)
    best = objective(np.linspace(0, 40, 2001), lightness, target, beta).min()
    assert gamma >= 0
    assert objective(np.array([gamma]), lightness, target, beta)[0] <= best + 1e-12


def test_of_several_minima_the_deepest_is_taken():
    """An all-black image with a dark target: minima near 0.94 and 0.5, as the fine grid shows."""
    lightness = np.full(10, 1e-3)
    grid = np.linspace(0, 1, 20001)
    values = objective(grid, lightness, 0.07)
    minima = grid[1:-1][(values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])]
    assert len(minima) == 2
    assert fit_gamma(lightness, 0.07, BETA) == pytest.approx(grid[values.argmin()], abs=1e-4)


@pytest.mark.parametrize(("level", "target"), [(0.5, 0.3), (0.2, 0.6), (0.8, 0.81)])
def test_constant_image_in_closed_form_as_beta_vanishes(level, target):
    """mean(L^gamma) = level^gamma meets the target at gamma = log target / log level."""
    gamma = fit_gamma(np.full((4, 4), level), target, beta=1e-12)
    assert gamma == pytest.approx(np.log(target) / np.log(level), abs=1e-6)


def test_constant_image_in_closed_form_with_beta():
    """For target 0 the slope is log(l) l^(2 gamma) + beta (gamma - 1) = 0: Lambert's W gives its root."""
    level = 0.5
    log_l = np.log(level)
    root = 1 - lambertw(2 * log_l**2 * level**2 / BETA).real / (2 * log_l)
    assert fit_gamma(np.full(3, level), 0.0, BETA) == pytest.approx(root, abs=1e-6)


def test_equal_means_leave_gamma_at_one():
    lightness = np.random.default_rng(3).uniform(0.1, 0.9, 200)
    assert fit_gamma(lightness, lightness.mean(), BETA) == pytest.approx(1, abs=1e-8)


def test_matching_agrees_with_scikit_image_on_floats_with_ties():
    rng = np.random.default_rng(0)
    source, reference = rng.normal(0, 5, 400).round(1), rng.gamma(2, 8, 300).round(1)
    found = match_values(source, np.ones(400, int), reference, np.ones(300, int))
    np.testing.assert_allclose(found, match_histograms(source, reference), atol=1e-9)


def test_matching_counts_multiplicities():
    rng = np.random.default_rng(1)
    values, counts = rng.normal(size=50), rng.integers(1, 9, 50)
    reference, reference_counts = rng.normal(size=30), rng.integers(1, 9, 30)
    found = match_values(values, counts, reference, reference_counts)
    repeated = match_histograms(np.repeat(values, counts), np.repeat(reference, reference_counts))
    np.testing.assert_allclose(np.repeat(found, counts), repeated, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=30), st.lists(STEPS, min_size=1, max_size=30))
def test_matching_stays_in_the_reference_and_keeps_the_order(source, reference):
    source, reference = np.array(source) / 1000, np.array(reference) / 1000
    found = match_values(source, np.ones(len(source), int), reference, np.ones(len(reference), int))
    assert found.min() >= reference.min()
    assert found.max() <= reference.max()
    ranked = found[np.argsort(source, kind="stable")]
    assert (np.diff(ranked) >= 0).all()


def straightforward(source, reference, gamma):
    """The same alignment pixel by pixel with scikit-image, in float64."""
    lab, reference_lab = rgb2lab(source), rgb2lab(reference)
    lab[..., 0] = 100 * (lab[..., 0] / 100) ** gamma
    for plane in (1, 2):
        lab[..., plane] = match_histograms(lab[..., plane], reference_lab[..., plane])
    return np.rint(lab2rgb(lab) * 255).astype(int)


@pytest.mark.parametrize("seed", range(3))
def test_alignment_agrees_with_scikit_image(seed):
    source, reference = photograph(seed), photograph(seed + 10, (48, 96), 0, 120)
    aligned = align(source, reference, BETA, fit_stride=4)
    difference = np.abs(aligned.image - straightforward(source, reference, aligned.gamma))
    assert difference.max() <= 1
    assert difference.mean() < 0.01


def test_grey_images_agree_with_scikit_image():
    """All of a and b lies within 0.01 here: what float32 would get wrong."""
    rng = np.random.default_rng(0)
    source = np.repeat(rng.integers(0, 256, (40, 50, 1), dtype=np.uint8), 3, axis=2)
    reference = photograph(1)
    aligned = align(source, reference, BETA, fit_stride=2)
    assert np.abs(aligned.image - straightforward(source, reference, aligned.gamma)).max() <= 2


def test_alignment_moves_the_means_as_reported():
    bright, dark = photograph(0, low=120), photograph(1, low=0, high=90)
    aligned = align(bright, dark, BETA, fit_stride=1)
    lightness = np.clip(rgb2lab(bright)[..., 0] / 100, 1e-3, 1)
    assert aligned.gamma == pytest.approx(grid_minimum(lightness[::3], aligned.mean_reference), abs=0.1)
    assert aligned.mean_source == pytest.approx(lightness.mean())
    assert aligned.mean_reference < aligned.mean_aligned < aligned.mean_source
    assert rgb2lab(aligned.image)[..., 0].mean() / 100 == pytest.approx(aligned.mean_aligned, abs=0.03)


def test_an_image_aligned_with_itself_stays():
    image = photograph(5)
    aligned = align(image, image, BETA, fit_stride=2)
    assert aligned.gamma == pytest.approx(1)
    assert np.abs(aligned.image.astype(int) - image).max() <= 1


@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_images_do_not_fail(level):
    flat = np.full((8, 8, 3), level, np.uint8)
    other = photograph(2)
    assert align(flat, other, BETA, fit_stride=2).image.shape == flat.shape
    assert align(other, flat, BETA, fit_stride=2).image.shape == other.shape


def test_images_smaller_than_the_stride():
    tiny = photograph(0, (3, 5))
    assert align(tiny, tiny, BETA, fit_stride=16).image.shape == (3, 5, 3)
