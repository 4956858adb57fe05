"""The predict stage on the CPU."""

import numpy as np
import pytest
from PIL import Image

from bismap.data.images import read_png_label
from bismap.errors import BismapError
from bismap.models.network import build_network
from bismap.models.weights import save_network
from bismap.stages import predict

from .small_domains import make_domain, make_job
from .small_models import NETWORK, make_model

SETTINGS = {"target": {"split": "train", "size": [64, 32]}, "scales": [1.0], "flip": False, "precision": "fp32"}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "target", 5, 0)
    make_model(tmp_path / "model.safetensors", tmp_path / "target" / "images")
    return tmp_path


def predictions(root, name, shards, **changes):
    found = {}
    for i in range(shards):
        job = make_job(root, f"{name}/{i}-of-{shards}", SETTINGS | changes, model=[root / "model.safetensors"])
        predict.run(job)
        found |= {path.stem: path for path in job.out.iterdir()}
    return found


def test_labels_are_palettised_and_right(root):
    found = predictions(root, "whole", 1)
    assert sorted(found) == [f"target{i}" for i in range(5)]
    assert {Image.open(path).mode for path in found.values()} == {"P"}
    labels = np.stack([read_png_label(path) for path in found.values()])
    assert labels.shape == (5, 32, 64)
    expected = np.repeat([1, 0], 16)[:, None]  # sky above road
    assert (labels == expected).mean() > 0.75


@pytest.mark.parametrize("views", [{"scales": [1.5]}, {"flip": True}])
def test_views_reach_the_network(root, views):
    plain, other = predictions(root, "plain", 1), predictions(root, "other", 1, **views)
    assert any((read_png_label(plain[name]) != read_png_label(other[name])).any() for name in plain)


def test_shards_do_not_matter(root):
    whole, parts = predictions(root, "whole", 1), predictions(root, "parts", 3)
    assert {name: path.read_bytes() for name, path in whole.items()} == {
        name: path.read_bytes() for name, path in parts.items()
    }


def test_native_size_at_another_nominal_size(root):
    found = predictions(root, "half", 1, target={"split": "train", "size": [32, 16]})
    assert {read_png_label(path).shape for path in found.values()} == {(32, 64)}


def test_model_of_other_classes_is_refused(root):
    network = build_network(NETWORK, 2)
    save_network(root / "model.safetensors", network, {"classes": ["a", "b"]})
    with pytest.raises(BismapError, match="was trained for 2 classes"):
        predictions(root, "whole", 1)
    assert np.size(list((root / "whole/0-of-1").iterdir())) == 0
