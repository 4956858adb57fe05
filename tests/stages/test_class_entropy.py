"""The class_entropy stage."""

import numpy as np
import pandas as pd
import pytest
import torch

from bismap.data.images import read_image
from bismap.errors import BismapError
from bismap.models.inputs import normalize
from bismap.models.network import build_network
from bismap.models.weights import save_network
from bismap.stages import class_entropy
from bismap.transferability.class_entropy import load_normalized

from .small_domains import NAMES, make_domain, make_job

NETWORK = {
    "backbone": "small",
    "width": 2,
    "output_stride": 16,
    "aspp_channels": 4,
    "aspp_rates": [2],
    "low_level_channels": 2,
    "decoder_channels": 4,
    "dropout": 0.1,
}
SETTINGS = {"source": {"split": "train"}, "target": {"split": "train", "size": [64, 32]}, "constants": None}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return build_network(NETWORK, 3).eval()


def test_means_over_the_target_set(tmp_path, net):
    make_domain(tmp_path, "source", 1, 0)
    make_domain(tmp_path, "target", 3, 20)
    with torch.no_grad():
        net.classifier[1].bias[2] = -1e3  # never predicted
    save_network(tmp_path / "model.safetensors", net, {"classes": list(NAMES)})
    class_entropy.run(make_job(tmp_path, "out", SETTINGS, model=[tmp_path / "model.safetensors"]))
    found = pd.read_csv(tmp_path / "out" / "class_entropy.csv")

    images = np.stack([read_image(path) for path in sorted((tmp_path / "target" / "images").iterdir())])
    with torch.no_grad():
        p = net(normalize(torch.from_numpy(images), "cpu")).double().softmax(1)
    entropy = torch.special.entr(p).sum(1)
    for c in range(3):
        mask = p.argmax(1) == c
        assert found["pixels"][c] == mask.sum()
        if mask.any():
            assert found["mean_entropy"][c] == pytest.approx(entropy[mask].mean().item(), rel=1e-4)
    assert found["pixels"].sum() == 3 * 8 * 16
    assert found["pixels"][2] == 0
    assert np.isnan(found.loc[2, "mean_entropy"])
    assert np.isnan(found.loc[2, "normalized"])  # the source has no label of it either


def test_model_of_other_classes(tmp_path, net):
    make_domain(tmp_path, "source", 1, 0)
    make_domain(tmp_path, "target", 1, 20)
    save_network(tmp_path / "model.safetensors", net, {"classes": ["a", "b", "c"]})
    with pytest.raises(BismapError, match="was trained for"):
        class_entropy.run(make_job(tmp_path, "out", SETTINGS, model=[tmp_path / "model.safetensors"]))


def test_given_constants_need_no_model(tmp_path):
    make_domain(tmp_path, "source", 1, 0)
    make_domain(tmp_path, "target", 1, 20)
    class_entropy.run(make_job(tmp_path, "out", SETTINGS | {"constants": [0.25, 0.0, 0.5]}))
    np.testing.assert_array_equal(load_normalized(tmp_path / "out" / "class_entropy.csv", NAMES), [0.5, 0.0, 1.0])


@pytest.mark.parametrize("constants", [[0.1, 0.2], [0.3, 0.3, 0.3]])
def test_constants_that_do_not_fit_are_named(tmp_path, constants):
    make_domain(tmp_path, "source", 1, 0)
    make_domain(tmp_path, "target", 1, 20)
    with pytest.raises(BismapError, match="expected 3 numbers that differ"):
        class_entropy.run(make_job(tmp_path, "out", SETTINGS | {"constants": constants}))
