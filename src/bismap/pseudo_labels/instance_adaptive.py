"""IAST's instance-adaptive selector: class thresholds that follow the images (Mei et al. 2020, Eq. 3-6; A§10).

The images come in a fixed order, some at a time. Of class c, the threshold theta_c and the confidences of the pixels
predicted as c make a list; with v its percentile ``100 (1 - alpha theta_c^gamma)``,

    theta_c <- beta theta_c + (1 - beta) v,

and the images' pixels of the class are kept from theta_c on. A threshold of 1 or more becomes `HIGHEST`, as IAST has
it; the 16-bit files hold no confidence of 1, so that it takes other input to get there.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLDS = "thresholds.csv"

HIGHEST = 0.999


@dataclass(frozen=True)
class Selector:
    """IAST's constants.

    Attributes:
        initial: first threshold of every class.
        alpha: share of a class's pixels that is kept where its threshold is 1.
        beta: share of its old value that a threshold keeps.
        gamma: how much less is kept of a class whose threshold is low.
        batch: images between two updates.
    """

    initial: float
    alpha: float
    beta: float
    gamma: float
    batch: int

    def thresholds(
        self, images: Iterable[tuple[NDArray[np.uint8], NDArray[np.floating]]], classes: int
    ) -> Iterator[NDArray[np.float64]]:
        """Thresholds ``[classes]`` of one image after the other; memory of a batch of images.

        Args:
            images: of each, the pixels' classes (trainIds) and confidences, same shape.
            classes: number of classes.
        """
        current, waiting = np.full(classes, self.initial), []
        for image in images:
            waiting.append(image)
            if len(waiting) == self.batch:
                yield from self._batch(current, waiting)
                waiting = []
        if waiting:
            yield from self._batch(current, waiting)

    def _batch(self, current: NDArray[np.float64], images: list) -> Iterator[NDArray[np.float64]]:
        labels = np.concatenate([classes.ravel() for classes, _ in images])
        confidences = np.concatenate([values.ravel() for _, values in images])
        for c in range(len(current)):
            current[c] = self._updated(current[c], confidences[labels == c])
        for _ in images:
            yield current.copy()

    def _updated(self, threshold: float, confidences: NDArray[np.floating]) -> float:
        listed = np.append(confidences, threshold)
        kept = self.alpha * threshold**self.gamma
        value = self.beta * threshold + (1 - self.beta) * np.percentile(listed, 100 * (1 - kept))
        return float(value) if value < 1 else HIGHEST
