"""K-Means start against scikit-learn, and its rules for few distinct rows."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from bismap.prototypes.kmeans import HEAD_ROWS, kmeans_centres


def blobs(n, k, d=6, seed=0):
    rng = np.random.default_rng(seed)
    return (10 * rng.normal(size=(k, d))[rng.integers(k, size=n)] + rng.normal(size=(n, d))).astype(np.float16)


def test_a_fixed_point_of_lloyd():
    x = blobs(2000, 4).astype(np.float32)
    centres = kmeans_centres(x, 4, seed=3, threads=1)
    settled = KMeans(4, init=centres, n_init=1, max_iter=300, tol=0).fit(x)
    np.testing.assert_allclose(centres, settled.cluster_centers_, atol=1e-3)


def test_all_rows_are_used():
    # FAISS's own default keeps 256 rows a cluster: the mean of one cluster tells.
    x = blobs(5000, 1)
    np.testing.assert_allclose(kmeans_centres(x, 1, seed=0, threads=1)[0], x.astype(np.float64).mean(0), atol=1e-5)


def test_seed_decides():
    x = blobs(1000, 20)
    first, again, other = (kmeans_centres(x, 5, seed=seed, threads=1) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("distinct", [1, 3, 8])
def test_few_distinct_rows_are_the_centres(distinct):
    rows = blobs(distinct, distinct)
    x = np.repeat(rows, 50, axis=0)
    centres = kmeans_centres(x, 8, seed=0, threads=1)
    np.testing.assert_array_equal(np.unique(centres, axis=0), np.unique(rows, axis=0))
    assert len(centres) == distinct


def test_distinct_rows_after_the_head():
    x = np.zeros((HEAD_ROWS + 200, 3), np.float16)
    x[-200:] = blobs(200, 200, d=3)
    assert len(np.unique(kmeans_centres(x, 8, seed=0, threads=1), axis=0)) == 8


def test_negative_zero_is_zero():
    x = np.array([[0.0, 1.0], [-0.0, 1.0], [0.0, 2.0]], np.float16)
    assert len(kmeans_centres(x, 8, seed=0, threads=1)) == 2
