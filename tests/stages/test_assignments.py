"""The stages of the assignments beside the MAPs: the same files for any number of shards, and the labels they say."""

import csv

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from bismap.prototypes.class_means import ANCHORS, CLASS_MEANS, ClassMeans
from bismap.pseudo_labels.confidences import CONFIDENCE_GRID
from bismap.pseudo_labels.files import ScoreWriter
from bismap.pseudo_labels.instance_adaptive import THRESHOLDS
from bismap.stages import anchor_gaps, category_anchors, confidences, ias_thresholds, pseudo_labels

from .small_domains import NAMES, SIZE, make_domain, make_job, publish
from .small_models import NETWORK, make_model

TARGET = {"target": {"split": "train", "size": list(SIZE)}}
IAS = {"initial": 0.5, "alpha": 0.4, "beta": 0.5, "gamma": 1.0, "batch": 2}
IDS = [f"target{i}" for i in range(4)]


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 3, 10)
    make_domain(tmp_path, "target", len(IDS), 0)
    make_model(tmp_path / "model.safetensors", tmp_path / "target" / "images")
    return tmp_path


def scores(stage, root, name, shards, **inputs):
    """Manifests of the shards' files."""
    manifests = []
    for i in range(shards):
        job = make_job(root, f"{name}/{i}-of-{shards}", TARGET, model=[root / "model.safetensors"], **inputs)
        stage.run(job)
        manifests.append(publish(job))
    return manifests


def labels(root, name, manifests, threshold, shards=1, thresholds=()):
    found = {}
    for i in range(shards):
        settings = {"threshold": threshold}
        job = make_job(root, f"{name}/{i}-of-{shards}", settings, scores=manifests, thresholds=thresholds)
        pseudo_labels.run(job)
        found |= {path.stem: np.array(Image.open(path)) for path in job.out.glob("*.png")}
    return found


def pictures(manifests):
    return {path.name: path.read_bytes() for m in manifests for path in m.resolve().parent.glob("*.png")}


def scored(manifests, image_id, score):
    folder = next(m.resolve().parent for m in manifests if (m.resolve().parent / f"{image_id}.png").exists())
    return tuple(np.array(Image.open(folder / name)) for name in (f"{image_id}.png", f"{image_id}.{score}.png"))


def make_anchors(root, parts=2):
    """Class means dealt to ``parts`` shards, and the anchors of `category_anchors`."""
    rng, manifests = np.random.default_rng(0), []
    for i in range(parts):
        job = make_job(root, f"features/{i}-of-{parts}", {})
        means = rng.integers(0, 2**24, (3, NETWORK["decoder_channels"]))
        means[2] = 0
        ClassMeans(means, np.array([1, 1, 0])).save(job.out / CLASS_MEANS)
        manifests.append(publish(job))
    job = make_job(root, "anchors", {}, features=manifests)
    category_anchors.run(job)
    return job, publish(job)


def test_anchors_and_gaps(root):
    job, manifest = make_anchors(root)
    anchors = load_file(job.out / ANCHORS)["anchors"]
    assert np.isnan(anchors[2]).all()
    assert not np.isnan(anchors[:2]).any()
    with (job.out / "classes.csv").open(newline="") as file:
        assert [row["images"] for row in csv.DictReader(file)] == ["2", "2", "0"]
    one = scores(anchor_gaps, root, "one", 1, anchors=[manifest])
    two = scores(anchor_gaps, root, "two", 2, anchors=[manifest])
    assert pictures(one) == pictures(two)
    assert set(pictures(one)) == {f"{i}{end}" for i in IDS for end in (".png", ".gap.png")}
    gaps = np.concatenate([scored(two, i, "gap")[1].ravel() for i in IDS])
    least = (float(np.median(gaps)) - 1) / 2048
    kept = labels(root, "labels", two, {"least": least}, shards=2)
    for image_id in IDS:
        classes, codes = scored(two, image_id, "gap")
        assert set(np.unique(classes)) <= {0, 1}
        np.testing.assert_array_equal(kept[image_id], np.where((codes - 1.0) / 2048 >= least, classes, 255))


def test_softmax_keeps_what_is_at_least_as_sure(root):
    manifests = scores(confidences, root, "scores", 2)
    assert pictures(manifests) == pictures(scores(confidences, root, "again", 1))
    sure = np.concatenate([scored(manifests, i, "confidence")[1].ravel() for i in IDS])
    least = float(np.median(sure)) / 2**16
    kept = labels(root, "labels", manifests, {"least": least}, shards=2)
    for image_id in IDS:
        classes, codes = scored(manifests, image_id, "confidence")
        np.testing.assert_array_equal(kept[image_id], np.where(codes / 2**16 >= least, classes, 255))


def test_a_threshold_on_the_grid_keeps_the_pixels_that_have_just_it(root):
    """All pixels tie, and with beta 0 the threshold is their confidence: nine digits would round it up."""
    tie, folder = 65533 / 65536, make_job(root, "scores/0-of-1", TARGET)
    writer = ScoreWriter(folder.out, "confidence", CONFIDENCE_GRID, NAMES, [1, 2, 3] * 256)
    for image_id in IDS:
        writer.add(image_id, np.zeros((8, 8), np.uint8), np.full((8, 8), tie, np.float32))
    writer.close()
    manifest = publish(folder)
    job = make_job(root, "thresholds", IAS | {"beta": 0.0, "initial": 0.5}, scores=[manifest])
    ias_thresholds.run(job)
    kept = labels(root, "labels", [manifest], None, thresholds=[publish(job)])
    assert all((label == 0).all() for label in kept.values())


def test_ias_follows_the_images_in_the_order_of_their_ids(root):
    tables = []
    for name, shards in (("one", 1), ("three", 3)):
        manifests = scores(confidences, root, name, shards)
        job = make_job(root, f"{name}_thresholds", IAS, scores=manifests)
        ias_thresholds.run(job)
        tables.append((job.out / THRESHOLDS).read_text())
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].splitlines()))
    assert [row["id"] for row in rows] == IDS
    assert {k: v for k, v in rows[0].items() if k != "id"} == {k: v for k, v in rows[1].items() if k != "id"}  # a batch
    assert rows[1]["threshold_0"] != rows[2]["threshold_0"]
    kept = labels(root, "labels", manifests, None, shards=2, thresholds=[publish(job)])
    assert any((label == 255).any() and (label != 255).any() for label in kept.values())
    for row in rows:
        classes, codes = scored(manifests, row["id"], "confidence")
        least = np.array([float(row[f"threshold_{c}"]) for c in range(3)])
        expected = np.where(codes / 2**16 >= least[classes], classes, 255)
        np.testing.assert_array_equal(kept[row["id"]], expected)
