"""Target prototypes: K-Means on all target cells (A§6), started by FAISS's k-means++.

Lloyd's steps are FAISS's on a GPU, and those of `lloyd` on a CPU, where most distances need not be computed.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np

from bismap.errors import BismapError
from bismap.extractor.cell_store import CellShard
from bismap.transferability.lloyd import lloyd
from bismap.transferability.nearest import nearest

log = logging.getLogger(__name__)

# No network gives larger values; their squares stay far within float32.
LARGEST = 1e9


@dataclass(frozen=True)
class Clusters:
    """Result of K-Means.

    Attributes:
        centres: [J, d] float32.
        sizes: [J] cells nearest to each centre; never 0.
        mean_distances: [J] mean L2 distance of those cells to the centre.
        inertia: sum of squared distances of all cells to their nearest centre.
    """

    centres: np.ndarray
    sizes: np.ndarray
    mean_distances: np.ndarray
    inertia: float


def stack_cells(shards: Sequence[CellShard]) -> np.ndarray:
    """All cells [n, d] float32, sorted by image id: the order does not depend on the shards."""
    row_of = {image_id: row for row, image_id in enumerate(sorted(i for shard in shards for i in shard.ids))}
    stacked = np.empty((len(row_of), *shards[0].features.shape[1:]), np.float32)
    for shard in shards:
        for image_id, cells in shard.images():
            stacked[row_of[image_id]] = cells
    return stacked.reshape(-1, stacked.shape[2])


def cluster(
    cells: np.ndarray,
    *,
    clusters: int,
    iterations: int,
    redos: int,
    seed: int,
    threads: int,
    device: str = "cpu",
) -> Clusters:
    """Cluster ``cells`` [n, d] float32 into at most ``clusters`` prototypes, using every cell.

    A centre that ends without a cell describes nothing of the target and is left out (identical cells can
    cause that). Within the steps such a centre stays where it is on a CPU; FAISS, on a GPU, has it share the cells of
    another.

    Args:
        cells: in an order that does not depend on how they came.
        clusters: J.
        iterations: Lloyd steps.
        redos: k-means++ starts, of which the best by inertia is kept.
        device: "cpu" or "cuda:N".

    Raises:
        BismapError: if there are fewer cells than clusters, values are not finite or absurd, or a GPU is asked for that
            FAISS does not see.
    """
    _check(cells, clusters)
    faiss.omp_set_num_threads(threads)
    log.info("K-Means of %d cells of length %d into %d clusters on %s", *cells.shape, clusters, device)
    index = _gpu_index(cells.shape[1], device) if device.startswith("cuda") else None
    found = []
    for redo in range(redos):
        start = _start(cells, clusters, seed + redo)
        centres = (
            lloyd(cells, start, iterations, threads) if index is None else _faiss_steps(cells, start, iterations, index)
        )
        found.append(_describe(cells, centres))
    best = min(found, key=lambda clusters: clusters.inertia)
    if len(best.sizes) < clusters:
        log.warning("%d of %d clusters hold no cell and are left out", clusters - len(best.sizes), clusters)
    return best


def _check(cells: np.ndarray, clusters: int) -> None:
    if len(cells) < clusters:
        raise BismapError(
            f"{len(cells)} target cells cannot form {clusters} clusters: take a finer grid, more images or "
            "fewer clusters"
        )
    if not all(abs(float(extreme)) <= LARGEST for extreme in (cells.min(), cells.max())):
        raise BismapError(
            f"target cells hold values that are not finite, or beyond {LARGEST:g}: run `extract` on the target again"
        )


def _start(cells: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Cells ``[J, d]`` that lie apart, chosen by k-means++."""
    choice = faiss.ClusteringInitialization(cells.shape[1], clusters)
    choice.method, choice.seed = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS, seed
    centres = np.empty((clusters, cells.shape[1]), np.float32)
    choice.init_centroids(len(cells), faiss.swig_ptr(cells), faiss.swig_ptr(centres))
    return centres


def _gpu_index(length: int, device: str) -> faiss.Index:
    """What finds the nearest centre of a cell on the GPU ``device``."""
    number = int(device.partition(":")[2] or 0)
    if faiss.get_num_gpus() <= number:
        raise BismapError(f"K-Means is to run on {device}, but FAISS sees {faiss.get_num_gpus()} GPUs")
    config = faiss.GpuIndexFlatConfig()
    config.device = number
    return faiss.GpuIndexFlatL2(faiss.StandardGpuResources(), length, config)


def _faiss_steps(cells: np.ndarray, start: np.ndarray, iterations: int, index: faiss.Index) -> np.ndarray:
    parameters = faiss.ClusteringParameters()
    parameters.niter = iterations
    # FAISS would silently keep 256 points a centroid, and warn below 39.
    parameters.max_points_per_centroid, parameters.min_points_per_centroid = len(cells), 1
    clustering = faiss.Clustering(cells.shape[1], len(start), parameters)
    faiss.copy_array_to_vector(start.ravel(), clustering.centroids)
    clustering.train(cells, index)
    return faiss.vector_float_to_array(clustering.centroids).reshape(start.shape)


def _describe(cells: np.ndarray, centres: np.ndarray) -> Clusters:
    index, distance = nearest(cells, centres)
    sizes = np.bincount(index, minlength=len(centres))
    kept = sizes > 0
    sums = np.bincount(index, distance, minlength=len(centres))
    return Clusters(centres[kept], sizes[kept], sums[kept] / sizes[kept], float((distance**2).sum()))
