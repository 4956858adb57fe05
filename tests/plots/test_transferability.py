"""Weights by class: counted pixel by pixel, binned and averaged as numpy does."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from bismap.data.dataset import open_dataset
from bismap.data.images import write_gray8
from bismap.errors import BismapError
from bismap.plots.transferability import BINS, binned, count_weights, draw, mean_weight
from tests.stages.small_domains import SIZE, make_domain


@pytest.fixture
def domain(tmp_path):
    make_domain(tmp_path, "source", 3, 0)
    rng = np.random.default_rng(0)
    for number in range(3):
        write_gray8(tmp_path / f"source{number}.png", rng.integers(0, 256, SIZE[::-1], dtype=np.uint8))
    dataset = open_dataset(tmp_path / "source" / "index" / "index.csv", tmp_path / "source")
    return dataset, {item.id: tmp_path / f"{item.id}.png" for item in dataset.items("train")}


def weights_by_class(dataset, maps):
    """Weights of each class's pixels, from the pictures as they are made: sky above road."""
    from PIL import Image

    every = [np.asarray(Image.open(path)) for path in maps.values()]
    sky = np.concatenate([np.delete(image[: SIZE[1] // 2].ravel(), 0) for image in every])  # the first is unlabelled
    return {0: np.concatenate([image[SIZE[1] // 2 :].ravel() for image in every]), 1: sky}


def test_every_labelled_pixel_is_counted_once(domain):
    dataset, maps = domain
    counts = count_weights(dataset, dataset.items("train"), maps, threads=2)
    assert counts.shape == (3, 256)
    for trainid, weights in weights_by_class(dataset, maps).items():
        np.testing.assert_array_equal(counts[trainid], np.bincount(weights, minlength=256))
        expected, _ = np.histogram(weights, np.linspace(0, 256, BINS + 1))
        np.testing.assert_allclose(binned(counts)[trainid], 100 * expected / len(weights))
        np.testing.assert_allclose(mean_weight(counts)[trainid], (weights / 255).mean())
    assert np.isnan(binned(counts)[2]).all()
    assert np.isnan(mean_weight(counts)[2])


def test_a_class_without_pixels_is_named_and_has_no_panel(domain):
    dataset, maps = domain
    counts = count_weights(dataset, dataset.items("train"), maps, threads=1)
    figure = Figure()
    draw(figure, counts, dataset.classes.names)
    panels = [ax for ax in figure.axes if ax.patches]
    assert [ax.get_title(loc="left") or ax.get_title() for ax in panels] == ["all labelled pixels", "road", "sky"]
    assert "tree" in figure.get_supxlabel()
    np.testing.assert_allclose(panels[1].patches[0].get_data().values, binned(counts)[0])
    np.testing.assert_allclose(panels[2].lines[0].get_xdata()[0], mean_weight(counts)[1])


def test_an_image_without_a_map_is_named(domain):
    dataset, maps = domain
    del maps["source1"]
    with pytest.raises(BismapError, match="1 of 3 source images have no transferability map, source1 first"):
        count_weights(dataset, dataset.items("train"), maps, threads=1)


def test_a_damaged_map_is_named(domain):
    dataset, maps = domain
    maps["source2"].write_bytes(maps["source2"].read_bytes()[:60])
    with pytest.raises(BismapError, match=r"source2\.png"):
        count_weights(dataset, dataset.items("train"), maps, threads=1)
