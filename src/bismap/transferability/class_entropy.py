"""Mean prediction entropy of each class on the target set and its normalisation (Eq. 8)."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bismap.errors import BismapError


@dataclass(frozen=True)
class ImageEntropy:
    """Of one image, by predicted class [classes]: number of pixels, and sum of their entropies in nats."""

    pixels: np.ndarray
    entropy: np.ndarray


def image_entropy(logits: np.ndarray) -> ImageEntropy:
    """Entropy of the softmax, summed by argmax class.

    Args:
        logits: finite, [classes, height, width].
    """
    classes = len(logits)
    flat = logits.reshape(classes, -1).astype(np.float64)
    predicted = flat.argmax(0)
    flat -= flat.max(0)
    weights = np.exp(flat)
    total = weights.sum(0)
    # H = log sum exp(z) - sum p z, of shifted logits: no log of a vanishing probability.
    entropy = np.log(total) - (weights * flat).sum(0) / total
    return ImageEntropy(np.bincount(predicted, minlength=classes), np.bincount(predicted, entropy, minlength=classes))


def mean_entropy(images: Iterable[ImageEntropy]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [classes] and mean entropy e_c [classes] in nats, NaN where no pixel is predicted.

    The sums over images are correctly rounded, so that their order does not matter.
    """
    found = list(images)
    pixels = np.sum([image.pixels for image in found], axis=0)
    sums = np.array([math.fsum(column) for column in zip(*(image.entropy for image in found), strict=True)])
    return pixels, np.divide(sums, pixels, out=np.full(len(sums), np.nan), where=pixels > 0)


def normalize(entropy: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Eq. 8: min-max over the classes that the source has labels of and that are predicted; all equal give 0.

    A class that is predicted nowhere has e' = 1. The paper does not treat it; e' is there to lift the
    classes that the model finds hard (§3.4), and none is harder than one that it never gives.

    A class without source labels (terrain, truck and train of SYNTHIA) has none, NaN: no source pixel asks for
    it, and the few target pixels that a model gives to it, all uncertain, would flatten the others' e'.

    Args:
        entropy: e_c [classes], NaN where no pixel is predicted.
        labelled: bool [classes], whether the source has labels of the class.
    """
    judged = entropy[labelled & ~np.isnan(entropy)]
    low, high = (judged.min(), judged.max()) if len(judged) else (0.0, 0.0)
    scaled = (entropy - low) / (high - low) if high > low else np.zeros_like(entropy)
    return np.where(labelled, np.where(np.isnan(entropy), 1.0, scaled), np.nan)


def save_entropy(
    path: Path, names: Sequence[str], pixels: np.ndarray, entropy: np.ndarray, labelled: np.ndarray
) -> None:
    """Write class, name, pixels, mean_entropy (empty for a class predicted nowhere) and normalized.

    The last is empty for a class without source labels.
    """
    _write(path, names, pixels, entropy, normalize(entropy, labelled))


def save_constants(path: Path, names: Sequence[str], entropy: Sequence[float]) -> None:
    """Write the same table of given class entropies [classes], normalised over all of them, as released (A§6).

    SYNTHIA's constants are 0 for the classes that it lacks, which makes 0 the least of them (A§14.1 row 10).

    Raises:
        BismapError: unless there is one for each class, and not all are the same.
    """
    given = np.asarray(entropy, np.float64)
    if len(given) != len(names) or given.min() == given.max():
        raise BismapError(
            f"class_entropy.constants: expected {len(names)} numbers that differ, one a class, got {list(entropy)}"
        )
    _write(path, names, [""] * len(names), given, (given - given.min()) / (given.max() - given.min()))


def _write(path: Path, names: Sequence[str], pixels: Sequence, entropy: np.ndarray, normalized: np.ndarray) -> None:
    columns = {"class": np.arange(len(names)), "name": names, "pixels": pixels, "mean_entropy": entropy}
    pd.DataFrame(columns | {"normalized": normalized}).to_csv(path, index=False, lineterminator="\n")


def load_normalized(path: Path, names: Sequence[str]) -> np.ndarray:
    """e'_c [classes] of the file; 0 for a class without source labels, of which no pixel asks for it.

    Raises:
        BismapError: if the file's classes are not ``names``.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    if tuple(table["name"]) != tuple(names):
        raise BismapError(f"{path} has the classes {list(table['name'])}, expected {list(names)}")
    return pd.to_numeric(table["normalized"]).fillna(0.0).to_numpy(np.float64)
