"""8-bit sRGB <-> CIE L*a*b* (white point D65, 2 degree observer), with the constants of `skimage.color`."""

import numpy as np
from numpy.typing import NDArray

# Rows X, Y, Z; IEC 61966-2-1 rounded as in scikit-image, so that both agree to the last digit.
XYZ_FROM_RGB = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE_D65 = np.array([0.95047, 1.0, 1.08883])

# Where CIE replaces the cube root by a straight line, in units of the white point and of its cube root.
_LINEAR_BELOW = 0.008856
_LINEAR_SLOPE = 7.787
_LINEAR_OFFSET = 16.0 / 116.0
_ROOT_BELOW = 0.2068966

_RGB_TO_WHITE = XYZ_FROM_RGB / WHITE_D65[:, None]
_WHITE_TO_RGB = np.linalg.inv(XYZ_FROM_RGB) * WHITE_D65


def _decode_table() -> NDArray[np.float64]:
    level = np.arange(256) / 255.0
    return np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)


_LINEAR_LIGHT = _decode_table()


def rgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert 8-bit sRGB to L in [0, 100], a and b.

    Args:
        rgb: uint8 [..., 3].

    Returns:
        float64 [..., 3]; each of the three planes is contiguous in memory.
    """
    light = np.stack([_LINEAR_LIGHT[rgb[..., channel]].ravel() for channel in range(3)])
    root = _compress(_RGB_TO_WHITE @ light)
    lab = np.empty_like(root)
    lab[0] = 116.0 * root[1] - 16.0
    lab[1] = 500.0 * (root[0] - root[1])
    lab[2] = 200.0 * (root[1] - root[2])
    return np.moveaxis(lab.reshape(3, *rgb.shape[:-1]), 0, -1)


def lab_to_rgb(lab: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Convert L in [0, 100], a and b to 8-bit sRGB; colours outside sRGB are clipped channel by channel.

    Args:
        lab: float [..., 3].

    Returns:
        uint8 [..., 3], rounded to the nearest level.
    """
    root = np.empty((3, lab[..., 0].size))
    root[1] = (lab[..., 0].ravel() + 16.0) / 116.0
    root[0] = root[1] + lab[..., 1].ravel() / 500.0
    root[2] = np.maximum(root[1] - lab[..., 2].ravel() / 200.0, 0.0)
    level = _encode(_WHITE_TO_RGB @ _expand(root))
    return np.ascontiguousarray(level.T).reshape(*lab.shape[:-1], 3)


def _compress(xyz: NDArray[np.float64]) -> NDArray[np.float64]:
    """The CIE lightness function: cube root, a straight line near black."""
    root = np.cbrt(xyz)
    dark = xyz <= _LINEAR_BELOW
    root[dark] = _LINEAR_SLOPE * xyz[dark] + _LINEAR_OFFSET
    return root


def _expand(root: NDArray[np.float64]) -> NDArray[np.float64]:
    xyz = root * root * root
    dark = root <= _ROOT_BELOW
    xyz[dark] = (root[dark] - _LINEAR_OFFSET) / _LINEAR_SLOPE
    return xyz


def _encode(light: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Linear light to 8-bit sRGB levels."""
    np.clip(light, 0.0, 1.0, out=light)
    dark = light <= 0.0031308
    level = 1.055 * light ** (1.0 / 2.4) - 0.055
    level[dark] = 12.92 * light[dark]
    level *= 255.0
    return np.rint(level, out=level).astype(np.uint8)
