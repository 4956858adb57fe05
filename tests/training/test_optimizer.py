"""Learning rates against the anchors of A§2.2, and the two parameter groups."""

import pytest
import torch

from bismap.errors import BismapError
from bismap.training.optimizer import Schedule, build_optimizer

PAPER = Schedule(iterations=90_000, warmup_iterations=400, power=0.9, eta_min=1e-7)


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.0),
        (1, 1.25e-6),
        (399, 4.9875e-4),
        (400, 5e-4),
        (401, 4.999950e-4),
        (1000, 4.969862e-4),
        (45_000, 2.690659e-4),
    ],
)
def test_anchors(step, rate):
    assert PAPER.rate(5e-4, step) == pytest.approx(rate, rel=1e-6, abs=0)


def test_last_anchor_to_its_printed_digits():
    assert f"{PAPER.rate(5e-4, 89_999):.4e}" == "1.1745e-07"


def test_without_warm_up_the_first_step_has_the_full_rate():
    assert Schedule(10, 0, 0.9, 0.0).rate(1.0, 0) == 1.0


@pytest.mark.parametrize("warmup", [-1, 10, 11])
def test_impossible_warm_up(warmup):
    with pytest.raises(BismapError, match="warmup_iterations"):
        Schedule(10, warmup, 0.9, 0.0)


def test_head_learns_at_its_own_rate(tiny_net):
    optimizer = build_optimizer(tiny_net, lr=5e-4, head_lr_factor=10, momentum=0.9, weight_decay=5e-4)
    assert PAPER.apply(optimizer, 400) == 5e-4
    assert [group["lr"] for group in optimizer.param_groups] == [5e-4, 5e-3]
    grouped = [p for group in optimizer.param_groups for p in group["params"]]
    assert len(grouped) == len(list(tiny_net.parameters()))


def test_one_step_is_sgd_with_momentum_and_decay(tiny_net):
    """Two steps by hand: v = 0.9 v + (g + wd w); w -= lr v."""
    optimizer = build_optimizer(tiny_net, lr=0.1, head_lr_factor=10, momentum=0.9, weight_decay=0.01)
    weight = next(tiny_net.head_parameters())
    by_hand, speed = weight.detach().clone(), torch.zeros_like(weight)
    for gradient in (1.0, -2.0):
        PAPER.apply(optimizer, 0)
        optimizer.param_groups[1]["lr"] = 1.0
        for p in tiny_net.parameters():
            p.grad = torch.full_like(p, gradient)
        optimizer.step()
        speed = 0.9 * speed + gradient + 0.01 * by_hand
        by_hand = by_hand - 1.0 * speed
    torch.testing.assert_close(weight.detach(), by_hand)
