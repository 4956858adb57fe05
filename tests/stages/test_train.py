"""The train stage on the CPU: all objectives, what they read, and what they refuse."""

import json
import signal

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open

from bismap.data.images import write_gray8, write_label
from bismap.errors import BismapError
from bismap.models.network import build_network
from bismap.models.weights import load_network, save_backbone
from bismap.stages import train
from bismap.store import write_manifest
from bismap.training.trainer import Trainer

from .small_domains import NAMES, SIZE, make_domain, make_job
from .small_models import NETWORK, make_model

JITTER = {"hue": 0.1, "brightness": 0.2, "saturation": 0.2, "contrast": 0.2}
SIDE = {"split": "train", "size": list(SIZE), "scale_reference_width": SIZE[0], "jitter": JITTER}
WARMUP = {
    "objective": "warmup", "network": NETWORK, "init": "random", "seed": 3, "source": SIDE,
    "iterations": 6, "batch_source": 2, "lr": 0.02, "head_lr_factor": 10.0, "momentum": 0.9,
    "weight_decay": 5e-4, "warmup_iterations": 2, "power": 0.9, "eta_min": 1e-7, "crop": [48, 24],
    "scale": [0.8, 1.2], "precision": "bf16", "log_every": 4,
}  # fmt: skip
ADAPT = WARMUP | {
    "target": SIDE, "batch_target": 2,
    "sce": {"ce_weight": 0.1, "rce_weight": 1.0, "one_hot_floor": 1e-4, "prediction_floor": 1e-7},
}  # fmt: skip
RETRAIN = ADAPT | {
    "objective": "retrain", "strong": {"operations": 2, "probability": 0.5, "cutout": 0.2},
    "consistency": {"weight": 30.0, "reduction": "mean_classes", "rampup_iterations": 4, "ema_decay": 0.99,
                    "strong_view": "student"},
}  # fmt: skip
DISTILL = ADAPT | {"objective": "distill", "distillation": {"weight": 1.0, "kd_form": "kl"}}
OBJECTIVES = {"warmup": WARMUP, "retrain": RETRAIN, "distill": DISTILL}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 4, 0)
    make_domain(tmp_path, "target", 3, 20)
    make_model(tmp_path / "teacher.safetensors", tmp_path / "target" / "images")
    return tmp_path


def shard(root, name, ids, write):
    """A folder with a picture per id, and its manifest."""
    folder = root / name
    folder.mkdir()
    for image_id in ids:
        write(folder / f"{image_id}.png")
    write_manifest(folder)
    return folder / "manifest.csv"


def pseudo_labels(root, ids=("target0", "target1", "target2")):
    label = np.repeat(np.array([1, 0, 255], np.uint8), [14, 14, 4])[:, None].repeat(SIZE[0], axis=1)
    return shard(root, "labels", ids, lambda path: write_label(path, label, [0] * 768))


def inputs_of(root, objective):
    if objective == "warmup":
        return {}
    teacher = {"teacher": [root / "teacher.safetensors"]} if objective == "distill" else {}
    return teacher | {"pseudo_labels": [pseudo_labels(root)]}


def outputs(job):
    return {path.name: path.read_bytes() for path in sorted(job.out.iterdir())}


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_outputs_are_whole_and_repeatable(root, objective):
    inputs = inputs_of(root, objective)
    jobs = [make_job(root, name, OBJECTIVES[objective], **inputs) for name in ("first", "second")]
    for job in jobs:
        train.run(job)
    found = outputs(jobs[0])
    assert sorted(found) == ["metrics.csv", "model.safetensors"]
    assert found == outputs(jobs[1])
    net = load_network(jobs[0].out / "model.safetensors", "cpu", NAMES)
    assert net.settings["backbone"] == "small"
    rows = found["metrics.csv"].decode().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", "4", "6"]


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_a_stopped_job_ends_with_the_same_bytes(root, objective, monkeypatch):
    inputs = inputs_of(root, objective)
    through = make_job(root, "through", OBJECTIVES[objective], **inputs)
    train.run(through)
    stopped = make_job(root, "stopped", OBJECTIVES[objective], **inputs)
    optimize = Trainer.optimize

    def stop_at_2(self, batch):
        if self.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return optimize(self, batch)

    monkeypatch.setattr(Trainer, "optimize", stop_at_2)
    with pytest.raises(SystemExit):
        train.run(stopped)
    assert outputs(stopped) == {}
    monkeypatch.undo()
    train.run(stopped)
    assert outputs(stopped) == outputs(through)


