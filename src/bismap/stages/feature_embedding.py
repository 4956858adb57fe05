"""Stage ``feature_embedding``: t-SNE of target features of confusable classes."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item, open_dataset
from bismap.data.images import read_image, resize_label
from bismap.inspect.figures.embedding import Embedding, Points, choose_points, embed, read_points
from bismap.inspect.figures.saving import save_figure
from bismap.inspect.figures.scatter import draw_embeddings
from bismap.job import Job
from bismap.models.weights import load_network
from bismap.prototypes.features import grid_size, nearest_label


def run(job: Job) -> None:
    """Write ``figure.png`` and ``figure.svg``."""
    cfg = job.settings
    size = tuple(cfg["target"]["size"])
    dataset = open_dataset(job.input("target_index"), job.root("target"))
    trainids = {dataset.classes.names.index(name): name for name in cfg["classes"]}
    items = {item.id: item for item in dataset.items(cfg["target"]["split"])}
    points = choose_points(
        _grid_labels(dataset, items, trainids, size, job.threads), trainids, cfg["samples_per_class"], cfg["seed"]
    )
    labels = np.concatenate([own.labels for own in points.values()])
    embeddings = {}
    for name, path in zip(cfg["runs"], job.input_list("models"), strict=True):
        network = load_network(path, job.device, dataset.classes.names)
        features, predicted = read_points(network, _images(items, points, size, job.threads), points)
        embeddings[name] = Embedding(embed(features, cfg["seed"]), labels, predicted)
    save_figure(draw_embeddings(embeddings, trainids), job.out)


def _grid_labels(
    dataset: Dataset, items: Mapping[str, Item], trainids: Mapping[int, str], size: tuple[int, int], threads: int
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Id and true classes at the feature positions of each image that has one of the classes."""
    having = [item for item in items.values() if any(item.pixels[label] for label in trainids)]

    def read(item: Item) -> tuple[str, NDArray[np.uint8]]:
        label = resize_label(dataset.read_label(item), size)
        return item.id, nearest_label(label, *grid_size(*size[::-1]))

    yield from map_ahead(read, having, threads)


def _images(
    items: Mapping[str, Item], points: Mapping[str, Points], size: tuple[int, int], threads: int
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    read: partial = partial(read_image, size=size)
    paths: list[Path] = [items[image_id].image for image_id in points]
    yield from zip(points, map_ahead(read, paths, threads), strict=True)
