"""Target prototypes: Lloyd's steps of FAISS, as the stage runs them, beside scikit-learn's.

    python benchmarks/kmeans.py [--cells 47600] [--iterations 25] [--rounds 3]

Both start from the same cells, take all steps, and tell the inertia. The data have fewer clusters than are asked
for in some places and more in others, so that the assignment does not stand before the last step.
"""

import argparse
import warnings

import faiss
import numpy as np
from comparison import Section, compare
from sklearn.cluster import KMeans

from bismap.transferability.target_prototypes import Clusters, describe, make_index, make_parameters

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


def lloyd(cells: np.ndarray, start: np.ndarray, iterations: int) -> np.ndarray:
    """The stage's K-Means, from given centres."""
    clustering = faiss.Clustering(D, len(start), make_parameters(len(cells), iterations, 1, 0))
    faiss.copy_array_to_vector(start.ravel(), clustering.centroids)
    clustering.train(cells, make_index(D, "cpu"))
    assert clustering.iteration_stats.size() == iterations
    return faiss.vector_float_to_array(clustering.centroids).reshape(len(start), D).copy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=47_600)
    parser.add_argument("--iterations", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    cells = make_cells(args.cells)
    start = cells[np.random.default_rng(1).choice(len(cells), J, replace=False)]

    def peer() -> KMeans:
        return KMeans(J, init=start, n_init=1, max_iter=args.iterations, tol=0, algorithm="lloyd").fit(cells)

    def own() -> Clusters:
        return describe(cells, lloyd(cells, start, args.iterations))

    ours, theirs = own().inertia, peer()
    assert theirs.n_iter_ == args.iterations
    flops = 2 * args.cells * D * J
    Section(
        f"K-Means, {args.cells:,} x {D}, J = {J}, {args.iterations} steps",
        {"scikit-learn": 5},
        ("a step", args.iterations),
        [
            f"Inertia differs by {100 * abs(ours / theirs.inertia_ - 1):.4f} % (allowed: 0.1).",
            f"Floor of a step: {flops / 1e9:.1f} GFLOP in fp32, {cells.nbytes / 2**20:.0f} MB read twice.",
        ],
    ).print(compare({"ours (FAISS)": own, "scikit-learn": peer}, args.rounds))


if __name__ == "__main__":
    main()
