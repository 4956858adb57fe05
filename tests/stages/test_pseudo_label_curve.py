"""pseudo_label_curve: each point is what the stages that label and measure say at that threshold."""

import csv
import json

import numpy as np
import pytest

from bismap.data.classes import CITYSCAPES
from bismap.pseudo_labels.confidences import CONFIDENCE_GRID
from bismap.pseudo_labels.files import ScoreWriter
from bismap.stages import ias_thresholds, pseudo_label_curve, pseudo_label_quality, pseudo_labels
from bismap.stages.pseudo_label_curve import ALPHAS, SHARES

from .small_domains import NAMES, SIZE, make_domain, make_job, publish

SPLIT = {"target": {"split": "train"}}
IAS = {"initial": 0.5, "alpha": 0.3, "beta": 0.5, "gamma": 1.0, "batch": 2}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "target", 3, 0)
    return tmp_path


@pytest.fixture
def scores(root):
    rng = np.random.default_rng(0)
    job = make_job(root, "scores", {})
    writer = ScoreWriter(job.out, "confidence", CONFIDENCE_GRID, NAMES, CITYSCAPES.palette())
    for number in range(3):
        shape = SIZE[::-1]
        writer.add(f"target{number}", rng.integers(0, 3, shape).astype(np.uint8), rng.random(shape, np.float32))
    writer.close()
    return publish(job)


def curve(root, scores, name, **settings):
    job = make_job(root, name, SPLIT | settings, scores=[scores])
    pseudo_label_curve.run(job)
    with (job.out / "curve.csv").open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["region"] == "all"]


def measured(root, name, manifest):
    job = make_job(root, f"{name}_quality", SPLIT, pseudo_labels=[manifest])
    pseudo_label_quality.run(job)
    return json.loads((job.out / "quality.json").read_text())


def test_a_point_is_the_labels_at_its_threshold(root, scores):
    rows = curve(root, scores, "curve")
    assert len(rows) == len(SHARES)
    for place in (3, 11):
        row = rows[place]
        assert float(row["share"]) == pytest.approx(SHARES[place], abs=0.01)
        job = make_job(root, f"labels{place}", {"threshold": {"least": float(row["setting"])}}, scores=[scores])
        pseudo_labels.run(job)
        report = measured(root, f"labels{place}", publish(job))
        assert float(row["accuracy"]) == pytest.approx(report["pixel_accuracy_of_labelled"])
        present = [iou for iou in report["iou_of_labelled"].values() if iou is not None]
        assert float(row["miou"]) == pytest.approx(np.mean(present))


def test_a_point_of_the_selector_is_its_labels_at_that_alpha(root, scores):
    rows = curve(root, scores, "curve", ias={name: value for name, value in IAS.items() if name != "alpha"})
    assert [float(row["setting"]) for row in rows] == list(ALPHAS)
    shares = [float(row["share"]) for row in rows]
    assert shares == sorted(shares)
    row = rows[ALPHAS.index(IAS["alpha"])]
    job = make_job(root, "thresholds", IAS, scores=[scores])
    ias_thresholds.run(job)
    labels = make_job(root, "labels", {"threshold": None}, scores=[scores], thresholds=[publish(job)])
    pseudo_labels.run(labels)
    report = measured(root, "labels", publish(labels))
    assert float(row["accuracy"]) == pytest.approx(report["pixel_accuracy_of_labelled"])
    assert 0.1 < float(row["labelled_share"]) < 0.9
