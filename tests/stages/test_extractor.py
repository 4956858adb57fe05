"""The extractor stage: pre-trained here, or taken from a file."""

import pandas as pd
import pytest
import torch

from bismap.errors import BismapError
from bismap.extractor.network import Recipe, load_extractor
from bismap.models.weights import save_backbone
from bismap.stages import extractor

from .small_domains import make_domain, make_job

OWN = {
    "network": {"backbone": "small", "width": 2},
    "output_stride": 16,
    "normalize": "imagenet",
    "input_size": [64, 32],
    "source": {"split": "train"},
    "target": {"split": "train"},
    "pretrain": {
        "iterations": 3,
        "batch": 4,
        "window": 32,
        "crop": 16,
        "min_area": 0.4,
        "jitter": 0.5,
        "temperature": 0.5,
        "projection": 4,
        "lr": 1e-3,
        "weight_decay": 1e-4,
        "seed": 1,
    },
}
GIVEN = {name: OWN[name] for name in ("network", "output_stride")} | {"normalize": "none", "pretrain": None}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 3, 0)
    make_domain(tmp_path, "target", 2, 20)
    return tmp_path


def test_pre_training_writes_the_same_network_each_time(root):
    for out in ("one", "two"):
        extractor.run(make_job(root, out, OWN))
    files = [(root / out / "model.safetensors").read_bytes() for out in ("one", "two")]
    assert files[0] == files[1]
    assert load_extractor(root / "one" / "model.safetensors", "cpu").recipe.normalize == "imagenet"
    metrics = pd.read_csv(root / "one" / "metrics.csv")
    assert list(metrics) == ["step", "loss", "matched", "lr"]
    assert len(metrics) == 3


def test_raw_and_stylised_source_differ(root):
    make_domain(root / "other", "source", 3, 60)
    folder = root / "other" / "source" / "images"
    (folder / "manifest.csv").write_text("path,bytes,sha256\n" + "".join(f"source{i}.png,1,x\n" for i in range(3)))
    extractor.run(make_job(root, "raw", OWN))
    extractor.run(make_job(root, "stylised", OWN, stylized=[folder / "manifest.csv"]))
    raw, stylised = (pd.read_csv(root / out / "metrics.csv")["loss"] for out in ("raw", "stylised"))
    assert not raw.equals(stylised)


def test_given_weights_pass_through(root):
    recipe = Recipe(GIVEN["network"], 16, "none")
    backbone = recipe.build().eval()
    path = root / "weights.safetensors"
    save_backbone(path, backbone, {})
    extractor.run(make_job(root, "out", GIVEN, weights=[path]))
    loaded = load_extractor(root / "out" / "model.safetensors", "cpu")
    assert loaded.recipe == recipe
    images = torch.randint(0, 256, (1, 32, 64, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded.map(images), backbone(images.permute(0, 3, 1, 2) / 255)["out"])


def test_neither_weights_nor_pre_training(root):
    with pytest.raises(BismapError, match="neither weights nor pre-training"):
        extractor.run(make_job(root, "out", GIVEN))
