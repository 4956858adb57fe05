"""The real networks at the real sizes, random weights: one optimiser step of each objective, one map."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from workflow.raw import RawData
from workflow.settings import stage_settings

from bismap.config import load_config
from bismap.extractor.cells import extract_cells
from bismap.extractor.network import Recipe, load_extractor, new_extractor, save_extractor
from bismap.job import Job
from bismap.stages import index, train
from bismap.store import write_manifest
from tests.fixtures.miniatures import write_cityscapes, write_gta5
from tests.workflow.runs import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Indexed source and target at Cityscapes' and GTA5's size, with target labels as a shard."""
    root = tmp_path_factory.mktemp("real")
    write_gta5(root / "source", numbers=range(1, 2), size=(1914, 1052))
    write_cityscapes(root / "target", {"train": 1}, size=(2048, 1024))
    for name, layout in (("source", "gta5"), ("target", "cityscapes")):
        out = root / f"{name}-index"
        out.mkdir()
        index.run(Job({"layout": layout, "missing_pairs": []}, out, root, roots={"data": root / name}))
    labels = root / "labels"
    labels.mkdir()
    image_id = next(iter((root / "target").rglob("*_leftImg8bit.png"))).name.removesuffix("_leftImg8bit.png")
    picture = Image.fromarray(np.full((1024, 2048), 3, np.uint8))
    picture.putpalette([0] * 768)
    picture.save(labels / f"{image_id}.png")
    write_manifest(labels)
    return root


class _Wildcards:
    exp = "gta"

    def __init__(self, run):
        self.run = run


@pytest.mark.parametrize("run", ["gpa", "bismap", "bismap_distilled"])
def test_resnet101_makes_a_step_of_each_objective(data, tmp_path, run):
    config = load_config(ROOT / "config.yaml")
    settings = stage_settings("train", config, RawData(config), _Wildcards(run))
    settings |= {"init": "random", "iterations": 1, "batch_source": 2, "batch_target": 2, "warmup_iterations": 0}
    inputs = {"source_index": (data / "source-index/index.csv",)}
    if run != "gpa":
        inputs |= {"target_index": (data / "target-index/index.csv",), "pseudo_labels": (data / "labels/manifest.csv",)}
    if run == "bismap_distilled":
        from bismap.models.network import build_network
        from bismap.models.weights import save_network

        names = config.experiments["gta"].subsets["miou19"]
        network = build_network(settings["network"], 19)
        save_network(
            tmp_path / "teacher.safetensors", network, {"network": settings["network"], "classes": list(names)}
        )
        inputs["teacher"] = (tmp_path / "teacher.safetensors",)
    (tmp_path / "out").mkdir()
    (tmp_path / "state").mkdir()
    roots = {"source": data / "source", "target": data / "target"}
    train.run(Job(settings, tmp_path / "out", tmp_path / "state", inputs, roots, threads=2))
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point())
    assert "loss" in (tmp_path / "out" / "metrics.csv").read_text()


def test_resnet152_with_selective_kernels_maps_an_image(tmp_path):
    recipe = Recipe({"backbone": "simclr_resnet152", "max_pool_padding": "same"}, 32, "none")
    save_extractor(tmp_path / "extractor.safetensors", new_extractor(recipe, 0, "cpu"))
    extractor = load_extractor(tmp_path / "extractor.safetensors", "cpu")
    images = iter([np.zeros((128, 256, 3), np.uint8)])
    cells = np.stack(list(extract_cells(extractor, images, (4, 4), 1)))
    assert cells.shape == (1, 16, 2048)
