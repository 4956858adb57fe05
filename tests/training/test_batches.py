"""Batches: keyed by step, the same for any number of workers, strong view on the same pixels."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from bismap.data import IGNORE
from bismap.errors import BismapError
from bismap.training.augment import Jitter
from bismap.training.batches import Steps, step_batches
from bismap.training.strong import Strong

NOTHING = Strong(operations=0, probability=0.0, cutout=0.25)


def equal(first, second) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, tuple):
        return all(equal(a, b) for a, b in zip(first, second, strict=True))
    return first == second


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(source, target, workers):
    steps = Steps(source, target)
    alone = list(step_batches(steps, 3, 8, workers=0, pin_memory=False))
    shared = list(step_batches(steps, 3, 8, workers=workers, pin_memory=False))
    assert equal(tuple(alone), tuple(shared))


def test_threads_change_nothing(source, target):
    assert equal(Steps(source, target)[5], Steps(source, target, threads=3)[5])


def test_a_later_start_gives_the_same_steps(source):
    steps = Steps(source, None)
    assert equal(tuple(step_batches(steps, 4, 6, 0, False)), tuple(step_batches(steps, 0, 6, 0, False))[4:])


def test_shapes_and_types(source, target):
    batch = Steps(source, target)[0]
    assert batch.source.images.shape == (2, 16, 24, 3)
    assert batch.source.weights.shape == batch.source.labels.shape == (2, 16, 24)
    assert batch.source.strong is None
    assert batch.target.weights is None
    assert batch.target.strong.shape == (2, 16, 24, 3)
    tensors = [t for part in batch for t in part if isinstance(t, torch.Tensor)]
    assert {t.dtype for t in tensors} == {torch.uint8}


def test_each_epoch_shows_each_image_once(source):
    seen = [name for step in range(5) for name in source.batch(step).ids]
    assert sorted(seen[:5]) == sorted(seen[5:]) == [f"image{i}" for i in range(5)]


def test_source_and_target_draw_differently(source, target):
    other = Steps(source, target)[0]
    assert not torch.equal(other.source.images, other.target.images)


def test_strong_view_shows_the_same_pixels(source, target):
    """Without colour operations and jitter the strong view is the ordinary one, but for the black square."""
    still = replace(target.augmentation, scale=(0.4, 1.5), jitter=Jitter(0, 0, 0, 0))
    domain = replace(target, augmentation=still, strong=NOTHING)
    for step in range(6):
        batch = domain.batch(step)
        shown = batch.visible.bool()
        assert not shown.all()
        assert (batch.strong[~shown] == 0).all()
        gap = (batch.strong[shown].int() - batch.images[shown].int()).abs()
        assert gap.max() <= 6  # the ordinary view went through HSV


def test_visible_leaves_out_padding(target, augmentation):
    domain = replace(target, augmentation=replace(augmentation, scale=(0.25, 0.25)), strong=None)
    batch = domain.batch(0)
    assert batch.visible.sum() == 2 * 12 * 8
    assert (batch.labels[batch.visible == 0] == IGNORE).all()


def test_crops_without_labels_are_counted(source):
    blank = np.full((32, 48), IGNORE, np.uint8)
    records = tuple(r._replace(read_label=partial(np.copy, blank)) for r in source.records[:1])
    domain = replace(source, records=records)
    assert domain.batch(0).unlabelled == 2


@pytest.mark.parametrize("workers", [0, 1])
def test_a_wrong_label_is_named(source, workers):
    wrong = np.full((32, 48), 4, np.uint8)
    records = tuple(r._replace(read_label=partial(np.copy, wrong)) for r in source.records)
    domain = replace(source, records=records)
    with pytest.raises(BismapError, match=r"^labels of source image image\d: id 4 is none of the 4 classes"):
        list(step_batches(Steps(domain, None), 0, 1, workers, False))
