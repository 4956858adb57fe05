"""A picture with its labels, as a function of (seed, domain, split, index) and its size."""

import numpy as np

from bismap.demo.dice import Dice
from bismap.demo.domains import DOMAINS
from bismap.demo.photometry import LOOKS, expose
from bismap.demo.scene import draw_scene
from bismap.random import seed64, stream


def render_picture(
    seed: int, domain: str, split: str, index: int, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Render picture ``index`` of a split.

    Args:
        seed: seed of the data set.
        domain: ``"source"`` or ``"target"``.
        split: name of the split; part of the key.
        index: number of the picture, from 0; how many there are does not matter.
        width, height: size in pixels; the same scene is drawn at any size.

    Returns:
        The picture, uint8 [height, width, 3], and its label ids, uint8 [height, width].
    """
    key = ("demo", seed, domain, split, index)
    dice = Dice(seed64(*key, "scene"))
    generator = stream(*key, "noise")
    drawn, labels = draw_scene(dice, generator, DOMAINS[domain], width, height)
    picture = expose(drawn, labels, Dice(seed64(*key, "photometry")), generator, LOOKS[domain])
    return picture, labels
