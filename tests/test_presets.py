"""The presets of the paper and of its released code differ in the rows of docs/method.md, and in nothing else."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from bismap.config import load_config
from bismap.data.classes import CITYSCAPES
from bismap.transferability.class_entropy import load_normalized, save_constants

ROOT = Path(__file__).parents[1]
CONSISTENCY, RUNS = "settings.training.consistency", "runs.bismap_distilled"

SCORED = ("maps", "posterior", "cas", "ias", "softmax", "maps_round2", "posterior_round2")
RETRAINED = ("bismap", "gpa_maps", *(f"gpa_stm_{name}" for name in SCORED))

# By row of A§14.1: leaf -> value of the paper, value of the released code.
ROWS = {
    1: {
        f"{CONSISTENCY}.weight": (20.0, 30.0),
        f"{CONSISTENCY}.reduction": ("sum", "mean_classes"),
        f"{CONSISTENCY}.rampup_iterations": (0, 4000),
    },
    2: {f"{CONSISTENCY}.strong_view": ("teacher", "student")},
    3: {"settings.source_distances.mean": ("exact", "running")},
    4: {"settings.source_distances.upsample": (8, 1), "settings.extractor.grid": ([4, 8], [4, 4])},
    6: {
        "settings.training.head_lr_factor": (1.0, 10.0),
        "settings.training.warmup_iterations": (0, 400),
        "settings.training.eta_min": (0.0, 1.0e-7),
    },
    7: {f"runs.{run}.init": ("teacher", "imagenet") for run in RETRAINED},
    8: {
        "settings.training.distillation.kd_form": ("kl", "released"),
        f"{RUNS}.teacher": ("bismap", "bismap_distilled_round1"),
    },
}
ROW_5 = {"source.dataset": ("gta5_native_scale", "gta5")}
CONSTANTS, POOL = "settings.class_entropy.constants", "settings.features.pool"  # rows 10 and 12


def leaves(node: Mapping, path: str = "") -> dict:
    found = {}
    for name, value in node.items():
        found |= leaves(value, f"{path}{name}.") if isinstance(value, Mapping) else {f"{path}{name}": value}
    return found


@pytest.fixture(scope="module")
def config():
    return load_config(ROOT / "config.yaml")


@pytest.mark.parametrize("source", ["gta", "synthia"])
def test_presets_differ_in_the_rows_and_in_nothing_else(config, source):
    paper, released = (leaves(config.resolved(f"{source}_bismap_{name}")) for name in ("paper", "released"))
    sizes = {f"{POOL}.size", f"{POOL}.keep"}  # of the released code, where the paper has none
    differing = {leaf for leaf in released.keys() | paper.keys() if released.get(leaf) != paper.get(leaf)}
    expected = {leaf: values for row in ROWS.values() for leaf, values in row.items()}
    expected |= ROW_5 if source == "gta" else {}  # for SYNTHIA both are 2048
    assert differing == {*expected, CONSTANTS, *sizes}
    for leaf, values in expected.items():
        assert (paper[leaf], released[leaf]) == values, leaf
    assert (paper[CONSTANTS], paper[POOL]) == (None, None)
    assert len(released[CONSTANTS]) == len(released[f"{POOL}.keep"]) == 19


@pytest.mark.parametrize("source", ["gta", "synthia"])
@pytest.mark.parametrize("name", ["paper", "released"])
def test_presets_leave_out_what_neither_has(config, source, name):
    """No improvement of ours, and the published mixtures and thresholds."""
    experiment = config.experiment(f"{source}_bismap_{name}")
    assert {run.assignment for run in experiment.runs.values() if run.teacher} >= {"maps"}
    assert experiment.runs["bismap"].assignment == "maps"
    assert experiment.settings.pseudo_labels.maps.density == {"gta": 100.0, "synthia": -50.0}[source]
    mixtures = experiment.settings.source_prototypes
    assert (mixtures.components, mixtures.covariance, mixtures.reg_covar) == (8, "diagonal", 1e-6)


def test_widths_that_the_random_scale_refers_to(config):
    widths = {name: config.datasets[name].scale_reference_width for name in ("gta5_native_scale", "gta5", "synthia")}
    assert widths == {"gta5_native_scale": 1914, "gta5": 2200, "synthia": 2048}
    ours, theirs = (config.datasets[name].model_dump() for name in ("gta5_native_scale", "gta5"))
    assert {key for key in ours if ours[key] != theirs[key]} == {"scale_reference_width"}


def test_released_constants_are_normalised_as_the_code_has_them(config, tmp_path):
    """GTA5 by its own range, SYNTHIA by e / 0.5117: the zeros of the classes that it lacks are its least (A§6)."""
    for source, low, high in (("gta", 0.0719, 0.6694), ("synthia", 0.0, 0.5117)):
        constants = config.experiment(f"{source}_bismap_released").settings.class_entropy.constants
        save_constants(tmp_path / "entropy.csv", CITYSCAPES.names, constants)
        found = load_normalized(tmp_path / "entropy.csv", CITYSCAPES.names)
        np.testing.assert_allclose(found, (np.array(constants) - low) / (high - low), rtol=1e-12)
