"""Label files as data sets come with: decoded as they are, mapped to classes by a look-up table."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from bismap.data import IGNORE
from bismap.data.images import GREY, PALETTE, RGB, PngFormat, decode_indexed, decoding, png_format
from bismap.errors import BismapError

RawLabel = NDArray[np.uint8] | NDArray[np.uint16]

_UNKNOWN = 254  # in the table: an id that the data set does not accept; never a class

_ENCODINGS = {
    "grey": frozenset({PngFormat(8, GREY)}),
    # Palettes of few colours are packed; grey of fewer than 8 bits is no index, as readers stretch it to 255.
    "palette": frozenset(PngFormat(bits, PALETTE) for bits in (1, 2, 4, 8)),
    "rgb16": frozenset({PngFormat(16, RGB)}),
}
_ENCODING_NAMES = {"grey": "8-bit grey", "palette": "palettised", "rgb16": "16-bit RGB"}


def decode_raw_label(data: bytes, encodings: Sequence[str], path: Path) -> RawLabel:
    """Label ids of a label file's content.

    Args:
        data: content of the PNG file.
        encodings: accepted ones: ``"grey"`` (8 bit), ``"palette"``, ``"rgb16"`` (16-bit RGB, id in the first
            channel; read by libpng, as Pillow and others keep the high bytes only, all zeros: A§13).
        path: named in errors.

    Returns:
        ``[H, W]``, uint8, or uint16 for ``"rgb16"``.

    Raises:
        BismapError: if the file is damaged or encoded otherwise.
    """
    found = png_format(data, path)
    encoding = next((name for name in encodings if found in _ENCODINGS[name]), None)
    if encoding is None:
        expected = " or ".join(_ENCODING_NAMES[name] for name in encodings)
        raise BismapError(f"{path}: expected label ids as {expected} PNG, found an {found}")
    if encoding != "rgb16":
        return decode_indexed(data, path)
    with decoding(path):
        return imagecodecs.png_decode(data)[..., 0]


class LabelMap:
    """Maps the label ids of a data set to classes."""

    def __init__(self, classes: Mapping[int, int]) -> None:
        """``classes``: class, or ``IGNORE``, of each accepted id (0..255)."""
        self.classes = dict(classes)
        self._table = np.full(256, _UNKNOWN, np.uint8)
        for label, train_id in self.classes.items():
            self._table[label] = train_id

    def apply(self, raw: RawLabel, path: Path) -> NDArray[np.uint8]:
        """Class of each pixel, uint8 of the shape of ``raw``, 255 = ignore.

        Raises:
            BismapError: naming the file and the ids, if some are not accepted.
        """
        too_large = raw.dtype != np.uint8 and raw.max(initial=0) > 255
        mapped = self._table.take(raw, mode="clip" if too_large else "raise")
        if too_large or (mapped == _UNKNOWN).any():
            raise BismapError(f"{path}: {self.complaint(self.unknown(np.unique(raw)))}")
        return mapped

    def unknown(self, ids: Iterable[int]) -> list[int]:
        """Those of the ids that are not accepted, sorted."""
        return sorted({int(label) for label in ids} - self.classes.keys())

    def complaint(self, unknown: Iterable[int]) -> str:
        """What to tell of ids that are not accepted."""
        return f"unknown label ids {ranges(unknown)}; accepted are {ranges(self.classes)}"

    def count(self, ids: Mapping[int, int], classes: int) -> tuple[int, ...]:
        """Pixels of each of the ``classes`` from the pixels of each label id."""
        counts = [0] * classes
        for label, pixels in ids.items():
            if self.classes[label] != IGNORE:
                counts[self.classes[label]] += pixels
        return tuple(counts)


def ranges(values: Iterable[int]) -> str:
    """Numbers as text, runs joined: ``0-34, 255``."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
