"""A training that is watched: IoU over time and event files, neither of which may change it."""

import csv
import importlib.util
import signal
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from bismap.data.dataset import open_dataset
from bismap.errors import BismapError
from bismap.models.inputs import normalize
from bismap.models.weights import load_network
from bismap.stages import train
from bismap.training.trainer import Trainer

from .small_domains import NAMES, SIZE, make_domain, make_job
from .small_models import make_model
from .test_train import OBJECTIVES, WARMUP, inputs_of, outputs

VALIDATION = {"every": 2, "split": "train", "size": [48, 24]}


@pytest.fixture
def root(tmp_path):
    make_domain(tmp_path, "source", 4, 0)
    make_domain(tmp_path, "target", 3, 20)
    make_model(tmp_path / "teacher.safetensors", tmp_path / "target" / "images")
    return tmp_path


def watched(objective):
    return OBJECTIVES[objective] | {"validation": VALIDATION}


def with_events(job, folder):
    return replace(job, roots={**job.roots, "tensorboard": folder})


def table(job):
    with (job.out / "validation.csv").open() as file:
        return list(csv.DictReader(file))


def stop(monkeypatch, method, at):
    """Send SIGTERM when the trainer is about to do the step ``at``, or in the middle of the validation after it."""
    original = getattr(Trainer, method)

    def stopped(self, *args):
        if self.step == at and not stopped.done:
            stopped.done = True
            signal.raise_signal(signal.SIGTERM)
        return original(self, *args)

    stopped.done = False
    monkeypatch.setattr(Trainer, method, stopped)


@pytest.mark.parametrize("objective", list(OBJECTIVES))
def test_the_trained_model_is_the_same_with_and_without(root, objective):
    inputs = inputs_of(root, objective)
    plain = make_job(root, "plain", OBJECTIVES[objective], **inputs)
    seen = with_events(make_job(root, "seen", watched(objective), **inputs), root / "events")
    for job in (plain, seen):
        train.run(job)
    found = outputs(seen)
    assert len(table(seen)) == 3
    del found["validation.csv"]
    assert found == outputs(plain)


def test_the_last_row_is_what_the_trained_model_scores(root):
    job = make_job(root, "job", watched("warmup"))
    train.run(job)
    rows = table(job)
    assert list(rows[0]) == ["step", "miou", *NAMES]
    assert [row["step"] for row in rows] == ["2", "4", "6"]
    net = load_network(job.out / "model.safetensors", "cpu", NAMES)
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    hits, unions = np.zeros(3), np.zeros(3)
    for item in dataset.items("train"):
        small = np.array(Image.open(item.image).convert("RGB").resize((48, 24), Image.Resampling.BILINEAR))
        with torch.no_grad():
            chances = net(normalize(torch.from_numpy(small)[None], torch.device("cpu"))).softmax(1)
        up = torch.nn.functional.interpolate(chances, SIZE[::-1], mode="bilinear", align_corners=True)
        given, truth = up.argmax(1)[0].numpy(), np.array(Image.open(item.label))
        for c in range(3):
            mine, true = (given == c) & (truth != 255), truth == c
            hits[c] += (mine & true).sum()
            unions[c] += (mine | true).sum()
    for c, name in enumerate(NAMES[:2]):
        assert float(rows[-1][name]) == pytest.approx(hits[c] / unions[c], abs=1e-6)
    assert rows[-1]["tree"] == ""  # the truth has none
    assert float(rows[-1]["miou"]) == pytest.approx((hits[:2] / unions[:2]).mean(), abs=1e-6)


@pytest.mark.parametrize(("method", "at"), [("optimize", 3), ("_complete_step", 4), ("_complete_step", 6)])
def test_a_stopped_job_ends_with_the_same_table(root, monkeypatch, method, at):
    through = make_job(root, "through", watched("warmup"))
    train.run(through)
    stopped = make_job(root, "stopped", watched("warmup"))
    with monkeypatch.context() as patch:
        stop(patch, method, at)
        with pytest.raises(SystemExit):
            train.run(stopped)
    assert outputs(stopped) == {}
    train.run(stopped)
    assert outputs(stopped) == outputs(through)


def test_an_image_without_a_truth_is_named_before_the_first_step(root):
    index = root / "target" / "index" / "index.csv"
    index.write_text(index.read_text().replace("labels/target1.png", ""))
    job = make_job(root, "job", watched("warmup"))
    with pytest.raises(BismapError, match=r"1 of 3 images of split `train` have no label, the first is target1"):
        train.run(job)


def test_a_truth_out_of_range_is_named(root):
    Image.fromarray(np.full(SIZE[::-1], 7, np.uint8)).save(root / "target" / "labels" / "target2.png")
    with pytest.raises(BismapError, match="target2"):
        train.run(make_job(root, "job", watched("warmup")))


def scalars(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def curves(path, prefix=""):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {
        prefix + name: [(int(row["step"]), pytest.approx(float(row[name]), rel=1e-6)) for row in rows if row[name]]
        for name in rows[0]
        if name != "step" and any(row[name] for row in rows)
    }


def expected(job):
    return curves(job.out / "metrics.csv") | curves(job.out / "validation.csv", "validation/")


def test_event_files_hold_what_the_tables_hold(root):
    job = with_events(make_job(root, "job", watched("retrain"), **inputs_of(root, "retrain")), root / "events")
    train.run(job)
    found = scalars(root / "events")
    assert found == expected(job)
    assert {"loss", "lr", "ema_distance", "consistency", "validation/road"} <= set(found)


def test_a_training_that_does_steps_again_has_each_once_in_its_curves(root, monkeypatch):
    job = with_events(make_job(root, "job", watched("warmup") | {"log_every": 1}), root / "events")
    job = replace(job, save_every=2)
    optimize = Trainer.optimize

    def killed(self, batch):
        if self.step == 5:
            raise RuntimeError("killed")
        return optimize(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "optimize", killed)
        with pytest.raises(RuntimeError):
            train.run(job)
    assert [step for step, _ in scalars(root / "events")["loss"]] == [1, 2, 3, 4, 5]
    train.run(job)  # from step 4
    assert len(list((root / "events").iterdir())) == 2
    assert scalars(root / "events") == expected(job)


def test_another_training_for_the_same_run_takes_the_curves_over(root):
    for name, lr in (("first", 0.02), ("second", 0.01)):
        job = with_events(make_job(root, name, watched("warmup") | {"lr": lr}), root / "events")
        train.run(job)
    assert scalars(root / "events") == expected(job)


def test_without_tensorboard_it_is_said_what_to_install(root, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    job = with_events(make_job(root, "job", WARMUP), root / "events")
    with pytest.raises(BismapError, match="pip install tensorboard"):
        train.run(job)


def test_tensorboard_is_loaded_only_when_asked_for(root, monkeypatch):
    assert importlib.util.find_spec("tensorboard")
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    train.run(make_job(root, "job", WARMUP))
    assert not [name for name in sys.modules if name.split(".")[0] == "tensorboard"]
