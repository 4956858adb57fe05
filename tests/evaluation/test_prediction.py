import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from bismap.errors import BismapError
from bismap.evaluation.prediction import Passes, predict
from bismap.models.inputs import normalize


class Strided(nn.Module):
    """Logits at stride 4 that depend on where the colours are, not the same for an image and its mirror."""

    def __init__(self, classes=4):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, classes, 7, stride=4, padding=3)

    def forward(self, x):
        return 3 * self.conv(x)


@pytest.fixture
def network():
    return Strided().eval()


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), dtype=np.uint8)


def up(x, size):
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def resized(image, width, height):
    return normalize(torch.from_numpy(np.array(Image.fromarray(image).resize((width, height), 2)))[None], "cpu")


@torch.no_grad()
def test_one_pass_upsamples_probabilities(network, image):
    found = predict(network, image, Passes((56, 40), (1.0,), False, "fp32"))
    expected = up(network(resized(image, 56, 40)).softmax(1), (40, 56)).argmax(1)[0].numpy()
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)
    by_logits = up(network(resized(image, 56, 40)), (40, 56)).argmax(1)[0].numpy()
    assert (by_logits != expected).any()


@torch.no_grad()
def test_several_passes_average_logits_over_scales_and_mirrors(network, image):
    found = predict(network, image, Passes((56, 40), (0.75, 1.5), True, "fp32"))
    total = 0
    for width, height in ((42, 30), (84, 60)):
        batch = resized(image, width, height)
        total = total + up(network(batch), (40, 56)) + up(network(batch.flip(3)).flip(3), (40, 56))
    assert (found == total.argmax(1)[0].numpy()).mean() > 0.999  # float sums in another order: ties apart


def test_mirror_average_is_symmetric(network, image):
    passes = Passes((56, 40), (1.0,), True, "fp32")
    mirrored = predict(network, np.ascontiguousarray(image[:, ::-1]), passes)
    assert (mirrored[:, ::-1] == predict(network, image, passes)).mean() > 0.999


def test_labels_have_the_native_size(network, image):
    assert predict(network, image, Passes((28, 20), (1.0,), False, "fp32")).shape == (40, 56)
    assert predict(network, image, Passes((28, 20), (1.0, 2.0), True, "fp32")).shape == (40, 56)


def test_precision_changes_nothing_on_a_cpu(network, image):
    labels = [predict(network, image, Passes((56, 40), (1.0,), True, kind)) for kind in ("fp32", "bf16")]
    np.testing.assert_array_equal(*labels)


@pytest.mark.parametrize(("scales", "precision"), [((), "fp32"), ((1.0, 0.0), "fp32"), ((1.0,), "fp8")])
def test_bad_settings(scales, precision):
    with pytest.raises(BismapError, match="predict"):
        Passes((8, 8), scales, False, precision)


def test_diverged_model_is_named(network, image):
    network.conv.weight.data[0] = float("nan")
    with pytest.raises(BismapError, match="not finite"):
        predict(network, image, Passes((56, 40), (1.0,), False, "fp32"))
