"""The extractor network E-hat as a file: the tensors of a backbone alone, and a recipe to build it from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bismap.errors import BismapError
from bismap.models.backbones import build_backbone
from bismap.models.inputs import normalize, to_unit
from bismap.models.weights import load_backbone, read_metadata, save_backbone
from bismap.random import seed64

RECIPE = "recipe"
INPUTS = {"none": to_unit, "imagenet": normalize}


@dataclass(frozen=True)
class Recipe:
    """What an extractor is built from.

    Attributes:
        network: settings of ``build_backbone``.
        output_stride: stride of the last block's map.
        normalize: "none" for inputs in [0, 1] (SimCLRv2, A§6), "imagenet" for mean and deviation.
    """

    network: Mapping[str, Any]
    output_stride: int
    normalize: str

    def __post_init__(self) -> None:
        if self.normalize not in INPUTS:
            raise BismapError(f"normalize: expected one of {', '.join(INPUTS)}, got {self.normalize!r}")

    def build(self) -> nn.Module:
        """The untrained backbone, drawn from torch's global generator."""
        return build_backbone(self.network, self.output_stride)


@dataclass(frozen=True)
class Extractor:
    """A backbone whose last map tells what a cell shows; in eval mode unless it is being trained."""

    backbone: nn.Module
    recipe: Recipe
    device: str

    @property
    def dim(self) -> int:
        """Length of a feature."""
        return self.backbone.out_channels

    def map(self, images: torch.Tensor) -> torch.Tensor:
        """Last block's map [n, d, ceil(h / stride), ceil(w / stride)] of ``images`` uint8 [n, h, w, 3]."""
        return self.backbone(INPUTS[self.recipe.normalize](images, self.device))["out"]


def new_extractor(recipe: Recipe, seed: int, device: str) -> Extractor:
    """An untrained extractor, its weights drawn from ``seed``."""
    with torch.random.fork_rng():
        torch.manual_seed(seed64(seed, "extractor"))
        backbone = recipe.build()
    return Extractor(backbone.to(device, memory_format=torch.channels_last), recipe, device)


def import_extractor(weights: Path, recipe: Recipe, device: str) -> Extractor:
    """An extractor with the tensors of ``weights``, a backbone's file as `bismap import-checkpoint` makes it.

    Raises:
        BismapError: if the file is missing, damaged, or holds another backbone than the recipe's.
    """
    with torch.random.fork_rng():
        backbone = recipe.build()
    load_backbone(backbone, weights)
    return Extractor(backbone.to(device, memory_format=torch.channels_last).eval(), recipe, device)


def save_extractor(path: Path, extractor: Extractor) -> None:
    """Write the backbone and its recipe; a run of this backbone can start from the file."""
    save_backbone(path, extractor.backbone, {RECIPE: vars(extractor.recipe)})


def load_extractor(path: Path, device: str) -> Extractor:
    """Read an extractor in eval mode.

    Raises:
        BismapError: if the file was not written by the `extractor` stage.
    """
    metadata = read_metadata(path)
    if RECIPE not in metadata:
        raise BismapError(f"{path}: says not how its inputs are made: expected the `extractor` stage's file")
    return import_extractor(path, Recipe(**metadata[RECIPE]), device)
