"""Evaluation passes."""

import pytest
import torch

from bismap.errors import BismapError
from bismap.models.inference import PRECISIONS, feature_map, features_and_logits, greatest_upsampled, logit_map
from bismap.models.inputs import normalize
from bismap.models.network import upsample


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (2, 30, 47, 3), dtype=torch.uint8)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_maps_are_those_of_the_network(small_net, images, precision):
    x = normalize(images, "cpu")
    features, logits = features_and_logits(small_net, images, precision)
    with torch.no_grad():
        assert torch.equal(features, small_net.features(x))
        assert torch.equal(logits, small_net(x))
    assert torch.equal(feature_map(small_net, images, precision), features)
    assert torch.equal(logit_map(small_net, images, precision), logits)


def test_argmax_equals_that_of_upsampled_mean():
    maps = [torch.randn(2, 5, 8, 12), torch.randn(2, 5, 16, 24)]
    mean = torch.stack([upsample(scores, (31, 47)) for scores in maps]).mean(0)
    labels, greatest = greatest_upsampled(maps, (31, 47))
    assert labels.dtype == torch.uint8
    assert torch.equal(labels.long(), mean.argmax(1))
    torch.testing.assert_close(greatest, mean.amax(1))


def test_lower_class_wins_ties():
    assert not greatest_upsampled([torch.ones(1, 3, 2, 2)], (4, 4))[0].any()


def test_upsampling_aligns_corners():
    ramp = torch.linspace(0, 1, 5).repeat(1, 1, 5, 1)
    assert torch.allclose(upsample(ramp, (9, 9))[0, 0, 0], torch.linspace(0, 1, 9))


def test_training_mode_is_refused(small_net, images):
    with pytest.raises(BismapError, match="training mode"):
        logit_map(small_net.train(), images, "fp32")


def test_output_that_is_not_finite_is_refused(small_net, images):
    small_net.classifier[1].bias.data[0] = float("nan")
    with pytest.raises(BismapError, match="not finite"):
        logit_map(small_net, images, "fp32")


def test_unknown_precision(small_net, images):
    with pytest.raises(BismapError, match="fp8"):
        logit_map(small_net, images, "fp8")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="fp16 autocast runs on CUDA only")
def test_batch_beyond_fp16_is_done_again_in_float32(small_net, images):
    small_net.cuda().classifier[1].bias.data[0] = 1e5
    logits = logit_map(small_net, images, "fp16")
    assert torch.equal(logits, logit_map(small_net, images, "fp32"))
