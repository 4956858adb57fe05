"""ResNet with selective kernels as SimCLRv2 trains it, width 1x (A§6).

Written from the facts of the Apache-2.0 TensorFlow reference (google-research/simclr, ``tf2/resnet.py``): a
ResNet-D stem and shortcuts, selective kernels (Li et al. 2019) in place of the 3x3 convolutions. Images are
RGB in [0, 1], without mean or deviation.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from bismap.errors import BismapError

SK_RATIO = 0.0625  # squeezed channels per channel
SK_MIN_CHANNELS = 32
MAX_POOL_PADDINGS = ("same", "torch")


class SimclrResNet(nn.Module):
    """SimCLRv2's ResNet up to its last block.

    Args:
        layers: blocks per stage; ResNet-152 has (3, 8, 36, 3).
        max_pool_padding: "same" pads as TensorFlow does (even sizes: one row below, one column to the right),
            "torch" on all sides. It follows the network that the weights were trained or converted for.

    Raises:
        BismapError: for another padding.
    """

    low_channels = 256
    out_channels = 2048

    def __init__(self, layers: Sequence[int], max_pool_padding: str) -> None:
        super().__init__()
        if max_pool_padding not in MAX_POOL_PADDINGS:
            raise BismapError(
                f"max_pool_padding: expected one of {', '.join(MAX_POOL_PADDINGS)}, got {max_pool_padding!r}"
            )
        self.identity = {"backbone": "simclr_resnet152"}
        self.max_pool_padding = max_pool_padding
        self.stem = nn.Sequential(
            *_conv_bn_relu(3, 32, 3, stride=2), *_conv_bn_relu(32, 32, 3), *_conv_bn_relu(32, 64, 3)
        )
        self.layer1 = _stage(64, 64, layers[0], stride=1)
        self.layer2 = _stage(256, 128, layers[1], stride=2)
        self.layer3 = _stage(512, 256, layers[2], stride=2)
        self.layer4 = _stage(1024, 512, layers[3], stride=2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """``[B, 3, H, W]`` in [0, 1] -> ``low`` ``[B, 256, H/4, W/4]``, ``out`` ``[B, 2048, H/32, W/32]``."""
        low = self.layer1(max_pool(self.stem(x), self.max_pool_padding))
        return {"low": low, "out": self.layer4(self.layer3(self.layer2(low)))}


class SelectiveKernel(nn.Module):
    """Two 3x3 streams mixed per channel by a softmax over both: ``[B, C, H, W]`` -> ``[B, C, H/s, W/s]``.

    Both streams come from one convolution with 2C outputs; the mixing weights from their summed spatial mean.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        squeezed = max(int(channels * SK_RATIO), SK_MIN_CHANNELS)
        self.streams = nn.Sequential(*_conv_bn_relu(channels, 2 * channels, 3, stride))
        self.squeeze = nn.Sequential(*_conv_bn_relu(channels, squeezed, 1))
        self.mix = nn.Conv2d(squeezed, 2 * channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.streams(x).chunk(2, dim=1)
        pooled = (first + second).mean(dim=(2, 3), keepdim=True)
        weights = self.mix(self.squeeze(pooled)).unflatten(1, (2, -1)).softmax(dim=1)
        return first * weights[:, 0] + second * weights[:, 1]


class SelectiveBottleneck(nn.Module):
    """1x1, selective kernel, 1x1 to four times the channels; post-activation, ResNet-D projection."""

    def __init__(self, inplanes: int, planes: int, stride: int, project: bool) -> None:
        super().__init__()
        self.shortcut = _Shortcut(inplanes, 4 * planes, stride) if project else nn.Identity()
        self.reduce = nn.Sequential(*_conv_bn_relu(inplanes, planes, 1))
        self.kernel = SelectiveKernel(planes, stride)
        self.expand = nn.Sequential(*_conv_bn(planes, 4 * planes, 1))
        nn.init.zeros_(self.expand[1].weight)  # a block starts as its shortcut

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.expand(self.kernel(self.reduce(x))) + self.shortcut(x))


class _Shortcut(nn.Sequential):
    """Average pooling 2x2, then a 1x1 convolution without stride (ResNet-D)."""

    def __init__(self, inplanes: int, planes: int, stride: int) -> None:
        super().__init__(*_conv_bn(inplanes, planes, 1))
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        # TensorFlow's SAME average (stride 1) leaves padding out of the mean, which equals repeating the
        # border; its explicit padding (stride 2) counts zeros. Both pad below and to the right only.
        mode = "replicate" if self.stride == 1 else "constant"
        return super().forward(F.avg_pool2d(F.pad(x, (0, 1, 0, 1), mode=mode), 2, self.stride))


def max_pool(x: Tensor, padding: str) -> Tensor:
    """3x3 maximum at stride 2: ``[B, C, H, W]`` -> ``[B, C, ceil(H/2), ceil(W/2)]``."""
    if padding == "torch":
        return F.max_pool2d(x, 3, stride=2, padding=1)
    top, bottom = _same_padding(x.shape[2])
    left, right = _same_padding(x.shape[3])
    return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=float("-inf")), 3, stride=2)


def _same_padding(size: int) -> tuple[int, int]:
    """TensorFlow's SAME padding before and after, for kernel 3 at stride 2."""
    total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
    return total // 2, total - total // 2


def _stage(inplanes: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    first = SelectiveBottleneck(inplanes, planes, stride, project=True)
    return nn.Sequential(first, *(SelectiveBottleneck(4 * planes, planes, 1, project=False) for _ in range(blocks - 1)))


def _conv_bn(inplanes: int, planes: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inplanes, planes, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(planes),
    ]


def _conv_bn_relu(inplanes: int, planes: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    return [*_conv_bn(inplanes, planes, kernel, stride), nn.ReLU(inplace=True)]