def test_stylised_images_and_weights_are_read(root):
    ids = [f"source{i}" for i in range(4)]
    black = shard(root, "stylized", ids, lambda path: Image.new("RGB", SIZE).save(path))
    nought = shard(root, "maps", ids, lambda path: write_gray8(path, np.zeros(SIZE[::-1], np.uint8)))
    tables = {}
    for name, inputs in {"raw": {}, "styled": {"stylized": [black]}, "weighted": {"transferability": [nought]}}.items():
        job = make_job(root, name, WARMUP, **inputs)
        train.run(job)
        tables[name] = (job.out / "metrics.csv").read_text().splitlines()[1].split(",")
    assert float(tables["weighted"][3]) == 0.0
    assert len({table[3] for table in tables.values()}) == 3


def test_start_weights(root):
    backbone = build_network(NETWORK, 3).backbone
    save_backbone(root / "start.safetensors", backbone, {})
    job = make_job(
        root, "started", WARMUP | {"init": "extractor", "lr": 1e-12}, init_weights=[root / "start.safetensors"]
    )
    train.run(job)
    with safe_open(job.out / "model.safetensors", "np") as file:
        assert json.loads(file.metadata()["bismap"])["classes"] == list(NAMES)
        for name, tensor in backbone.named_parameters():
            np.testing.assert_allclose(file.get_tensor(f"backbone.{name}"), tensor.detach(), atol=1e-6)


def test_a_retraining_goes_on_from_its_teacher(root):
    settings = OBJECTIVES["retrain"] | {"init": "teacher", "lr": 1e-12}
    teacher = root / "teacher.safetensors"
    job = make_job(root, "retrained", settings, init_weights=[teacher], **inputs_of(root, "retrain"))
    train.run(job)
    with safe_open(job.out / "model.safetensors", "np") as found, safe_open(teacher, "np") as start:
        for name, _ in build_network(NETWORK, 3).named_parameters():
            np.testing.assert_allclose(found.get_tensor(name), start.get_tensor(name), atol=1e-5)


@pytest.mark.parametrize("settings", [WARMUP | {"init": "imagenet"}, WARMUP])
def test_start_weights_and_setting_must_agree(root, settings):
    inputs = {"init_weights": [root / "x.safetensors"]} if settings["init"] == "random" else {}
    with pytest.raises(BismapError, match="init is"):
        train.run(make_job(root, "bad", settings, **inputs))


def test_a_missing_pseudo_label_is_named(root):
    labels = pseudo_labels(root, ids=("target0", "target2"))
    with pytest.raises(BismapError, match=r"1 of 3 images have no pseudo-label, the first is target1"):
        train.run(make_job(root, "bad", RETRAIN, pseudo_labels=[labels]))


def test_retraining_without_pseudo_labels_is_refused(root):
    with pytest.raises(BismapError, match="pseudo_labels"):
        train.run(make_job(root, "bad", RETRAIN))


def test_differing_classes_are_refused(root):
    path = root / "target" / "index" / "classes.json"
    path.write_text(path.read_text().replace("tree", "bush"))
    with pytest.raises(BismapError, match="differ in their classes"):
        train.run(make_job(root, "bad", RETRAIN, pseudo_labels=[pseudo_labels(root)]))
