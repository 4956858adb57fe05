import json

import numpy as np
import pytest

from bismap.evaluation.confusion import joint_counts
from bismap.evaluation.report import evaluation_report, pseudo_label_report, write_json

NAMES = ("road", "car", "bus")


def counts_of(truth, given):
    return joint_counts(np.array(truth, np.uint8), np.array(given, np.uint8))


def test_evaluation_by_hand():
    counts = counts_of([0, 0, 0, 1, 1, 255], [0, 0, 1, 1, 2, 0])
    report = evaluation_report(counts, NAMES, {"all": [], "two": ["road", "car"], "bus": ["bus"]}, images=1)
    assert report["iou"] == {"road": pytest.approx(2 / 3), "car": pytest.approx(1 / 3), "bus": None}
    assert report["miou"] == {"all": pytest.approx(0.5), "two": pytest.approx(0.5), "bus": None}
    assert report["iou_ignored_truth"]["two"] == {"road": pytest.approx(2 / 3), "car": pytest.approx(1 / 3)}
    assert report["pixel_accuracy"] == pytest.approx(3 / 5)
    assert report["pixels"] == 5
    assert report["confusion"] == [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert report["subsets"]["all"] == list(NAMES)


def test_pseudo_labels_by_hand():
    counts = counts_of([0, 0, 0, 0, 1, 1, 255, 255], [0, 0, 1, 255, 1, 255, 0, 255])
    report = pseudo_label_report(counts, NAMES, images=2)
    assert report["labelled_share"] == pytest.approx(5 / 8)
    assert report["pixel_accuracy_of_labelled"] == pytest.approx(3 / 4)
    assert report["miou_of_labelled"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert report["per_class"]["road"] == {
        "labelled_share": pytest.approx(3 / 4),
        "precision": 1.0,
        "recall": pytest.approx(1 / 2),
        "recall_of_labelled": pytest.approx(2 / 3),
        "share_of_labels": pytest.approx(3 / 5),
        "share_of_truth": pytest.approx(4 / 6),
    }
    assert report["per_class"]["car"]["precision"] == pytest.approx(1 / 2)
    assert report["per_class"]["bus"]["precision"] is None


def test_nothing_labelled_is_null_not_an_error():
    report = pseudo_label_report(counts_of([0, 1], [255, 255]), NAMES, images=1)
    assert report["labelled_share"] == 0
    assert report["pixel_accuracy_of_labelled"] is None
    assert report["miou_of_labelled"] is None


def test_json_is_sorted_indented_and_the_same_each_time(tmp_path):
    report = {"b": 1 / 3, "a": {"z": None, "y": 0.1}}
    write_json(tmp_path / "one.json", report)
    write_json(tmp_path / "two.json", dict(reversed(report.items())))
    text = (tmp_path / "one.json").read_text()
    assert text == (tmp_path / "two.json").read_text()
    assert text.startswith('{\n  "a": {\n    "y": 0.1')
    assert text.endswith("}\n")
    assert json.loads(text) == report


def test_nan_never_reaches_the_file(tmp_path):
    with pytest.raises(ValueError, match="Out of range"):
        write_json(tmp_path / "bad.json", {"a": float("nan")})
    assert not (tmp_path / "bad.json").exists()
