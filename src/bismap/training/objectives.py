"""What one training step minimises: the student's passes over a step's data and their loss terms.

Each pass is one forward and one backward pass; source and target never share one, so that batch norm sees
one domain at a time (A§7). Gradients of all passes add up before the optimiser step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from bismap.errors import BismapError
from bismap.losses import (
    Ratio,
    Reduction,
    cross_entropy,
    kl_divergence,
    ramp_up,
    released_kl,
    symmetric_cross_entropy,
)
from bismap.models.inputs import normalize
from bismap.training.batches import Batch, StepBatch
from bismap.training.ema import MeanTeacher
from bismap.training.enlarge import enlarge

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}


class Term(NamedTuple):
    """A loss term: its name in the metrics table, its weight in the sum, and its value."""

    name: str
    weight: float
    loss: Ratio


@dataclass(frozen=True)
class Forward:
    """Runs a network on uint8 crops.

    Attributes:
        device: where the network is.
        dtype: type to compute the network in (autocast), or None for float32 throughout.
    """

    device: str
    dtype: torch.dtype | None

    def __call__(self, net: nn.Module, images: Tensor) -> Tensor:
        """Logits ``[B, C, h, w]`` float32 at the size of ``images`` ``[B, h, w, 3]``."""
        inputs = normalize(images, self.device)
        kind = torch.device(self.device).type
        with torch.autocast(kind, dtype=self.dtype, enabled=self.dtype is not None):
            logits = net(inputs)
        return enlarge(logits, images.shape[1:3])

    def labels(self, batch: Batch) -> Tensor:
        """Labels ``[B, h, w]`` int64."""
        return batch.labels.to(self.device, non_blocking=True).long()

    def mask(self, values: Tensor) -> Tensor:
        """A uint8 map ``[B, h, w]`` as float32."""
        return values.to(self.device, non_blocking=True).float()


class Pass(Protocol):
    """One forward pass of the student."""

    def __call__(self, forward: Forward, student: nn.Module, batch: StepBatch, step: int) -> list[Term]: ...


class SourcePass:
    """Cross-entropy on the source, weighted by transferability where that is given (Eq. 2, 10)."""

    def __call__(self, forward: Forward, student: nn.Module, batch: StepBatch, step: int) -> list[Term]:
        source = batch.source
        logits = forward(student, source.images)
        weights = None if source.weights is None else forward.mask(source.weights) / 255.0
        return [Term("source_ce", 1.0, cross_entropy(logits, forward.labels(source), weights))]


@dataclass(frozen=True)
class Consistency:
    """Settings of the consistency term.

    Attributes:
        weight: lambda (paper 20 with ``"sum"``, released code 30 with ``"mean_classes"``).
        reduction: of the divergence over classes; see `kl_divergence`.
        rampup_iterations: steps over which the term is faded in; 0 for none.
        ema_decay: of the mean teacher.
        strong_view: who sees the strong view: ``"student"`` (released code) or ``"teacher"`` (paper).
    """

    weight: float
    reduction: Reduction
    rampup_iterations: int
    ema_decay: float
    strong_view: Literal["student", "teacher"]


@dataclass(frozen=True)
class ConsistencyPass:
    """KL between a mean teacher and the student on two views of the same target crop (Eq. 12, A§7)."""

    settings: Consistency
    teacher: MeanTeacher

    def __call__(self, forward: Forward, student: nn.Module, batch: StepBatch, step: int) -> list[Term]:
        self.teacher.update(student)
        target = batch.target
        seen, aim = target.strong, target.images
        if self.settings.strong_view == "teacher":
            seen, aim = aim, seen
        with torch.no_grad():
            guide = forward(self.teacher.net, aim)
        loss = kl_divergence(forward(student, seen), guide, forward.mask(target.visible), self.settings.reduction)
        weight = self.settings.weight * ramp_up(step, self.settings.rampup_iterations)
        return [Term("consistency", weight, loss)]


@dataclass(frozen=True)
class SymmetricCrossEntropy:
    """Settings of the loss on pseudo-labels (A§7): weights and clamps of its two parts.

    Attributes:
        ce_weight: of the cross-entropy (alpha).
        rce_weight: of the reverse cross-entropy (beta).
        one_hot_floor: least value of the one-hot label.
        prediction_floor: least probability.
    """

    ce_weight: float
    rce_weight: float
    one_hot_floor: float
    prediction_floor: float


@dataclass(frozen=True)
class Distillation:
    """Settings of the distillation term (A§8.1).

    Attributes:
        weight: of the term.
        kd_form: ``"kl"``, or ``"released"`` for the formula of the released code, which is no divergence.
    """

    weight: float
    kd_form: Literal["kl", "released"]


@dataclass(frozen=True)
class TargetPass:
    """Symmetric cross-entropy on pseudo-labels and, with a teacher, distillation (A§7, A§8.1)."""

    settings: SymmetricCrossEntropy
    distillation: Distillation | None = None
    teacher: nn.Module | None = None

    def __call__(self, forward: Forward, student: nn.Module, batch: StepBatch, step: int) -> list[Term]:
        sce, target = self.settings, batch.target
        logits = forward(student, target.images)
        ce, rce = symmetric_cross_entropy(logits, forward.labels(target), sce.one_hot_floor, sce.prediction_floor)
        terms = [Term("target_ce", sce.ce_weight, ce), Term("target_rce", sce.rce_weight, rce)]
        if self.distillation is None:
            return terms
        with torch.no_grad():
            guide = forward(self.teacher, target.images)
        divergence = {"kl": kl_divergence, "released": released_kl}[self.distillation.kd_form]
        loss = divergence(logits, guide, forward.mask(target.visible), "mean_classes")
        return [*terms, Term("distillation", self.distillation.weight, loss)]


@dataclass(frozen=True)
class Objective:
    """The passes of a step, in order, and the mean teacher that one of them may hold."""

    passes: tuple[Pass, ...]
    ema: MeanTeacher | None = None


def build_objective(settings: Mapping[str, Any], student: nn.Module, teacher: nn.Module | None) -> Objective:
    """The objective that ``settings["objective"]`` names.

    Args:
        settings: of the stage; ``sce``, ``consistency`` and ``distillation`` may be None where not used.
        student: network to train; the mean teacher starts as its copy.
        teacher: network in eval mode that ``distill`` learns from.
    """
    kind = settings["objective"]
    if kind == "warmup":
        return Objective((SourcePass(),))
    sce = SymmetricCrossEntropy(**settings["sce"])
    if kind == "distill":
        return Objective((SourcePass(), TargetPass(sce, Distillation(**settings["distillation"]), teacher)))
    if kind != "retrain":
        raise BismapError(f"objective `{kind}`: expected warmup, retrain or distill")
    if settings["consistency"] is None:
        return Objective((SourcePass(), TargetPass(sce)))
    consistency = Consistency(**settings["consistency"])
    ema = MeanTeacher(student, consistency.ema_decay)
    return Objective((SourcePass(), ConsistencyPass(consistency, ema), TargetPass(sce)), ema)
