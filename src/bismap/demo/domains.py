"""What makes the two domains differ: what stands in their streets, and how often; how they are looked at.

How their colours are recorded is in ``photometry``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bismap.demo.color import Color

Limits = tuple[float, float]


@dataclass(frozen=True)
class Domain:
    """Content of a domain. Lengths in metres; rates are the mean number per 100 m and side, or a probability.

    Attributes:
        name: part of the key of every picture.
        field_of_view: degrees across.
        camera_height: above the ground.
        horizon: row of the horizon, as a share of the picture's height.
        bonnet: probability that the camera's own car is seen.
        sunny: probability of sunshine with hard shadows.
        visibility: distance at which haze has taken 63 % of the colour.
        skies: (zenith, horizon) colours, by name of the weather, and how likely each is.
        clouds: share of the sky that clouds cover.
        lanes: likelihood of this many lanes each way.
        curvature: largest curvature, 1/m.
        walk: width of the pavement.
        walk_colors: of the pavement.
        verge: (probability, width) of a grass strip between kerb and pavement.
        parking: probability of a parking strip.
        crossing: probability of a side street.
        asphalt: brightness of the road, 0..255.
        road_paint: colours of the markings and how likely each is.
        soil: colours of open ground and how likely each is.
        rows: what lines the street and how likely each is.
        facades: kinds of building and how likely each is.
        hills: probability of hills behind the town.
        trees: kinds of tree and how likely each is.
        rates: how often the other objects stand there.
        vehicles: kinds of moving vehicle and how likely each is.
        paint: colours of cars and cabs, and how likely each is.
        buses: (body, stripe) colours, and how likely each is.
        traffic: mean distance between moving vehicles of one lane.
        light_arm: probability that a traffic light hangs over the road.
        diamond_signs: probability that a warning is a yellow diamond, not a triangle with a red rim.
    """

    name: str
    field_of_view: Limits
    camera_height: Limits
    horizon: Limits
    bonnet: float
    sunny: float
    visibility: Limits
    skies: Mapping[tuple[Color, Color], float]
    clouds: Limits
    lanes: Mapping[int, float]
    curvature: float
    walk: Limits
    walk_colors: tuple[Color, ...]
    verge: tuple[float, Limits]
    parking: float
    crossing: float
    asphalt: Limits
    road_paint: Mapping[Color, float]
    soil: Mapping[Color, float]
    rows: Mapping[str, float]
    facades: Mapping[str, float]
    hills: float
    trees: Mapping[str, float]
    rates: Mapping[str, float]
    vehicles: Mapping[str, float]
    paint: Mapping[Color, float]
    buses: Mapping[tuple[Color, Color], float]
    traffic: float
    light_arm: float
    diamond_signs: float


SOURCE = Domain(
    name="source",
    field_of_view=(58.0, 70.0),
    camera_height=(1.35, 2.1),
    horizon=(0.42, 0.52),
    bonnet=0.25,
    sunny=0.72,
    visibility=(260.0, 700.0),
    skies={
        ((86, 140, 214), (196, 216, 232)): 0.55,
        ((120, 160, 205), (238, 214, 178)): 0.25,
        ((150, 164, 184), (214, 208, 202)): 0.2,
    },
    clouds=(0.1, 0.6),
    lanes={1: 0.5, 2: 0.42, 3: 0.08},
    curvature=0.0022,
    walk=(2.8, 5.5),
    walk_colors=((186, 180, 168), (206, 194, 170), (168, 164, 160)),
    verge=(0.35, (1.0, 2.5)),
    parking=0.35,
    crossing=0.6,
    asphalt=(92.0, 150.0),
    road_paint={(224, 222, 214): 0.4, (222, 176, 60): 0.6},
    soil={(196, 166, 112): 0.45, (128, 142, 66): 0.4, (164, 148, 92): 0.15},
    rows={"building": 0.5, "open": 0.16, "park": 0.08, "wall": 0.13, "fence": 0.13},
    facades={"brick": 0.22, "stucco": 0.24, "office": 0.18, "concrete": 0.18, "warehouse": 0.18},
    hills=0.6,
    trees={"palm": 0.4, "round": 0.35, "conifer": 0.1, "bush": 0.15},
    rates={
        "tree": 3.5,
        "lamp": 3.5,
        "sign": 2.2,
        "person": 4.5,
        "parked_car": 8.0,
        "parked_cycle": 1.2,
        "bicycle": 0.8,
        "motorcycle": 1.5,
        "static": 1.5,
        "bush": 2.0,
    },
    vehicles={
        "sedan": 0.34,
        "suv": 0.18,
        "pickup": 0.14,
        "sports": 0.08,
        "van": 0.06,
        "truck": 0.14,
        "bus": 0.06,
    },
    paint={
        (188, 36, 32): 0.16,
        (230, 228, 222): 0.16,
        (30, 32, 36): 0.16,
        (38, 82, 168): 0.14,
        (228, 180, 44): 0.12,
        (214, 108, 36): 0.08,
        (52, 116, 74): 0.08,
        (150, 152, 154): 0.1,
    },
    buses={((232, 230, 224), (40, 84, 160)): 0.5, ((228, 172, 40), (44, 40, 36)): 0.5},
    traffic=32.0,
    light_arm=0.7,
    diamond_signs=0.7,
)

TARGET = Domain(
    name="target",
    field_of_view=(48.0, 54.0),
    camera_height=(1.18, 1.34),
    horizon=(0.37, 0.43),
    bonnet=1.0,
    sunny=0.3,
    visibility=(160.0, 380.0),
    skies={
        ((206, 214, 222), (232, 234, 234)): 0.65,
        ((150, 182, 214), (222, 230, 234)): 0.35,
    },
    clouds=(0.4, 0.95),
    lanes={1: 0.75, 2: 0.25},
    curvature=0.0028,
    walk=(2.6, 4.8),
    walk_colors=((142, 140, 138), (160, 150, 142), (124, 122, 124)),
    verge=(0.35, (0.8, 1.8)),
    parking=0.55,
    crossing=0.6,
    asphalt=(84.0, 122.0),
    road_paint={(214, 214, 210): 1.0},
    soil={(104, 122, 62): 0.75, (122, 116, 82): 0.25},
    rows={"building": 0.58, "park": 0.14, "wall": 0.12, "fence": 0.16},
    facades={"plaster": 0.5, "brick": 0.14, "office": 0.1, "concrete": 0.1, "old_town": 0.16},
    hills=0.0,
    trees={"round": 0.66, "conifer": 0.08, "poplar": 0.14, "bush": 0.12},
    rates={
        "tree": 6.0,
        "lamp": 3.5,
        "sign": 4.5,
        "person": 7.5,
        "parked_car": 13.0,
        "parked_cycle": 2.2,
        "bicycle": 1.8,
        "motorcycle": 1.4,
        "static": 1.5,
        "bush": 2.5,
    },
    vehicles={
        "sedan": 0.22,
        "hatchback": 0.34,
        "estate": 0.2,
        "van": 0.1,
        "suv": 0.06,
        "truck": 0.09,
        "bus": 0.09,
    },
    paint={
        (172, 174, 176): 0.24,
        (36, 38, 42): 0.22,
        (216, 216, 212): 0.16,
        (98, 102, 106): 0.16,
        (40, 54, 96): 0.1,
        (122, 30, 34): 0.08,
        (96, 84, 62): 0.04,
    },
    buses={
        ((186, 44, 40), (230, 228, 222)): 0.4,
        ((222, 188, 72), (60, 60, 62)): 0.35,
        ((214, 214, 208), (60, 120, 84)): 0.25,
    },
    traffic=42.0,
    light_arm=0.15,
    diamond_signs=0.0,
)

DOMAINS: dict[str, Domain] = {domain.name: domain for domain in (SOURCE, TARGET)}
