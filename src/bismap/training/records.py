"""Which files a training reads: source images with labels and weights, target images with pseudo-labels."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_png_label
from bismap.data.shards import files
from bismap.errors import BismapError
from bismap.training.batches import Record


def source_records(
    dataset: Dataset, split: str, stylized: Sequence[Path], transferability: Sequence[Path]
) -> tuple[Record, ...]:
    """The labelled images of a split.

    Args:
        dataset: the source.
        split: name of the split.
        stylized: manifests of the stylised images; empty for the raw images.
        transferability: manifests of the weight maps; empty for none.

    Raises:
        BismapError: naming the images that a given set of files lacks.
    """
    items = dataset.items(split)
    images = _found(items, stylized, "stylised image")
    weights = _found(items, transferability, "transferability map")
    return tuple(
        Record(item.id, images.get(item.id, item.image), partial(dataset.read_label, item), weights.get(item.id))
        for item in items
    )


def target_records(dataset: Dataset, split: str, pseudo_labels: Sequence[Path]) -> tuple[Record, ...]:
    """The images of a split with their pseudo-labels; the data set's own labels are never read.

    Raises:
        BismapError: naming the images without a pseudo-label.
    """
    items = dataset.items(split)
    if not pseudo_labels:
        raise BismapError("training on the target needs the input `pseudo_labels`, and none was given")
    labels = _found(items, pseudo_labels, "pseudo-label")
    return tuple(Record(item.id, item.image, partial(read_png_label, labels[item.id])) for item in items)


def _found(items: Sequence[Item], manifests: Sequence[Path], what: str) -> Mapping[str, Path]:
    if not manifests:
        return {}
    paths = files(manifests, ".png")
    missing = [item.id for item in items if item.id not in paths]
    if missing:
        raise BismapError(
            f"{len(missing)} of {len(items)} images have no {what}, the first is {missing[0]}: "
            f"make the stage that writes them for the same split"
        )
    return paths
