"""Label ids of the pictures: the ids that GTA5 and Cityscapes share (A§13), and their colours."""

EGO_VEHICLE = 1
STATIC = 4
ROAD = 7
SIDEWALK = 8
BUILDING = 11
WALL = 12
FENCE = 13
POLE = 17
TRAFFIC_LIGHT = 19
TRAFFIC_SIGN = 20
VEGETATION = 21
TERRAIN = 22
SKY = 23
PERSON = 24
RIDER = 25
CAR = 26
TRUCK = 27
BUS = 28
MOTORCYCLE = 32
BICYCLE = 33

COLORS: dict[int, tuple[int, int, int]] = {
    EGO_VEHICLE: (0, 0, 0),
    STATIC: (20, 20, 20),
    ROAD: (128, 64, 128),
    SIDEWALK: (244, 35, 232),
    BUILDING: (70, 70, 70),
    WALL: (102, 102, 156),
    FENCE: (190, 153, 153),
    POLE: (153, 153, 153),
    TRAFFIC_LIGHT: (250, 170, 30),
    TRAFFIC_SIGN: (220, 220, 0),
    VEGETATION: (107, 142, 35),
    TERRAIN: (152, 251, 152),
    SKY: (70, 130, 180),
    PERSON: (220, 20, 60),
    RIDER: (255, 0, 0),
    CAR: (0, 0, 142),
    TRUCK: (0, 0, 70),
    BUS: (0, 60, 100),
    MOTORCYCLE: (0, 0, 230),
    BICYCLE: (119, 11, 32),
}
"""Colour (RGB, 0..255) of every id that occurs; `train` (31) never does: an absent class on purpose."""


def palette() -> list[int]:
    """768 palette values for a label image of mode P; ids that never occur are black."""
    return [channel for label in range(256) for channel in COLORS.get(label, (0, 0, 0))]
