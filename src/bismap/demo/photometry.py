"""How each domain's pictures are recorded: a game's crisp, warm rendering, or a camera's dull, noisy one."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from bismap.demo import ids
from bismap.demo.dice import Dice
from bismap.demo.noise import scattered, smooth

_TEXTURE = {
    ids.VEGETATION: 0.075,
    ids.TERRAIN: 0.035,
    ids.BUILDING: 0.018,
    ids.WALL: 0.025,
    ids.FENCE: 0.03,
    ids.ROAD: 0.012,
    ids.SIDEWALK: 0.012,
    ids.PERSON: 0.05,
    ids.RIDER: 0.05,
}


@dataclass(frozen=True)
class Look:
    """Ranges of how pictures of a domain are recorded.

    Attributes:
        gains: white balances (red, green, blue) and how likely each is.
        gamma: exponent of the picture's values; above 1 darker.
        contrast: strength of the S-curve, 0 none.
        saturation: 1 unchanged.
        black: level that black is lifted to, 0..1.
        vignette: loss of light in the corners, 0..1.
        blur: radius as a share of the picture's width.
        sharpening: strength of the game's sharpening filter, percent.
        noise: standard deviation of the sensor's noise at mid grey, 0..1.
    """

    gains: dict[tuple[float, float, float], float]
    gamma: tuple[float, float]
    contrast: tuple[float, float]
    saturation: tuple[float, float]
    black: tuple[float, float]
    vignette: tuple[float, float]
    blur: tuple[float, float]
    sharpening: int
    noise: tuple[float, float]


LOOKS: dict[str, Look] = {
    "source": Look(
        gains={
            (1.07, 1.0, 0.86): 0.5,
            (1.0, 1.0, 1.0): 0.25,
            (1.16, 0.96, 0.8): 0.15,
            (0.93, 0.98, 1.1): 0.1,
        },
        gamma=(0.72, 1.0),
        contrast=(0.25, 0.6),
        saturation=(1.1, 1.4),
        black=(0.0, 0.04),
        vignette=(0.0, 0.05),
        blur=(0.0, 0.0),
        sharpening=40,
        noise=(0.0, 0.004),
    ),
    "target": Look(
        gains={(0.9, 1.02, 0.96): 0.7, (0.95, 1.0, 0.93): 0.3},
        gamma=(0.88, 1.25),
        contrast=(0.0, 0.25),
        saturation=(0.5, 0.75),
        black=(0.02, 0.06),
        vignette=(0.08, 0.22),
        blur=(0.0012, 0.0022),
        sharpening=0,
        noise=(0.01, 0.022),
    ),
}


def expose(
    picture: Image.Image, labels: np.ndarray, dice: Dice, generator: np.random.Generator, look: Look
) -> np.ndarray:
    """Give the drawn picture the domain's look: uint8 [height, width, 3]; ``labels`` place the textures."""
    radius = dice.within(look.blur) * picture.width
    values = _textured(np.asarray(picture), labels, generator)
    if radius:
        values = _filtered(values, ImageFilter.GaussianBlur(radius))
    if look.sharpening:
        values = _filtered(values, ImageFilter.UnsharpMask(radius=1, percent=look.sharpening, threshold=0))
    values = _graded(values, dice, look)
    values *= _vignette(values.shape, dice.within(look.vignette))
    # Shot noise: its variance grows with the light.
    spread = dice.within(look.noise) * np.sqrt(values.clip(0, 1) + 0.2)
    values += spread * scattered(generator, values.shape)
    return (values.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _textured(picture: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The picture in 0..1 with the grain of its materials, fine and coarse."""
    height, width = labels.shape
    strength = np.zeros(256, np.float32)
    strength[list(_TEXTURE)] = list(_TEXTURE.values())
    grain = scattered(generator, labels.shape) + 1.6 * smooth(generator, width, height, 40, 24)
    return picture.astype(np.float32) * ((1 + strength[labels] * grain)[..., None] / 255)


def _filtered(values: np.ndarray, kernel: ImageFilter.Filter) -> np.ndarray:
    image = Image.fromarray((values.clip(0, 1) * 255 + 0.5).astype(np.uint8)).filter(kernel)
    return np.asarray(image).astype(np.float32) / 255


def _graded(values: np.ndarray, dice: Dice, look: Look) -> np.ndarray:
    gains = np.array([gain * dice.uniform(0.97, 1.03) for gain in dice.pick(look.gains)], np.float32)
    values = (values * gains).clip(0, 1)
    grey = values @ np.array([0.299, 0.587, 0.114], np.float32)
    values = grey[..., None] + (values - grey[..., None]) * np.float32(dice.within(look.saturation))
    values = values.clip(0, 1) ** np.float32(dice.within(look.gamma))
    contrast = np.float32(dice.within(look.contrast))
    values += contrast * (values * values * (3 - 2 * values) - values)
    black = np.float32(dice.within(look.black))
    return black + (1 - black) * values


def _vignette(shape: tuple[int, ...], loss: float) -> np.ndarray:
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return (1 - np.float32(loss / 2) * (x * x + y * y))[..., None]
