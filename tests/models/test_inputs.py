"""Images on their way into a network."""

import pytest
import torch
from torchvision.transforms.functional import normalize as reference

from bismap.errors import BismapError
from bismap.models.inputs import IMAGENET_MEAN, IMAGENET_STD, normalize, to_unit


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 5, 7, 3), dtype=torch.uint8)


def test_to_unit_scales_both_layouts_alike(images):
    unit = to_unit(images, "cpu")
    assert torch.equal(unit, images.permute(0, 3, 1, 2).float() / 255)
    assert torch.equal(unit, to_unit(images.permute(0, 3, 1, 2).contiguous(), "cpu"))
    assert unit.is_contiguous(memory_format=torch.channels_last)


def test_normalize_equals_torchvision(images):
    expected = reference(images.permute(0, 3, 1, 2).float() / 255, IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(normalize(images, "cpu"), expected)


def test_images_are_not_changed(images):
    before = images.clone()
    normalize(images, "cpu")
    assert torch.equal(images, before)


@pytest.mark.parametrize("wrong", [torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4, 1, dtype=torch.uint8)])
def test_other_images_are_refused(wrong):
    with pytest.raises(BismapError, match="expected uint8"):
        normalize(wrong, "cpu")
