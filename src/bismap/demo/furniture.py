"""Street furniture: lamps, traffic signs, traffic lights, bins; and walls and fences beside the street."""

import math

from bismap.demo import ids
from bismap.demo.color import BLACK, STEEL, WHITE, Color, mixed, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.view import Frame, Panel, View

_RED: Color = (196, 36, 34)
_BLUE: Color = (34, 84, 168)
_YELLOW: Color = (232, 184, 40)
_GREEN: Color = (30, 110, 70)


def draw_lamp(view: View, dice: Dice, x: float, z: float, inward: int, height: float) -> None:
    """Draw a street lamp whose arm reaches to the road: ``inward`` is -1 (to the left) or 1."""
    frame = Frame(view, x, z, inward)
    color = shaded(STEEL, view.light.on(0, 0, -1) * dice.uniform(0.6, 1.0))
    frame.line(((0, 0), (0, height)), 0.15, color, ids.POLE)
    frame.box(-0.11, 0, 0.11, 0.9, shaded(color, 0.8), ids.POLE)
    frame.line(((0, height - 0.1), (0.7, height + 0.35), (1.9, height + 0.45)), 0.1, color, ids.POLE)
    frame.polygon(
        ((1.5, height + 0.35), (2.4, height + 0.4), (2.3, height + 0.58), (1.5, height + 0.55)),
        shaded(color, 1.3),
        ids.POLE,
    )


def draw_sign(view: View, dice: Dice, x: float, z: float, kind: str) -> None:
    """Draw a traffic sign on its pole; kinds: ban, warning, diamond, order, info, stop, guide."""
    frame = Frame(view, x, z)
    lit = view.light.on(0, 0, -1)
    large = kind == "guide"
    up = 3.6 if large else dice.uniform(2.2, 2.7)
    size = 1.1 if large else 0.42
    for right in (-0.9, 0.9) if large else (0.0,):
        frame.line(((right, 0), (right, up)), 0.09, shaded(STEEL, lit), ids.POLE)
    _PLATES[kind](frame, up, size, lit)
    if not large and dice.chance(0.3):
        frame.box(-0.3, up - size - 0.34, 0.3, up - size - 0.06, shaded(WHITE, lit), ids.TRAFFIC_SIGN)
        frame.box(-0.2, up - size - 0.24, 0.2, up - size - 0.16, BLACK)


def _regular(corners: int, turn: float, size: float, up: float) -> list[tuple[float, float]]:
    angles = (turn + 2 * math.pi * k / corners for k in range(corners))
    return [(size * math.cos(angle), up + size * math.sin(angle)) for angle in angles]


