"""Only what must rerun reruns: every leaf of the configuration, code, and raw data, by what ``snakemake -n`` lists."""

import copy
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from workflow.why import reasons

from bismap.config import check_config
from tests.workflow.leaves import ELSEWHERE, EVERYTHING, EXPERIMENT, NOTHING, SHARED, Flip, with_followers
from tests.workflow.planner import Planner
from tests.workflow.runs import ROOT, targets, tiny_config

TARGETS = targets("gta")


def leaves(node: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(node, Mapping) and node:
        for name, value in node.items():
            yield from leaves(value, (*path, name))
    else:
        yield ".".join(path)


def put(raw: dict, leaf: str, value: Any) -> None:
    *sections, last = leaf.split(".")
    node = raw
    for section in sections:
        node = node.setdefault(section, {})
    node[last] = value


def flipped(leaf: str, flip: Flip) -> dict:
    """The small experiment's configuration with another value of a leaf."""
    raw = copy.deepcopy(tiny_config("gta"))
    for name, value in {leaf: flip.value, **flip.also}.items():
        put(raw, name if name in SHARED else f"experiments.gta.{name}", value)
    return raw


def test_the_table_holds_every_leaf():
    config = check_config(tiny_config("gta"))
    expected = set(leaves(config.resolved("gta"))) | {"rerun_on_new_packages"}
    for name in ("gta5", "cityscapes"):
        expected |= {f"datasets.{name}.{leaf}" for leaf in leaves(config.datasets[name].model_dump(mode="json"))}
    assert set(EXPERIMENT) | set(SHARED) | set(ELSEWHERE) == expected
    assert not (set(EXPERIMENT) | set(SHARED)) & set(ELSEWHERE)


@pytest.fixture(scope="module")
def finished(finish) -> Path:
    return finish("gta")


@pytest.fixture(scope="module")
def planner(finished) -> Iterator[Planner]:
    planner = Planner(finished, TARGETS)
    yield planner
    planner.close()


def config_file(planner: Planner, raw: dict) -> Path:
    path = planner.folder / "flipped.yaml"
    path.write_text(yaml.safe_dump(raw, sort_keys=False))
    return path


def jobs_under(planner: Planner, raw: dict) -> set[str]:
    return planner.jobs(config_file(planner, raw))


@pytest.mark.slow
def test_nothing_is_left_to_do(planner):
    assert jobs_under(planner, tiny_config("gta")) == NOTHING


@pytest.mark.slow
@pytest.mark.parametrize("leaf", [*EXPERIMENT, *SHARED])
def test_a_leaf_reruns_what_reads_it_and_what_follows(planner, leaf):
    flip = (EXPERIMENT | SHARED)[leaf]
    assert jobs_under(planner, flipped(leaf, flip)) == with_followers(flip.jobs) - flip.lost


@pytest.mark.slow
def test_what_changed_is_told_with_old_and_new_value(planner):
    raw = flipped("settings.training.sce.ce_weight", EXPERIMENT["settings.training.sce.ce_weight"])
    put(raw, "experiments.gta.settings.training.distill.lr", 0.04)
    put(raw, "experiments.gta.runs.gpa.source", "raw")
    told = {reason.job: reason.changes for reason in reasons(planner.output(config_file(planner, raw)), planner.folder)}
    swapped = ["settings.sce.ce_weight: 0.1 -> 1.0", "settings.sce.rce_weight: 1.0 -> 0.1"]
    assert told["Training bismap (gta)"] == swapped
    assert told["Training bismap_distilled (gta)"] == ["settings.lr: 0.05 -> 0.04", *swapped]
    assert told["Training gpa (gta)"] == ["input stylized: 2 files -> 0 files"]
    assert told["Scoring bismap (gta)"] == []


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the project's own files, to edit."""
    copied = tmp_path_factory.mktemp("checkout") / "project"
    for name in ("src", "workflow", "rules", "envs", "profiles", "slurm"):
        shutil.copytree(ROOT / name, copied / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(ROOT / name, copied / name)
    return copied


def jobs_of_code(finished: Path, checkout: Path) -> set[str]:
    planner = Planner(finished, TARGETS, checkout)
    try:
        return jobs_under(planner, tiny_config("gta"))
    finally:
        planner.close()


MODELS = {"train:", "features:", "class_entropy:", "densities:", "predict:", "extract"}
EDITS = {
    "losses.py": {"train:"},
    "stylize/gpa.py": {"stylize"},
    "prototypes/gmm.py": {"source_prototypes:"},
    "prototypes/kmeans.py": {"source_prototypes:"},
    "models/network.py": MODELS,
    "training/sampler.py": {"train:"},
    "extractor/nt_xent.py": {"extractor"},
    "transferability/maps.py": {"transferability:"},
    "pseudo_labels/threshold.py": {"pseudo_labels:"},
    "evaluation/confusion.py": {"evaluate:", "pseudo_label_quality:"},
    "inspect/sheet.py": {"overview:"},
    "data/layouts/gta5.py": {"index:"},
    "demo/sky.py": NOTHING,
    "models/importing.py": NOTHING,
    "config/model.py": NOTHING,
    "store.py": NOTHING,
    "cli.py": NOTHING,
    "runner.py": NOTHING,
    "numerics.py": {
        "train:",
        "features:",
        "source_prototypes:",
        "extract",
        "target_prototypes",
        "class_entropy:",
        "densities:",
        "predict:",
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("module", EDITS)
def test_an_edit_reruns_the_stages_that_import_it(finished, checkout, module):
    path = checkout / "src" / "bismap" / module
    before = path.read_text()
    path.write_text(f"{before}\nEDITED = 1\n")
    try:
        direct = {job for job in EVERYTHING if job.startswith(tuple(EDITS[module]))}
        assert jobs_of_code(finished, checkout) == with_followers(direct)
    finally:
        path.write_text(before)


@pytest.mark.slow
def test_touched_files_comments_docstrings_and_formatting_rerun_nothing(finished, checkout):
    for path in [*checkout.rglob("*.py"), *checkout.rglob("*.smk"), checkout / "Snakefile"]:
        os.utime(path)
        if path.is_relative_to(checkout / "src"):
            text = re.sub(r'^"""', '"""Another text. ', path.read_text(), count=1)
            path.write_text(re.sub(r" == ", "  ==  ", text) + "\n\n# A remark.\n")
    assert jobs_of_code(finished, checkout) == NOTHING


def _flip_a_pixel(path: Path) -> None:
    pixels = np.array(Image.open(path))
    pixels[0, 0] ^= 1
    Image.fromarray(pixels).save(path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "first"),
    [("touch", NOTHING), ("edit", {"index:gta5"}), ("add", {"index:gta5"}), ("remove", {"index:gta5"})],
)
def test_a_change_of_the_raw_data_is_noticed(finished, planner, tmp_path, change, first):
    data = finished / "data" / "gta5"
    shutil.copytree(data, tmp_path / "before", copy_function=shutil.copy2)
    pair = [data / "images" / "00004.png", data / "labels" / "00004.png"]
    try:
        for path in pair:
            if change == "touch":
                os.utime(path)
            elif change == "add":
                shutil.copy(path, path.with_name("00005.png"))
            elif change == "remove":
                path.unlink()
        if change == "edit":
            _flip_a_pixel(pair[0])
        assert jobs_under(planner, tiny_config("gta")) == with_followers(first)
    finally:
        shutil.rmtree(data)
        shutil.copytree(tmp_path / "before", data, copy_function=shutil.copy2)


@pytest.mark.slow
def test_another_shard_size_concerns_only_what_is_not_yet_whole(finished, planner):
    """All is whole but the pseudo-labels, of which a part is missing: they alone are made in the new size."""
    raw = tiny_config("gta")
    put(raw, "experiments.gta.shard_images", 4)
    folder = finished / "results" / "gta" / "gpa_stm" / "pseudo_labels" / "maps"
    removed = [folder / "0-of-2", folder / "0-of-2.csv"]
    targets = [path.readlink() for path in removed]
    for path in removed:
        path.unlink()
    try:
        path = config_file(planner, raw)
        assert "Keeping the pixels above the threshold (gta, gpa_stm, part 0-of-1)" in planner.output(path)
        assert planner.jobs(path) == with_followers({"pseudo_labels:gpa_stm"})
    finally:
        for path, target in zip(removed, targets, strict=True):
            path.symlink_to(target)
