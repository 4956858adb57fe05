"""Backbones: from normalised images to a low-level map at stride 4 and the last block's map.

Parameters do not depend on the output stride: dilation replaces the last stride, so the same weights serve
segmentation (stride 16) and the transferability extractor (stride 32).
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from bismap.errors import BismapError
from bismap.models.simclr_resnet import SimclrResNet
from bismap.models.small_resnet import SmallBackbone

TORCHVISION_LAYERS = {"resnet50": (3, 4, 6, 3), "resnet101": (3, 4, 23, 3)}
SIMCLR_RESNET152 = "simclr_resnet152"
BACKBONES = (*TORCHVISION_LAYERS, "small", SIMCLR_RESNET152)
SETTINGS = ("backbone", "width", "max_pool_padding")
HEAD_SETTINGS = (
    "output_stride",
    "aspp_channels",
    "aspp_rates",
    "low_level_channels",
    "decoder_channels",
    "dropout",
)
OUTPUT_STRIDES = (16, 32)


def build_backbone(settings: Mapping[str, Any], output_stride: int) -> nn.Module:
    """A backbone with Kaiming-normal (fan-in) convolutions, drawn from torch's global generator.

    Args:
        settings: ``backbone``, one of :data:`BACKBONES`; ``small`` needs ``width``, its base channels;
            ``simclr_resnet152`` needs ``max_pool_padding``. Those of a whole network (:data:`HEAD_SETTINGS`) may
            stand beside, and so may what another backbone needs.
        output_stride: 16 (layer4 dilated by 2, 4, 8) or 32 (not dilated).

    Returns:
        Module mapping ``[B, 3, H, W]`` to ``{"low": [B, low_channels, ceil(H/4), ceil(W/4)],
        "out": [B, out_channels, ceil(H/stride), ceil(W/stride)]}``, both after a ReLU. Its ``identity`` holds
        the settings that decide which weights fit.

    Raises:
        BismapError: for an unknown backbone or setting, a missing setting or an impossible stride.
    """
    unknown = sorted(set(settings) - {*SETTINGS, *HEAD_SETTINGS})
    if unknown:
        raise BismapError(f"network settings: unknown {', '.join(unknown)}; a backbone has {', '.join(SETTINGS)}")
    name = required(settings, "backbone")
    if output_stride not in OUTPUT_STRIDES:
        raise BismapError(f"output_stride: expected one of {list(OUTPUT_STRIDES)}, got {output_stride}")
    if name in TORCHVISION_LAYERS:
        from bismap.models.torchvision_resnet import TorchvisionBackbone  # its import takes 2 s and all of torchvision

        backbone = TorchvisionBackbone(name, TORCHVISION_LAYERS[name], output_stride)
    elif name == "small":
        backbone = SmallBackbone(required(settings, "width"), output_stride)
    elif name == SIMCLR_RESNET152:
        backbone = _simclr_resnet152(settings, output_stride)
    else:
        raise BismapError(f"backbone: expected one of {', '.join(BACKBONES)}, got {name!r}")
    kaiming_init(backbone)
    return backbone


def required(settings: Mapping[str, Any], key: str) -> Any:
    """``settings[key]``, or an error that lists the settings there are."""
    if key not in settings:
        raise BismapError(f"network settings: `{key}` is missing (given: {', '.join(sorted(settings)) or 'none'})")
    return settings[key]


def kaiming_init(module: nn.Module) -> None:
    """Draw all convolution weights from the Kaiming normal, fan-in (A§2.1); biases become 0."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _simclr_resnet152(settings: Mapping[str, Any], output_stride: int) -> SimclrResNet:
    if output_stride != 32:
        raise BismapError(f"{SIMCLR_RESNET152} has output_stride 32 only, got {output_stride}")
    return SimclrResNet((3, 8, 36, 3), required(settings, "max_pool_padding"))
