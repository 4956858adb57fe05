"""Backbones: from normalised images to a low-level map at stride 4 and the last block's map.

Parameters do not depend on the output stride: dilation replaces the last stride, so the same weights serve
segmentation (stride 16) and the transferability extractor (stride 32).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from bismap.errors import BismapError
from bismap.models.simclr_resnet import SimclrResNet

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
MULTI_GRID = (1, 2, 4)  # A§2.1; multiplies the base dilation 2 of a layer4 kept at stride 16


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
        backbone = TorchvisionBackbone(name, output_stride)
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


class TorchvisionBackbone(ResNet):
    """torchvision's ResNet-50 or -101 without its classifier, tensor names unchanged."""

    low_channels = 256
    out_channels = 2048

    def __init__(self, name: str, output_stride: int) -> None:
        layers = list(TORCHVISION_LAYERS[name])
        super().__init__(
            Bottleneck,
            layers,
            num_classes=1,
            replace_stride_with_dilation=[False, False, output_stride == 16],
        )
        del self.avgpool, self.fc
        self.identity = {"backbone": name}
        if output_stride == 16:
            _dilate([[block.conv2] for block in self.layer4])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        low = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return {"low": low, "out": self.layer4(self.layer3(self.layer2(low)))}


class SmallBackbone(nn.Module):
    """A ResNet-18 in miniature for demonstrations on a CPU: 3x3 stem, ``width``..8 ``width`` channels.

    There is no max-pooling: the stem and the first block halve the image, so that layer1 has stride 4.
    """

    def __init__(self, width: int, output_stride: int) -> None:
        super().__init__()
        if width < 1:
            raise BismapError(f"width: expected at least 1 base channel, got {width}")
        self.identity = {"backbone": "small", "width": width}
        self.low_channels, self.out_channels = width, 8 * width
        self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = _basic_layer(width, width, stride=2)
        self.layer2 = _basic_layer(width, 2 * width, stride=2)
        self.layer3 = _basic_layer(2 * width, 4 * width, stride=2)
        self.layer4 = _basic_layer(4 * width, 8 * width, stride=output_stride // 16)
        if output_stride == 16:
            _dilate([[block.conv1, block.conv2] for block in self.layer4])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        low = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return {"low": low, "out": self.layer4(self.layer3(self.layer2(low)))}


def _basic_layer(inplanes: int, planes: int, stride: int) -> nn.Sequential:
    # a projection even where shapes agree, so that the tensors are the same at every output stride
    shortcut = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
    return nn.Sequential(BasicBlock(inplanes, planes, stride, shortcut), BasicBlock(planes, planes))


def _dilate(blocks: Sequence[Sequence[nn.Conv2d]]) -> None:
    """Give the 3x3 convolutions of layer4's blocks the dilations 2, 4, 8: a multi-grid at base 2 (A§2.1)."""
    for convolutions, grid in zip(blocks, MULTI_GRID, strict=False):
        for convolution in convolutions:
            convolution.dilation = convolution.padding = (2 * grid, 2 * grid)


def _simclr_resnet152(settings: Mapping[str, Any], output_stride: int) -> SimclrResNet:
    if output_stride != 32:
        raise BismapError(f"{SIMCLR_RESNET152} has output_stride 32 only, got {output_stride}")
    return SimclrResNet((3, 8, 36, 3), required(settings, "max_pool_padding"))
