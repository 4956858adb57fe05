"""Label images with a segmentation network: one pass (A§7) or several scales and mirror images (A§8.1)."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from bismap.data.ahead import map_ahead
from bismap.data.images import read_image, write_label
from bismap.errors import BismapError
from bismap.models.inference import PRECISIONS, greatest_upsampled, logit_map

if TYPE_CHECKING:
    from bismap.data.dataset import Item


@dataclass(frozen=True)
class Passes:
    """Which views of an image the network sees.

    Attributes:
        size: nominal (width, height) in pixels, which scale 1 stands for.
        scales: factors of the nominal size.
        flip: also the mirror image, at each scale.
        precision: ``fp32``, or ``fp16`` or ``bf16`` for the convolutions on CUDA; the CPU computes in float32.
    """

    size: tuple[int, int]
    scales: tuple[float, ...]
    flip: bool
    precision: str

    def __post_init__(self) -> None:
        if not self.scales or min(self.scales) <= 0:
            raise BismapError(f"predict: scales must be one or more positive factors, got {list(self.scales)}")
        if self.precision not in PRECISIONS:
            raise BismapError(f"predict: unknown precision {self.precision!r}; expected one of {', '.join(PRECISIONS)}")


@torch.inference_mode()
def predict(network: nn.Module, image: NDArray[np.uint8], passes: Passes) -> NDArray[np.uint8]:
    """Most likely class of each pixel, at the image's own size.

    One pass: softmax at the logits' resolution, then the probabilities are upsampled (A§7). Several: the logits
    of all are upsampled and averaged (A§8.1). Bilinear, corners aligned, both.

    Args:
        network: normalised images [1, 3, h, w] -> logits [1, C, h', w']; in evaluation mode.
        image: sRGB, uint8 [H, W, 3].

    Returns:
        uint8 [H, W].

    Raises:
        BismapError: if the network's output is not finite.
    """
    maps = []
    for scale in passes.scales:
        view = _resized(image, passes.size, scale)
        maps.append(logit_map(network, view, passes.precision))
        if passes.flip:
            maps.append(logit_map(network, view.flip(2), passes.precision).flip(3))
    scores = [maps[0].softmax(1)] if len(maps) == 1 else maps
    return greatest_upsampled(scores, image.shape[:2])[0][0].cpu().numpy()


def predict_files(
    network: nn.Module,
    items: "Sequence[Item]",
    out: Path,
    palette: list[int],
    passes: Passes,
    threads: int,
) -> None:
    """Write ``{id}.png`` (palettised, trainIds) for each item; files are read ahead and written behind."""
    writes: deque[Future[None]] = deque()
    images = map_ahead(partial(read_image, size=None), [item.image for item in items], threads)
    with ThreadPoolExecutor(threads) as pool:
        for item, image in zip(items, images, strict=True):
            label = predict(network, image, passes)
            writes.append(pool.submit(write_label, out / f"{item.id}.png", label, palette))
            if len(writes) > 2 * threads:
                writes.popleft().result()
        for write in writes:
            write.result()


def _resized(image: NDArray[np.uint8], nominal: tuple[int, int], scale: float) -> Tensor:
    size = tuple(max(round(side * scale), 1) for side in nominal)
    pixels = np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    return torch.from_numpy(pixels)[None]
