"""A small backbone for demonstrations on a CPU. Its parts are its own: torchvision takes 2 s to import."""

from torch import Tensor, nn

from bismap.errors import BismapError
from bismap.models.multi_grid import dilate


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
            dilate([[block.conv1, block.conv2] for block in self.layer4])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        low = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return {"low": low, "out": self.layer4(self.layer3(self.layer2(low)))}


def _basic_layer(inplanes: int, planes: int, stride: int) -> nn.Sequential:
    # a projection even where shapes agree, so that the tensors are the same at every output stride
    shortcut = nn.Sequential(nn.Conv2d(inplanes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes))
    return nn.Sequential(_BasicBlock(inplanes, planes, stride, shortcut), _BasicBlock(planes, planes, 1, None))


class _BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut (He et al. 2016, section 3); tensor names as torchvision has them."""

    def __init__(self, inplanes: int, planes: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))) + shortcut)
