"""What would stop an experiment only after its trainings is said while it is planned."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from snakemake.exceptions import WorkflowError
from torchvision.models import resnet50, resnet101
from workflow.checks import _held_backbone
from workflow.plan import Plan, load_plan

from bismap.models.backbones import build_backbone
from tests.fixtures.miniatures import write_folder
from tests.workflow.runs import ROOT, planned, snakemake, tiny_config, write_project

GPA = SimpleNamespace(exp="gta", run="gpa", assignment="maps")
WORLD = SimpleNamespace(exp="demo", run="gpa", assignment="maps")


@pytest.fixture
def raw(tmp_path, monkeypatch) -> dict:
    """Configuration of a small `gta`, whose data lies in the current folder."""
    write_project(tmp_path, "gta")
    monkeypatch.chdir(tmp_path)
    return tiny_config("gta")


def plan(raw: dict) -> Plan:
    return load_plan(raw)


def ask_for_everything(plan: Plan, wildcards: SimpleNamespace) -> None:
    for ask in (plan.evaluation_predictions, plan.training_inputs, plan.pseudo_labels, plan.extractor_inputs):
        ask(wildcards)


def test_a_sound_experiment_is_planned(raw):
    ask_for_everything(plan(raw), GPA)
    ask_for_everything(plan(raw), WORLD)  # rendered: no file is there yet


@pytest.mark.parametrize(
    ("folder", "ask", "split", "setting"),
    [
        ("gta5/labels", "training_inputs", "train", "source.split"),
        ("cityscapes/gtFine/val", "evaluation_predictions", "val", "target.evaluate"),
        ("cityscapes/gtFine/train", "pseudo_labels", "train", "target.adapt"),
    ],
)
def test_a_split_without_the_labels_it_needs_is_named(raw, folder, ask, split, setting):
    labels = Path("data", folder)
    shutil.rmtree(labels)
    labels.mkdir()
    with pytest.raises(WorkflowError, match=f"no labels of split `{split}`.*experiments.gta.{setting}"):
        getattr(plan(raw), ask)(GPA)


def test_labels_of_images_that_are_only_adapted_to_may_be_left_out(raw):
    shutil.rmtree("data/cityscapes/gtFine/train")
    for run in raw["runs"]:
        plan(raw).training_inputs(SimpleNamespace(exp="gta", run=run))
    plan(raw).evaluation_predictions(GPA)


def test_source_and_target_with_other_classes_are_refused(raw):
    write_folder(Path("data/own"))
    raw["datasets"]["own"] = {"layout": "folder", "root": "data/own", "size": [96, 48], "scale_reference_width": 96}
    raw["experiments"]["gta"] |= {"target": {"dataset": "own", "adapt": "day", "evaluate": "dusk"}, "subsets": {}}
    with pytest.raises(WorkflowError) as error:
        plan(raw).training_inputs(GPA)
    assert "gta5 has 19: road, sidewalk," in str(error.value)
    assert "own has 5: sky, building, road, tree, car" in str(error.value)
    raw["experiments"]["gta"]["source"] = {"dataset": "own", "split": "day"}
    plan(raw).training_inputs(GPA)


def test_a_broken_class_file_is_named(raw):
    write_folder(Path("data/own"))
    Path("data/own/classes.json").write_text(json.dumps({"classes": ["sky"]}))
    raw["datasets"]["own"] = {"layout": "folder", "root": "data/own", "size": [96, 48], "scale_reference_width": 96}
    raw["experiments"]["gta"]["target"] = {"dataset": "own", "adapt": "day", "evaluate": "dusk"}
    with pytest.raises(WorkflowError, match=r"classes\.json: lacks ignore, palette"):
        plan(raw).training_inputs(GPA)


def test_a_mean_iou_of_unknown_classes_is_refused(raw):
    raw["experiments"]["gta"]["subsets"] = {"m": ["road", "rod"]}
    with pytest.raises(WorkflowError, match=r"gta\.subsets\.m: data set `cityscapes` has no class rod; it has road,"):
        plan(raw).evaluation_predictions(GPA)


@pytest.mark.parametrize("dataset", ["gta5", "cityscapes"])
def test_a_missing_data_set_is_named_with_its_layout(raw, dataset):
    shutil.rmtree(f"data/{dataset}")
    with pytest.raises(WorkflowError, match=f"data set `{dataset}` is missing: there is no folder data/{dataset}"):
        plan(raw).training_inputs(GPA)


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Weights files as their authors distribute them, without values."""
    folder = tmp_path_factory.mktemp("weights")
    with torch.device("meta"):
        selective = build_backbone({"backbone": "simclr_resnet152", "max_pool_padding": "same"}, 32)
        networks = {"resnet50": resnet50(), "resnet101": resnet101(), "selective": selective}
    for name, network in networks.items():
        state = {f"module.{key}": torch.zeros(1) for key in network.state_dict()}
        torch.save({"state_dict": state}, folder / f"{name}.pth")
        torch.save(state, folder / f"{name}_old.pth", _use_new_zipfile_serialization=False)
    (folder / "page.pth").write_text("<html>not found</html>")
    return folder


@pytest.mark.parametrize(
    ("file", "kind", "held"),
    [
        ("resnet50", "torchvision", "resnet50"),
        ("resnet101", "simclr", "resnet101"),
        ("resnet101_old", "torchvision", "resnet101"),
        ("resnet50_old", "proda", "resnet50"),
        ("selective", "simclr", "simclr_resnet152"),
        ("selective_old", "simclr", "simclr_resnet152"),
        ("selective", "torchvision", None),
        ("page", "simclr", None),
        ("absent", "simclr", None),
    ],
)
def test_the_names_of_its_tensors_tell_a_files_backbone(files, file, kind, held):
    assert _held_backbone(files / f"{file}.pth", kind) == held


def test_weights_of_another_backbone_are_refused(raw, files):
    shared = yaml.safe_load((ROOT / "config.yaml").read_text())["experiments"]["gta"]
    own = raw["experiments"]["gta"]
    own |= {"starts": shared["starts"], "settings": shared["settings"]}
    raw["weights"]["imagenet_resnet101"]["file"] = str(files / "resnet50.pth")
    raw["weights"]["simclr_resnet152_sk"]["file"] = str(files / "resnet101.pth")
    with pytest.raises(WorkflowError, match="holds a resnet50, but the backbone is resnet101"):
        plan(raw).training_inputs(GPA)
    with pytest.raises(WorkflowError, match="holds a resnet101, but the backbone is simclr_resnet152"):
        plan(raw).extractor_inputs(GPA)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("gta/gap.json", "experiment `gta` has no run `gap`: it has source_only, gpa, gpa_stm"),
        ("gta/extra/model.safetensors", "experiment `gta` has no run `extra`: it has source_only"),
        ("gtaa-s3/gpa.json", "there is no experiment `gtaa`: config.yaml has gta, synthia, demo"),
        ("datasets/gta5/raw.csv", "data set `gta5` is not rendered: it lies in data/gta5"),
    ],
)
def test_a_misspelt_target_is_answered_with_the_known_names(raw, tmp_path, target, message):
    raw["experiments"]["demo"]["runs"] = {"extra": raw["runs"]["gpa"]}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
    done = snakemake(tmp_path, "-n", f"results/{target}", check=False)
    assert done.returncode != 0
    assert message in done.stdout


def test_reserved_names_are_no_runs_of_a_path(raw, tmp_path):
    assert planned(tmp_path, "results/gta/extractor/model.safetensors") == {"index", "stylize", "extractor"}