def _plate_ban(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.ellipse(0, up, (size, size), shaded(_RED, lit), ids.TRAFFIC_SIGN)
    frame.ellipse(0, up, (size * 0.72, size * 0.72), shaded(WHITE, lit))
    frame.box(-0.16, up - 0.12, 0.16, up + 0.12, BLACK)


def _plate_warning(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.polygon(_regular(3, math.pi / 2, size * 1.25, up), shaded(_RED, lit), ids.TRAFFIC_SIGN)
    frame.polygon(_regular(3, math.pi / 2, size * 0.75, up), shaded(WHITE, lit))


def _plate_diamond(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.polygon(_regular(4, 0, size * 1.2, up), shaded(_YELLOW, lit), ids.TRAFFIC_SIGN)
    frame.box(-0.08, up - 0.24, 0.08, up + 0.24, BLACK)


def _plate_order(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.ellipse(0, up, (size, size), shaded(_BLUE, lit), ids.TRAFFIC_SIGN)
    frame.polygon(((-0.1, up - 0.22), (0.1, up - 0.22), (0.1, up + 0.2), (-0.1, up + 0.2)), shaded(WHITE, lit))


def _plate_info(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.box(-size, up - size, size, up + size, shaded(_BLUE, lit), ids.TRAFFIC_SIGN)
    frame.polygon(((-0.22, up - 0.24), (0.22, up - 0.24), (0, up + 0.26)), shaded(WHITE, lit))


def _plate_stop(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.polygon(_regular(8, math.pi / 8, size * 1.1, up), shaded(_RED, lit), ids.TRAFFIC_SIGN)
    frame.box(-0.27, up - 0.1, 0.27, up + 0.1, shaded(WHITE, lit))


def _plate_guide(frame: Frame, up: float, size: float, lit: float) -> None:
    frame.box(-size * 1.4, up - size * 0.7, size * 1.4, up + size * 0.7, shaded(WHITE, lit), ids.TRAFFIC_SIGN)
    green = shaded(_GREEN, lit)
    frame.box(-size * 1.33, up - size * 0.63, size * 1.33, up + size * 0.63, green)
    for line in (-0.25, 0.25):
        frame.box(-size, up + line - 0.12, size * 0.6, up + line + 0.12, shaded(WHITE, lit))


_PLATES = {
    "ban": _plate_ban,
    "warning": _plate_warning,
    "diamond": _plate_diamond,
    "order": _plate_order,
    "info": _plate_info,
    "stop": _plate_stop,
    "guide": _plate_guide,
}


def draw_traffic_light(view: View, dice: Dice, x: float, z: float, inward: int, arm: float) -> None:
    """Draw a traffic light; with an ``arm`` (metres) a second one hangs over the road."""
    frame = Frame(view, x, z, inward)
    color = shaded(STEEL, view.light.on(0, 0, -1) * 0.75)
    height = 6.0 if arm else 3.4
    frame.line(((0, 0), (0, height)), 0.16, color, ids.POLE)
    lit = dice.pick({0: 0.5, 2: 0.4, 1: 0.1})
    if arm:
        frame.line(((0, height - 0.1), (arm, height + 0.2)), 0.13, color, ids.POLE)
        _draw_signals(frame, arm * 0.95, height + 0.3, lit)
    _draw_signals(frame, 0.0, 3.5, lit)


def _draw_signals(frame: Frame, right: float, top: float, lit: int) -> None:
    """The box with its three lamps, hanging below ``top``; lamp ``lit`` is on (0: red)."""
    frame.box(right - 0.25, top - 1.15, right + 0.25, top, (34, 36, 34), ids.TRAFFIC_LIGHT)
    for k, color in enumerate(((240, 52, 40), (244, 178, 44), (70, 226, 130))):
        tone = color if k == lit else shaded(color, 0.22)
        frame.ellipse(right, top - 0.22 - 0.36 * k, (0.15, 0.15), tone)


def draw_static(view: View, dice: Dice, x: float, z: float) -> None:
    """Draw a bin, an electricity box or an advertising column: of no class, label `static`."""
    frame = Frame(view, x, z)
    color = varied(dice, dice.choice(((70, 92, 70), (132, 134, 130), (150, 96, 52), (60, 64, 74))), 0.15)
    color = shaded(color, view.light.on(0, 0, -1))
    half, height = dice.choice(((0.3, 1.0), (0.55, 1.3), (0.6, 2.6)))
    frame.box(-half, 0, half, height, color, ids.STATIC)
    frame.box(-half, 0, -half * 0.2, height, shaded(color, 0.8))
    frame.box(-half * 1.08, height - 0.12, half * 1.08, height, shaded(color, 1.25), ids.STATIC)


def draw_wall(view: View, dice: Dice, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a wall of concrete, brick or plaster between two places (x, z)."""
    panel = Panel(view, start, end)
    if panel.hidden:
        return
    height = dice.uniform(1.6, 3.4)
    base = dice.choice(((156, 150, 142), (142, 92, 72), (196, 184, 160), (128, 126, 122)))
    color = shaded(varied(dice, base), panel.brightness())
    low, high = panel.low, panel.high
    outline = [panel.at(low, 0), panel.at(high, 0), panel.at(high, height), panel.at(low, height)]
    view.canvas.polygon(outline, color, max(panel.z(low), 0), ids.WALL)
    block = dice.uniform(1.5, 4)
    for k in range(int(panel.length / block)):
        tone = shaded(color, dice.uniform(0.92, 1.06))
        panel.box(k * block, 0.0, (k + 1) * block - 0.1, height - 0.2, tone)
        if dice.chance(0.12):
            _draw_graffiti(panel, dice, k * block, block)
    panel.box(low, height - 0.2, high, height, shaded(color, 1.18))
    panel.box(low, 0, high, 0.3, shaded(color, 0.72))


def _draw_graffiti(panel: Panel, dice: Dice, left: float, width: float) -> None:
    for _ in range(3):
        at = left + dice.uniform(0, width * 0.6)
        color = dice.choice(((150, 60, 130), (60, 120, 170), (200, 190, 80), (40, 40, 44)))
        panel.box(at, dice.uniform(0.4, 0.7), at + dice.uniform(0.3, 0.8), dice.uniform(0.9, 1.5), color)


def draw_fence(view: View, dice: Dice, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a fence: pickets, a rail or mesh. What shows through is labelled fence, as in both data sets."""
    panel = Panel(view, start, end)
    if panel.hidden:
        return
    kind = dice.choice(("picket", "mesh", "rail"))
    height = {"picket": dice.uniform(1.2, 1.8), "mesh": dice.uniform(1.8, 2.6), "rail": 0.9}[kind]
    color = dice.choice(((186, 182, 172), (70, 78, 70), (112, 86, 62)))
    color = shaded(varied(dice, color), panel.brightness() * 1.05)
    low, high = panel.low, panel.high
    outline = [panel.at(low, 0), panel.at(high, 0), panel.at(high, height), panel.at(low, height)]
    panel.view.canvas.label_only(outline, ids.FENCE)
    for up in {"picket": (0.3, height - 0.25), "mesh": (0.1, height - 0.1), "rail": (0.35, 0.6, 0.85)}[kind]:
        panel.box(low, up - 0.06, high, up + 0.06, color)
    _draw_bars(panel, color, height, {"picket": 0.16, "mesh": 0.22, "rail": 2.0}[kind], kind != "picket")


def _draw_bars(panel: Panel, color: Color, height: float, spacing: float, thin: bool) -> None:
    """Upright bars; where they are too fine to be seen they are drawn thinner and fewer, never denser."""
    canvas = panel.view.canvas
    at = panel.low + spacing / 2
    while at < panel.high:
        scale = panel.view.camera.scale(panel.z(at))
        foot, top = panel.at(at, 0), panel.at(at, height)
        post = (at // spacing) % 12 == 0
        width = scale * (0.08 if post or not thin else 0.025)
        tone = color if post else mixed(color, shaded(color, 0.8), 0.5)
        canvas.line((foot, top), min(width, 0.06 * scale + 1), tone, panel.z(at))
        ahead = abs(panel.at(at + spacing, 0)[0] - foot[0])
        at += spacing * max(1.0, 3.0 / max(ahead, 0.3))
