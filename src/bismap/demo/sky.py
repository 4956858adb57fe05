"""The background: sky with clouds and, behind the town, hills."""

import math

import numpy as np

from bismap.demo import ids
from bismap.demo.canvas import SUPERSAMPLING
from bismap.demo.color import Color, mixed, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.domains import Domain
from bismap.demo.noise import smooth
from bismap.demo.view import View

_CLOUD: Color = (244, 244, 242)


def paint_sky(view: View, generator: np.random.Generator, zenith: Color, horizon: Color, cover: float) -> None:
    """Fill all rows down to the horizon with sky; clouds hide the share ``cover`` of it."""
    canvas = view.canvas
    rows = math.ceil(view.camera.horizon) + 1
    height, width = -(-rows // SUPERSAMPLING), -(-canvas.width // SUPERSAMPLING)
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None, None]
    color = np.asarray(horizon, np.float32) * (1 - up**0.7) + np.asarray(zenith, np.float32) * up**0.7
    clouds = smooth(generator, width, height, 4, 4)
    # Noise of this kind has a spread of about 0.35: the threshold turns the cover into a share of the sky.
    opacity = np.clip((clouds + (cover - 0.5) * 0.9) * 2.4, 0, 1)[..., None] * np.minimum(1, 0.35 + up)
    relief = smooth(generator, width, height, 8, 8)[..., None]
    cloud = np.asarray(_CLOUD, np.float32) * (0.93 + 0.09 * relief)
    picture = np.clip(color * (1 - 0.85 * opacity) + cloud * 0.85 * opacity, 0, 255).astype(np.uint8)
    large = picture.repeat(SUPERSAMPLING, axis=0).repeat(SUPERSAMPLING, axis=1)[:rows, : canvas.width]
    canvas.paste(0, np.ascontiguousarray(large), np.full(large.shape[:2], ids.SKY, np.uint8))


def paint_hills(view: View, dice: Dice, domain: Domain) -> None:
    """Draw one to three ridges behind the town, bare (terrain) or wooded (vegetation)."""
    ridges = dice.whole(1, 3)
    rise = dice.uniform(0.12, 0.3) * view.canvas.height
    for k in range(ridges):
        share = 1 - 0.42 * k
        wooded = dice.chance(0.35)
        color = (86, 104, 58) if wooded else dice.pick(domain.soil)
        label = ids.VEGETATION if wooded else ids.TERRAIN
        distance = view.canvas.visibility * (0.75 - 0.25 * k)
        _paint_ridge(view, dice, varied(dice, shaded(color, 0.78)), rise * share, distance, label)


def _paint_ridge(view: View, dice: Dice, color: Color, rise: float, distance: float, label: int) -> None:
    """One ridge ``rise`` pixels high, as far away as haze makes it look."""
    canvas, base = view.canvas, view.camera.horizon + SUPERSAMPLING
    waves = [(dice.uniform(0.6, 9.0), dice.uniform(0, 2 * math.pi)) for _ in range(6)]
    steps = 96
    crest = []
    for k in range(steps + 1):
        t = k / steps
        swell = sum(math.sin(2 * math.pi * rate * t + phase) / (1 + rate) for rate, phase in waves)
        crest.append((t * canvas.width, base - rise * max(0.08, 0.6 + 0.55 * swell)))
    canvas.polygon([(0, base), *crest, (canvas.width, base)], color, distance, label)
    _paint_gullies(view, dice, crest, base, color, distance)


def _paint_gullies(
    view: View, dice: Dice, crest: list[tuple[float, float]], base: float, color: Color, distance: float
) -> None:
    """Slopes that turn from the sun and toward it: slivers that run down from the crest."""
    for _ in range(46):
        k = dice.whole(1, len(crest) - 6)
        width, lean = dice.whole(1, 4), dice.uniform(-0.5, 0.5)
        edge = crest[k : k + width + 1]
        depth = dice.uniform(0.3, 0.95)
        foot_u = (edge[0][0] + edge[-1][0]) / 2 + lean * (base - edge[0][1])
        foot_v = max(max(v for _, v in edge), edge[0][1] + (base - edge[0][1]) * depth)
        tone = mixed(color, shaded(color, 0.72 if lean * view.light.toward[0] > 0 else 1.2), 0.7)
        view.canvas.polygon([*((u, v + 1) for u, v in edge), (foot_u, foot_v + 1)], tone, distance)
