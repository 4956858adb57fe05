"""Correct features (Eq. 3), and their sample: the brute-force smallest keys, whatever the shards."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bismap.data.dataset import Item
from bismap.data.sampling import pixel_keys
from bismap.errors import BismapError
from bismap.prototypes import class_means
from bismap.prototypes.feature_store import gather, open_features, write_features
from bismap.prototypes.features import (
    MAX_KEY,
    SPARE,
    Pool,
    Sample,
    SmallestKeys,
    extract_features,
    grid_size,
    key_bounds,
    nearest_label,
)

C, D, SEED = 3, 5, 7
SIZE = (50, 38)


class TinyNetwork(nn.Module):
    """Stride 4, non-negative features, a linear classifier; what extraction asks of a network."""

    feature_dim = D

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, D, 7, stride=4, padding=3)
        self.classifier = nn.Conv2d(D, C, 1)

    def features(self, x):
        return self.stem(x).relu()


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return TinyNetwork().eval()


def make_samples(count):
    rng = np.random.default_rng(1)
    shape = (SIZE[1], SIZE[0])
    labels = [rng.choice([0, 1, 2, 255], size=shape, p=[0.6, 0.3, 0.05, 0.05]) for _ in range(count)]
    return [
        Sample(f"im{i}", rng.integers(256, size=(*shape, 3), dtype=np.uint8), label.astype(np.uint8))
        for i, label in enumerate(labels)
    ]


def items_of(samples):
    return [
        Item(s.id, Path(), Path(), "train", *s.label.shape, tuple(int((s.label == c).sum()) for c in range(C)))
        for s in samples
    ]


def extract(network, samples, limit, bounds=None, allowed=None):
    options = {"samples_per_class": limit, "seed": SEED, "precision": "fp32", "allowed": allowed}
    return extract_features(network, samples, bounds or [MAX_KEY] * C, **options)


def brute_force(network, samples, limit):
    """Every candidate of the set at once, sorted by key; straight from the definition."""
    found = [[] for _ in range(C)]
    for sample in samples:
        x = torch.from_numpy(sample.image).permute(2, 0, 1)[None].float() / 255
        x = (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
            1, 3, 1, 1
        )
        with torch.no_grad():
            features = network.features(x)
            prediction = network.classifier(features)[0].argmax(0)
        label = F.interpolate(torch.from_numpy(sample.label)[None, None], size=prediction.shape)[0, 0]
        for position in range(prediction.numel()):
            c = int(label.flatten()[position])
            if c == int(prediction.flatten()[position]):
                key = int(pixel_keys(SEED, sample.id, np.array([position]))[0])
                found[c].append((key, features[0].flatten(1)[:, position].half().numpy()))
    return [sorted(candidates, key=lambda pair: pair[0])[:limit] for candidates in found]


@pytest.mark.parametrize("limit", [1, 20, 10_000])
def test_sample_is_the_smallest_keys(network, limit):
    samples = make_samples(6)
    extraction = extract(network, samples, limit)
    for kept, expected in zip(extraction.kept, brute_force(network, samples, limit), strict=True):
        assert kept.keys.tolist() == [key for key, _ in expected]
        if expected:
            np.testing.assert_allclose(kept.features, [f for _, f in expected], rtol=2e-3)
    assert (extraction.correct <= extraction.labelled).all()
    assert extraction.correct.sum() > 20


def test_class_means_are_those_of_the_correct_features_of_each_image(network, monkeypatch):
    """Also where the sample keeps none of them."""
    monkeypatch.setattr(class_means, "MIN_FEATURES", 2)
    samples = make_samples(5)
    found = extract(network, samples, 1).means
    sums, images = np.zeros((C, D)), np.zeros(C, int)
    for sample in samples:
        for c, candidates in enumerate(brute_force(network, [sample], 10_000)):
            if len(candidates) >= 2:
                sums[c] += np.mean([feature.astype(float) for _, feature in candidates], 0)
                images[c] += 1
    assert images.max() > 1
    np.testing.assert_array_equal(found.images, images)
    np.testing.assert_allclose(found.sums * 2.0**-24, sums, rtol=2e-3, atol=1e-6)


def shards_of(samples, n):
    return [samples[i * len(samples) // n : (i + 1) * len(samples) // n] for i in range(n)]


@pytest.mark.parametrize("limit", [3, 40])
def test_the_set_does_not_depend_on_shards(network, tmp_path, limit):
    samples = make_samples(9)
    bounds = key_bounds(items_of(samples), C, SIZE, limit)
    gathered = []
    for n in (1, 3, 8):
        stores = []
        for i, part in enumerate(shards_of(samples, n)):
            write_features(tmp_path / f"{i}-of-{n}", extract(network, part, limit, bounds).kept)
            stores.append(open_features(tmp_path / f"{i}-of-{n}"))
        gathered.append([gather(stores, c, limit) for c in range(C)])
    for c in range(C):
        np.testing.assert_array_equal(gathered[1][c], gathered[0][c])
        np.testing.assert_array_equal(gathered[2][c], gathered[0][c])


def test_bounds_keep_the_smallest_keys_of_a_well_classified_class(network):
    samples, limit = make_samples(9), 4
    bounds = key_bounds(items_of(samples), C, SIZE, limit)
    free = extract(network, samples, limit)
    bounded = extract(network, samples, limit, bounds)
    assert min(bounds) < MAX_KEY
    enough = free.correct * SPARE > 2 * free.labelled
    assert enough.any()
    for c in np.flatnonzero(enough):
        np.testing.assert_array_equal(bounded.kept[c].keys, free.kept[c].keys)


def test_key_bounds_by_hand():
    item = Item("a", Path(), Path(), "train", 80, 80, (6400, 640, 0))
    bounds = key_bounds([item] * 10, 3, (40, 40), 10)  # 100 positions an image: 1000, 100 and 0 labelled
    assert bounds[0] == pytest.approx(SPARE * 10 / 1000 * 2**64)
    assert bounds[1] == pytest.approx(SPARE * 10 / 100 * 2**64)
    assert bounds[2] == MAX_KEY


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=120, unique=True).map(
        lambda keys: [keys[i : i + 30] for i in range(0, len(keys), 30)]
    ),
    st.integers(1, 20),
    st.integers(0, 2**64 - 1),
)
@settings(max_examples=60, deadline=None)
def test_smallest_keys(parts, limit, bound):
    chosen = SmallestKeys(limit, bound)
    for part in parts:
        keys = np.array(part, np.uint64)
        chosen.add((keys % np.uint64(1000)).astype(np.float16)[:, None], keys)
        assert chosen.held <= limit + limit // 4 + len(part)
    kept = chosen.result(1)
    expected = sorted(key for part in parts for key in part if key <= bound)[:limit]
    assert kept.keys.tolist() == expected
    np.testing.assert_array_equal(kept.features[:, 0], [key % 1000 for key in expected])


@pytest.mark.parametrize("size", [(1914, 1052), (2048, 1024), (50, 38), (961, 721)])
def test_nearest_label_as_interpolate(size):
    width, height = size
    label = np.random.default_rng(0).integers(256, size=(height, width), dtype=np.uint8)
    rows, columns = grid_size(height, width)
    expected = F.interpolate(torch.from_numpy(label)[None, None], size=(rows, columns), mode="nearest")
    np.testing.assert_array_equal(nearest_label(label, rows, columns), expected[0, 0])


def test_grid_of_the_real_size():
    assert grid_size(1052, 1914) == (263, 479)


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_features_that_float16_cannot_hold(network, value):
    nn.init.constant_(network.stem.bias, value)
    with pytest.raises(BismapError, match=r"image im0 are not finite in float16|output is not finite"):
        extract(network, make_samples(1), 10)


def test_a_pool_ends_with_the_image_that_fills_it():
    items = [
        Item(f"im{i}", Path(), Path(), "train", 80, 80, (6400, 640, 0)) for i in range(10)
    ]  # 100, 10 and 0 positions
    allowed = Pool(size=120, keep=(0.5, 1.0, 1.0)).images(items, (40, 40), SEED)
    assert np.stack(list(allowed.values())).sum(0).tolist() == [3, 10, 10]  # 50 of an image: 0, 50 and 100 before it
    chosen = {image_id for image_id, classes in allowed.items() if classes[0]}
    assert chosen != {
        image_id for image_id, classes in Pool(120, (0.5, 1, 1)).images(items, (40, 40), 8).items() if classes[0]
    }


def test_a_pool_is_sampled_from_its_images_and_keys(network):
    samples, limit = make_samples(9), 30
    pool = Pool(size=100, keep=(0.5, 0.8, 1.0))
    allowed = pool.images(items_of(samples), SIZE, SEED)
    bounds = pool.thin([MAX_KEY] * C)
    whole = extract(network, samples, limit, bounds, allowed)
    assert 0 < sum(classes[0] for classes in allowed.values()) < len(samples)
    for c in range(C):
        inside = [sample for sample in samples if allowed[sample.id][c]]
        keys = [key for key, _ in brute_force(network, inside, 10_000)[c] if key <= pool.keep[c] * MAX_KEY][:limit]
        assert whole.kept[c].keys.tolist() == keys
    assert max(len(kept.keys) for kept in whole.kept) > 10
    free = extract(network, samples, limit)
    np.testing.assert_array_equal(whole.correct, free.correct)  # what the pool leaves out is counted all the same
    np.testing.assert_array_equal(whole.means.sums, free.means.sums)


def test_a_pool_needs_a_share_for_each_class():
    with pytest.raises(BismapError, match="expected 3 shares, one a class, got 2"):
        Pool(10, (0.1, 0.2)).thin([MAX_KEY] * C)


def test_bounds_count_only_the_images_of_the_pool():
    """Were they those of the whole split, next to nothing of the pool would pass them."""
    items = [Item(f"im{i}", Path(), Path(), "train", 80, 80, (6400, 640, 0)) for i in range(400)]  # 100 positions each
    pool = Pool(size=1000, keep=(0.1, 1.0, 1.0))
    allowed = pool.images(items, (40, 40), SEED)
    inside = sum(classes[0] for classes in allowed.values())
    assert inside == 100
    limit = 30
    bound = key_bounds(items, C, (40, 40), limit, allowed)[0]
    assert bound == pytest.approx(SPARE * limit / (100 * inside) * MAX_KEY)
    assert pool.thin([bound, MAX_KEY, MAX_KEY])[0] == bound  # 240 of the 1000 thinned positions, for 30 samples
