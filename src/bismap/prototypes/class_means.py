"""Mean correct feature of each class over the source images: what category anchors are made of (A§9).

They are summed up where the features are sampled, since another pass over the source would take as long again.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from torch import Tensor

from bismap.data import IGNORE
from bismap.errors import BismapError

CLASS_MEANS, ANCHORS = "class_means.safetensors", "anchors.safetensors"

MIN_FEATURES = 10
"""An image with fewer correct features of a class says nothing of it."""

# Sums are whole numbers of this: exact, so that they do not depend on the order of images or on shards.
_UNIT = 2.0**-24


@dataclass(frozen=True)
class ClassMeans:
    """Sums over source images.

    Attributes:
        sums: int64 ``[C, d]``, of the mean features of the images, in units of 2^-24.
        images: int64 ``[C]``, how many.
    """

    sums: np.ndarray
    images: np.ndarray

    @classmethod
    def zeros(cls, classes: int, length: int) -> "ClassMeans":
        """Of no image."""
        return cls(np.zeros((classes, length), np.int64), np.zeros(classes, np.int64))

    def add_image(self, features: Tensor, classes: np.ndarray) -> None:
        """Add an image's features ``[n, d]``, with the class of each correct one and `IGNORE` elsewhere ``[n]``."""
        for c in np.flatnonzero(np.bincount(classes, minlength=IGNORE + 1)[: len(self.images)] >= MIN_FEATURES):
            mine = torch.from_numpy(np.flatnonzero(classes == c)).to(features.device)
            mean = features[mine].double().mean(0).cpu().numpy()
            self.sums[c] += np.rint(mean / _UNIT).astype(np.int64)
            self.images[c] += 1

    def __add__(self, other: "ClassMeans") -> "ClassMeans":
        return ClassMeans(self.sums + other.sums, self.images + other.images)

    def anchors(self) -> np.ndarray:
        """float64 ``[C, d]``, NaN for a class without images."""
        with np.errstate(invalid="ignore"):
            return self.sums * _UNIT / np.where(self.images > 0, self.images, np.nan)[:, None]

    def save(self, path: Path) -> None:
        """Write as safetensors."""
        save_file({"sums": self.sums, "images": self.images}, path)

    @classmethod
    def load(cls, path: Path) -> "ClassMeans":
        """Read what `save` wrote.

        Raises:
            BismapError: if the file is missing or another's.
        """
        try:
            found = load_file(path)
            return cls(found["sums"], found["images"])
        except (OSError, SafetensorError, KeyError) as error:
            raise BismapError(f"{path} holds no class means ({error}); make `features` again") from error
