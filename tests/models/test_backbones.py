"""Backbones: names, strides, dilations, and that these do not change what weights fit."""

import pytest
import torch
from torchvision.models import resnet50, resnet101

from bismap.errors import BismapError
from bismap.models.backbones import build_backbone

SMALL = {"backbone": "small", "width": 6}


def meta_backbone(settings: dict, output_stride: int) -> torch.nn.Module:
    with torch.device("meta"):
        return build_backbone(settings, output_stride)


@pytest.mark.parametrize(("name", "reference"), [("resnet50", resnet50), ("resnet101", resnet101)])
def test_tensors_are_torchvisions_without_the_classifier(name, reference):
    with torch.device("meta"):
        theirs = reference().state_dict()
    shapes = {key: tensor.shape for key, tensor in theirs.items() if not key.startswith("fc.")}
    ours = meta_backbone({"backbone": name}, 16).state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()} == shapes


def test_stride_16_dilates_layer4_as_a_multi_grid():
    backbone = meta_backbone({"backbone": "resnet101"}, 16)
    assert [block.conv2.dilation for block in backbone.layer4] == [(2, 2), (4, 4), (8, 8)]
    assert [block.conv2.padding for block in backbone.layer4] == [(2, 2), (4, 4), (8, 8)]
    assert {block.conv2.stride for block in backbone.layer4} == {(1, 1)}
    assert {block.conv2.dilation for block in backbone.layer3} == {(1, 1)}
    maps = backbone(torch.empty(2, 3, 65, 97, device="meta"))
    assert maps["low"].shape == (2, 256, 17, 25)
    assert maps["out"].shape == (2, 2048, 5, 7)


def test_stride_32_is_plain_torchvision():
    torch.manual_seed(1)
    backbone = build_backbone({"backbone": "resnet50"}, 32).eval()
    reference = resnet50()
    reference.load_state_dict(backbone.state_dict(), strict=False)
    x = torch.randn(1, 3, 64, 32)
    with torch.no_grad():
        expected = torch.nn.Sequential(*list(reference.eval().children())[:-2])(x)
        torch.testing.assert_close(backbone(x)["out"], expected)


@pytest.mark.parametrize("settings", [SMALL, {"backbone": "resnet50"}])
def test_tensors_do_not_depend_on_the_output_stride(settings):
    at16, at32 = (meta_backbone(settings, stride).state_dict() for stride in (16, 32))
    assert {k: v.shape for k, v in at16.items()} == {k: v.shape for k, v in at32.items()}


@pytest.mark.parametrize(("stride", "size"), [(16, (5, 7)), (32, (3, 4))])
def test_small_backbone_shapes(stride, size):
    backbone = build_backbone(SMALL, stride).eval()
    maps = backbone(torch.randn(2, 3, 65, 97))
    assert maps["low"].shape == (2, backbone.low_channels, 17, 25) == (2, 6, 17, 25)
    assert maps["out"].shape == (2, backbone.out_channels, *size) == (2, 48, *size)


def test_small_backbone_dilates_both_blocks():
    blocks = build_backbone(SMALL, 16).layer4
    assert [(b.conv1.dilation[0], b.conv2.dilation[0]) for b in blocks] == [(2, 2), (4, 4)]


@pytest.mark.parametrize(
    ("settings", "stride", "message"),
    [
        ({"backbone": "vgg"}, 16, "expected one of resnet50, resnet101, small, .*got 'vgg'"),
        (SMALL, 8, r"output_stride: expected one of \[16, 32\], got 8"),
        ({"backbone": "small", "width": 0}, 16, "width: expected at least 1 base channel, got 0"),
        ({"backbone": "small"}, 16, "`width` is missing"),
        ({"backbone": "simclr_resnet152", "max_pool_padding": "same"}, 16, "stride 32 only, got 16"),
        ({"backbone": "simclr_resnet152", "max_pool_pading": "same"}, 32, "unknown max_pool_pading; a backbone has"),
    ],
)
def test_impossible_settings_are_named(settings, stride, message):
    with pytest.raises(BismapError, match=message):
        build_backbone(settings, stride)
