"""config.yaml: it is valid, every field says what it is, and all errors of a bad one come at once."""

import tomllib
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from bismap.config import Config, check_config, load_config
from bismap.config.load import expand, merge
from bismap.errors import BismapError

ROOT = Path(__file__).parents[1]
METHOD_RUNS = {"source_only", "gpa", "gpa_stm", "bismap", "bismap_distilled_round1", "bismap_distilled"}


@pytest.fixture
def raw():
    return yaml.safe_load((ROOT / "config.yaml").read_text())


@pytest.fixture(scope="module")
def config():
    return load_config(ROOT / "config.yaml")


@pytest.mark.parametrize("name", ["gta", "synthia", "demo", "demo_study", "camvid"])
def test_every_experiment_has_the_six_runs_of_the_method(config, name):
    assert set(config.experiments[name].runs) >= METHOD_RUNS


def test_published_thresholds(config):
    assert config.experiments["gta"].settings.pseudo_labels.density == 100.0
    assert config.experiments["synthia"].settings.pseudo_labels.density == -50.0


def test_subsets_of_the_city_protocols(config):
    subsets = config.experiments["synthia"].subsets
    assert [len(subsets[name]) for name in ("miou19", "miou16", "miou13")] == [19, 16, 13]
    assert set(subsets["miou19"]) - set(subsets["miou16"]) == {"terrain", "truck", "train"}
    assert set(subsets["miou16"]) - set(subsets["miou13"]) == {"wall", "fence", "pole"}


def test_every_field_is_described(config):
    def undescribed(model, seen):
        for name, field in model.model_fields.items():
            kind = [k for k in _models(field.annotation) if k not in seen]
            if not field.description and not _models(field.annotation):
                yield f"{model.__name__}.{name}"
            for inner in kind:
                yield from undescribed(inner, seen | {inner})

    assert list(undescribed(Config, frozenset())) == []


def _models(annotation):
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models(part)]


def test_the_schema_on_disk_is_the_models(config):
    from bismap.config import json_schema

    assert (ROOT / "workflow" / "schemas" / "config.schema.json").read_text() == json_schema()


def test_an_experiment_overrides_single_values(raw):
    full = expand(raw)
    training = full["experiments"]["demo"]["settings"]["training"]
    assert training["lr"] != raw["settings"]["training"]["lr"]
    assert training["momentum"] == raw["settings"]["training"]["momentum"]


def test_merge_goes_key_by_key_and_replaces_lists():
    base = {"a": {"b": 1, "c": [1, 2]}}
    assert merge(base, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}
    assert base == {"a": {"b": 1, "c": [1, 2]}}


def test_all_errors_come_at_once_with_their_paths(raw):
    raw["experiments"]["gta"]["settings"]["training"] = {"lr": -1, "typo": 3}
    raw["experiments"]["demo"]["device"] = "tpu"
    with pytest.raises(BismapError) as error:
        check_config(raw)
    message = str(error.value)
    for path in ("gta.settings.training.lr", "gta.settings.training.typo", "demo.device"):
        assert path in message
    assert "unknown key" in message


def test_scientific_notation_without_a_point_is_a_number(raw):
    raw["settings"]["training"]["lr"] = "1e-4"  # as YAML 1.1 reads 1e-4
    assert check_config(raw).experiments["gta"].settings.training.lr == 1e-4


BROKEN = {
    "unknown teacher": ("bismap", {"teacher": "nobody"}, "no run `nobody`"),
    "circle": ("gpa", {"transferability": "gpa_stm"}, "circle"),
    "warmup with a teacher": ("gpa", {"teacher": "source_only"}, "warmup takes none"),
    "no assignment": ("bismap", {"assignment": None}, "retrain needs one"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_impossible_runs_are_refused(raw, case):
    run, change, message = BROKEN[case]
    raw["runs"][run] |= change
    with pytest.raises(BismapError, match=message):
        check_config(raw)


def test_both_thresholds_are_refused(raw):
    raw["experiments"]["gta"]["settings"]["pseudo_labels"] = {"density": 1.0, "share": 0.5}
    with pytest.raises(BismapError, match="either `density` or `share`"):
        check_config(raw)


def test_reserved_names_are_refused(raw):
    raw["runs"]["stylized"] = raw["runs"]["gpa"]
    with pytest.raises(BismapError, match="cannot name a run"):
        check_config(raw)


@pytest.mark.parametrize(("env", "faiss"), [("cpu", "faiss-cpu"), ("cuda", "faiss-gpu")])
def test_conda_environments_are_in_step_with_the_dependencies(env, faiss):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [line.split(";")[0] for line in project["dependencies"]]
    other = {"faiss-cpu": "faiss-gpu", "faiss-gpu": "faiss-cpu"}[faiss]
    listed = yaml.safe_load((ROOT / "envs" / f"{env}.yaml").read_text())["dependencies"]
    assert listed[-1]["pip"] == [line for line in wanted if not line.startswith(other)]


def test_requirements_pin_every_dependency_with_hashes_and_name_no_host():
    text = (ROOT / "requirements.txt").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        name = line.split(";")[0].split(">")[0].split("[")[0]
        assert f"\n{name}==" in f"\n{text}", name
    assert "://" not in text
    assert "--hash=sha256:" in text
