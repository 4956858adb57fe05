"""SGD with two learning rates, and their schedule (A§2.2)."""

from dataclasses import dataclass

import torch

from bismap.errors import BismapError
from bismap.models.network import DeepLabV3Plus


@dataclass(frozen=True)
class Schedule:
    """Linear warm-up from exactly 0, then polynomial decay to ``eta_min``.

    Attributes:
        iterations: optimiser steps of the whole training.
        warmup_iterations: steps of the linear rise; the full rate is reached at this (0-based) step.
        power: exponent of the decay.
        eta_min: rate at the end of the decay.
    """

    iterations: int
    warmup_iterations: int
    power: float
    eta_min: float

    def __post_init__(self) -> None:
        if not 0 <= self.warmup_iterations < self.iterations:
            raise BismapError(
                f"warmup_iterations is {self.warmup_iterations}: it must be at least 0 and less than "
                f"iterations ({self.iterations})"
            )

    def rate(self, base: float, step: int) -> float:
        """Learning rate at 0-based ``step`` of a parameter group whose full rate is ``base``."""
        if step < self.warmup_iterations:
            return base * step / self.warmup_iterations
        done = (step - self.warmup_iterations) / (self.iterations - self.warmup_iterations)
        return (base - self.eta_min) * (1.0 - done) ** self.power + self.eta_min

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> float:
        """Set the rate of every group for ``step``; returns that of the first group."""
        for group in optimizer.param_groups:
            group["lr"] = self.rate(group["base_lr"], step)
        return optimizer.param_groups[0]["lr"]


def build_optimizer(
    net: DeepLabV3Plus, lr: float, head_lr_factor: float, momentum: float, weight_decay: float
) -> torch.optim.SGD:
    """SGD with two groups: the backbone at ``lr``, ASPP and decoder at ``lr * head_lr_factor``."""
    groups = [
        {"params": list(net.backbone_parameters()), "base_lr": lr},
        {"params": list(net.head_parameters()), "base_lr": lr * head_lr_factor},
    ]
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, weight_decay=weight_decay, fused=True)
