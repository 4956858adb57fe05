"""DeepLab-V3+: size, groups and shapes of A§2.1, and what training needs of it."""

import pytest
import torch
from torch import nn

from bismap.errors import BismapError
from bismap.models.network import PooledBatchNorm2d, build_network


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_paper_network_has_the_published_parameters(paper_net):
    assert count(paper_net) == 59_343_795
    assert count(paper_net.backbone) == 42_500_160
    assert count(paper_net.aspp) == 15_535_104
    assert count(paper_net.decoder) + count(paper_net.classifier) == 1_308_531


def test_groups_are_disjoint_and_complete(paper_net):
    backbone, head = list(paper_net.backbone_parameters()), list(paper_net.head_parameters())
    assert (len(backbone), len(head)) == (312, 29)
    assert sorted(map(id, backbone + head)) == sorted(map(id, paper_net.parameters()))


@pytest.mark.parametrize(
    ("image", "feature"), [((512, 896), (128, 224)), ((1052, 1914), (263, 479)), ((1024, 2048), (256, 512))]
)
def test_features_and_logits_have_stride_four(paper_net, image, feature):
    x = torch.empty(2, 3, *image, device="meta")
    features = paper_net.features(x)
    assert features.shape == (2, 256, *feature)
    assert paper_net.classifier(features).shape == (2, 19, *feature)


def test_pyramid_has_the_papers_rates_and_no_dropout(paper_net):
    assert [branch[0].dilation[0] for branch in paper_net.aspp.branches] == [1, 6, 12, 18]
    assert [branch[0].padding[0] for branch in paper_net.aspp.branches] == [0, 6, 12, 18]
    dropouts = [m for m in paper_net.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    assert dropouts == [paper_net.classifier[0]]
    assert isinstance(dropouts[0], nn.Dropout2d)
    assert dropouts[0].p == 0.1
    biased = [name for name, m in paper_net.named_modules() if isinstance(m, nn.Conv2d) and m.bias is not None]
    assert biased == ["classifier.1"]


def test_features_are_what_the_last_convolution_sees(small_net):
    x = torch.randn(2, 3, 30, 47)
    features = small_net.features(x)
    assert features.shape == (2, small_net.feature_dim, 8, 12)
    assert features.min() == 0  # after a ReLU
    last = small_net.classifier[1]
    expected = torch.einsum("bdhw,cd->bchw", features, last.weight[:, :, 0, 0]) + last.bias[:, None, None]
    torch.testing.assert_close(small_net(x), expected)


def test_convolutions_start_kaiming_normal_by_fan_in(small_settings):
    net = build_network(small_settings | {"width": 16, "aspp_channels": 64}, 3)
    weight = net.aspp.branches[1][0].weight  # 64 x 128 x 3 x 3
    assert weight.std().item() == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert not net.classifier[1].bias.any()


def test_every_parameter_gets_a_gradient(small_settings):
    net = build_network(small_settings, 3)
    net(torch.randn(2, 3, 32, 48)).square().mean().backward()
    without = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert without == []
    assert all(p.grad.any() for p in net.backbone.conv1.parameters())


def test_training_on_one_image_uses_running_statistics_of_the_pooled_branch(small_settings):
    net = build_network(small_settings, 3)
    pooled = net.aspp.pooling[1]
    net(torch.randn(1, 3, 32, 48)).mean().backward()
    assert not pooled.running_mean.any()
    assert net.aspp.branches[0][1].running_mean.any()
    net(torch.randn(2, 3, 32, 48))
    assert pooled.running_mean.any()


def test_pooled_batch_norm_equals_plain_one_for_larger_batches():
    plain, pooled, x = nn.BatchNorm2d(5), PooledBatchNorm2d(5), torch.randn(3, 5, 1, 1)
    assert torch.equal(plain(x), pooled(x))
    assert torch.equal(plain.running_var, pooled.running_var)
    assert torch.equal(plain.eval()(x[:1]), pooled.train()(x[:1]))


def test_network_is_channels_last_and_autocasts(small_net):
    assert small_net.decoder.refine[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert small_net(torch.randn(1, 3, 32, 48)).dtype == torch.bfloat16


@pytest.mark.parametrize("key", ["backbone", "width", "aspp_rates", "dropout"])
def test_missing_setting_is_named(small_settings, key):
    del small_settings[key]
    with pytest.raises(BismapError, match=f"`{key}` is missing"):
        build_network(small_settings, 3)


def test_no_classes_is_an_error(small_settings):
    with pytest.raises(BismapError, match="classes: expected at least 1, got 0"):
        build_network(small_settings, 0)
