"""What it takes to watch a training: which settings it is given, and what must be there."""

from types import SimpleNamespace

import pytest
import yaml
from snakemake.exceptions import WorkflowError
from workflow.plan import load_plan
from workflow.settings import stage_settings, stage_setup

from bismap.config.expand import merge
from tests.workflow.runs import ROOT, tiny_config, write_project

GPA = SimpleNamespace(exp="demo-s3", run="gpa")


def train(**training):
    """Settings and setup of a run's training in the rendered experiment, with changed settings."""
    raw = yaml.safe_load((ROOT / "config.yaml").read_text())
    own = raw["experiments"]["demo"]
    own["settings"] = merge(own["settings"], {"training": training})
    plan = load_plan(raw)
    asked = ("train", plan.config, plan.raw, GPA)
    return stage_settings(*asked), stage_setup(*asked)


def test_a_training_that_is_not_validated_is_told_nothing_of_it():
    settings, setup = train()
    assert not {"validation", "validate_every", "tensorboard"} & settings.keys()
    assert setup["roots"].keys() == {"source", "target"}


def test_a_training_that_is_validated_is_told_what_on():
    settings, _ = train(validate_every=25)
    assert settings.pop("validation") == {"every": 25, "split": "val", "size": [256, 128]}
    assert settings == train()[0]


def test_event_files_are_no_setting_and_lie_beside_the_log():
    settings, setup = train(tensorboard=True)
    assert settings == train()[0]
    assert setup["roots"]["tensorboard"] == "results/logs/demo-s3/gpa/tensorboard"


@pytest.fixture
def gta(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["settings"]["training"]["validate_every"] = 10
    write_project(tmp_path, "gta", raw)
    return raw


def test_the_target_is_an_input_of_every_validated_training(gta):
    inputs = load_plan(gta).training_inputs(SimpleNamespace(exp="gta", run="source_only"))
    assert inputs["target_index"] == ["results/datasets/cityscapes/index.csv"]


def test_without_a_truth_to_validate_on_nothing_begins(gta, tmp_path):
    for path in (tmp_path / "data/cityscapes/gtFine/val").rglob("*.png"):
        path.unlink()
    with pytest.raises(WorkflowError, match=r"no labels of split `val`(.|\n)*experiments\.gta\.target\.evaluate"):
        load_plan(gta).training_inputs(SimpleNamespace(exp="gta", run="source_only"))
