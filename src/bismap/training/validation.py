"""IoU of each class on the evaluation split as a training goes: to be looked at, it chooses and stops nothing."""

import csv
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bismap.data.ahead import map_ahead
from bismap.data.dataset import Dataset, Item
from bismap.data.images import read_image
from bismap.errors import BismapError
from bismap.evaluation.confusion import check_labels, confusion_matrix, joint_counts
from bismap.evaluation.prediction import Passes, predict
from bismap.evaluation.protocols import class_iou, mean_iou
from bismap.processes import Processes

log = logging.getLogger(__name__)

Row = dict[str, float | None]


class Validation:
    """Rows of the table ``validation.csv``.

    Args:
        every: steps between two rows; the last step has one, too.
        dataset: of the target.
        split: name of the split, each image of which has a truth.
        size: width and height that images are labelled at, once each.
        precision: of the network's pass, `bf16`, `fp16` or `fp32`.
        threads: that read images ahead; so many images and truths are held at a time, twice over.
        processes: which label a share of the images each.

    Raises:
        BismapError: if an image of the split has no truth, or there is no such split.
    """

    def __init__(
        self,
        every: int,
        dataset: Dataset,
        split: str,
        size: tuple[int, int],
        precision: str,
        threads: int,
        processes: Processes,
    ) -> None:
        self.every = every
        self.dataset = dataset
        self.items = dataset.items(split)
        bare = [item.id for item in self.items if item.label is None]
        if bare:
            raise BismapError(
                f"validation: {len(bare)} of {len(self.items)} images of split `{split}` have no label, the first is "
                f"{bare[0]}: give them one, or set `settings.training.validate_every` to null"
            )
        self.passes = Passes(size, (1.0,), flip=False, precision=precision)
        self.threads = threads
        self.processes = processes
        self.rows: list[Row] = []

    def is_due(self, step: int, last: bool) -> bool:
        """True if a row of the 1-based ``step`` is wanted and not there yet."""
        wanted = step > 0 and (last or step % self.every == 0)
        return wanted and not (self.rows and self.rows[-1]["step"] == step)

    def measure(self, net: nn.Module, step: int, stopped: Callable[[], bool]) -> Row | None:
        """Add the row of ``step`` and return it: step, mean IoU, IoU of each class (None where no pixel has it).

        The network and the state of the random numbers are left as they were.

        Args:
            net: normalised images to logits, in any mode.
            stopped: asked before each image; if it says so in any process, there is no row, and None is returned.

        Raises:
            BismapError: naming an image that cannot be read or whose truth is out of range; if the network's output
                is not finite.
        """
        with _evaluating(net):
            counts = self._count(net, stopped)
        [halted] = self.processes.totals(stopped())
        if halted:
            return None
        confusion = self.processes.add_up(torch.from_numpy(counts)).numpy()
        iou = class_iou(confusion)
        names = self.dataset.classes.names
        classes = {name: None if np.isnan(value) else float(value) for name, value in zip(names, iou, strict=True)}
        row: Row = {"step": step, "miou": mean_iou(iou, range(len(names)))} | classes
        self.rows.append(row)
        if row["miou"] is not None:
            log.info("validation at step %d: mIoU %.1f %%", step, 100 * row["miou"])
        return row

    def _count(self, net: nn.Module, stopped: Callable[[], bool]) -> NDArray[np.int64]:
        classes = len(self.dataset.classes)
        total = np.zeros((classes, classes), np.int64)
        items = [self.items[index] for index in self.processes.part(len(self.items))]
        for item, (image, truth) in zip(items, map_ahead(self._read, items, self.threads), strict=True):
            if stopped():
                break
            counts = joint_counts(truth, predict(net, image, self.passes))
            check_labels(counts, classes, name=item.id, complete=True)
            total += confusion_matrix(counts, classes)
        return total

    def _read(self, item: Item) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        return read_image(item.image, size=None), self.dataset.read_label(item)

    def write(self, path: Path) -> None:
        """Write the table: step, mean IoU, IoU of each class in [0, 1]; empty where the truth has no pixel of it."""
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["step", "miou", *self.dataset.classes.names], lineterminator="\n")
            writer.writeheader()
            for row in self.rows:
                writer.writerow({name: "" if value is None else f"{value:.7g}" for name, value in row.items()})


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """The network in evaluation mode; afterwards each module in the mode that it was in."""
    modes = {module: module.training for module in net.modules()}
    net.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
