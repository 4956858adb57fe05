"""Trees, palms and bushes: trunks, and crowns of many clumps of leaves that the sun lights from its side."""

import math
from dataclasses import dataclass

from bismap.demo import ids
from bismap.demo.color import Color, shaded, varied
from bismap.demo.dice import Dice
from bismap.demo.view import Frame, View

_LEAVES: tuple[Color, ...] = ((84, 112, 52), (98, 118, 58), (70, 98, 54), (112, 120, 56))
_BARK: Color = (92, 78, 62)


@dataclass(frozen=True)
class Tree:
    """A tree: kind, height in metres, half the crown's width, and colour of its leaves."""

    kind: str
    height: float
    reach: float
    leaves: Color


def plan_tree(dice: Dice, kind: str) -> Tree:
    """Draw a tree of this kind."""
    height, ratio = {
        "round": (dice.uniform(6, 11), dice.uniform(0.28, 0.4)),
        "poplar": (dice.uniform(10, 15), dice.uniform(0.1, 0.14)),
        "conifer": (dice.uniform(7, 13), dice.uniform(0.18, 0.24)),
        "palm": (dice.uniform(7, 12), dice.uniform(0.2, 0.26)),
        "bush": (dice.uniform(0.8, 1.9), dice.uniform(0.6, 1.0)),
    }[kind]
    return Tree(kind, height, height * ratio, varied(dice, dice.choice(_LEAVES), 0.15, 8))


def draw_tree(view: View, dice: Dice, x: float, z: float, tree: Tree) -> None:
    """Draw the tree with its foot at (x, z)."""
    if not view.sees(x, z, tree.reach * 1.3):
        return
    frame = Frame(view, x, z)
    {
        "round": _draw_round,
        "poplar": _draw_round,
        "conifer": _draw_conifer,
        "palm": _draw_palm,
        "bush": _draw_bush,
    }[tree.kind](view, dice, frame, tree)


def _draw_trunk(view: View, frame: Frame, height: float, width: float, lean: float = 0.0) -> None:
    lit = view.light.on(0, 0, -1)
    half = width / 2
    outline = ((-half * 1.3, 0), (half * 1.3, 0), (lean + half * 0.8, height), (lean - half * 0.8, height))
    frame.polygon(outline, shaded(_BARK, lit), ids.VEGETATION)
    frame.line(((0, 0), (lean, height)), width, shaded(_BARK, lit), ids.VEGETATION)
    bright = math.copysign(half * 0.5, view.light.toward[0])
    frame.line(((bright, 0), (lean + bright, height)), width * 0.3, shaded(_BARK, lit * 1.3))


def _draw_round(view: View, dice: Dice, frame: Frame, tree: Tree) -> None:
    stem = tree.height * (0.3 if tree.kind == "round" else 0.12)
    _draw_trunk(view, frame, stem * 1.5, tree.height * 0.035)
    centre = (stem + tree.height) / 2
    _draw_crown(view, dice, frame, (0, centre), (tree.reach, (tree.height - stem) / 2), tree.leaves)


def _draw_bush(view: View, dice: Dice, frame: Frame, tree: Tree) -> None:
    _draw_crown(view, dice, frame, (0, tree.height * 0.45), (tree.reach, tree.height * 0.55), tree.leaves)


def _draw_crown(
    view: View,
    dice: Dice,
    frame: Frame,
    centre: tuple[float, float],
    radii: tuple[float, float],
    leaves: Color,
) -> None:
    """An uneven ellipsoid: large dark clumps first, then smaller ones, brighter toward the sun."""
    toward = view.light.toward
    clumps = int(min(90, 8 + 1.4 * view.detail(radii[1], frame.z)))
    frame.ellipse(*centre, (radii[0] * 0.7, radii[1] * 0.8), shaded(leaves, 0.5), ids.VEGETATION)
    lobes = [(dice.uniform(-0.5, 0.5), dice.uniform(-0.45, 0.5)) for _ in range(5)]
    for k in range(clumps):
        progress = k / clumps
        lobe = lobes[k % 5]
        angle, distance = dice.uniform(0, 2 * math.pi), math.sqrt(dice.uniform(0, 1)) * 0.55
        right, up = lobe[0] + distance * math.cos(angle), lobe[1] + distance * math.sin(angle)
        radius = (0.44 - 0.34 * progress) * dice.uniform(0.75, 1.25)
        facing = 0.55 * up + 0.5 * right * toward[0] * (0.4 + view.light.sun)
        light = 0.7 + 0.42 * facing + 0.34 * progress * dice.uniform(0.1, 1.0)
        spread = min(radii[0], radii[1] * 1.3) * radius
        color = shaded(leaves, max(0.38, light))
        place = (centre[0] + right * radii[0] * 0.9, centre[1] + up * radii[1] * 0.9)
        frame.ellipse(*place, (spread, min(spread, radii[1] * radius * 1.2)), color, ids.VEGETATION)


def _draw_conifer(view: View, dice: Dice, frame: Frame, tree: Tree) -> None:
    _draw_trunk(view, frame, tree.height * 0.2, tree.height * 0.03)
    tiers = 7
    sunny = math.copysign(0.6, view.light.toward[0])
    for k in range(tiers):
        base = tree.height * (0.1 + 0.8 * k / tiers)
        half = tree.reach * (1 - 0.85 * k / tiers) * dice.uniform(0.9, 1.1)
        top = min(tree.height, base + tree.height * 0.28)
        color = shaded(tree.leaves, 0.5 + 0.04 * k)
        frame.polygon(((-half, base), (0, base + 0.25), (half, base), (0, top)), color, ids.VEGETATION)
        frame.polygon(((0, base + 0.25), (sunny * half, base + 0.15), (0, top)), shaded(color, 1.35))


def _draw_palm(view: View, dice: Dice, frame: Frame, tree: Tree) -> None:
    lean = dice.uniform(-0.8, 0.8)
    _draw_trunk(view, frame, tree.height * 0.86, 0.34, lean)
    top = tree.height * 0.86
    fronds = 13
    for k in range(fronds):
        angle = math.pi * (-0.25 + 1.5 * k / (fronds - 1)) + dice.uniform(-0.1, 0.1)
        length = tree.reach * dice.uniform(0.85, 1.15)
        out, rise = math.cos(angle) * length, math.sin(angle) * length * 0.55
        middle = (lean + out * 0.55, top + rise + 0.35)
        tip = (lean + out, top + rise - length * 0.32)
        light = 0.62 + 0.35 * max(0.0, math.sin(angle)) + 0.2 * dice.uniform(0, 1)
        below = (middle[0], middle[1] - 0.42)
        frame.polygon(((lean, top), middle, tip, below), shaded(tree.leaves, light), ids.VEGETATION)
        frame.line(((lean, top), middle, tip), 0.07, shaded(tree.leaves, light * 1.2), ids.VEGETATION)
