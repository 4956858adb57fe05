import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from bismap.data.classes import CITYSCAPES
from bismap.errors import BismapError
from bismap.evaluation.confusion import confusion_matrix, joint_counts
from bismap.evaluation.protocols import class_iou, ignore_truth, mean_iou, subset_indices

NAMES = ("road", "terrain", "car", "truck")
#                    road terrain car truck   predicted
CONFUSION = np.array([[8, 0, 1, 1], [4, 2, 0, 0], [0, 0, 6, 2], [0, 0, 3, 3]])
SIXTEEN = [name for name in CITYSCAPES.names if name not in ("terrain", "truck", "train")]
THIRTEEN = [name for name in SIXTEEN if name not in ("wall", "fence", "pole")]


def test_iou_by_hand():
    np.testing.assert_allclose(class_iou(CONFUSION), [8 / 14, 2 / 6, 6 / 12, 3 / 9])


def test_subset_in_the_full_matrix_by_hand():
    """4 terrain pixels called road and 3 trucks called car are false positives."""
    assert mean_iou(class_iou(CONFUSION), [0, 2]) == pytest.approx((8 / 14 + 6 / 12) / 2)


def test_subset_with_ignored_truth_by_hand():
    """The same pixels do not count; road and car called truck are errors under both protocols."""
    alone = class_iou(ignore_truth(CONFUSION, [0, 2]))
    np.testing.assert_allclose(alone[[0, 2]], [8 / 10, 6 / 9])
    assert np.isnan(alone[[1, 3]]).all()
    assert mean_iou(alone, [0, 2]) == pytest.approx((8 / 10 + 6 / 9) / 2)


@pytest.mark.parametrize("members", [CITYSCAPES.names, SIXTEEN, THIRTEEN])
def test_both_protocols_from_one_matrix_agree_with_scikit_learn(members):
    rng = np.random.default_rng(len(members))
    truth = rng.integers(0, 19, 5000, dtype=np.uint8)
    given = np.where(rng.random(5000) < 0.6, truth, rng.integers(0, 19, 5000)).astype(np.uint8)
    confusion = confusion_matrix(joint_counts(truth, given), 19)
    keep = subset_indices(CITYSCAPES.names, {"some": members})["some"]
    full = jaccard_score(truth, given, labels=keep, average="macro")
    seen = np.isin(truth, keep)
    ignored = jaccard_score(truth[seen], given[seen], labels=keep, average="macro")
    assert mean_iou(class_iou(confusion), keep) == pytest.approx(full)
    assert mean_iou(class_iou(ignore_truth(confusion, keep)), keep) == pytest.approx(ignored)
    assert ignored >= full


def test_class_without_truth_is_nan_also_if_predicted_and_leaves_the_mean():
    confusion = np.array([[5, 0, 1], [0, 3, 0], [0, 0, 0]])
    iou = class_iou(confusion)
    np.testing.assert_allclose(iou, [5 / 6, 1, np.nan])
    assert mean_iou(iou, range(3)) == pytest.approx((5 / 6 + 1) / 2)
    assert mean_iou(iou, [2]) is None


def test_class_never_predicted_scores_zero():
    assert class_iou(np.array([[0, 4], [0, 6]]))[0] == 0


def test_no_members_means_all_classes():
    assert subset_indices(NAMES, {"miou": []}) == {"miou": [0, 1, 2, 3]}


@pytest.mark.parametrize(("members", "message"), [(["tram"], "no class 'tram'"), (["car", "car"], "twice")])
def test_bad_subsets(members, message):
    with pytest.raises(BismapError, match=message):
        subset_indices(NAMES, {"miou": members})
