import pytest
import torch

from bismap.models.network import upsample
from bismap.training.enlarge import enlarge


@pytest.mark.parametrize("shape", [(2, 19, 24, 40), (1, 3, 1, 1), (1, 2, 5, 1), (1, 2, 7, 9)])
@pytest.mark.parametrize("size", [(96, 160), (7, 9), (31, 17)])
def test_values_and_gradients_are_those_of_bilinear_interpolation(shape, size):
    torch.manual_seed(0)
    ours = torch.randn(shape).to(memory_format=torch.channels_last).requires_grad_()
    theirs = ours.detach().double().requires_grad_()
    weights = torch.randn(*shape[:2], *size)
    result, reference = enlarge(ours, size), upsample(theirs, size)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), reference, rtol=1e-5, atol=1e-5)
    (result * weights).sum().backward()
    (reference * weights).sum().backward()
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=1e-5, atol=1e-4)


def test_half_precision_logits_are_enlarged_in_float32():
    logits = torch.randn(1, 2, 3, 4, dtype=torch.bfloat16)
    assert torch.equal(enlarge(logits, (6, 8)), enlarge(logits.float(), (6, 8)))
