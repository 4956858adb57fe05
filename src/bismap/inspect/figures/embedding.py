"""Target features of confusable classes in two dimensions (Figure 6).

The pixels are chosen by their true class and hashed keys alone, so that every run is shown by the same ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from bismap.data.sampling import pixel_keys
from bismap.errors import BismapError
from bismap.models.inference import features_and_logits
from bismap.models.network import DeepLabV3Plus
from bismap.random import seed64

PERPLEXITY = 30.0


@dataclass(frozen=True)
class Points:
    """Feature positions of one image: ``positions`` (row-major at stride 4) and ``labels``, both ``[n]``."""

    positions: NDArray[np.int64]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Embedding:
    """What one run makes of the points.

    Attributes:
        places: float32 ``[n, 2]``.
        labels: true classes ``[n]``.
        predicted: classes that the run takes them for ``[n]``.
    """

    places: NDArray[np.float32]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def misclassified(self) -> NDArray[np.bool_]:
        """Whether a point is taken for another class ``[n]``."""
        return self.labels != self.predicted


def choose_points(
    labels: Iterable[tuple[str, NDArray[np.uint8]]], classes: Mapping[int, str], limit: int, seed: int
) -> dict[str, Points]:
    """The same number of positions of each class, by image id: those of the smallest keys.

    Holds ``limit`` positions of each class, and those of one image.

    Args:
        labels: id and true class at each feature position ``[h, w]`` of each image, in any order.
        classes: trainId -> name.
        limit: positions of a class at most; all classes get as many as the rarest has.
        seed: of the keys.

    Raises:
        BismapError: naming a class that has none.
    """
    kept: dict[int, list[tuple[int, str, int]]] = {label: [] for label in classes}
    for image_id, image in labels:
        flat = image.ravel()
        for label, candidates in kept.items():
            positions = np.flatnonzero(flat == label)
            keys = pixel_keys(seed, image_id, positions)
            order = np.argsort(keys)[:limit]
            chosen = zip(keys[order].tolist(), positions[order].tolist(), strict=True)
            candidates += [(key, image_id, position) for key, position in chosen]
            candidates.sort()
            del candidates[limit:]
    if empty := [classes[label] for label, candidates in kept.items() if not candidates]:
        raise BismapError(
            f"the truth has no pixel of {', '.join(empty)} at the features' stride: name other classes (setting "
            "feature_embedding.classes)"
        )
    size = min(map(len, kept.values()))
    found: dict[str, list[tuple[int, int]]] = {}
    for label, candidates in kept.items():
        for _, image_id, position in candidates[:size]:
            found.setdefault(image_id, []).append((position, label))
    return {image_id: Points(*np.array(sorted(pairs)).T) for image_id, pairs in sorted(found.items())}


def read_points(
    network: DeepLabV3Plus, images: Iterable[tuple[str, NDArray[np.uint8]]], points: Mapping[str, Points]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """What the classifier is given at the points, ``[n, d]``, and the class it takes them for, ``[n]``.

    Args:
        network: in evaluation mode; computes in fp32.
        images: id and pixels uint8 ``[H, W, 3]`` of each image that has points, in the order of ``points``.
    """
    features, predicted = [], []
    for image_id, image in images:
        maps, logits = features_and_logits(network, torch.from_numpy(image)[None], "fp32")
        positions = torch.from_numpy(points[image_id].positions).to(maps.device)
        features.append(maps[0].flatten(1)[:, positions].T.cpu().numpy())
        predicted.append(logits[0].flatten(1)[:, positions].argmax(0).cpu().numpy())
    return np.concatenate(features), np.concatenate(predicted)


def embed(features: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    """t-SNE of ``[n, d]`` in ``[n, 2]``, on one thread: the order of sums would change the picture."""
    perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
    state = seed64("t-SNE", seed) % 2**32
    with threadpool_limits(1):
        return TSNE(perplexity=perplexity, init="pca", random_state=state, n_jobs=1).fit_transform(features)
