"""Batches by step: what is in them depends on the seed and the step, never on workers or on earlier steps."""

import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bismap.data import IGNORE
from bismap.data.ahead import map_ahead
from bismap.data.images import read_gray8, read_image, resize_label
from bismap.errors import BismapError
from bismap.processes import ALONE, Processes
from bismap.random import stream
from bismap.training.augment import Augmentation, Geometry, Views, view
from bismap.training.sampler import image_index
from bismap.training.strong import Strong, cut_out, rand_augment


class Record(NamedTuple):
    """One training image: where it lies and how its labels are read.

    ``read_label`` returns trainIds, uint8 ``[H, W]``, of any size; ``weights`` is an 8-bit grey map or None.
    """

    id: str
    image: Path
    read_label: Callable[[], np.ndarray]
    weights: Path | None = None


class Sample(NamedTuple):
    """One crop; see `Batch` for the arrays."""

    id: str
    views: Views
    strong: np.ndarray | None
    visible: np.ndarray


class Batch(NamedTuple):
    """Crops of one domain, uint8.

    Attributes:
        ids: image id of each crop.
        images: ``[B, h, w, 3]`` RGB.
        labels: ``[B, h, w]`` trainIds with `IGNORE`.
        weights: ``[B, h, w]``, 255 = weight 1; None where the domain has no weights.
        strong: ``[B, h, w, 3]`` the strong view of the same crops, or None.
        visible: ``[B, h, w]``: 1 inside the image and outside the strong view's CutOut square, else 0.
        unlabelled: number of crops without a labelled pixel.
    """

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    weights: Tensor | None
    strong: Tensor | None
    visible: Tensor
    unlabelled: int


@dataclass(frozen=True)
class Domain:
    """The images of one domain and how crops are drawn from them.

    Attributes:
        name: ``"source"`` or ``"target"``; part of the key of every random choice.
        records: all images, sorted by id.
        size: nominal (width, height) that images, labels and weights are resized to at load.
        classes: number of classes; labels beyond are errors.
        augmentation: the ordinary view.
        strong: settings of the strong view, or None if none is wanted.
        batch_size: crops a step.
        seed: of the training.
    """

    name: str
    records: tuple[Record, ...]
    size: tuple[int, int]
    classes: int
    augmentation: Augmentation
    strong: Strong | None
    batch_size: int
    seed: int

    def batch(self, step: int, processes: Processes = ALONE, threads: int = 1) -> Batch:
        """The crops of ``step``, or this process's share of them, made by ``threads`` threads."""
        positions = [step * self.batch_size + slot for slot in processes.part(self.batch_size)]
        samples = map_ahead(self.sample, positions, threads)
        ids, views, strong, visible = zip(*samples, strict=True)
        images, labels, weights = zip(*views, strict=True)
        unlabelled = sum(bool((crop == IGNORE).all()) for crop in labels)
        stacks = (_stack(arrays) for arrays in (images, labels, weights, strong, visible))
        return Batch(ids, *stacks, unlabelled)

    def sample(self, position: int) -> Sample:
        """The crop at a position of the training's stream of crops."""
        record = self.records[image_index(self.seed, self.name, len(self.records), position)]
        rng = stream("augment", self.seed, self.name, position)
        image = Image.fromarray(read_image(record.image, self.size))
        label = resize_label(record.read_label(), self.size)
        weights = None if record.weights is None else resize_label(read_gray8(record.weights), self.size)
        geometry = self.augmentation.draw_geometry(rng, label)
        views = view(geometry, self.augmentation.jitter.draw(rng), image, label, weights)
        self._check(record, views.labels)
        width, height = geometry.inside
        visible = geometry.place(np.ones((height, width), np.uint8), 0)
        strong = None if self.strong is None else strong_view(image, geometry, rng, self.strong, visible)
        return Sample(record.id, views, strong, visible)

    def _check(self, record: Record, labels: np.ndarray) -> None:
        strange = labels[(labels >= self.classes) & (labels != IGNORE)]
        if strange.size:
            raise BismapError(
                f"labels of {self.name} image {record.id}: id {strange[0]} is none of the "
                f"{self.classes} classes (0 to {self.classes - 1}, {IGNORE} = ignore)"
            )


def strong_view(
    image: Image.Image, geometry: Geometry, rng: np.random.Generator, settings: Strong, visible: np.ndarray
) -> np.ndarray:
    """RandAugment of the whole un-jittered image, the crop of it, a black CutOut square (A§7).

    The square is cleared in ``visible`` too.
    """
    part = geometry.cut_image(rand_augment(image, rng, settings))
    crop = geometry.place(np.array(part), 0)
    square = cut_out(geometry.crop, rng, settings.cutout)
    crop[square] = 0
    visible[square] = 0
    return crop


def _stack(arrays: tuple[np.ndarray | None, ...]) -> Tensor | None:
    return None if arrays[0] is None else torch.from_numpy(np.stack(arrays))


class StepBatch(NamedTuple):
    """All that one optimiser step trains on."""

    source: Batch
    target: Batch | None


class Steps(Dataset):
    """Item ``k`` is the data of step ``k``: all of it, or what is this process's part.

    Its crops are made by ``threads`` threads, which pays where no worker processes make whole steps ahead.
    """

    def __init__(self, source: Domain, target: Domain | None, processes: Processes = ALONE, threads: int = 1) -> None:
        self.source = source
        self.target = target
        self.processes = processes
        self.threads = threads
        for domain in filter(None, (source, target)):
            if domain.batch_size < processes.size:
                raise BismapError(
                    f"batch_{domain.name} is {domain.batch_size}: {processes.size} processes need a crop each at least"
                )

    def __getitem__(self, step: int) -> StepBatch | BismapError:
        try:
            target = None if self.target is None else self.target.batch(step, self.processes, self.threads)
            return StepBatch(self.source.batch(step, self.processes, self.threads), target)
        except BismapError as error:
            return error  # raised by a worker process it would arrive wrapped in that worker's traceback


def step_batches(steps: Steps, first: int, end: int, workers: int, pin_memory: bool) -> Iterator[StepBatch]:
    """The data of steps ``first`` to ``end - 1`` in order, loaded in this process or by worker processes.

    Raises:
        BismapError: if an image or a label is unreadable or wrong.
    """
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(first, end),
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=_ignore_stop_signals,
    )
    for item in loader:
        if isinstance(item, BismapError):
            raise item
        yield item


def _ignore_stop_signals(_worker: int) -> None:
    # A scheduler signals the whole process group; the trainer needs its workers until it has saved.
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
