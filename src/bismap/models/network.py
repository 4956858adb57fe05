"""The segmentation network: DeepLab-V3+ exactly as BiSMAP trains it (A§2.1), also over a small backbone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bismap.errors import BismapError
from bismap.models.backbones import HEAD_SETTINGS, build_backbone, kaiming_init, required

SETTINGS = ("backbone", *HEAD_SETTINGS)


def build_network(settings: Mapping[str, Any], classes: int) -> "DeepLabV3Plus":
    """A network with Kaiming-normal (fan-in) convolutions, drawn from torch's global generator.

    Args:
        settings: ``backbone``, ``output_stride``, ``aspp_channels``, ``aspp_rates``, ``low_level_channels``,
            ``decoder_channels``, ``dropout``, and ``width`` for the backbone ``small``; others are ignored.
        classes: number of outputs.

    Returns:
        The network in training mode, channels last in memory.

    Raises:
        BismapError: for a missing or impossible setting.
    """
    if classes < 1:
        raise BismapError(f"classes: expected at least 1, got {classes}")
    keys = (*SETTINGS, "width") if settings.get("backbone") == "small" else SETTINGS
    network = DeepLabV3Plus({key: required(settings, key) for key in keys}, classes)
    return network.to(memory_format=torch.channels_last)


class DeepLabV3Plus(nn.Module):
    """Backbone, atrous pyramid, decoder and classifier.

    Attributes:
        settings: the settings it was built from.
        classes: number of outputs.
        feature_dim: channels of :meth:`features`.
        classifier: channel dropout and the last 1x1 convolution, from features to logits.
    """

    def __init__(self, settings: Mapping[str, Any], classes: int) -> None:
        super().__init__()
        self.settings = dict(settings)
        self.classes = classes
        self.feature_dim = settings["decoder_channels"]
        self.backbone = build_backbone(settings, settings["output_stride"])
        self.aspp = PyramidPooling(self.backbone.out_channels, settings["aspp_channels"], settings["aspp_rates"])
        self.decoder = Decoder(
            self.backbone.low_channels,
            settings["low_level_channels"],
            settings["aspp_channels"],
            settings["decoder_channels"],
        )
        self.classifier = nn.Sequential(
            nn.Dropout2d(settings["dropout"]), nn.Conv2d(settings["decoder_channels"], classes, 1)
        )
        for part in (self.aspp, self.decoder, self.classifier):
            kaiming_init(part)

    def features(self, x: Tensor) -> Tensor:
        """Penultimate features, after the last ReLU and before dropout: the f of MAPs (A§2.1, A§3).

        Args:
            x: normalised images ``[B, 3, H, W]``.

        Returns:
            Non-negative ``[B, feature_dim, ceil(H/4), ceil(W/4)]``.
        """
        maps = self.backbone(x)
        return self.decoder(self.aspp(maps["out"]), maps["low"])

    def forward(self, x: Tensor) -> Tensor:
        """Logits ``[B, classes, ceil(H/4), ceil(W/4)]`` of normalised images ``[B, 3, H, W]``."""
        return self.classifier(self.features(x))

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that learn at the base rate (A§2.2)."""
        return self.backbone.parameters()

    def head_parameters(self) -> Iterator[nn.Parameter]:
        """Parameters that learn ten times as fast: pyramid, decoder, classifier (A§2.2)."""
        for part in (self.aspp, self.decoder, self.classifier):
            yield from part.parameters()


class PyramidPooling(nn.Module):
    """ASPP: 1x1, dilated 3x3s and image pooling side by side, merged by a 1x1; BN and ReLU, no dropout."""

    def __init__(self, inplanes: int, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList([_conv_bn_relu(inplanes, channels, 1)])
        self.branches.extend(_conv_bn_relu(inplanes, channels, 3, rate) for rate in rates)
        self.pooling = nn.Sequential(
            nn.Conv2d(inplanes, channels, 1, bias=False), PooledBatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.projection = _conv_bn_relu(channels * (len(rates) + 2), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[B, inplanes, h, w]`` -> ``[B, channels, h, w]``."""
        pooled = self.pooling(x.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])
        return self.projection(torch.cat([*(branch(x) for branch in self.branches), pooled], dim=1))


class PooledBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation of one value per image and channel.

    A batch of one image has no variance, and torch refuses it. Such a batch is normalised by the running
    statistics, which it leaves as they are, so that training on one image at a time is possible where memory
    is short; larger batches are treated as everywhere.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class Decoder(nn.Module):
    """Upsampled pyramid beside reduced low-level features, refined by two 3x3 convolutions."""

    def __init__(self, low_planes: int, low_channels: int, aspp_channels: int, channels: int) -> None:
        super().__init__()
        self.low_level = _conv_bn_relu(low_planes, low_channels, 1)
        self.refine = nn.Sequential(
            _conv_bn_relu(aspp_channels + low_channels, channels, 3), _conv_bn_relu(channels, channels, 3)
        )

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """``[B, aspp_channels, h, w]`` and ``[B, low_planes, H, W]`` -> ``[B, channels, H, W]``."""
        low = self.low_level(low)
        return self.refine(torch.cat([upsample(high, low.shape[2:]), low], dim=1))


def upsample(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear with aligned corners, as everywhere here (A§14.2): ``[B, C, h, w]`` -> ``[B, C, *size]``."""
    return F.interpolate(x, size=tuple(size), mode="bilinear", align_corners=True)


def _conv_bn_relu(inplanes: int, planes: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel // 2)
    convolution = nn.Conv2d(inplanes, planes, kernel, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(planes), nn.ReLU(inplace=True))
