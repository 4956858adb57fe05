"""The evaluate and pseudo_label_quality stages, from label files to JSON."""

import dataclasses
import json

import numpy as np
import pytest

from bismap.data.classes import CITYSCAPES
from bismap.data.images import write_label
from bismap.errors import BismapError
from bismap.stages import evaluate, pseudo_label_quality

from .small_domains import make_domain, make_job, publish

SETTINGS = {
    "experiment": "tiny",
    "run": "gpa",
    "seed": 3,
    "target": {"split": "train"},
    "subsets": {"miou": [], "miou2": ["road", "sky"]},
}
TRUTH = np.repeat(np.array([1, 0], np.uint8), 16)[:, None] * np.ones(64, np.uint8)


@pytest.fixture
def root(tmp_path):
    """Four images of 32 rows, upper half sky, lower half road, one pixel unlabelled."""
    make_domain(tmp_path, "target", 4, 0)
    return tmp_path


def label_files(root, labels, shards=2):
    """Manifests of a folder stage that wrote these labels."""
    manifests = []
    for i in range(shards):
        job = make_job(root, f"labels/{i}-of-{shards}", {})
        for name, label in list(labels.items())[i::shards]:
            write_label(job.out / f"{name}.png", label, CITYSCAPES.palette())
        manifests.append(publish(job))
    return manifests


def evaluated(root, labels, provenance=None, **changes):
    job = make_job(root, "evaluation", SETTINGS | changes, predictions=label_files(root, labels))
    evaluate.run(dataclasses.replace(job, provenance=provenance or {}, threads=2))
    return (job.out / "evaluation.json").read_text()


def all_labels(label=TRUTH):
    return {f"target{i}": label.copy() for i in range(4)}


def test_perfect_predictions(root):
    report = json.loads(evaluated(root, all_labels(), {"stages": [{"stage": "train"}], "files": {}}))
    assert report["iou"] == {"road": 1.0, "sky": 1.0, "tree": None}
    assert report["miou"] == report["miou_ignored_truth"] == {"miou": 1.0, "miou2": 1.0}
    assert report["pixel_accuracy"] == 1.0
    assert report["images"] == 4
    assert report["pixels"] == 4 * (32 * 64 - 1)
    assert (report["experiment"], report["run"], report["seed"], report["split"]) == ("tiny", "gpa", 3, "train")
    assert report["provenance"]["stages"] == [{"stage": "train"}]


def test_errors_are_counted_in_the_matrix(root):
    labels = all_labels()
    labels["target1"][20:24] = 2
    report = json.loads(evaluated(root, labels))
    road = 4 * 16 * 64
    assert report["confusion"] == [[road - 256, 0, 256], [0, road - 4, 0], [0, 0, 0]]
    assert report["iou"]["road"] == pytest.approx(1 - 256 / road)


def test_bytes_are_sorted_and_end_with_a_newline(root):
    text = evaluated(root, all_labels())
    report = json.loads(text)
    assert list(report) == sorted(report)
    assert text == json.dumps(report, sort_keys=True, indent=2) + "\n"


def test_missing_prediction_is_named(root):
    labels = all_labels()
    del labels["target2"]
    with pytest.raises(BismapError, match=r"1 images have none, target2 first"):
        evaluated(root, labels)


def test_foreign_prediction_is_named(root):
    with pytest.raises(BismapError, match=r"belong to no image of the split, other first"):
        evaluated(root, all_labels() | {"other": TRUTH})


def test_prediction_of_another_size_is_named(root):
    with pytest.raises(BismapError, match=r"target3.png: 64x30, but the truth of target3 is 64x32"):
        evaluated(root, all_labels() | {"target3": TRUTH[1:-1]})


@pytest.mark.parametrize(("value", "message"), [(3, "hold id 3"), (255, "have no prediction")])
def test_prediction_out_of_range_is_named(root, value, message):
    labels = all_labels()
    labels["target0"][5, 5] = value
    with pytest.raises(BismapError, match=rf"target0: .*{message}"):
        evaluated(root, labels)


def quality(root, labels):
    settings = {"target": {"split": "train"}}
    job = make_job(root, "quality", settings, pseudo_labels=label_files(root, labels))
    pseudo_label_quality.run(job)
    return json.loads((job.out / "quality.json").read_text())


def test_quality_of_pseudo_labels(root):
    label = TRUTH.copy()
    label[:, :32] = 255
    label[16:24, 32:] = 1
    report = quality(root, all_labels(label))
    assert report["labelled_share"] == 0.5
    assert report["pixel_accuracy_of_labelled"] == pytest.approx(0.75)
    assert report["per_class"]["road"]["precision"] == 1.0
    assert report["per_class"]["road"]["recall"] == pytest.approx(0.25)
    assert report["per_class"]["sky"]["precision"] == pytest.approx(2 / 3)
    assert report["per_class"]["tree"]["share_of_labels"] == 0.0


def test_pseudo_labels_of_half_the_size(root):
    report = quality(root, all_labels(TRUTH[::2, ::2]))
    assert report["pixels"] == 4 * 16 * 32
    assert report["pixel_accuracy_of_labelled"] == 1.0


def test_no_truth_to_measure_against(root):
    index = root / "target" / "index" / "index.csv"
    lines = [",".join(["" if "labels/" in cell else cell for cell in line.split(",")]) for line in index.open()]
    index.write_text("".join(lines))
    with pytest.raises(BismapError, match="no image of split `train` has a truth"):
        quality(root, all_labels())
