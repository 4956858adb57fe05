"""Pre-training: it learns, it is deterministic, and a killed job loses nothing."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bismap.errors import BismapError
from bismap.extractor import pretrain as module
from bismap.extractor.network import Recipe, new_extractor
from bismap.extractor.pretrain import Pretraining, PretrainSettings, draw_windows, pretrain
from bismap.progress import read_step

RECIPE = Recipe({"backbone": "small", "width": 4}, 16, "imagenet")
SETTINGS = PretrainSettings(
    iterations=6,
    batch=8,
    window=24,
    crop=16,
    min_area=0.5,
    jitter=0.3,
    temperature=0.2,
    projection=8,
    lr=2e-3,
    weight_decay=1e-4,
    seed=0,
)


@pytest.fixture(scope="module")
def domains():
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (8, 1, 1, 3))
    noise = rng.integers(-20, 21, (8, 32, 40, 3))
    images = np.clip(colours + noise, 0, 255).astype(np.uint8)
    return [images[:4], images[4:]]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def weights(extractor):
    return torch.cat([value.flatten().float() for value in extractor.backbone.state_dict().values()])


def test_partners_are_found_after_training(tmp_path, domains):
    settings = replace(SETTINGS, iterations=60, jitter=0.0, lr=1e-2)
    metrics = pretrain(new_extractor(RECIPE, 0, "cpu"), domains, settings, tmp_path, "cpu")
    assert len(metrics) == 60
    assert np.mean([m["loss"] for m in metrics[-5:]]) < 0.6 * np.mean([m["loss"] for m in metrics[:5]])
    assert np.mean([m["matched"] for m in metrics[-5:]]) > 0.7
    assert metrics[0]["lr"] == pytest.approx(1e-2)
    assert metrics[-1]["lr"] == pytest.approx(1e-2 * 0.5 * (1 + np.cos(np.pi * 59 / 60)))


def test_its_log_says_how_far_it_is(tmp_path, domains, monkeypatch, caplog):
    monkeypatch.setattr(module, "LOG_EVERY", 3)
    with caplog.at_level("INFO", logger="bismap"):
        metrics = pretrain(new_extractor(RECIPE, 0, "cpu"), domains, SETTINGS, tmp_path, "cpu")
    lines = [line for line in map(read_step, caplog.messages) if line]
    assert [(line.step, line.steps) for line in lines] == [(3, 6), (6, 6)]
    for line, rows in zip(lines, (metrics[:3], metrics[3:]), strict=True):
        assert line.loss == pytest.approx(np.mean([row["loss"] for row in rows]), abs=1e-4)


def test_a_killed_job_ends_as_one_that_was_not(tmp_path, domains, monkeypatch):
    whole = new_extractor(RECIPE, 0, "cpu")
    expected = pretrain(whole, domains, SETTINGS, tmp_path / "whole.pt", "cpu")

    monkeypatch.setattr(module, "SAVE_EVERY", 2)
    step = Pretraining.step

    def killed(work, images):
        if work.done == 5:
            raise KeyboardInterrupt
        step(work, images)

    monkeypatch.setattr(Pretraining, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(new_extractor(RECIPE, 0, "cpu"), domains, SETTINGS, tmp_path, "cpu")
    monkeypatch.setattr(Pretraining, "step", step)
    resumed = new_extractor(RECIPE, 0, "cpu")
    assert pretrain(resumed, domains, SETTINGS, tmp_path, "cpu") == expected
    assert torch.equal(weights(resumed), weights(whole))


def test_windows_take_turns_between_domains_and_pass_over_all_images(domains):
    flat = [
        np.broadcast_to(np.arange(start, stop, dtype=np.uint8)[:, None, None, None], (stop - start, 32, 40, 3))
        for start, stop in ((0, 4), (100, 106))
    ]
    shown = draw_windows(flat, SETTINGS, range(24))[:, 0, 0, 0]
    target, source = shown[0::2], shown[1::2]
    assert sorted(target[:4]) == [0, 1, 2, 3]
    assert sorted(target[4:8]) == [0, 1, 2, 3]
    assert sorted(source[:6]) == [100, 101, 102, 103, 104, 105]


def test_windows_depend_on_their_position_alone(domains):
    together = draw_windows(domains, SETTINGS, range(8))
    np.testing.assert_array_equal(together[5:], draw_windows(domains, SETTINGS, range(5, 8)))


@pytest.mark.parametrize(
    ("change", "message"),
    [({"window": 33}, "does not fit images of 40 x 32"), ({"batch": 3}, "expected an even number")],
)
def test_settings_that_do_not_fit(tmp_path, domains, change, message):
    with pytest.raises(BismapError, match=message):
        pretrain(new_extractor(RECIPE, 0, "cpu"), domains, replace(SETTINGS, **change), tmp_path / "s.pt", "cpu")


def test_divergence_stops_before_the_update(tmp_path, domains):
    extractor = new_extractor(RECIPE, 0, "cpu")
    with torch.no_grad():
        extractor.backbone.conv1.weight.fill_(float("nan"))
    with pytest.raises(BismapError, match="diverged"):
        pretrain(extractor, domains, SETTINGS, tmp_path / "s.pt", "cpu")
