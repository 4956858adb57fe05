"""Entropy by predicted class against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from bismap.errors import BismapError
from bismap.transferability.class_entropy import (
    ImageEntropy,
    image_entropy,
    load_normalized,
    mean_entropy,
    normalize,
    save_entropy,
)


def test_closed_forms():
    # p = (1/2, 1/4, 1/4): H = 1.5 log 2; p uniform: H = log 3, the first class wins the tie
    logits = np.stack([np.log([0.5, 0.25, 0.25]), np.zeros(3)], axis=1).reshape(3, 1, 2)
    found = image_entropy(logits)
    np.testing.assert_array_equal(found.pixels, [2, 0, 0])
    np.testing.assert_allclose(found.entropy, [1.5 * np.log(2) + np.log(3), 0, 0], rtol=1e-12)


def test_equals_scipy_class_by_class():
    logits = np.random.default_rng(0).normal(size=(5, 6, 7)) * 4
    p = np.exp(logits) / np.exp(logits).sum(0)
    expected, predicted = scipy_entropy(p, axis=0), logits.argmax(0)
    found = image_entropy(logits.astype(np.float64))
    for c in range(5):
        assert found.entropy[c] == pytest.approx(expected[predicted == c].sum(), rel=1e-9)
        assert found.pixels[c] == (predicted == c).sum()


def test_certain_predictions_have_no_entropy():
    assert image_entropy(np.array([[[1e4]], [[-1e4]]])).entropy[0] == 0


@given(st.permutations(range(6)))
def test_order_of_images_does_not_matter(order):
    rng = np.random.default_rng(4)
    images = [ImageEntropy(rng.integers(1, 9, 3), rng.random(3) * 10.0 ** rng.integers(-9, 9, 3)) for _ in range(6)]
    straight, turned = mean_entropy(images), mean_entropy([images[i] for i in order])
    np.testing.assert_array_equal(straight[1], turned[1])


def test_mean_is_over_pixels_and_absent_classes_have_none():
    images = [
        ImageEntropy(np.array([1, 0, 2]), np.array([0.5, 0, 3.0])),
        ImageEntropy(np.array([3, 0, 0]), np.array([1.5, 0, 0])),
    ]
    pixels, entropy = mean_entropy(images)
    np.testing.assert_array_equal(pixels, [4, 0, 2])
    np.testing.assert_array_equal(entropy, [0.5, np.nan, 1.5])


def test_normalisation_is_over_the_classes_predicted_and_the_others_are_the_hardest():
    np.testing.assert_allclose(normalize(np.array([0.3, np.nan, 0.1, 0.2]), np.ones(4, bool)), [1, 1, 0, 0.5])
    np.testing.assert_array_equal(normalize(np.array([0.3, np.nan, 0.3]), np.ones(3, bool)), [0, 1, 0])


def test_a_stray_prediction_of_a_class_without_source_labels_leaves_the_others_as_they_are():
    entropy, labelled = np.array([0.1, 2.3, 0.2, np.nan, 0.3]), np.array([True, False, True, False, True])
    np.testing.assert_allclose(normalize(entropy, labelled), [0, np.nan, 0.5, np.nan, 1])


def test_without_any_prediction_of_a_labelled_class_all_are_the_hardest():
    found = normalize(np.array([np.nan, 0.4, np.nan]), np.array([True, False, True]))
    np.testing.assert_array_equal(found, [1, np.nan, 1])


def test_file_round_trip(tmp_path):
    path, names = tmp_path / "class_entropy.csv", ("road", "null", "sky", "train")
    entropy, labelled = np.array([0.1, np.nan, 0.7, 1.5]), np.array([True, True, True, False])
    save_entropy(path, names, np.array([9, 0, 4, 1]), entropy, labelled)
    assert path.read_text().splitlines()[2:] == ["1,null,0,,1.0", "2,sky,4,0.7,1.0", "3,train,1,1.5,"]
    np.testing.assert_array_equal(load_normalized(path, names), [0, 1, 1, 0])
    with pytest.raises(BismapError, match="expected"):
        load_normalized(path, ("road", "sky", "null", "train"))
