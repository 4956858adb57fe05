"""Miniatures in GTA5's and SYNTHIA's layout go through the real rules, from raw files to the JSON."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torchvision
import yaml
from PIL import Image
from safetensors import safe_open

from bismap.config.expand import merge
from tests.workflow.runs import ROOT, planned, snakemake, tiny_config, write_project

CITY = 19


@pytest.fixture(scope="module", params=["gta", "synthia"])
def finished(request, finish):
    """A finished experiment: its project folder, and its results in there."""
    return finish(request.param), Path("results", request.param)


def test_the_json_holds_scores_confusion_and_provenance(finished):
    folder, results = finished
    report = json.loads((folder / results / "bismap_distilled.json").read_text())
    assert np.shape(report["confusion"]) == (CITY, CITY)
    assert set(report["miou"]) == {"miou19", "miou16", "miou13"}
    assert report["images"] == 3
    stages = {item["stage"] for item in report["provenance"]["stages"]}
    assert {"index", "stylize", "train", "source_prototypes", "transferability", "pseudo_labels", "predict"} <= stages
    runs = {item["settings"]["objective"] for item in report["provenance"]["stages"] if item["stage"] == "train"}
    assert runs == {"warmup", "retrain", "distill"}


def test_pseudo_labels_are_palettised_and_keep_the_share(finished):
    folder, results = finished
    labels = [np.array(Image.open(p)) for p in (folder / results / "gpa_stm/pseudo_labels/maps").glob("*/*.png")]
    modes = {Image.open(p).mode for p in (folder / results / "gpa_stm/pseudo_labels/maps").glob("*/*.png")}
    assert modes == {"P"}
    assert len(labels) == 4
    assert np.mean([label != 255 for label in labels]) >= 0.6
    assert all((label[label != 255] < CITY).all() for label in labels)


def test_transferability_maps_are_not_trivial(finished):
    folder, results = finished
    maps = np.stack(
        [np.array(Image.open(p)) for p in sorted((folder / results / "gpa/transferability").glob("*/*.png"))]
    )
    assert maps.dtype == np.uint8
    assert maps.shape == (4, 48, 96)
    assert maps.std() > 1


def test_public_paths_are_links_and_nothing_is_left_behind(finished):
    folder, results = finished
    assert (folder / results / "bismap/model.safetensors").is_symlink()
    assert not list((folder / "results/.store/.work").iterdir())
    assert not list((folder / "results/.store/.locks").iterdir())


def test_a_finished_experiment_has_nothing_to_do(finished):
    folder, results = finished
    assert planned(folder, f"{results}/bismap_distilled.json") == set()


def test_a_new_threshold_reruns_what_depends_on_it(finished):
    folder, results = finished
    raw = tiny_config(results.name)
    raw["experiments"][results.name]["settings"]["pseudo_labels"]["maps"]["share"] = 0.5
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    try:
        assert planned(folder, f"{results}/bismap_distilled.json") == {"pseudo_labels", "train", "predict", "evaluate"}
        assert planned(folder, f"{results}/gpa_stm.json") == set()
    finally:
        (folder / "config.yaml").write_text(yaml.safe_dump(tiny_config(results.name)))


def test_the_other_assignments(finished):
    folder, results = finished
    assignments = ("posterior", "cas", "softmax", "ias")
    labels = [f"{results}/gpa_stm/pseudo_labels/{name}" for name in assignments]
    snakemake(folder, "--cores", "2", *(f"{path}{end}" for path in labels for end in (".json", ".curve.csv")))
    for name in assignments:
        found = json.loads((folder / results / f"gpa_stm/pseudo_labels/{name}.json").read_text())
        assert found["images"] == 4
        assert 0 <= found["labelled_share"] <= 1
        assert len(list((folder / results / f"gpa_stm/pseudo_labels/{name}").glob("*/*.png"))) == 4
        curve = (folder / results / f"gpa_stm/pseudo_labels/{name}.curve.csv").read_text().splitlines()
        assert len(curve) == 1 + 4 * (10 if name == "ias" else 20)


@pytest.mark.parametrize(
    ("assignment", "stages"),
    [
        ("posterior", {"posteriors"}),
        ("cas", {"category_anchors", "anchor_gaps"}),
        ("softmax", {"confidences"}),
        ("ias", {"confidences", "ias_thresholds"}),
    ],
)
def test_a_run_can_learn_from_each_assignment(tmp_path, assignment, stages):
    raw = tiny_config("gta")
    raw["runs"]["bismap"]["assignment"] = assignment
    write_project(tmp_path, "gta", raw)
    rules = planned(tmp_path, "results/gta/bismap.json")
    assert rules >= {*stages, "pseudo_labels", "train"}
    assert "densities" not in rules


def test_weights_are_converted_with_a_report_of_every_tensor(tmp_path):
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    raw["weights"]["imagenet_resnet101"] |= {"file": "resnet101.pth", "sha256": None}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw))
    torch.manual_seed(0)
    state = torchvision.models.resnet101(weights=None).state_dict()
    torch.save(state, tmp_path / "resnet101.pth")
    made = "results/weights/imagenet_resnet101"
    snakemake(tmp_path, "--cores", "1", f"{made}.safetensors")
    report = json.loads((tmp_path / f"{made}.report.json").read_text())
    assert (report["unused"], report["missing"], report["dropped"]) == ([], [], ["fc.weight", "fc.bias"])
    with safe_open(tmp_path / f"{made}.safetensors", "pt") as file:
        ours, theirs = next(pair for pair in report["matched"].items() if pair[1] == "layer3.22.conv3.weight")
        assert torch.equal(file.get_tensor(ours), state[theirs])


FITTING = {
    "gta_bismap_paper": {"extractor": {"grid": [2, 4]}},
    "gta_bismap_released": {
        "extractor": {"grid": [2, 2]},
        "training": {"head_lr_factor": 1.0, "warmup_iterations": 2, "consistency": {"rampup_iterations": 4}},
        "features": {"pool": {"size": 2000, "keep": [1] * CITY}},  # of few features nothing is left to thin
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("preset", FITTING)
def test_a_preset_runs_to_its_json(tmp_path, preset):
    """With all that it sets, but for what does not fit a miniature."""
    raw = tiny_config("gta")
    raw["datasets"]["gta5_native_scale"] = raw["datasets"]["gta5"]
    own = raw["experiments"][preset]
    own["settings"] = merge(own["settings"], FITTING[preset])
    write_project(tmp_path, "gta", raw)
    snakemake(tmp_path, "--cores", "2", f"results/{preset}/bismap_distilled.json")
    report = json.loads((tmp_path / f"results/{preset}/bismap_distilled.json").read_text())
    assert report["images"] == 3
    assert (tmp_path / f"results/{preset}/bismap_distilled_round1").exists() == (preset == "gta_bismap_released")
    d_mean = pd.read_csv(tmp_path / f"results/{preset}/extractor/source_distances/images.csv")["d_mean"]
    assert (d_mean.nunique() > 1) == (preset == "gta_bismap_released")
