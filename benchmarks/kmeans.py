"""Target prototypes: Lloyd's steps as the stage takes them, beside those of scikit-learn and of FAISS.

    python benchmarks/kmeans.py [--cells 47600] [--iterations 100] [--rounds 3]

All start from the same cells, take all steps (as many as the stage is configured for), and tell the inertia. The
data have no clusters, so that the assignment does not stand before the last step: a hard case for bounds.
"""

import argparse
import os
import warnings
from functools import partial

import faiss
import numpy as np
from comparison import Section, Work, compare
from sklearn.cluster import KMeans

from bismap.transferability.lloyd import lloyd
from bismap.transferability.nearest import nearest

D, J = 2048, 40


def make_cells(n: int) -> np.ndarray:
    """Post-ReLU features ``[n, D]`` float32 of 16 degrees of freedom, and noise."""
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((16, D), np.float32)
    cells = np.empty((n, D), np.float32)
    for block in np.array_split(cells, max(1, n // 5000)):
        block[:] = rng.standard_normal((len(block), 16), np.float32) @ directions
        block += rng.standard_normal(block.shape, np.float32)
        np.maximum(block, 0, out=block)
    return cells


def own_steps(cells: np.ndarray, start: np.ndarray, iterations: int) -> float:
    """Inertia after the stage's steps, which stop early at a fixed point only."""
    return float((nearest(cells, lloyd(cells, start, iterations, len(os.sched_getaffinity(0))))[1] ** 2).sum())


def faiss_steps(cells: np.ndarray, start: np.ndarray, iterations: int) -> float:
    """Inertia after FAISS's steps on all cells."""
    parameters = faiss.ClusteringParameters()
    parameters.niter, parameters.max_points_per_centroid = iterations, len(cells)
    clustering = faiss.Clustering(D, len(start), parameters)
    faiss.copy_array_to_vector(start.ravel(), clustering.centroids)
    index = faiss.IndexFlatL2(D)
    clustering.train(cells, index)
    assert clustering.iteration_stats.size() == iterations
    return float(index.search(cells, 1)[0].sum())


def scikit_learn_steps(cells: np.ndarray, start: np.ndarray, iterations: int) -> float:
    """Inertia after scikit-learn's steps."""
    found = KMeans(J, init=start, n_init=1, max_iter=iterations, tol=0, algorithm="lloyd").fit(cells)
    assert found.n_iter_ == iterations
    return found.inertia_


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=47_600)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    cells = make_cells(args.cells)
    start = cells[np.random.default_rng(1).choice(len(cells), J, replace=False)]

    forms = {"ours": own_steps, "scikit-learn": scikit_learn_steps, "FAISS": faiss_steps}
    inertia = {name: form(cells, start, args.iterations) for name, form in forms.items()}
    off = {name: 100 * abs(inertia["ours"] / other - 1) for name, other in inertia.items() if name != "ours"}
    flops = 2 * args.cells * D * J
    Section(
        f"K-Means, {args.cells:,} x {D}, J = {J}, {args.iterations} steps",
        {"scikit-learn": 5},
        ("a step", args.iterations),
        [
            "Inertia differs from "
            + ", ".join(f"{name}'s by {value:.4f} %" for name, value in off.items())
            + " (allowed: 0.1).",
        ],
        # The first step computes all distances; each of the others one of nearly every cell, here without clusters.
        Work(fp32=flops / args.iterations, bytes=cells.nbytes),
    ).print(compare({name: partial(form, cells, start, args.iterations) for name, form in forms.items()}, args.rounds))


if __name__ == "__main__":
    main()
