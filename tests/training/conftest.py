"""A small network and small pictures to train on."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from bismap.data import IGNORE
from bismap.training.augment import Augmentation, Jitter
from bismap.training.batches import Domain, Record
from bismap.training.strong import Strong

CLASSES = 4
SIZE = (48, 32)


class TinyNet(nn.Module):
    """Stride 4, with batch norm and dropout, and the parameter groups of the real network."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 5, stride=4, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.classifier = nn.Sequential(nn.Dropout2d(0.3), nn.Conv2d(8, CLASSES, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.backbone(x))

    def backbone_parameters(self) -> Iterator[nn.Parameter]:
        return self.backbone.parameters()

    def head_parameters(self) -> Iterator[nn.Parameter]:
        return self.classifier.parameters()


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_tiny_net() -> TinyNet:
    torch.manual_seed(0)
    return TinyNet()


@pytest.fixture
def tiny_net() -> TinyNet:
    return make_tiny_net()


def read(label: np.ndarray) -> np.ndarray:
    return label


@pytest.fixture(scope="session")
def records(tmp_path_factory) -> tuple[Record, ...]:
    """Five pictures whose colours tell their class, with weight maps."""
    folder: Path = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 255, (256, 3), dtype=np.uint8)
    made = []
    for i in range(5):
        label = np.kron(rng.integers(0, CLASSES, (4, 6)), np.ones((8, 8), int)).astype(np.uint8)
        label[0, :4] = IGNORE
        Image.fromarray(colours[label]).save(folder / f"{i}.png")
        Image.fromarray((40 * label + 20).astype(np.uint8)).save(folder / f"{i}-weights.png")
        made.append(Record(f"image{i}", folder / f"{i}.png", partial(read, label), folder / f"{i}-weights.png"))
    return tuple(made)


@pytest.fixture
def augmentation() -> Augmentation:
    return Augmentation((24, 16), (0.5, 1.5), 48, Jitter(0.2, 0.5, 0.5, 0.5))


@pytest.fixture
def source(records, augmentation) -> Domain:
    return Domain("source", records, SIZE, CLASSES, augmentation, None, 2, 7)


@pytest.fixture
def target(records, augmentation) -> Domain:
    bare = tuple(record._replace(weights=None) for record in records)
    return Domain("target", bare, SIZE, CLASSES, augmentation, Strong(2, 0.5, 0.2), 2, 7)
