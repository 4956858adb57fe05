"""Losses against closed forms in numpy and against finite differences."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bismap.data import IGNORE
from bismap.losses import (
    Ratio,
    cross_entropy,
    kl_divergence,
    ramp_up,
    released_kl,
    symmetric_cross_entropy,
)

SHAPE = (2, 5, 3, 4)


@pytest.fixture
def logits() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.fixture
def labels() -> torch.Tensor:
    labels = torch.randint(0, 5, (2, 3, 4), generator=torch.Generator().manual_seed(1))
    labels[0, 0] = IGNORE
    labels[1, 2, 3] = IGNORE
    return labels


def softmax(logits: torch.Tensor) -> np.ndarray:
    exponents = np.exp(logits.numpy())
    return exponents / exponents.sum(1, keepdims=True)


def pixels(logits: torch.Tensor, labels: torch.Tensor):
    """(index of the pixel, its probabilities, its label) for each labelled pixel."""
    p = softmax(logits)
    for b, y, x in np.argwhere(labels.numpy() != IGNORE):
        yield (b, y, x), p[b, :, y, x], int(labels[b, y, x])


def test_cross_entropy_is_the_mean_over_labelled_pixels(logits, labels):
    expected = np.mean([-np.log(p[c]) for _, p, c in pixels(logits, labels)])
    assert cross_entropy(logits, labels).value().item() == pytest.approx(expected, rel=1e-12)


def test_weighted_cross_entropy_divides_by_pixels_not_by_weights(logits, labels):
    weights = torch.rand(labels.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    expected = np.mean([-np.log(p[c]) * weights[at].item() for at, p, c in pixels(logits, labels)])
    loss = cross_entropy(logits, labels, weights)
    assert loss.value().item() == pytest.approx(expected, rel=1e-12)
    assert loss.count == 19
    halved = cross_entropy(logits, labels, weights / 2).value().item()
    assert halved == pytest.approx(expected / 2, rel=1e-12)


def test_symmetric_cross_entropy_follows_its_definition(logits, labels):
    forward, reverse = [], []
    for _, p, label in pixels(logits, labels):
        one_hot = np.clip(np.eye(5)[label], 1e-4, 1.0)
        forward.append(-np.log(p[label]))
        reverse.append(-np.sum(np.clip(p, 1e-7, 1.0) * np.log(one_hot)))
    ce, rce = symmetric_cross_entropy(logits, labels)
    assert ce.value().item() == pytest.approx(np.mean(forward), rel=1e-12)
    assert rce.value().item() == pytest.approx(np.mean(reverse), rel=1e-9)


def test_wrong_mass_costs_9_21():
    sure = torch.tensor([[30.0, 0.0]], dtype=torch.float64).view(1, 2, 1, 1)
    _, rce = symmetric_cross_entropy(sure, torch.ones(1, 1, 1, dtype=torch.long))
    assert rce.value().item() == pytest.approx(9.2103, abs=1e-4)


def test_prediction_floor_bounds_the_reverse_term_of_a_perfect_prediction():
    sure = torch.tensor([60.0, 0.0, 0.0], dtype=torch.float64).view(1, 3, 1, 1)
    _, rce = symmetric_cross_entropy(sure, torch.zeros(1, 1, 1, dtype=torch.long))
    assert rce.value().item() == pytest.approx(2 * 1e-7 * -math.log(1e-4), rel=1e-6)


def test_kl_in_both_reductions(logits):
    teacher = logits.flip(1) * 0.7
    mask = torch.ones(2, 3, 4, dtype=torch.float64)
    mask[:, 1] = 0
    s, t = softmax(logits), softmax(teacher)
    per_pixel = (t * (np.log(t) - np.log(s))).sum(1)
    expected = (per_pixel * mask.numpy()).sum() / mask.sum().item()
    by_sum = kl_divergence(logits, teacher, mask, "sum").value().item()
    by_mean = kl_divergence(logits, teacher, mask, "mean_classes").value().item()
    assert by_sum == pytest.approx(expected, rel=1e-12)
    assert by_mean == pytest.approx(expected / 5, rel=1e-12)


def test_kl_over_all_pixels_is_the_mean_of_torch_s_kl_div(logits):
    teacher = logits.flip(1)
    reference = F.kl_div(torch.log_softmax(logits, 1), torch.softmax(teacher, 1), reduction="none").mean()
    loss = kl_divergence(logits, teacher, torch.ones(2, 3, 4), "mean_classes")
    torch.testing.assert_close(loss.value(), reference)


def test_released_form_is_no_divergence():
    """One pixel, p_teacher = (.7, .2, .1), p_student = (.4, .4, .2), by hand."""
    teacher = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64).log().view(1, 3, 1, 1).requires_grad_()
    student = torch.tensor([0.4, 0.4, 0.2], dtype=torch.float64).log().view(1, 3, 1, 1).requires_grad_()
    mask = torch.ones(1, 1, 1)
    true = 0.7 * math.log(7 / 4) + 0.2 * math.log(1 / 2) + 0.1 * math.log(1 / 2)
    released = 0.7 * (math.log(0.7) - 0.4) + 0.2 * (math.log(0.2) - 0.4) + 0.1 * (math.log(0.1) - 0.2)
    assert kl_divergence(student, teacher, mask, "sum").value().item() == pytest.approx(true)
    assert released_kl(student, teacher, mask, "sum").value().item() == pytest.approx(released)
    assert released < 0 < true
    for loss, vanishes in ((kl_divergence, True), (released_kl, False)):
        same = teacher.detach().clone().requires_grad_()
        loss(same, teacher.detach(), mask, "sum").value().backward()
        assert (same.grad.abs().max().item() < 1e-12) == vanishes


@pytest.mark.parametrize("name", ["weighted", "ce", "rce", "kl_sum", "kl_mean", "released"])
def test_gradients_by_finite_differences(name, logits, labels):
    weights = torch.linspace(0, 1, labels.numel(), dtype=torch.float64).view(labels.shape)
    teacher = logits.flip(0)
    losses = {
        "weighted": lambda x: cross_entropy(x, labels, weights),
        "ce": lambda x: symmetric_cross_entropy(x, labels)[0],
        "rce": lambda x: symmetric_cross_entropy(x, labels)[1],
        "kl_sum": lambda x: kl_divergence(x, teacher, weights, "sum"),
        "kl_mean": lambda x: kl_divergence(x, teacher, weights, "mean_classes"),
        "released": lambda x: released_kl(x, teacher, weights, "mean_classes"),
    }
    leaf = logits.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: losses[name](x).value(), leaf)


def test_nothing_labelled_gives_zero_and_zero_gradient(logits):
    leaf = logits.clone().requires_grad_()
    nothing = torch.full((2, 3, 4), IGNORE)
    total = cross_entropy(leaf, nothing).value() + cross_entropy(leaf, nothing, torch.ones(2, 3, 4)).value()
    total = total + sum(loss.value() for loss in symmetric_cross_entropy(leaf, nothing))
    total = total + kl_divergence(leaf, logits, torch.zeros(2, 3, 4), "sum").value()
    total.backward()
    assert total.item() == 0.0
    assert leaf.grad.abs().sum().item() == 0.0


def test_a_ratio_of_two_parts_is_that_of_the_whole(logits, labels):
    """What makes the losses of several processes those of one: totals and counts add up."""
    whole = cross_entropy(logits, labels)
    parts = [cross_entropy(logits[b : b + 1], labels[b : b + 1]) for b in range(2)]
    joined = Ratio(sum(p.total for p in parts), sum(p.count for p in parts))
    torch.testing.assert_close(joined.value(), whole.value())


def test_ramp_up():
    assert ramp_up(0, 4000) == pytest.approx(math.exp(-5))
    assert ramp_up(2000, 4000) == pytest.approx(math.exp(-1.25))
    assert ramp_up(4000, 4000) == ramp_up(10**6, 4000) == 1.0
    assert ramp_up(0, 0) == 1.0
