"""Compiling loops that no library call expresses (numba), and the scalar functions that they share.

Compiled code is kept from run to run. numba notices when the file of a kernel changes, but not when a function
changes that the kernel takes from another file; so in a checkout the folder is named after the text of this one,
and after the kind of processor, as a cluster may have several.
"""

import hashlib
import os
from pathlib import Path

import numba
import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

if not numba.config.CACHE_DIR and os.access(Path(__file__).parent, os.W_OK):
    _digest = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    numba.config.CACHE_DIR = str(
        Path(__file__).parent / "__pycache__" / f"numba-{_digest}-{binding.get_host_cpu_name()}"
    )

# Sums may be taken in another order and products fused: that is what vectors of lanes need. All values are numbers.
_OPTIONS = {
    "nogil": True,
    "cache": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz", "arcp", "nnan"},
}
kernel = numba.njit(**_OPTIONS)


@intrinsic
def half_to_float(typing_context, bits):
    """The float16 whose bits a uint16 holds, as float32: numba has no float16 on the CPU, LLVM has."""

    def generate(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), generate


@intrinsic
def _power_of_two(typing_context, exponent):
    """2^exponent as float32, for -126 to 127: the bits of its exponent."""

    def generate(context, builder, signature, args):
        word = ir.IntType(32)
        return builder.bitcast(builder.shl(builder.add(args[0], word(127)), word(23)), ir.FloatType())

    return types.float32(types.int32), generate


_F = np.float32
_HALF, _LOG2_E = _F(0.5), _F(np.log2(np.e))
# ln 2 in two parts, the first so short that its product with a small whole number is exact.
_LN_2_HIGH, _LN_2_LOW = _F(0.693359375), _F(-2.12194440e-4)
_TAYLOR = tuple(_F(1 / factorial) for factorial in (1, 1, 2, 6, 24, 120, 720))


# With its types given it is compiled here: numba and LLVM load with this module, not in the first thread that calls.
@numba.njit("float32(float32)", **_OPTIONS)
def exp32(x):
    """exp of a float32 between -80 and 0, to 5e-7 of its value; the C library's does not run in vector lanes."""
    whole = np.int32(x * _LOG2_E - _HALF)
    rest = (x - _F(whole) * _LN_2_HIGH) - _F(whole) * _LN_2_LOW
    series = _TAYLOR[6]
    for k in (5, 4, 3, 2, 1, 0):
        series = series * rest + _TAYLOR[k]
    return series * _power_of_two(whole)
