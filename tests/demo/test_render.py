"""Pictures of the renderer: deterministic, aligned, and with the content each domain is meant to have."""

import numpy as np
import pytest

from bismap.demo import DEVELOPMENT_SEED, EVALUATION_SEEDS, ids
from bismap.demo.render import render_picture

WIDTH, HEIGHT = 256, 128
PICTURES = 20


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    return {
        domain: [render_picture(DEVELOPMENT_SEED, domain, "train", k, WIDTH, HEIGHT) for k in range(PICTURES)]
        for domain in ("source", "target")
    }


def _counts(pictures: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return sum(np.bincount(labels.ravel(), minlength=256) for _, labels in pictures)


def test_development_seed_is_not_reported_on() -> None:
    assert DEVELOPMENT_SEED not in EVALUATION_SEEDS


@pytest.mark.parametrize("domain", ["source", "target"])
def test_a_picture_follows_from_its_key(domain: str, drawn: dict) -> None:
    image, labels = render_picture(DEVELOPMENT_SEED, domain, "train", 3, WIDTH, HEIGHT)
    np.testing.assert_array_equal(image, drawn[domain][3][0])
    np.testing.assert_array_equal(labels, drawn[domain][3][1])


@pytest.mark.parametrize("key", [(1, "target", "train", 3), (0, "target", "val", 3), (0, "target", "train", 4)])
def test_every_part_of_the_key_counts(key: tuple[int, str, str, int], drawn: dict) -> None:
    assert not np.array_equal(render_picture(*key, WIDTH, HEIGHT)[1], drawn["target"][3][1])


@pytest.mark.parametrize("domain", ["source", "target"])
def test_image_and_labels_have_the_size_asked_for(domain: str) -> None:
    image, labels = render_picture(0, domain, "train", 0, 131, 75)
    assert (image.shape, image.dtype) == ((75, 131, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((75, 131), np.uint8)


@pytest.mark.parametrize("domain", ["source", "target"])
def test_every_class_but_train_occurs_and_no_other_id(domain: str, drawn: dict) -> None:
    found = set(np.flatnonzero(_counts(drawn[domain])).tolist())
    assert found == set(ids.COLORS)
    assert 31 not in found


@pytest.mark.parametrize("domain", ["source", "target"])
def test_the_mix_of_classes_is_that_of_streets(domain: str, drawn: dict) -> None:
    share = _counts(drawn[domain]) / (PICTURES * WIDTH * HEIGHT)
    assert 0.2 < share[ids.ROAD] < 0.5
    assert 0.1 < share[ids.BUILDING] < 0.4
    assert share[[ids.EGO_VEHICLE, ids.STATIC]].sum() < 0.1
    assert share[[ids.POLE, ids.TRAFFIC_SIGN, ids.TRAFFIC_LIGHT]].min() > 2e-4


def test_hills_stand_in_the_source_only(drawn: dict) -> None:
    # The ground lies below the horizon, which is never above 0.37 of the height; a hill's crest is.
    above = HEIGHT * 36 // 100
    hills = {name: sum((labels[:above] == ids.TERRAIN).any() for _, labels in drawn[name]) for name in drawn}
    assert hills["source"] >= 4
    assert hills["target"] == 0


def test_labels_lie_on_what_is_seen(drawn: dict) -> None:
    for image, labels in drawn["target"]:
        grey = image.mean(axis=2)
        sky, trees = labels == ids.SKY, labels == ids.VEGETATION
        if sky.sum() > 200 and trees.sum() > 200:
            assert grey[sky].mean() > grey[trees].mean() + 20
    edges = [_edge_contrast(image, labels == ids.SKY) for image, labels in drawn["source"]]
    assert np.mean(edges) > 15


def _edge_contrast(image: np.ndarray, mask: np.ndarray) -> float:
    """How much more the picture changes along the mask's border than two pixels beside it."""
    step = np.abs(np.diff(image.astype(float).mean(axis=2), axis=1))
    border = mask[:, 1:] != mask[:, :-1]
    beside = np.roll(border, 3, axis=1) & ~border
    return float(step[border].mean() - step[beside].mean())


def test_the_domains_differ_in_light_and_colour(drawn: dict) -> None:
    def mean_and_spread(name: str) -> tuple[float, float]:
        pictures = np.stack([image for image, _ in drawn[name]]).astype(float)
        return pictures.mean(), np.ptp(pictures, axis=-1).mean()

    (source_light, source_colour), (target_light, target_colour) = map(mean_and_spread, ("source", "target"))
    assert source_light > target_light + 8
    assert source_colour > 1.5 * target_colour


def test_the_scene_is_the_same_at_every_size(drawn: dict) -> None:
    _, large = render_picture(DEVELOPMENT_SEED, "target", "train", 3, 2 * WIDTH, 2 * HEIGHT)
    assert (large[::2, ::2] == drawn["target"][3][1]).mean() > 0.93
