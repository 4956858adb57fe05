"""Pictures on disk: photographs, label images (PNG mode P), 8- and 16-bit maps. Errors name the file."""

import io
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bismap.errors import BismapError

Size = tuple[int, int]
"""Width and height in pixels."""

GREY, RGB, PALETTE = 0, 2, 3
"""Colour types of PNG."""

_PHOTOGRAPH_MODES = ("RGB", "RGBA", "L", "P")
_PNG_LEVEL = 3  # of photographs: half the time of level 6 for 3 % more bytes
_PNG_END = 64  # bytes in which the end mark of a usual file lies
_COLOR_NAMES = {GREY: "grey", RGB: "RGB", PALETTE: "palettised", 4: "grey with alpha", 6: "RGB with alpha"}


class PngFormat(NamedTuple):
    """How a PNG stores its pixels: bits a channel, and colour type."""

    bits: int
    color: int

    def __str__(self) -> str:
        return f"{self.bits}-bit {_COLOR_NAMES.get(self.color, f'colour type {self.color}')} PNG"


def read_bytes(path: Path) -> bytes:
    """Content of a file.

    Raises:
        BismapError: if it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise BismapError(f"{path}: cannot be read ({error.strerror})") from None


def png_format(data: bytes, path: Path) -> PngFormat:
    """How a PNG stores its pixels, from its header: Pillow's mode does not tell 16-bit RGB from 8-bit.

    Raises:
        BismapError: if ``data`` is no PNG, or one that is cut off.
    """
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 26:
        raise BismapError(f"{path}: not a PNG file")
    if b"IEND" not in data[-_PNG_END:] and b"IEND" not in data:
        # Pillow is content with all pixels, even where the checksum behind them is gone.
        raise BismapError(f"{path}: cannot be decoded (cut off); get the file anew")
    return PngFormat(bits=data[24], color=data[25])


@contextmanager
def decoding(path: Path) -> Iterator[None]:
    """Turns what decoders raise for a damaged file into an error that names it."""
    try:
        yield
    except (
        OSError,
        SyntaxError,
        ValueError,
        RuntimeError,
        zlib.error,
        Image.DecompressionBombError,
    ) as error:
        raise BismapError(f"{path}: cannot be decoded ({error}); get the file anew") from None


def decode_image(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Content of a JPEG or PNG photograph as RGB.

    Returns:
        uint8 ``[H, W, 3]``.

    Raises:
        BismapError: if it is damaged or no 8-bit picture.
    """
    with decoding(path):
        if data[:4] == b"\x89PNG" and png_format(data, path) == (8, RGB):
            return imagecodecs.png_decode(data)  # twice as fast as Pillow
        with Image.open(io.BytesIO(data)) as image:
            if image.mode not in _PHOTOGRAPH_MODES:
                raise BismapError(f"{path}: an image of mode {image.mode}, expected 8-bit RGB")
            return np.array(image.convert("RGB"))


def read_image(path: Path, size: Size | None = None) -> NDArray[np.uint8]:
    """A photograph as RGB, resized bilinearly as Pillow does where its size differs.

    Args:
        path: JPEG or PNG file.
        size: width and height; None keeps the file's own.

    Returns:
        uint8 ``[H, W, 3]``.

    Raises:
        BismapError: if the file is missing, damaged or no 8-bit picture.
    """
    image = decode_image(read_bytes(path), path)
    return _resize(image, size, Image.Resampling.BILINEAR) if size else image


def resize_label(label: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """A label image ``[H, W]`` at another width and height, nearest neighbour as Pillow takes it."""
    return _resize(label, size, Image.Resampling.NEAREST)


def _resize(pixels: NDArray[np.uint8], size: Size, method: Image.Resampling) -> NDArray[np.uint8]:
    if (pixels.shape[1], pixels.shape[0]) == tuple(size):
        return pixels
    return np.array(Image.fromarray(pixels).resize(tuple(size), method))


def write_image(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Writes uint8 ``[H, W, 3]`` as a PNG."""
    _check_array(path, rgb, np.uint8, channels=3)
    path.write_bytes(imagecodecs.png_encode(rgb, level=_PNG_LEVEL))


def write_label(path: Path, label: NDArray[np.uint8], palette: Sequence[int]) -> None:
    """Writes a label image, uint8 ``[H, W]``, as a palettised PNG.

    Args:
        path: file to write.
        label: class of each pixel, 255 = ignore.
        palette: 768 values as of ``ClassSet.palette``.
    """
    _check_array(path, label, np.uint8)
    if len(palette) != 768:
        raise BismapError(f"{path}: a palette of {len(palette)} values, expected 768")
    image = Image.fromarray(label)
    image.putpalette(palette)
    image.save(path, format="PNG")


def read_png_label(path: Path) -> NDArray[np.uint8]:
    """A label image written by ``write_label``: uint8 ``[H, W]``, class of each pixel, 255 = ignore.

    Raises:
        BismapError: if the file is missing, damaged or no palettised PNG.
    """
    return _read_png(path, 8, PALETTE)


def write_gray8(path: Path, values: NDArray[np.uint8]) -> None:
    """Writes uint8 ``[H, W]`` as a grey PNG."""
    _check_array(path, values, np.uint8)
    path.write_bytes(imagecodecs.png_encode(values))


def read_gray8(path: Path) -> NDArray[np.uint8]:
    """An 8-bit grey PNG as uint8 ``[H, W]``.

    Raises:
        BismapError: if the file is missing, damaged or another kind of PNG.
    """
    return _read_png(path, 8, GREY)


def write_gray16(path: Path, values: NDArray[np.uint16]) -> None:
    """Writes uint16 ``[H, W]`` as a 16-bit grey PNG."""
    _check_array(path, values, np.uint16)
    path.write_bytes(imagecodecs.png_encode(values))


def read_gray16(path: Path) -> NDArray[np.uint16]:
    """A 16-bit grey PNG as uint16 ``[H, W]``.

    Raises:
        BismapError: if the file is missing, damaged or another kind of PNG.
    """
    return _read_png(path, 16, GREY)


def decode_indexed(data: bytes, path: Path) -> NDArray[np.uint8]:
    """Stored values of a palettised or 8-bit grey PNG: uint8 ``[H, W]``.

    Raises:
        BismapError: if it is damaged.
    """
    with decoding(path), Image.open(io.BytesIO(data)) as image:
        return np.array(image)


def _read_png(path: Path, bits: int, color: int) -> NDArray:
    data = read_bytes(path)
    expected = PngFormat(bits, color)
    found = png_format(data, path)
    if found != expected:
        raise BismapError(f"{path}: expected an {expected}, found an {found}")
    if color == PALETTE:
        return decode_indexed(data, path)
    with decoding(path):
        return imagecodecs.png_decode(data)


def _check_array(path: Path, values: NDArray, dtype: type, channels: int = 0) -> None:
    shape_ok = values.ndim == 3 and values.shape[2] == channels if channels else values.ndim == 2
    if values.dtype != dtype or not shape_ok or 0 in values.shape:
        expected = f"{np.dtype(dtype)} [H, W{f', {channels}' if channels else ''}]"
        raise BismapError(f"{path}: cannot write {values.dtype} {list(values.shape)}, expected {expected}")
