"""Scalar functions of the compiled loops, over all values that they meet."""

import numpy as np

from bismap.kernels import exp32, half_to_float, kernel


@kernel
def exponentials(x, out):
    for i in range(len(x)):
        out[i] = exp32(x[i])


@kernel
def widened(bits, out):
    for i in range(len(bits)):
        out[i] = half_to_float(bits[i])


def test_exp():
    x = np.linspace(-80, 0, 1_000_001).astype(np.float32)
    out = np.empty_like(x)
    exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x.astype(np.float64)), rtol=5e-7)
    assert out[-1] == 1


def test_every_finite_float16():
    bits = np.arange(1 << 16, dtype=np.uint16)
    bits = bits[np.isfinite(bits.view(np.float16))]
    out = np.empty(len(bits), np.float32)
    widened(bits, out)
    np.testing.assert_array_equal(out, bits.view(np.float16).astype(np.float32))
