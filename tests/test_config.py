"""config.yaml: it is valid, every field says what it is, and all errors of a bad one come at once."""

import json
import tomllib
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import yaml
from pydantic import BaseModel

from bismap.cli import main
from bismap.config import Config, check_config, json_schema, load_config
from bismap.config.expand import expand, merge
from bismap.config.model import Weights
from bismap.config.references import BACKBONES, HELD
from bismap.config.settings import ExtractorNetwork
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
    assert config.experiments["gta"].settings.pseudo_labels.maps.density == 100.0
    assert config.experiments["synthia"].settings.pseudo_labels.maps.density == -50.0


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


def errors(raw) -> list[str]:
    """The errors of a configuration, one a line, without the head."""
    with pytest.raises(BismapError) as error:
        check_config(raw)
    head, *lines = str(error.value).splitlines()
    assert head == f"config.yaml has {len(lines)} error(s):"
    return [line.strip() for line in lines]


def test_the_schema_on_disk_is_the_models():
    assert (ROOT / "workflow" / "schemas" / "config.schema.json").read_text() == json_schema()


def test_an_experiment_overrides_single_values(raw):
    full = expand(raw).full
    training = full["experiments"]["demo"]["settings"]["training"]
    assert training["warmup"]["lr"] != raw["settings"]["training"]["warmup"]["lr"]
    assert training["momentum"] == raw["settings"]["training"]["momentum"]


def test_merge_goes_key_by_key_and_replaces_lists():
    base = {"a": {"b": 1, "c": [1, 2]}}
    assert merge(base, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}
    assert base == {"a": {"b": 1, "c": [1, 2]}}


def test_all_errors_come_at_once_where_they_were_written_and_once(raw):
    raw["experiments"]["gta"]["settings"]["training"] = {"warmup": {"lr": -1}, "typo": 3}
    raw["experiments"]["demo"]["device"] = "tpu"  # demo_study and camvid inherit it
    raw["settings"]["stylize"]["bta"] = raw["settings"]["stylize"].pop("beta")
    assert [line.split(" (got")[0] for line in errors(raw)] == [
        "experiments.gta.settings.training.typo: unknown key",
        "settings.stylize.bta: unknown key",
        "experiments.demo.device: Input should be 'auto', 'cpu' or 'cuda'",
        "experiments.gta.settings.training.warmup.lr: Input should be greater than 0",
        "settings.stylize.beta: missing",
    ]


def test_a_misspelt_section_does_not_bury_its_cause(raw):
    raw["setings"] = raw.pop("settings")
    assert errors(raw) == ["setings: unknown key", "settings: missing"]


def test_a_wrong_type_hides_no_other_error(raw):
    raw["settings"]["training"]["warmup"]["lr"] = "fast"
    raw["experiments"]["gta"]["source"]["dataset"] = "gta6"
    raw["experiments"]["demo"]["starts"]["simclr"] = "nothing"
    raw["experiments"]["camvid"]["like"] = "dmo"
    raw["runs"]["gpa_stm"]["transferability"] = "pga"
    raw["settings"]["gallery"]["runs"] = ["gpa", "bismpa"]
    begin = [
        "experiments.camvid.like: there is no experiment `dmo`; known: gta, synthia, demo",
        "experiments.demo.starts.simclr: there are no weights `nothing`; known: imagenet_resnet101",
        "experiments.gta.source.dataset: there is no data set `gta6`; known: gta5, gta5_native_scale, synthia",
        "runs.gpa_stm.transferability: there is no run `pga`; known: source_only, gpa",
        "settings.gallery.runs: there is no run `bismpa`; known: source_only, gpa",
        "settings.training.warmup.lr: Input should be a valid number",
    ]
    assert [line[: len(start)] for line, start in zip(errors(raw), begin, strict=True)] == begin


