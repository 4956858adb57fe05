"""Correctly classified source features (Eq. 3, A§3) and their exactly uniform sample per class.

A feature counts for class c where the label and the prediction at the feature's own stride of 4 are c. The
label is taken by nearest neighbour as ``F.interpolate(mode="nearest")`` does, in whole numbers: row i of h
takes label row floor(i * height / h). The prediction is the argmax of the logits as the network gives them.

Sampling: every feature has a 64-bit key made of (seed, image id, position), and a class's sample is its
``samples_per_class`` smallest keys over the whole source set. Keys know nothing of shards, workers or order,
so neither does the sample, and since they are uniform, so is it, without replacement. Two bounds keep a shard
small:

- it never holds more than ``samples_per_class`` features of a class (plus a quarter, between prunings);
- it keeps only keys below ``SPARE * samples_per_class / (positions labelled with the class)``, as a share of
  the key range, the count being the index's for the whole set. All shards together then keep at most about
  SPARE samples, instead of one full sample each. The bound does not depend on the features, so the sample is
  exactly uniform in any case; it has its full size as long as one in SPARE of the labelled positions is
  classified correctly. For a class that the network misses more often than that it is smaller.

The released code samples otherwise (`Pool`, A§14.1 row 12): it thins each class, and takes only what the first images
of a shuffled list give until there are a million features. Here a class is thinned by the keys, and its last image is
that at which the thinned *labelled* positions reach the pool's size, which the index tells. The correct ones reach it
later, and much later for a class that the network often misses: such a class has a smaller pool here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bismap.data import IGNORE
from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_image, resize_label
from bismap.data.sampling import pixel_keys
from bismap.errors import BismapError
from bismap.models.inference import features_and_logits
from bismap.models.network import DeepLabV3Plus
from bismap.prototypes.class_means import ClassMeans
from bismap.random import seed64

SPARE = 8
STRIDE = 4
MAX_KEY = np.iinfo(np.uint64).max


@dataclass(frozen=True)
class Sample:
    """One image at the nominal size: ``image`` uint8 [H, W, 3], ``label`` uint8 [H, W] of trainIds."""

    id: str
    image: np.ndarray
    label: np.ndarray


@dataclass(frozen=True)
class ClassFeatures:
    """A class's sample: ``features`` float16 [n, d] and their ``keys`` uint64 [n], ascending."""

    features: np.ndarray
    keys: np.ndarray


@dataclass(frozen=True)
class Extraction:
    """One shard: per class the features ``kept``, how many positions are ``labelled`` and ``correct``, and the images'
    ``means`` of correct features.
    """

    kept: tuple[ClassFeatures, ...]
    labelled: np.ndarray
    correct: np.ndarray
    means: ClassMeans


@dataclass(frozen=True)
class Pool:
    """Which features may be sampled: those of the first images of a shuffled list, thinned.

    Attributes:
        size: thinned labelled positions of a class after which no other image adds any.
        keep: [C] share of the positions of each class that thinning leaves.
    """

    size: int
    keep: Sequence[float]

    def thin(self, bounds: Sequence[int]) -> list[int]:
        """The `key_bounds` of thinned classes.

        Raises:
            BismapError: unless there is a share for each class.
        """
        if len(self.keep) != len(bounds):
            raise BismapError(f"features.pool.keep: expected {len(bounds)} shares, one a class, got {len(self.keep)}")
        return [min(bound, int(share * MAX_KEY)) for bound, share in zip(bounds, self.keep, strict=True)]

    def images(self, items: Sequence[Item], size: tuple[int, int], seed: int) -> dict[str, np.ndarray]:
        """Of each image of the split, which classes [C] it may add to; size and items as of `key_bounds`."""
        shuffled = sorted(items, key=lambda item: seed64("pool", seed, item.id))
        positions = np.stack([_positions(item, size) for item in shuffled]) * np.asarray(self.keep)
        before = positions.cumsum(0) - positions
        return {item.id: row < self.size for item, row in zip(shuffled, before, strict=True)}


class SmallestKeys:
    """Streaming choice of the ``limit`` candidates with the smallest keys (distinct); holds 1.25 ``limit``."""

    def __init__(self, limit: int, bound: int = MAX_KEY) -> None:
        self.bound = np.uint64(bound)
        self._limit = limit
        self._parts: list[ClassFeatures] = []
        self._size = 0

    def add(self, features: np.ndarray, keys: np.ndarray) -> None:
        """Take candidates ``features`` [m, d] and ``keys`` [m]; those above ``bound`` need not be offered."""
        self._parts.append(ClassFeatures(features, keys))
        self._size += len(keys)
        if self._size > self._limit + self._limit // 4:
            self._prune()

    @property
    def held(self) -> int:
        """Candidates in memory."""
        return self._size

    def _prune(self) -> None:
        keys = np.concatenate([part.keys for part in self._parts])
        self.bound = min(self.bound, np.partition(keys, self._limit - 1)[self._limit - 1])
        chosen = keys <= self.bound
        features = np.concatenate([part.features for part in self._parts])[chosen]
        self._parts, self._size = [ClassFeatures(features, keys[chosen])], len(features)

    def result(self, dim: int) -> ClassFeatures:
        """The choice, sorted by key; [0, dim] when there was no candidate."""
        keys = np.concatenate([np.empty(0, np.uint64), *(part.keys for part in self._parts)])
        features = np.concatenate([np.empty((0, dim), np.float16), *(part.features for part in self._parts)])
        order = np.argsort(keys, kind="stable")[: self._limit]
        order = order[keys[order] <= self.bound]
        return ClassFeatures(features[order], keys[order])


