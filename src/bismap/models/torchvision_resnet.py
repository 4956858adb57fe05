"""torchvision's ResNet as a backbone."""

from collections.abc import Sequence

from torch import Tensor
from torchvision.models.resnet import Bottleneck, ResNet

from bismap.models.multi_grid import dilate


class TorchvisionBackbone(ResNet):
    """torchvision's ResNet-50 or -101 without its classifier, tensor names unchanged."""

    low_channels = 256
    out_channels = 2048

    def __init__(self, name: str, layers: Sequence[int], output_stride: int) -> None:
        super().__init__(
            Bottleneck,
            list(layers),
            num_classes=1,
            replace_stride_with_dilation=[False, False, output_stride == 16],
        )
        del self.avgpool, self.fc
        self.identity = {"backbone": name}
        if output_stride == 16:
            dilate([[block.conv2] for block in self.layer4])

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        low = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return {"low": low, "out": self.layer4(self.layer3(self.layer2(low)))}
