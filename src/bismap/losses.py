"""Losses of warm-up, retraining and distillation, on logits of full crop size.

Every loss is a `Ratio`: a sum over pixels and the number it is divided by, kept apart so that both can be
summed over several processes before the division. Shapes: logits ``[B, C, H, W]`` float32, labels
``[B, H, W]`` int64 with `IGNORE`, weights and masks ``[B, H, W]``.
"""

import math
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from bismap.data import IGNORE

Reduction = Literal["mean_classes", "sum"]


class Ratio(NamedTuple):
    """A loss as ``total / count``."""

    total: Tensor
    count: Tensor

    def value(self) -> Tensor:
        """The mean; 0, not NaN, where nothing counts (a batch without a labelled pixel)."""
        return self.over(self.count)

    def over(self, count: Tensor) -> Tensor:
        """This part of a mean over ``count``, which several processes have counted together."""
        return self.total / count.clamp(min=1)


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor | None = None) -> Ratio:
    """Cross-entropy, each pixel times its weight, over the number of labelled pixels (paper Eq. 2 and 10).

    The count is that of the pixels, not of the weights: low weights lower the loss (A§7).
    """
    count = (labels != IGNORE).sum()
    if weights is None:
        return Ratio(F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="sum"), count)
    pixels = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
    return Ratio((pixels * weights).sum(), count)


def symmetric_cross_entropy(
    logits: Tensor, labels: Tensor, one_hot_floor: float = 1e-4, prediction_floor: float = 1e-7
) -> tuple[Ratio, Ratio]:
    """Cross-entropy and reverse cross-entropy over the labelled pixels (paper Eq. 11, A§7).

    The reverse term is ``-sum_c p_c log q_c`` with the one-hot label ``q`` clamped to ``one_hot_floor`` and
    the prediction ``p`` to ``prediction_floor``. As ``log 1 = 0``, what remains is the probability of the
    wrong classes times ``-log(one_hot_floor)``.
    """
    labelled = labels != IGNORE
    target = torch.where(labelled, labels, 0).unsqueeze(1)
    log_p = F.log_softmax(logits, dim=1)
    p = log_p.exp().clamp(min=prediction_floor)
    wrong = p.sum(1) - p.gather(1, target).squeeze(1)
    count = labelled.sum()
    forward = F.nll_loss(log_p, labels, ignore_index=IGNORE, reduction="sum")
    reverse = -math.log(one_hot_floor) * (wrong * labelled).sum()
    return Ratio(forward, count), Ratio(reverse, count)


def kl_divergence(student: Tensor, teacher: Tensor, mask: Tensor, reduction: Reduction) -> Ratio:
    """KL(teacher || student) over the pixels where ``mask`` is set (paper Eq. 12).

    ``"sum"`` sums over classes and averages over pixels. ``"mean_classes"`` averages over classes too, as the
    released code does, which makes the term smaller by the number of classes (A§7, A§14.1 row 1).
    """
    divergence = F.kl_div(
        F.log_softmax(student, dim=1), F.log_softmax(teacher, dim=1), reduction="none", log_target=True
    )
    return _over_pixels(divergence, mask, reduction)


def released_kl(student: Tensor, teacher: Tensor, mask: Tensor, reduction: Reduction) -> Ratio:
    """The distillation term as released: probabilities where log-probabilities belong (A§8.1).

    It is no divergence: it can be negative and its gradient does not vanish where student equals teacher.
    Kept to reproduce published figures only.
    """
    log_t = F.log_softmax(teacher, dim=1)
    divergence = log_t.exp() * (log_t - F.softmax(student, dim=1))
    return _over_pixels(divergence, mask, reduction)


def _over_pixels(divergence: Tensor, mask: Tensor, reduction: Reduction) -> Ratio:
    classes = divergence.shape[1] if reduction == "mean_classes" else 1
    return Ratio((divergence.sum(1) * mask).sum(), mask.sum() * classes)


def ramp_up(step: int, iterations: int) -> float:
    """Weight of a term that is faded in: ``exp(-5 (1 - step/iterations)^2)``, then 1 (A§7)."""
    if step >= iterations:
        return 1.0
    return math.exp(-5.0 * (1.0 - step / iterations) ** 2)
