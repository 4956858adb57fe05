"""The mean teacher: an exponential moving average of the student."""

import copy

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class MeanTeacher:
    """Moving average of a network's parameters; buffers (batch-norm statistics) are copied (A§7).

    The teacher normalises with the statistics of its own batch and has no dropout. Its running statistics
    always are the student's: its batch norms have momentum 0, so that its forward passes leave them alone.
    """

    def __init__(self, student: nn.Module, decay: float) -> None:
        self.net = copy.deepcopy(student).requires_grad_(False)
        self.decay = decay
        self.net.eval()
        for module in self.net.modules():
            if isinstance(module, _BatchNorm):
                module.momentum = 0.0
                module.train()

    @torch.no_grad()
    def update(self, student: nn.Module) -> None:
        """``teacher = decay * teacher + (1 - decay) * student``."""
        torch._foreach_lerp_(list(self.net.parameters()), list(student.parameters()), 1.0 - self.decay)
        for mine, theirs in zip(self.net.buffers(), student.buffers(), strict=True):
            mine.copy_(theirs)

    @torch.no_grad()
    def distance(self, student: nn.Module) -> float:
        """L2 norm of (student - teacher) over the L2 norm of the student's parameters."""
        parameters = list(student.parameters())
        gap = torch._foreach_sub(parameters, list(self.net.parameters()))
        norm = torch.nn.utils.get_total_norm
        return float(norm(gap) / norm(parameters))
