"""K-Means of the target's cells."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bismap.errors import BismapError
from bismap.transferability.nearest import nearest
from bismap.transferability.target_prototypes import cluster

OPTIONS = {"clusters": 6, "iterations": 100, "redos": 5, "seed": 5, "threads": 1}


@pytest.fixture(scope="module")
def cells():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 8)) * 2
    return (centres[rng.integers(6, size=3000)] + rng.normal(size=(3000, 8))).astype(np.float32)


def test_inertia_is_that_of_scikit_learn_within_a_percent(cells):
    ours = cluster(cells, **OPTIONS | {"redos": 10})
    reference = KMeans(6, n_init=10, random_state=5).fit(cells)
    assert ours.inertia == pytest.approx(reference.inertia_, rel=0.01)
    assert ours.sizes.sum() == len(cells)


def test_description_is_that_of_the_centres(cells):
    found = cluster(cells, **OPTIONS)
    distance = np.linalg.norm(cells[:, None] - found.centres, axis=2)
    index = distance.argmin(1)
    np.testing.assert_array_equal(found.sizes, np.bincount(index, minlength=6))
    for j in range(6):
        assert found.mean_distances[j] == pytest.approx(distance[index == j, j].mean(), rel=1e-5)
    assert found.inertia == pytest.approx((distance.min(1) ** 2).sum(), rel=1e-5)


def test_same_seed_same_centres(cells):
    first, second = cluster(cells, **OPTIONS), cluster(cells, **OPTIONS)
    np.testing.assert_array_equal(first.centres, second.centres)


def test_no_cell_is_left_out():
    # FAISS alone would keep 256 of the cells of one cluster; their mean would differ.
    cells = np.random.default_rng(1).normal(size=(5000, 3)).astype(np.float32)
    found = cluster(cells, **OPTIONS | {"clusters": 1})
    np.testing.assert_allclose(found.centres[0], cells.mean(0), atol=1e-5)


def test_a_centre_without_cells_is_left_out(caplog):
    cells = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    found = cluster(cells, **OPTIONS)
    assert len(found.centres) == 3
    assert (found.sizes == 10).all()
    np.testing.assert_array_equal(nearest(cells, found.centres)[1], 0)
    assert "hold no cell" in caplog.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clusters": 4000}, "3000 target cells cannot form 4000 clusters"),
        ({"device": "cuda:63"}, "FAISS sees"),
    ],
)
def test_impossible_requests(cells, change, message):
    with pytest.raises(BismapError, match=message):
        cluster(cells, **OPTIONS | change)


def test_cells_that_are_not_finite(cells):
    broken = cells.copy()
    broken[7, 3] = np.nan
    with pytest.raises(BismapError, match="not finite"):
        cluster(broken, **OPTIONS)


def test_nearest_equals_the_direct_distance():
    rng = np.random.default_rng(2)
    cells, centres = rng.normal(size=(2500, 16)) + 100, rng.normal(size=(5, 16)) + 100
    index, distance = nearest(cells.astype(np.float32), centres.astype(np.float32))
    direct = np.linalg.norm(
        cells.astype(np.float32)[:, None].astype(float) - centres.astype(np.float32).astype(float), axis=2
    )
    np.testing.assert_array_equal(index, direct.argmin(1))
    np.testing.assert_allclose(distance, direct.min(1), rtol=1e-9)
