"""The features stage."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from bismap.data.images import read_image
from bismap.data.shards import folder
from bismap.errors import BismapError
from bismap.models.inputs import normalize
from bismap.prototypes.feature_store import STORE, gather, open_all
from bismap.stages import features

from .small_domains import NAMES, SIZE, make_domain, make_job, publish
from .small_models import make_model

SETTINGS = {
    "source": {"split": "train", "size": list(SIZE)},
    "samples_per_class": 60,
    "pool": None,
    "seed": 3,
    "precision": "bf16",
}


@pytest.fixture
def network(tmp_path):
    torch.set_num_threads(1)
    make_domain(tmp_path, "source", 5, 0)
    return make_model(tmp_path / "model.safetensors", tmp_path / "source" / "images")


def run(root, shards, name="features", settings=SETTINGS, **inputs):
    """Manifests of all shards."""
    manifests = []
    for i in range(shards):
        out = f"{name}{shards}/{i}-of-{shards}"
        job = make_job(root, out, settings, model=[root / "model.safetensors"], **inputs)
        features.run(job)
        manifests.append(publish(job))
    return manifests


def stores(manifests):
    return open_all([folder(path) / STORE for path in manifests], len(NAMES))


def correct_features(network, images):
    """Every candidate, by the definition (Eq. 3): the label at every fourth pixel."""
    pixels = torch.from_numpy(np.stack([read_image(file) for file in images]))
    with torch.no_grad():
        maps = network.features(normalize(pixels, "cpu"))
        prediction = network.classifier(maps).argmax(1)
    label = torch.ones_like(prediction)
    label[:, label.shape[1] // 2 :] = 0
    label[:, 0, 0] = 255
    maps = maps.permute(0, 2, 3, 1)
    return [maps[(label == c) & (prediction == c)].half().numpy() for c in range(len(NAMES))]


def by_row(values):
    return values[np.lexsort(values.T)]


def test_all_correct_features_and_their_counts(tmp_path, network):
    manifests = run(tmp_path, 2, settings=SETTINGS | {"samples_per_class": 10_000})
    expected = correct_features(network, sorted((tmp_path / "source" / "images").iterdir()))
    for c in range(len(NAMES)):
        got = gather(stores(manifests), c, 10_000)
        np.testing.assert_allclose(by_row(got), by_row(expected[c]), rtol=2e-3, atol=1e-3)
    counts = sum(pd.read_csv(folder(path) / "counts.csv").set_index(["class", "name"]) for path in manifests)
    assert counts["correct"].tolist() == counts["kept"].tolist() == [len(values) for values in expected]
    assert counts["labelled"].tolist() == [5 * 64, 5 * 63, 0]
    assert counts["correct"].iloc[0] > 100
    assert counts["correct"].iloc[1] > 100


def test_the_sample_does_not_depend_on_shards(tmp_path, network):
    samples = []
    for shards in (1, 3, 8):  # some of 8 shards of 5 images are empty
        opened = stores(run(tmp_path, shards))
        samples.append([gather(opened, c, 60) for c in range(len(NAMES))])
    assert [len(values) for values in samples[0]] == [60, 60, 0]
    for other in samples[1:]:
        for c in range(len(NAMES)):
            np.testing.assert_array_equal(other[c], samples[0][c])


def test_stylised_images_are_used_where_given(tmp_path, network):
    job = make_job(tmp_path, "stylized/0-of-1", {})
    for number in range(5):
        Image.new("RGB", SIZE, (200, 30, 30)).save(job.out / f"source{number}.png")
    plain = gather(stores(run(tmp_path, 1)), 0, 60)
    red = run(tmp_path, 1, "red", stylized=[publish(job)])
    assert not np.array_equal(gather(stores(red), 0, 60), plain)


def test_image_that_was_not_stylised(tmp_path, network):
    job = make_job(tmp_path, "stylized/0-of-1", {})
    Image.new("RGB", SIZE).save(job.out / "source0.png")
    with pytest.raises(BismapError, match="source1"):
        run(tmp_path, 1, stylized=[publish(job)])


def test_same_bytes_again(tmp_path, network):
    first, second = (run(tmp_path, 1, name)[0] for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
