"""SimCLRv2's selective-kernel ResNet against references written here in numpy."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from bismap.errors import BismapError
from bismap.models.backbones import build_backbone
from bismap.models.simclr_resnet import SelectiveBottleneck, SelectiveKernel, SimclrResNet, max_pool


def conv(x: np.ndarray, weight: np.ndarray, stride: int = 1, pad: int = 0) -> np.ndarray:
    """Cross-correlation of [c, h, w] with [o, c, k, k], zero padding ``pad`` on all sides."""
    x, k = np.pad(x, ((0, 0), (pad, pad), (pad, pad))), weight.shape[-1]
    rows, columns = ((n - k) // stride + 1 for n in x.shape[1:])
    out = np.empty((len(weight), rows, columns))
    for i in range(rows):
        for j in range(columns):
            patch = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
            out[:, i, j] = np.tensordot(weight, patch, 3)
    return out


def norm(x: np.ndarray, layer: nn.BatchNorm2d) -> np.ndarray:
    mean, var, weight, bias = (
        t.detach().double().numpy()[:, None, None]
        for t in (layer.running_mean, layer.running_var, layer.weight, layer.bias)
    )
    return (x - mean) / np.sqrt(var + 1e-5) * weight + bias


def weight(layer: nn.Conv2d) -> np.ndarray:
    return layer.weight.detach().double().numpy()


def conv_norm(x: np.ndarray, layers: nn.Sequential, stride: int = 1) -> np.ndarray:
    return norm(conv(x, weight(layers[0]), stride, layers[0].kernel_size[0] // 2), layers[1])


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def selective_kernel(x: np.ndarray, block: SelectiveKernel, stride: int) -> np.ndarray:
    """The TF reference's facts: split, sum, mean, squeeze, expand, softmax over the streams, weighted sum."""
    streams = np.stack(np.split(relu(conv_norm(x, block.streams, stride)), 2))
    pooled = streams.sum(0).mean((1, 2), keepdims=True)
    mixing = np.stack(np.split(conv(relu(conv_norm(pooled, block.squeeze)), weight(block.mix)), 2))
    mixing = np.exp(mixing) / np.exp(mixing).sum(0)
    return (streams * mixing).sum(0)


def shortcut(x: np.ndarray, layers: nn.Sequential, stride: int) -> np.ndarray:
    """ResNet-D: at stride 1 the mean of the pixels there are, at stride 2 of the zero-padded ones."""
    c, h, w = x.shape
    pooled = np.empty((c, math.ceil(h / stride), math.ceil(w / stride)))
    for i in range(pooled.shape[1]):
        for j in range(pooled.shape[2]):
            window = x[:, i * stride : i * stride + 2, j * stride : j * stride + 2]
            pixels = 4 if stride == 2 else window[0].size
            pooled[:, i, j] = window.sum((1, 2)) / pixels
    return conv_norm(pooled, layers)


def randomize(module: nn.Module) -> nn.Module:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for tensor in (layer.weight.data, layer.bias.data, layer.running_mean):
                tensor.normal_()
            layer.running_var.uniform_(0.5, 2)
    return module.eval()


@pytest.mark.parametrize("stride", [1, 2])
def test_selective_kernel_equals_the_reference(stride):
    block, x = randomize(SelectiveKernel(4, stride)), torch.randn(2, 4, 7, 6)
    with torch.no_grad():
        result = block(x).numpy()
    for image, expected in zip(result, x.double().numpy(), strict=True):
        np.testing.assert_allclose(image, selective_kernel(expected, block, stride), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 6), (4, 8)])
def test_bottleneck_equals_the_reference(stride, size):
    block, x = randomize(SelectiveBottleneck(6, 4, stride, project=True)), torch.randn(1, 6, *size)
    image = x[0].double().numpy()
    inner = selective_kernel(relu(conv_norm(image, block.reduce)), block.kernel, stride)
    expected = relu(conv_norm(inner, block.expand) + shortcut(image, block.shortcut, stride))
    with torch.no_grad():
        np.testing.assert_allclose(block(x)[0].numpy(), expected, rtol=1e-4, atol=1e-4)


def test_bottleneck_starts_as_its_shortcut():
    block, x = SelectiveBottleneck(16, 4, 1, project=False).eval(), torch.randn(1, 16, 4, 4)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize(("size", "before"), [(8, 0), (7, 1), (2, 0), (3, 1)])
def test_same_max_pool_pads_as_tensorflow(size, before):
    x = torch.randn(1, 2, size, size + 2) - 5  # negative: padding with zeros would show
    plane = x.numpy()
    out = max_pool(x, "same").numpy()
    assert out.shape == (1, 2, math.ceil(size / 2), math.ceil((size + 2) / 2))
    for i in range(out.shape[2]):
        for j in range(out.shape[3]):
            top, left = 2 * i - before, 2 * j - before
            window = plane[:, :, max(top, 0) : top + 3, max(left, 0) : left + 3]
            np.testing.assert_array_equal(out[:, :, i, j], window.max((2, 3)))


def test_paddings_differ_for_even_sizes_only():
    even, odd = torch.randn(1, 3, 16, 12), torch.randn(1, 3, 15, 11)
    assert not torch.equal(max_pool(even, "same"), max_pool(even, "torch"))
    assert torch.equal(max_pool(odd, "same"), max_pool(odd, "torch"))


def test_resnet152_has_the_published_parameters_and_map():
    with torch.device("meta"):
        net = build_backbone({"backbone": "simclr_resnet152", "max_pool_padding": "same"}, 32).eval()
        maps = net(torch.empty(1, 3, 128, 256))
    classifier = 2048 * 1000 + 1000
    assert sum(p.numel() for p in net.parameters()) + classifier == 90_989_896
    assert maps["out"].shape == (1, 2048, 4, 8)
    assert maps["low"].shape == (1, 256, 32, 64)


def test_short_network_runs():
    net = SimclrResNet((1, 1, 1, 1), "torch").eval()
    with torch.no_grad():
        assert net(torch.rand(1, 3, 33, 64))["out"].shape == (1, 2048, 2, 2)


def test_unknown_padding_is_named():
    with pytest.raises(BismapError, match="expected one of same, torch, got 'valid'"):
        SimclrResNet((1, 1, 1, 1), "valid")
