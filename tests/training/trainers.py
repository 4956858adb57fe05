"""Small trainers that the tests of the training loop share."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from conftest import make_tiny_net
from torch import nn

from bismap.processes import ALONE, Processes
from bismap.training.batches import Domain, Steps
from bismap.training.objectives import Forward, build_objective
from bismap.training.optimizer import Schedule, build_optimizer
from bismap.training.trainer import Trainer

SETTINGS = {
    "sce": {"ce_weight": 0.1, "rce_weight": 1.0, "one_hot_floor": 1e-4, "prediction_floor": 1e-7},
    "consistency": {
        "weight": 30.0, "reduction": "mean_classes", "rampup_iterations": 8, "ema_decay": 0.9,
        "strong_view": "student",
    },
    "distillation": {"weight": 1.0, "kd_form": "kl"},
}  # fmt: skip
TERMS = {
    "warmup": ["source_ce"],
    "retrain": ["source_ce", "consistency", "target_ce", "target_rce"],
    "distill": ["source_ce", "target_ce", "target_rce", "distillation"],
}
OBJECTIVES = list(TERMS)
ITERATIONS = 6


def make_trainer(
    objective: str,
    dtype: torch.dtype | None = None,
    iterations: int = ITERATIONS,
    processes: Processes = ALONE,
    **changes,
) -> Trainer:
    net = make_tiny_net()
    teacher = None
    if objective == "distill":
        teacher = make_tiny_net().eval().requires_grad_(False)
        with torch.no_grad():
            teacher.classifier[1].weight.mul_(-2.0)
    return Trainer(
        net,
        build_objective({**SETTINGS, "objective": objective} | changes, net, teacher),
        build_optimizer(net, lr=0.02, head_lr_factor=10, momentum=0.9, weight_decay=5e-4),
        Schedule(iterations, 2, 0.9, 1e-7),
        Forward("cpu", dtype),
        log_every=4,
        seed=7,
        processes=processes,
    )


def steps_for(objective: str, source: Domain, target: Domain) -> Steps:
    if objective == "warmup":
        return Steps(source, None)
    return Steps(source, target if objective == "retrain" else replace(target, strong=None))


def normalized(images: torch.Tensor) -> torch.Tensor:
    mean, std = (torch.tensor(v)[:, None, None] for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    return (images.permute(0, 3, 1, 2) / 255 - mean) / std


def logits_of(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    return F.interpolate(net(normalized(images)), images.shape[1:3], mode="bilinear", align_corners=True)
