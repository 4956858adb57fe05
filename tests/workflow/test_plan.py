"""The DAG before anything runs: real experiments plan in seconds, and what is missing is said plainly."""

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from workflow.shards import shard_names

from bismap.config import load_config
from bismap.verbs import VERBS
from tests.workflow.runs import ROOT, snakemake, tiny_config, write_project

RULES = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))


@pytest.mark.parametrize("experiment", ["gta", "synthia"])
@pytest.mark.parametrize("profile", [[], ["--profile", str(ROOT / "slurm")]])
def test_missing_data_is_named_with_the_layout_it_must_have(tmp_path, experiment, profile):
    (tmp_path / "config.yaml").write_text((ROOT / "config.yaml").read_text())
    began = time.monotonic()
    done = snakemake(tmp_path, "-n", *profile, f"results/{experiment}/bismap_distilled.json", check=False)
    assert time.monotonic() - began < 60  # a few seconds on an idle machine
    assert done.returncode != 0
    assert "data set `cityscapes` is missing" in done.stdout
    assert "leftImg8bit/{train,val}" in done.stdout


def test_missing_weights_are_named_with_their_place(tmp_path):
    write_project(tmp_path, "gta", yaml.safe_load((ROOT / "config.yaml").read_text()))
    done = snakemake(tmp_path, "-n", "results/gta/gpa.json", check=False)
    assert "put the file at data/weights/resnet101-5d3b4d8f.pth" in done.stdout


def test_the_slurm_profile_plans_the_same_jobs(tmp_path):
    write_project(tmp_path, "gta")
    profile = ["--profile", str(ROOT / "slurm")]
    done = snakemake(tmp_path, "-n", *profile, "results/gta/bismap_distilled.json")
    assert re.search(r"^train +5$", done.stdout, re.MULTILINE)
    assert re.search(r"^stylize +2$", done.stdout, re.MULTILINE)


def test_a_bad_configuration_stops_with_all_errors_and_makes_nothing(tmp_path):
    raw = tiny_config("gta")
    raw["experiments"]["gta"]["settings"]["training"]["warmup"]["lr"] = -1
    raw["experiments"]["demo"]["nonsense"] = 1
    write_project(tmp_path, "gta", raw)
    done = snakemake(tmp_path, "-n", "results/gta/bismap_distilled.json", check=False)
    assert done.returncode != 0
    assert "experiments.gta.settings.training.warmup.lr" in done.stdout
    assert "experiments.demo.nonsense: unknown key" in done.stdout
    assert not (tmp_path / "results").exists()


def test_every_rule_is_a_verb_and_names_its_log_and_benchmark_after_it():
    rules = re.findall(r"^rule (\w+):", RULES, re.MULTILINE)
    assert sorted(rules) == sorted(VERBS)
    for rule in rules:
        body = RULES.split(f"\nrule {rule}:")[1].split("\nrule ")[0]
        assert f'plan.cfg("{rule}")' in body
        command = "{params.launch}" if VERBS[rule].parallel else "python -m bismap"
        assert f"{command} {rule.replace('_', '-')} " in body
        for needed in ("log:", "benchmark:", "conda:", "resources:", "mem_mb=", "runtime=", "disk_mb=", "message:"):
            assert needed in body, (rule, needed)
        assert ("gpu=1" in body) == VERBS[rule].gpu


def test_the_slurm_profile_places_every_gpu_rule():
    profile = yaml.safe_load((ROOT / "slurm" / "config.yaml").read_text())
    assert set(profile["set-resources"]) == {name for name, verb in VERBS.items() if verb.gpu}
    assert set(profile["slurm-array-jobs"].split(",")) == {name for name, verb in VERBS.items() if verb.sharded}


def test_the_number_of_shards_follows_the_images(tmp_path):
    assert shard_names(tmp_path / "none", images=5, shard_images=2) == ["0-of-3", "1-of-3", "2-of-3"]
    assert shard_names(tmp_path / "none", images=2, shard_images=2) == ["0-of-1"]


