"""Which pixels are embedded, what is misclassified, and that the picture is the same each time."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from torch import nn

from bismap.data.sampling import pixel_keys
from bismap.errors import BismapError
from bismap.inspect.figures.embedding import Embedding, Points, choose_points, embed, read_points
from bismap.inspect.figures.scatter import COLORS, MARKERS, WRONG, draw_embeddings, wrong_shares

CLASSES = {3: "car", 5: "bus"}


@pytest.fixture(scope="module")
def labels():
    rng = np.random.default_rng(0)
    return [(f"i{n}", rng.choice([0, 3, 3, 5, 255], (6, 9)).astype(np.uint8)) for n in range(7)]


def flat(points):
    return {
        (name, int(p), int(c)) for name, own in points.items() for p, c in zip(own.positions, own.labels, strict=True)
    }


def test_the_points_are_those_of_the_smallest_keys_of_each_class(labels):
    wanted = set()
    for label in CLASSES:
        keys = [
            (int(pixel_keys(4, name, np.array(position))), name, position)
            for name, image in labels
            for position in range(image.size)
            if image.flat[position] == label
        ]
        wanted |= {(name, position, label) for _, name, position in sorted(keys)[:20]}
    assert flat(choose_points(labels, CLASSES, 20, 4)) == wanted


def test_the_order_of_the_images_does_not_matter(labels):
    there, back = (choose_points(some, CLASSES, 20, 4) for some in (labels, labels[::-1]))
    assert list(there) == list(back) == sorted(there)
    assert flat(there) == flat(back)
    assert flat(there) != flat(choose_points(labels, CLASSES, 20, 5))


def test_all_classes_have_as_many_points_as_the_rarest():
    image = np.full((4, 5), 3, np.uint8)
    image[0, :3] = 5
    counted = [label for *_, label in flat(choose_points([("a", image)], CLASSES, 10, 0))]
    assert sorted(counted) == [3, 3, 3, 5, 5, 5]


def test_a_class_without_pixels_is_named():
    with pytest.raises(BismapError, match=r"the truth has no pixel of bus at .*setting feature_embedding\.classes"):
        choose_points([("a", np.full((4, 5), 3, np.uint8))], CLASSES, 10, 0)


class Net(nn.Module):
    """Features are the normalised colours at stride 4; the class is that of the greatest."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.classifier = nn.Identity()

    def features(self, x):
        return x[:, :, ::4, ::4] * self.scale


def test_features_and_classes_are_read_at_the_points():
    images = {"a": np.zeros((8, 12, 3), np.uint8), "b": np.zeros((8, 12, 3), np.uint8)}
    images["a"][4, 8] = (250, 0, 0)  # position (1, 2) of 2 x 3
    images["b"][0, 4] = (0, 0, 250)  # position (0, 1)
    points = {"a": Points(np.array([5]), np.array([3])), "b": Points(np.array([1, 5]), np.array([5, 5]))}
    features, predicted = read_points(Net().eval(), images.items(), points)
    assert features.shape == (3, 3)
    assert predicted[:2].tolist() == [0, 2]
    assert features[0].argmax() == 0
    assert features[1].argmax() == 2


def test_only_points_taken_for_another_class_are_marked():
    embedding = Embedding(np.arange(8, dtype=np.float32).reshape(4, 2), np.array([3, 3, 5, 5]), np.array([3, 5, 5, 0]))
    assert embedding.misclassified.tolist() == [False, True, False, True]
    assert wrong_shares(embedding, CLASSES) == "misclassified: car 50 %, bus 50 %"
    (axes,) = draw_embeddings({"gpa": embedding}, CLASSES).axes
    drawn = {(to_hex(line.get_color()).upper(), line.get_marker()): line.get_xydata().tolist() for line in axes.lines}
    assert drawn == {
        (COLORS[0], MARKERS[0]): [[0, 1]],
        (WRONG, MARKERS[0]): [[2, 3]],
        (COLORS[1], MARKERS[1]): [[4, 5]],
        (WRONG, MARKERS[1]): [[6, 7]],
    }


def test_the_embedding_is_the_same_each_time_and_keeps_neighbours_together():
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(centre, 0.1, (20, 8)) for centre in (0, 3)]).astype(np.float32)
    places = embed(features, 1)
    np.testing.assert_array_equal(places, embed(features, 1))
    centres = places[:20].mean(0), places[20:].mean(0)
    spread = max(places[:20].std(), places[20:].std())
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * spread
    assert not np.array_equal(places, embed(features + 1e-3 * rng.normal(size=features.shape).astype(np.float32), 1))