def test_a_shared_value_that_is_wrong_for_one_experiment_names_it(raw):
    raw["settings"]["pseudo_labels"]["maps"]["share"] = None
    raw["experiments"] = {name: raw["experiments"][name] for name in ("gta", "demo")}
    assert errors(raw) == [
        "settings.pseudo_labels.maps: give either `density` or `share`, and null for the other (in experiment demo)"
    ]


@pytest.mark.parametrize("parent", [None, 3, ["gta"], "gta.5"])
def test_like_needs_another_experiment(raw, parent):
    raw["experiments"]["other"] = parent
    raw["experiments"]["camvid"]["like"] = parent if isinstance(parent, list) else "other"
    assert any(line.startswith("experiments.camvid.like: ") for line in errors(raw))


def test_like_in_a_circle_is_one_error(raw):
    raw["experiments"]["demo"]["like"] = "camvid"
    assert errors(raw) == ["experiments.demo.like: goes round in a circle: camvid -> demo_study -> demo -> camvid"]


@pytest.mark.parametrize("value", [None, 3, [1], "text"])
@pytest.mark.parametrize("section", ["datasets", "weights", "settings", "runs", "experiments"])
def test_a_section_of_another_type_is_named(raw, section, value):
    raw[section] = value
    assert any(line.startswith(f"{section}: ") for line in errors(raw))


def test_the_file_is_valid_by_its_schema(raw):
    assert list(_validator().iter_errors(raw)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("settings", "stylize", "bta"), 1),
        (("experiments", "demo", "settings", "training", "warmup", "lr"), "fast"),
        (("experiments", "demo", "nonsense"), 1),
        (("datasets", "w-s3"), {}),
        (("runs", "gpa", "objective"), "win"),
        (("setings",), {}),
    ],
)
def test_the_schema_refuses_what_the_model_refuses(raw, path, value):
    *parents, last = path
    node = raw
    for key in parents:
        node = node[key]
    node[last] = value
    assert not _validator().is_valid(raw)
    assert errors(raw)


def _validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_scientific_notation_without_a_point_is_a_number(raw):
    raw["settings"]["training"]["warmup"]["lr"] = "1e-4"  # as YAML 1.1 reads 1e-4
    assert check_config(raw).experiments["gta"].settings.training.warmup.lr == 1e-4


