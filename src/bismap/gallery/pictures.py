"""Pictures as a page opened from disk can use them.

A browser lets no script read the pixels of a picture file beside a page that was opened from disk. So photographs are
files, and label images and maps, whose pixels the page reads and colours itself, are PNGs in the text of scripts.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Size = tuple[int, int]

QUALITY, THUMB_QUALITY = 88, 80  # of JPEG
THUMB_WIDTH = 256  # pixels
PNG_LEVEL = 6  # of label images, which are small


def shown_size(width: int, height: int, limit: int) -> Size:
    """Width and height at which an image is shown: its own, or ``limit`` wide."""
    shown = min(width, limit)
    return shown, max(1, round(height * shown / width))


def write_photograph(path: Path, pixels: NDArray[np.uint8], size: Size) -> None:
    """Write uint8 ``[H, W, 3]`` as a JPEG of width and height ``size``."""
    _resized(pixels, size).save(path, format="JPEG", quality=QUALITY)


def write_thumbnail(path: Path, pixels: NDArray[np.uint8], size: Size) -> None:
    """Write uint8 ``[H, W, 3]`` as a small JPEG with the proportions of ``size``."""
    _resized(pixels, shown_size(*size, THUMB_WIDTH)).save(path, format="JPEG", quality=THUMB_QUALITY)


def _resized(pixels: NDArray[np.uint8], size: Size) -> Image.Image:
    picture = Image.fromarray(pixels)
    # reducing_gap: whole-number shrinking first, which costs a third and is not seen
    return picture if picture.size == size else picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def data_url(values: NDArray[np.uint8]) -> str:
    """Values ``[H, W]`` as a grey PNG in a URL: the page reads the same numbers."""
    png = imagecodecs.png_encode(np.ascontiguousarray(values), level=PNG_LEVEL)
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def write_part(files: Path, name: str, value: object) -> None:
    """Write ``{name}.js`` below ``files``: a script that hands ``value`` to the page under this name."""
    path = files / f"{name}.js"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"archive.deliver({_text(name)}, {_text(value)});\n", encoding="ascii")


def write_layers(files: Path, name: str, layers: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write label images or maps of one image, ``[H, W]`` by key of the layer, as a part."""
    write_part(files, name, {key: data_url(values) for key, values in layers.items()})


def _text(value: object) -> str:
    # ASCII only, and no `<`: nothing in a name can end the script that it stands in.
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
