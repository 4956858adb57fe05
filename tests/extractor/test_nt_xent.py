"""NT-Xent against a direct double loop."""

import math

import pytest
import torch

from bismap.extractor.nt_xent import nt_xent


def by_hand(z: torch.Tensor, tau: float) -> float:
    def cosine(i: int, j: int) -> float:
        return float(z[i] @ z[j] / (z[i].norm() * z[j].norm()))

    losses = []
    for i in range(len(z)):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = sum(math.exp(cosine(i, k) / tau) for k in range(len(z)) if k != i)
        losses.append(-math.log(math.exp(cosine(i, partner) / tau) / others))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("tau", [0.1, 0.5, 1.0])
def test_equals_the_double_loop(tau):
    z = torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert nt_xent(z, tau)[0].item() == pytest.approx(by_hand(z, tau), rel=1e-9)


def test_gradient_agrees_with_finite_differences():
    z = torch.randn(6, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: nt_xent(x, 0.3)[0], (z,))


def test_matched_share_counts_views_nearest_to_their_partner():
    a, b = torch.eye(2, dtype=torch.float64)
    assert nt_xent(torch.stack([a, a, b, b]), 0.1)[1] == 1
    assert nt_xent(torch.stack([a, b, a, b]), 0.1)[1] == 0
