"""The random views: keyed by position, inside their window, true to their parameters."""

import numpy as np
import pytest
import torch

from bismap.extractor.views import Views, draw_views, render_views


def still(**changes: np.ndarray) -> Views:
    """Two views that change nothing but what is asked for."""
    same = {
        "box": np.array([[0, 0, 1, 1]] * 2, float),
        "flip": np.zeros(2, bool),
        "colour": np.array([[1, 1, 1, 0]] * 2, float),
        "gray": np.zeros(2, bool),
        "sigma": np.zeros(2),
    }
    return Views(**(same | changes))


@pytest.fixture
def window():
    return torch.from_numpy(np.random.default_rng(3).integers(40, 200, (1, 16, 16, 3), np.uint8))


def test_views_depend_on_their_position_alone():
    together, apart = draw_views(7, range(4), 0.3, 0.5), draw_views(7, [2], 0.3, 0.5)
    for name in vars(together):
        np.testing.assert_array_equal(getattr(together, name)[4:6], getattr(apart, name))
    assert not np.array_equal(together.box, draw_views(8, range(4), 0.3, 0.5).box)


def test_boxes_lie_in_the_window_and_keep_the_least_area():
    left, top, right, bottom = draw_views(0, range(500), 0.3, 0.5).box.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (right <= 1 + 1e-12).all()
    assert (bottom <= 1 + 1e-12).all()
    area = (right - left) * (bottom - top)
    # a box cut off at the window's side may fall below, by no more than the aspect allows
    assert area.min() >= 0.3 - 1e-9
    assert 0.5 < area.mean() < 0.7


def test_identity_leaves_the_window_as_it_is(window):
    views = render_views(window, still(), 16)
    assert views.dtype == torch.uint8
    for view in views:
        assert torch.equal(view.permute(1, 2, 0), window[0])


def test_flip_mirrors_left_and_right(window):
    first, second = render_views(window, still(flip=np.array([True, False])), 16)
    assert torch.equal(first.flip(2), second)


def test_box_cuts_out_its_part(window):
    box = np.array([[0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1]])
    first, second = render_views(window, still(box=box), 8)
    assert torch.equal(first.permute(1, 2, 0), window[0, :8, 8:])
    assert torch.equal(second.permute(1, 2, 0), window[0, 8:, :8])


def test_gray_has_equal_channels_and_keeps_luma(window):
    gray = render_views(window, still(gray=np.array([True, True])), 16)[0].float()
    assert torch.equal(gray[0], gray[1])
    assert torch.equal(gray[0], gray[2])
    luma = window[0].float() @ torch.tensor([0.299, 0.587, 0.114])
    assert (gray[0] - luma).abs().max() <= 1


def test_colour_factors(window):
    colour = np.array([[0.5, 1, 1, 0], [1, 0, 1, 0]], float)
    dark, flat = render_views(window, still(colour=colour), 16).float()
    assert (dark - window[0].permute(2, 0, 1).float() / 2).abs().max() <= 1
    luma = flat.permute(1, 2, 0) @ torch.tensor([0.299, 0.587, 0.114])
    assert luma.std() < 1


def test_a_full_turn_of_hue_is_none_and_a_third_permutes_channels(window):
    colour = np.array([[1, 1, 1, 2 * np.pi], [1, 1, 1, 2 * np.pi / 3]])
    full, third = render_views(window, still(colour=colour), 16).float()
    original = window[0].permute(2, 0, 1).float()
    assert (full - original).abs().max() <= 1
    luma = torch.einsum("chw,c->hw", original, torch.tensor([0.299, 0.587, 0.114]))
    turned = [((original - luma).roll(shift, 0) + luma).clamp(0, 255) for shift in (1, 2)]
    assert min((third - image).abs().max() for image in turned) <= 1


def test_blur_equals_scipy(window):
    ndimage = pytest.importorskip("scipy.ndimage")
    blurred = render_views(window, still(sigma=np.array([1.2, 0])), 16)[0].permute(1, 2, 0).numpy()
    expected = window[0].numpy().astype(float)
    for axis in (0, 1):
        expected = ndimage.gaussian_filter1d(expected, 1.2, axis=axis, mode="mirror", radius=3)
    assert np.abs(blurred - expected).max() <= 1
