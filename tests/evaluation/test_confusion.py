import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference

from bismap.errors import BismapError
from bismap.evaluation.confusion import check_labels, confusion_matrix, joint_counts, sum_counts


def labels(seed, classes=19, shape=(40, 50), ignored=0.1):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, shape, dtype=np.uint8)
    label[rng.random(shape) < ignored] = 255
    return label


@pytest.mark.parametrize("classes", [2, 11, 19, 255])
def test_agrees_with_scikit_learn(classes):
    truth, given = labels(0, classes), labels(1, classes, ignored=0.2)
    found = confusion_matrix(joint_counts(truth, given), classes)
    seen = (truth != 255) & (given != 255)
    np.testing.assert_array_equal(found, reference(truth[seen], given[seen], labels=np.arange(classes)))
    assert found.dtype == np.int64


def test_every_pixel_is_counted():
    truth, given = labels(0), labels(1)
    counts = joint_counts(truth, given)
    assert counts.sum() == truth.size
    assert counts[255].sum() == (truth == 255).sum()


def test_other_shapes_are_refused():
    with pytest.raises(BismapError, match="shape"):
        joint_counts(labels(0), labels(1, shape=(50, 40)))


@pytest.mark.parametrize("threads", [1, 3])
def test_sum_does_not_depend_on_threads(threads):
    pairs = [(labels(i), labels(i + 50)) for i in range(6)]
    total = sum_counts(lambda pair: joint_counts(*pair), pairs, threads)
    np.testing.assert_array_equal(total, sum(joint_counts(*pair) for pair in pairs))


def test_labels_out_of_range_are_named():
    truth, given = labels(0, 5), labels(1, 5)
    check_labels(joint_counts(truth, given), 5, name="a", complete=False)
    given[3, 4] = 7
    with pytest.raises(BismapError, match=r"a: given labels hold id 7; expected 0..4 or 255"):
        check_labels(joint_counts(truth, given), 5, name="a", complete=False)
    with pytest.raises(BismapError, match="truth hold id 7"):
        check_labels(joint_counts(given, truth), 5, name="a", complete=False)


def test_predictions_must_be_complete_where_there_is_truth():
    truth, given = np.array([[0, 1, 255]], np.uint8), np.array([[0, 1, 255]], np.uint8)
    check_labels(joint_counts(truth, given), 2, name="a", complete=True)
    given[0, 1] = 255
    with pytest.raises(BismapError, match="1 pixels with a true label have no prediction"):
        check_labels(joint_counts(truth, given), 2, name="a", complete=True)