BROKEN = {
    "unknown teacher": ("bismap", {"teacher": "nobody"}, "no run `nobody`"),
    "circle": ("gpa", {"transferability": "gpa_stm"}, "circle"),
    "no teacher to start from": ("gpa", {"init": "teacher"}, "no teacher to start from"),
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
    raw["experiments"]["gta"]["settings"]["pseudo_labels"]["maps"] = {"density": 1.0, "share": 0.5}
    with pytest.raises(BismapError, match="either `density` or `share`"):
        check_config(raw)


def test_reserved_names_are_refused(raw):
    raw["runs"]["stylized"] = raw["runs"]["gpa"]
    raw["experiments"]["datasets"] = raw["experiments"]["gta"]
    raw["weights"]["random"] = raw["weights"]["simclr_resnet101"]
    assert errors(raw) == [
        "experiments.datasets: reserved, cannot name an experiment (got 'datasets')",
        "runs.stylized: reserved, cannot name a run (got 'stylized')",
        "weights.random: reserved, cannot name weights (got 'random')",
    ]


@pytest.mark.parametrize("name", ["w-s3", "a.b", "a/b", "ü", ""])
def test_names_that_no_path_can_hold_are_refused(raw, name):
    raw["datasets"][name] = raw["datasets"]["gta5"]
    raw["weights"][name] = raw["weights"]["simclr_resnet101"]
    raw["runs"][name] = raw["runs"]["gpa"]
    raw["experiments"][name] = raw["experiments"]["gta"]
    raw["experiments"]["camvid"]["target"]["evaluate"] = name
    raw["datasets"]["demo_photo"]["render"]["images"][name] = 4
    found = errors(raw)
    assert len(found) == 6
    assert all("a name consists of letters (a-z, A-Z), digits and _ only" in line for line in found)


def test_an_unknown_experiment_is_answered_with_the_known_ones(config, capsys):
    with pytest.raises(BismapError, match=r"no experiment `nope`: config\.yaml has gta, synthia, demo"):
        config.resolved("nope")
    assert main(["config", "--file", str(ROOT / "config.yaml"), "--experiment", "nope"]) == 1
    assert "there is no experiment `nope`: config.yaml has gta" in capsys.readouterr().err


MISFITS = {
    "misspelt key": ({"max_pool_pading": "torch"}, "network.max_pool_pading: unknown key"),
    "unknown backbone": ({"backbone": "resnet9"}, "network.backbone: Input should be 'resnet101'"),
    "no width": ({"backbone": "small"}, "network: width: set it for the `small` backbone"),
    "no padding": ({"max_pool_padding": None}, "network: max_pool_padding: `simclr_resnet152` needs it"),
    "foreign weights": ({"backbone": "small", "width": 4}, "weights: `simclr_resnet152_sk` is of kind simclr"),
}


@pytest.mark.parametrize("case", MISFITS)
def test_the_extractors_network_is_checked(raw, case):
    change, message = MISFITS[case]
    raw["settings"]["extractor"]["network"] |= change
    assert any(line.startswith(f"settings.extractor.{message}") for line in errors(raw))


def test_the_extractors_network_is_handed_on_without_nulls(config):
    networks = {name: config.resolved(name)["settings"]["extractor"]["network"] for name in ("gta", "demo")}
    assert networks["gta"] == {"backbone": "simclr_resnet152", "max_pool_padding": "same"}
    # The shared padding lies under the small network; taking it away would rerun what is finished.
    assert networks["demo"] == {"backbone": "small", "max_pool_padding": "same", "width": 16}


def test_a_run_starts_only_from_a_backbone_like_its_own(raw):
    raw["experiments"]["demo"]["settings"]["extractor"]["network"]["width"] = 8
    raw["experiments"]["gta"]["settings"]["network"] = {"backbone": "small", "width": 16}
    raw["weights"]["simclr_resnet101"]["kind"] = "bismaps"
    found = errors(raw)
    assert [line.split(": ")[0] for line in found] == [
        f"experiments.{where}"
        for where in ("demo.starts.imagenet", "demo.starts.simclr", "gta.starts.imagenet", "gta.starts.simclr",
                      "synthia.starts.simclr")
    ]  # fmt: skip
    assert "small of width 8 (settings.extractor.network), which does not fit the runs' backbone small of" in found[0]
    assert "kind torchvision, which holds one of resnet50, resnet101: it does not fit the backbone small" in found[2]
    assert "kind bismaps, which holds a whole network" in found[4]


def test_backbones_and_kinds_of_weights_are_those_of_the_models():
    from bismap.models.backbones import BACKBONES as BUILT
    from bismap.models.importing import _PLANNERS

    assert set(BACKBONES) == set(BUILT) == set(get_args(ExtractorNetwork.model_fields["backbone"].annotation))
    assert set(HELD) == set(_PLANNERS) == set(get_args(Weights.model_fields["kind"].annotation))


def test_a_rendered_world_is_read_in_the_layout_it_is_written_in(raw):
    raw["datasets"]["demo_game"]["layout"] = "cityscapes"
    raw["datasets"]["demo_photo"]["render"]["domain"] = "source"
    assert errors(raw) == [
        f"datasets.{name}: layout: the domain `source` is rendered as gta5, but `cityscapes` is to be read"
        for name in ("demo_game", "demo_photo")
    ]


def test_a_subset_names_no_class_twice(raw):
    raw["experiments"]["gta"]["subsets"] = {"m": ["road", "road"]}
    assert errors(raw) == ["experiments.gta.subsets: `m` names a class twice: road"]


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
