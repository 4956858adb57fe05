"""One step: the gradient of every term, and the mean teacher behind it."""

import copy
import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import CLASSES, make_tiny_net
from torch import nn
from torch.nn.utils import get_total_norm
from trainers import SETTINGS, logits_of, make_trainer, normalized, steps_for

from bismap.data import IGNORE
from bismap.training.batches import StepBatch


def reference_terms(
    net: nn.Module, guide: nn.Module | None, batch: StepBatch, objective: str, changes: dict
) -> dict[str, tuple[float, torch.Tensor]]:
    """Weight and value of each term at step 4, from the definitions."""
    source, target = batch
    labels = source.labels.long()
    pixels = F.cross_entropy(logits_of(net, source.images), labels, ignore_index=IGNORE, reduction="none")
    terms = {"source_ce": (1.0, (pixels * source.weights / 255).sum() / (labels != IGNORE).sum())}
    if objective == "warmup":
        return terms
    settings = SETTINGS | changes

    def divergence(student, teacher, reduction, released=False):
        p, log_q = teacher.detach().softmax(1), student.log_softmax(1)
        shown = (p * (p.log() - (log_q.exp() if released else log_q))).sum(1)[target.visible == 1]
        return shown.mean() / (CLASSES if reduction == "mean_classes" else 1)

    if objective == "retrain" and settings["consistency"] is not None:
        c = settings["consistency"]
        views = (target.strong, target.images) if c["strong_view"] == "student" else (target.images, target.strong)
        value = divergence(logits_of(net, views[0]), logits_of(guide, views[1]), c["reduction"])
        terms["consistency"] = c["weight"] * math.exp(-5 * (1 - 4 / 8) ** 2), value
    labels, logits = target.labels.long(), logits_of(net, target.images)
    terms["target_ce"] = 0.1, F.cross_entropy(logits, labels, ignore_index=IGNORE)
    one_hot = F.one_hot(labels % CLASSES, CLASSES).movedim(3, 1).clamp(min=1e-4)
    reverse = -(logits.softmax(1).clamp(min=1e-7) * one_hot.log()).sum(1)
    terms["target_rce"] = 1.0, reverse[labels != IGNORE].mean()
    if objective == "distill":
        released = settings["distillation"]["kd_form"] == "released"
        value = divergence(logits, logits_of(guide, target.images), "mean_classes", released)
        terms["distillation"] = settings["distillation"]["weight"], value
    return terms


OTHER_CONSISTENCY = {**SETTINGS["consistency"], "reduction": "sum", "strong_view": "teacher", "weight": 5.0}


@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("warmup", {}),
        ("retrain", {}),
        ("retrain", {"consistency": OTHER_CONSISTENCY}),
        ("retrain", {"consistency": None}),
        ("distill", {"distillation": {"weight": 3.0, "kd_form": "kl"}}),
        ("distill", {"distillation": {"weight": 3.0, "kd_form": "released"}}),
    ],
)
def test_a_step_follows_the_weighted_sum_of_the_terms_gradients(objective, changes, source, target):
    """One SGD step along the sum of gradients that autograd finds for each term alone; one pass per domain and view."""
    small = replace(target, augmentation=replace(target.augmentation, scale=(0.3, 0.6)))  # with padding
    batch = steps_for(objective, source, small)[0]
    trainer = make_trainer(objective, **changes)
    net, ema = trainer.net, trainer.objective.ema
    net.classifier[0].p = 0.0
    torch.manual_seed(1)
    with torch.no_grad():  # apart from its mean teacher
        for p in net.parameters():
            p.add_(0.3 * torch.randn_like(p))
    alone = copy.deepcopy(net)
    guide = trainer.objective.passes[-1].teacher if objective == "distill" else None
    if ema is not None:
        guide = copy.deepcopy(net)  # in training mode: it normalises by its own batch
        with torch.no_grad():
            for p, old in zip(guide.parameters(), ema.net.parameters(), strict=True):
                p.copy_(0.9 * old + 0.1 * p)

    terms = reference_terms(alone, guide, batch, objective, changes)
    parameters = list(alone.parameters())
    gradients = {
        name: [weight * g for g in torch.autograd.grad(value, parameters, retain_graph=True)]
        for name, (weight, value) in terms.items()
    }
    expected = [sum(parts) for parts in zip(*gradients.values(), strict=True)]
    size = get_total_norm(expected)
    assert all(get_total_norm(part) > 0.01 * size for part in gradients.values())  # none could be missing unseen

    trainer.step = 4
    trainer.schedule.apply(trainer.optimizer, 1)  # half of the full rates, 0.02 and 0.2
    values = trainer.optimize(batch)
    for p, gradient in zip(net.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=1e-4, atol=1e-6 * float(size))
    for moved, old, rate in ((net.backbone, alone.backbone, 0.01), (net.classifier, alone.classifier, 0.1)):
        for p, q in zip(moved.parameters(), old.parameters(), strict=True):
            torch.testing.assert_close(p, q - rate * (p.grad + 5e-4 * q))

    found = {name: value for name, value in values.items() if name != "loss"}
    assert found == pytest.approx({name: value.item() for name, (_, value) in terms.items()}, rel=1e-4)
    total = sum(weight * value.item() for weight, value in terms.values())
    assert values["loss"] == pytest.approx(total, rel=1e-4)
    assert net.backbone[1].num_batches_tracked == len(trainer.objective.passes)


def test_the_mean_teacher_follows_every_step(source, target):
    """Weights by the recursion t = 0.9 t + 0.1 s; buffers are those that the source pass leaves behind (A§7)."""
    trainer = make_trainer("retrain")
    steps, net = steps_for("retrain", source, target), trainer.net
    weights = {name: p.detach().clone() for name, p in net.named_parameters()}
    for step in range(4):
        batch = steps[step]
        with torch.no_grad():
            weights = {name: 0.9 * weights[name] + 0.1 * p for name, p in net.named_parameters()}
            x, norm = net.backbone[0](normalized(batch.source.images)).movedim(1, 0).flatten(1), net.backbone[1]
            mean, variance = 0.9 * norm.running_mean + 0.1 * x.mean(1), 0.9 * norm.running_var + 0.1 * x.var(1)
        trainer.schedule.apply(trainer.optimizer, step + 1)
        trainer.optimize(batch)
        trainer.step += 1
    teacher = trainer.objective.ema.net
    for name, p in teacher.named_parameters():
        torch.testing.assert_close(p, weights[name])
    torch.testing.assert_close(teacher.backbone[1].running_mean, mean)
    torch.testing.assert_close(teacher.backbone[1].running_var, variance)
    for other in (net, make_tiny_net()):  # neither where the student is nor where both began
        assert trainer.objective.ema.distance(other) > 0.01
