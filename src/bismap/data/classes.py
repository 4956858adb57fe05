"""Sets of classes: names and colours in training order."""

from dataclasses import dataclass

Color = tuple[int, int, int]


@dataclass(frozen=True)
class ClassSet:
    """Classes in training order: class ``c`` is ``names[c]``, drawn in ``colors[c]`` (RGB, 0..255)."""

    names: tuple[str, ...]
    colors: tuple[Color, ...]

    def __len__(self) -> int:
        return len(self.names)

    def palette(self) -> list[int]:
        """The 768 values of a PNG palette; ignore (255) and all values that are no class are black."""
        flat = [channel for color in self.colors for channel in color]
        return flat + [0] * (768 - len(flat))


CITYSCAPES = ClassSet(
    names=(
        "road",
        "sidewalk",
        "building",
        "wall",
        "fence",
        "pole",
        "traffic light",
        "traffic sign",
        "vegetation",
        "terrain",
        "sky",
        "person",
        "rider",
        "car",
        "truck",
        "bus",
        "train",
        "motorcycle",
        "bicycle",
    ),
    colors=(
        (128, 64, 128),
        (244, 35, 232),
        (70, 70, 70),
        (102, 102, 156),
        (190, 153, 153),
        (153, 153, 153),
        (250, 170, 30),
        (220, 220, 0),
        (107, 142, 35),
        (152, 251, 152),
        (70, 130, 180),
        (220, 20, 60),
        (255, 0, 0),
        (0, 0, 142),
        (0, 0, 70),
        (0, 60, 100),
        (0, 80, 100),
        (0, 0, 230),
        (119, 11, 32),
    ),
)
"""The 19 evaluated classes of Cityscapes in trainId order, in the data set's official colours."""
