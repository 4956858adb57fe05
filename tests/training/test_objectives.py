"""Terms of the single passes, with networks that see one pixel at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import CLASSES
from torch import nn

from bismap.losses import Ratio
from bismap.training.batches import Domain, StepBatch
from bismap.training.ema import MeanTeacher
from bismap.training.objectives import (
    Consistency,
    ConsistencyPass,
    Distillation,
    Forward,
    SymmetricCrossEntropy,
    TargetPass,
)

FORWARD = Forward("cpu", None)
SCE = SymmetricCrossEntropy(0.1, 1.0, 1e-4, 1e-7)


def make_pixel_net(seed: int, sharpness: float) -> nn.Conv2d:
    """Logits of a pixel are a linear function of its colour alone."""
    torch.manual_seed(seed)
    net = nn.Conv2d(3, CLASSES, 1).requires_grad_(False)
    net.weight.mul_(sharpness)
    return net


@pytest.fixture
def student() -> nn.Conv2d:
    return make_pixel_net(1, 1.0)


@pytest.fixture
def teacher() -> nn.Conv2d:
    return make_pixel_net(2, 5.0)


@pytest.fixture
def padded(target) -> Domain:
    """The target at scales that leave padding."""
    return replace(target, augmentation=replace(target.augmentation, scale=(0.3, 0.45)))


@pytest.fixture
def crops(source, padded) -> StepBatch:
    """As retraining sees them, with CutOut squares."""
    return StepBatch(source.batch(0), padded.batch(0))


@pytest.fixture
def plain_crops(source, padded) -> StepBatch:
    """As distillation sees them, without a strong view."""
    return StepBatch(source.batch(0), replace(padded, strong=None).batch(0))


def divergence(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """KL(p || q) of the distributions along the last axis, by the definition."""
    return (p * (np.log(p) - np.log(q))).sum(-1)


def probabilities(net: nn.Conv2d, images: torch.Tensor) -> np.ndarray:
    """float64 ``[B, h, w, C]``."""
    colours = (images.numpy() / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    exponents = np.exp(colours @ net.weight[:, :, 0, 0].double().numpy().T + net.bias.double().numpy())
    return exponents / exponents.sum(-1, keepdims=True)


def consistency_of(student, teacher, crops: StepBatch, side: str, reduction: str = "mean_classes") -> Ratio:
    # With decay 1 the mean teacher stays what it is.
    consistency_pass = ConsistencyPass(Consistency(30.0, reduction, 0, 1.0, side), MeanTeacher(teacher, 1.0))
    (term,) = consistency_pass(FORWARD, student, crops, 0)
    assert (term.name, term.weight) == ("consistency", 30.0)
    return term.loss


@pytest.mark.parametrize(("reduction", "divisor"), [("mean_classes", CLASSES), ("sum", 1)])
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_consistency_is_the_divergence_of_the_student_from_its_teacher(
    side, reduction, divisor, student, teacher, crops
):
    target = crops.target
    seen, aim = (target.strong, target.images) if side == "student" else (target.images, target.strong)
    p, q = probabilities(teacher, aim), probabilities(student, seen)
    shown = target.visible.numpy() == 1
    expected = divergence(p, q)[shown].mean() / divisor
    loss = consistency_of(student, teacher, crops, side, reduction)
    assert loss.value().item() == pytest.approx(expected, rel=1e-4)
    assert divergence(q, p)[shown].mean() / divisor != pytest.approx(expected, rel=0.1)  # the other way round


def changed(images: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The crops with other colours at the pixels ``where`` ``[B, h, w]``."""
    return torch.where(where[..., None], 255 - images, images)


def one_pixel(mask: torch.Tensor) -> torch.Tensor:
    """Only the first pixel of ``mask``."""
    first = torch.zeros_like(mask)
    first[tuple(mask.nonzero()[0])] = True
    return first


@pytest.mark.parametrize("view", ["strong", "images"])
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_consistency_counts_neither_cutout_nor_padding(side, view, student, teacher, crops):
    target = crops.target
    hidden = target.visible == 0
    padding = (target.images == 0).all(3) & hidden
    assert padding.any()
    assert (hidden & ~padding).any()  # the square

    def loss_of(where: torch.Tensor) -> Ratio:
        other = target._replace(**{view: changed(getattr(target, view), where)})
        return consistency_of(student, teacher, crops._replace(target=other), side)

    loss = loss_of(torch.zeros_like(hidden))
    assert loss.count == CLASSES * (~hidden).sum()
    for where in (hidden, padding, hidden & ~padding):
        other = loss_of(where)
        assert torch.equal(other.total, loss.total)
        assert torch.equal(other.count, loss.count)
    other = loss_of(one_pixel(~hidden))
    assert abs(other.total - loss.total) > 1e-3
    assert torch.equal(other.count, loss.count)


def target_terms(student, teacher, crops: StepBatch) -> dict[str, Ratio]:
    target_pass = TargetPass(SCE, Distillation(3.0, "kl"), teacher)
    terms = {term.name: term for term in target_pass(FORWARD, student, crops, 0)}
    assert [term.weight for term in terms.values()] == [0.1, 1.0, 3.0]
    return {name: term.loss for name, term in terms.items()}


def test_distillation_is_the_divergence_of_the_student_from_its_teacher(student, teacher, plain_crops):
    target = plain_crops.target
    p, q = (probabilities(net, target.images) for net in (teacher, student))
    shown = target.visible.numpy() == 1
    expected = divergence(p, q)[shown].mean() / CLASSES
    loss = target_terms(student, teacher, plain_crops)["distillation"]
    assert loss.value().item() == pytest.approx(expected, rel=1e-4)
    assert divergence(q, p)[shown].mean() / CLASSES != pytest.approx(expected, rel=0.1)


def test_no_target_term_counts_padding(student, teacher, plain_crops):
    target = plain_crops.target
    hidden = target.visible == 0
    assert hidden.any()

    def terms_of(where: torch.Tensor) -> dict[str, Ratio]:
        other = target._replace(images=changed(target.images, where))
        return target_terms(student, teacher, plain_crops._replace(target=other))

    padding, pixel = terms_of(hidden), terms_of(one_pixel(~hidden & (target.labels < CLASSES)))
    for name, loss in terms_of(torch.zeros_like(hidden)).items():
        assert torch.equal(padding[name].total, loss.total), name
        assert torch.equal(padding[name].count, loss.count), name
        assert abs(pixel[name].total - loss.total) > 1e-3, name