def test_a_finished_set_keeps_its_layout(tmp_path):
    for part in range(3):
        made(tmp_path / f"{part}-of-3", images=5)
    assert len(shard_names(tmp_path, images=5, shard_images=5)) == 3
    made(tmp_path / "0-of-2", images=5)  # begun, not finished
    assert len(shard_names(tmp_path, images=5, shard_images=5)) == 3
    made(tmp_path / "0-of-1", images=5)
    assert len(shard_names(tmp_path, images=5, shard_images=5)) == 1


def test_a_set_of_which_a_damaged_part_was_removed_keeps_its_layout(tmp_path):
    for part in range(2):
        made(tmp_path / f"{part}-of-3", images=5)
    (tmp_path / "2-of-3").symlink_to("removed")
    assert len(shard_names(tmp_path, images=5, shard_images=5)) == 3
    assert len(shard_names(tmp_path, images=6, shard_images=6)) == 1


def test_a_set_that_has_grown_is_dealt_anew(tmp_path):
    for part in range(2):
        made(tmp_path / f"{part}-of-2", images=6)
    assert len(shard_names(tmp_path, images=6, shard_images=2)) == 2
    assert len(shard_names(tmp_path, images=50, shard_images=10)) == 5
    made(tmp_path / "0-of-2", images=1)
    assert len(shard_names(tmp_path, images=1, shard_images=2)) == 1


def made(part: Path, images: int) -> None:
    """A finished part of a set of so many images."""
    part.mkdir(exist_ok=True)
    (part / "entry.json").write_text(json.dumps({"images": images}))


def test_the_gallery_asks_for_all_that_its_runs_learnt_from(tmp_path, monkeypatch):
    from workflow.plan import load_plan

    raw = tiny_config("gta")
    write_project(tmp_path, "gta", raw)
    monkeypatch.chdir(tmp_path)
    raw["experiments"]["gta"]["settings"]["gallery"]["runs"] = ["bismap", "gpa_stm_cas", "gpa_stm_maps", "source_only"]
    plan, gta = load_plan(raw), SimpleNamespace(exp="gta")
    asked = {
        name: [re.sub(r"results/gta/|/\d-of-\d.csv", "", path) for path in paths]
        for name, paths in plan.gallery_inputs(gta).items()
    }
    cfg = json.loads(plan.cfg("gallery")(gta))["settings"]
    assert cfg["assignments"] == [["gpa_stm", "maps"], ["gpa_stm", "cas"]]
    assert cfg["judges"] == ["gpa"]
    assert [*dict.fromkeys(asked["pseudo_labels"])] == ["gpa_stm/pseudo_labels/maps", "gpa_stm/pseudo_labels/cas"]
    assert [*dict.fromkeys(asked["scores"])] == ["gpa_stm/densities", "gpa_stm/anchor_gaps"]
    assert {*asked["transferability"]} == {"gpa/transferability"}
    assert {*asked["stylized"]} == {"stylized"}
    sets = [f"{run}/predictions/{split}" for run in cfg["runs"] for split in ("train", "val")]
    assert [*dict.fromkeys(asked["predictions"])] == sets
    raw["experiments"]["gta"]["settings"]["gallery"]["runs"] = ["source_only"]
    asked = load_plan(raw).gallery_inputs(gta)
    assert not any(asked[name] for name in ("pseudo_labels", "scores", "transferability", "stylized"))


def test_rendered_worlds_follow_the_seed():
    from workflow.scope import Scope

    config = load_config(Path(ROOT / "config.yaml"))
    assert Scope.of(config, "demo").source_dataset == "demo_game"
    assert Scope.of(config, "demo-s101").source_dataset == "demo_game-s101"
    assert Scope.of(config, "camvid-s101").source_dataset == "camvid"
    assert Scope.of(config, "demo-s101").seed == 101
