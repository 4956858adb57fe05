"""Colours of classes that stay apart for colour-blind eyes, too."""

from bismap.data.classes import Color

SAFE: tuple[Color, ...] = (
    (120, 80, 160),
    (0, 200, 255),
    (80, 80, 80),
    (120, 120, 160),
    (200, 200, 200),
    (160, 160, 160),
    (255, 200, 0),
    (255, 255, 0),
    (235, 160, 0),
    (80, 255, 160),
    (80, 160, 235),
    (200, 40, 0),
    (200, 120, 0),
    (40, 0, 160),
    (80, 40, 80),
    (80, 120, 235),
    (40, 120, 80),
    (80, 40, 200),
    (120, 0, 0),
    (200, 255, 255),
)
"""Chosen for the greatest least distance in OKLab under normal sight, protanopia, deuteranopia and tritanopia (matrices
of Machado et al. 2009, severity 1), then ordered to lie near the colours of Cityscapes' classes. [ours]"""


def safe_colors(classes: int) -> list[Color]:
    """A colour for each class; they repeat after twenty, which is as many as can be told apart."""
    return [SAFE[c % len(SAFE)] for c in range(classes)]
