"""Batch normalisation over the crops of all processes that train together."""

import torch
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """Sum of a tensor over all processes; so is its gradient, as each process's loss depends on the sum."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


class CpuSyncBatchNorm2d(nn.BatchNorm2d):
    """``nn.SyncBatchNorm`` for the CPU, where torch has none: ``[B, C, h, w]``, statistics over all processes."""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "CpuSyncBatchNorm2d":
        """With the parameters, statistics and mode of ``norm``."""
        shared = cls(norm.num_features, norm.eps, norm.momentum)
        shared.weight, shared.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            setattr(shared, name, buffer)
        return shared.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise by the joint statistics in training mode, else by the running ones."""
        if not self.training:
            return super().forward(x)
        count = x.new_tensor([x.numel() / x.shape[1]])
        *sums, count = _Sum.apply(torch.cat([x.sum((0, 2, 3)), count])).split([x.shape[1], 1])
        mean = sums[0] / count
        centred = x - mean[:, None, None]
        variance = _Sum.apply(centred.square().sum((0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = self.weight / (variance + self.eps).sqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]


def share_norms(net: nn.Module, device: str) -> nn.Module:
    """``net`` with batch norms whose statistics are those of the whole step, as with one process."""
    if device != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(net)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, CpuSyncBatchNorm2d.of(child))
    return net