def grid_size(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of the features of an image."""
    return -(-height // STRIDE), -(-width // STRIDE)


def key_bounds(
    items: Sequence[Item],
    classes: int,
    size: tuple[int, int],
    samples_per_class: int,
    allowed: Mapping[str, np.ndarray] | None = None,
) -> list[int]:
    """Largest key worth keeping, per class, from the index's pixel counts of the whole split.

    Args:
        items: every item of the split, not of a shard.
        size: nominal (width, height) at which features are computed.
        allowed: of an image's id, which classes [C] it may add to (`Pool.images`); None: all to all.
    """
    positions = np.zeros(classes)
    for item in items:
        positions += _positions(item, size) * (1 if allowed is None else allowed[item.id])
    shares = SPARE * samples_per_class / np.maximum(positions, 1)
    return [MAX_KEY if share >= 1 else int(share * MAX_KEY) for share in shares.tolist()]


def _positions(item: Item, size: tuple[int, int]) -> np.ndarray:
    """About how many feature positions of each class [C] an image has at ``size``."""
    rows, columns = grid_size(size[1], size[0])
    return np.asarray(item.pixels) * (rows * columns / (item.height * item.width))


def nearest_label(label: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """``label`` [H, W] at the feature positions: [rows, columns], as ``F.interpolate(mode="nearest")``."""
    height, width = label.shape
    return label[np.arange(rows)[:, None] * height // rows, np.arange(columns) * width // columns]


def extract_features(
    network: DeepLabV3Plus,
    samples: Iterable[Sample],
    bounds: Sequence[int],
    *,
    samples_per_class: int,
    seed: int,
    precision: str,
    allowed: Mapping[str, np.ndarray] | None = None,
) -> Extraction:
    """Correct features of ``samples``, the smallest keys of each class.

    Args:
        network: in eval mode, with ``features``, ``classifier`` and ``feature_dim``.
        bounds: largest key to keep per class (`key_bounds`).
        samples_per_class: most features kept per class.
        seed: of the sampling keys.
        precision: of the forward pass on CUDA, one of `bismap.models.inference.PRECISIONS`.
        allowed: of an image's id, which classes [C] it may add to (`Pool.images`); None: all to all.

    Raises:
        BismapError: if features are not finite in float16 (the image is named), or precision is unknown.
    """
    chosen = [SmallestKeys(samples_per_class, bound) for bound in bounds]
    labelled, correct = np.zeros((2, len(bounds)), np.int64)
    means = ClassMeans.zeros(len(bounds), network.feature_dim)
    for sample in samples:
        features, prediction = _infer(network, sample, precision)
        label = nearest_label(sample.label, *prediction.shape).ravel()
        hit = np.where(label == prediction.ravel(), label, IGNORE)
        labelled += _counts(label, len(bounds))
        correct += _counts(hit, len(bounds))
        means.add_image(features, hit)
        offered = hit if allowed is None else _only(hit, allowed[sample.id])
        _choose(chosen, features, offered, sample.id, seed)
    return Extraction(tuple(keys.result(network.feature_dim) for keys in chosen), labelled, correct, means)


def _counts(label: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(label, minlength=IGNORE + 1)[:classes]


def _only(hit: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """``hit`` [n] with the positions of other ``classes`` [C] ignored."""
    lookup = np.full(IGNORE + 1, IGNORE, np.uint8)
    lookup[np.flatnonzero(classes)] = np.flatnonzero(classes)
    return lookup[hit]


def _choose(chosen: Sequence[SmallestKeys], features: Tensor, hit: np.ndarray, image_id: str, seed: int) -> None:
    """Offer the correct features [h * w, d] of one image; only those below the bounds leave the device."""
    positions = np.flatnonzero(hit != IGNORE)
    keys = pixel_keys(seed, image_id, positions)
    bounds = np.array([candidate.bound for candidate in chosen], np.uint64)
    wanted = keys <= bounds[hit[positions]]
    positions, keys = positions[wanted], keys[wanted]
    values = features[torch.from_numpy(positions).to(features.device)].cpu().numpy()
    classes = hit[positions]
    for trainid in np.unique(classes):
        mine = classes == trainid
        chosen[trainid].add(values[mine], keys[mine])


def _infer(network: DeepLabV3Plus, sample: Sample, precision: str) -> tuple[Tensor, np.ndarray]:
    """Features [h * w, d] float16 on the device, and predicted classes uint8 [h, w]."""
    maps, logits = features_and_logits(network, torch.from_numpy(sample.image)[None], precision)
    features = maps[0].permute(1, 2, 0).flatten(0, 1).half()
    if not features.isfinite().all():
        raise BismapError(
            f"features of image {sample.id} are not finite in float16 (largest {maps.abs().max().item():g}, "
            "expected at most 65504): train the model again"
        )
    return features, logits[0].argmax(0).to(torch.uint8).cpu().numpy()


def read_samples(
    dataset: Dataset, items: Sequence[Item], images: dict[str, Path], size: tuple[int, int], threads: int
) -> Iterator[Sample]:
    """Images (by id from ``images``) and labels of ``items``, in order, at ``size`` (width, height)."""

    def read(item: Item) -> Sample:
        label = resize_label(dataset.read_label(item), size)
        return Sample(item.id, read_image(images[item.id], size), label)

    yield from map_ahead(read, items, threads)
