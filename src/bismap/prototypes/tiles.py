"""The pass of an EM step over one thread's samples, compiled: features are widened from float16 in registers.

A *tile* is what fits the vector registers of a core: the polynomials of four samples and four components, or the
weighed sums of two vectors of channels for four components; sixteen vectors of sums each. No library multiplies
float16 by float32, or matrices as narrow as a mixture, near a core's speed; LLVM's vectors do.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, overload

from bismap.kernels import exp32, kernel

COMPONENTS, CHANNELS = 4, 32
"""Components and channels come in multiples of these."""

# A component this far below a sample's densest (nat) takes 1e-18 of it: less than the sums are rounded by.
NEGLIGIBLE = -41.0

# Samples whose features stay in a core's second-level cache from the first kind of tile to the second.
_BLOCK = 512
# Samples that are normalised at once; samples of a tile.
_GROUP, _SAMPLES = 16, 4


@kernel
def add_sums(bits, constant, linear, quadratic, responsibility, first, second):
    """Add up what `expectation.Sums` holds of the samples ``bits``; returns their log-likelihood, nat.

    Args:
        bits: ``[n, d]`` of float16, seen as uint16, in the order of memory; n > 0, d a multiple of `CHANNELS`.
        constant, linear, quadratic: of the components, ``[K]`` and ``[K, d]``, K a multiple of `COMPONENTS`; float32
            or float64: what is computed with, but for sums over more than ``_BLOCK`` samples.
        responsibility, first, second: ``[K]`` and ``[K, d]`` float64, added to.
    """
    components, dtype = len(linear), linear.dtype
    share, joint = np.empty((components, _BLOCK), dtype), np.empty((components, _GROUP), dtype)
    top, total = np.empty(_GROUP, dtype), np.empty(_GROUP, dtype)
    log_likelihood = 0.0
    for start in range(0, len(bits), _BLOCK):
        rows = bits[start : start + _BLOCK]
        for i in range(0, len(rows), _GROUP):
            count = min(_GROUP, len(rows) - i)
            _evaluate(rows, i, constant, linear, quadratic, joint)
            log_likelihood += _normalise(joint, i, count, top, total, share, responsibility)
        for k in range(0, components, COMPONENTS):
            for j in range(0, linear.shape[1], CHANNELS):
                _add_moments(rows, share, k, j, first, second)
    return log_likelihood


@kernel
def _evaluate(rows, start, constant, linear, quadratic, joint):
    """log(w N(x)) of a group of samples, to the columns of ``joint [K, _GROUP]``; after the last it is repeated."""
    last = len(rows) - 1
    for i in range(0, _GROUP, _SAMPLES):
        s = start + i
        a, b, c, d = min(s, last), min(s + 1, last), min(s + 2, last), min(s + 3, last)
        for k in range(0, len(linear), COMPONENTS):
            _polynomials(rows, a, b, c, d, linear, quadratic, k, joint, i)
    for k in range(len(linear)):
        for t in range(_GROUP):
            joint[k, t] += constant[k]


def _exponential(x):
    """exp, as exact as the type of ``x``."""
    raise NotImplementedError  # compiled code takes the form below


@overload(_exponential, inline="always")
def _(x):
    return (lambda x: exp32(x)) if x == types.float32 else (lambda x: math.exp(x))


@kernel
def _normalise(joint, start, count, top, total, share, responsibility):
    """Responsibilities of ``count`` samples, the columns of ``joint``; returns the sum of their log densities."""
    components, floor, nothing = len(joint), joint.dtype.type(NEGLIGIBLE), joint.dtype.type(0)
    for t in range(_GROUP):
        top[t] = joint[0, t]
        total[t] = 0
    for k in range(1, components):
        for t in range(_GROUP):
            top[t] = max(top[t], joint[k, t])
    for k in range(components):
        for t in range(_GROUP):
            gap = joint[k, t] - top[t]
            value = _exponential(max(gap, floor)) if gap > floor else nothing
            share[k, start + t] = value
            total[t] += value
    # Each total is at most the number of components: their product does not overflow.
    log_likelihood, product = 0.0, 1.0
    for t in range(count):
        log_likelihood += top[t]
        product *= total[t]
    for t in range(_GROUP):
        total[t] = 1 / total[t] if t < count else 0
    for k in range(components):
        mass = nothing
        for t in range(_GROUP):
            share[k, start + t] *= total[t]
            mass += share[k, start + t]
        responsibility[k] += mass
    return log_likelihood + math.log(product)


class _Vectors:
    """LLVM code that computes with vectors of the numbers in ``numbers_type``, a type of array."""

    def __init__(self, context, builder, numbers_type: types.Array) -> None:
        self._context, self._builder = context, builder
        self.scalar = context.get_value_type(numbers_type.dtype)
        self.lanes = 512 // numbers_type.dtype.bitwidth
        self.vector = ir.VectorType(self.scalar, self.lanes)

    def whole(self, number: int) -> ir.Constant:
        return self._context.get_constant(types.intp, number)

    def address(self, array_type: types.Array, array, row, column):
        struct = self._context.make_array(array_type)(self._context, self._builder, array)
        return cgutils.get_item_pointer(self._context, self._builder, array_type, struct, [row, column])

    def load(self, pointer, kind: ir.Type, align: int):
        return self._builder.load(self._builder.bitcast(pointer, kind.as_pointer()), align=align)

    def widened(self, bits):
        """A vector of the float16 at the address ``bits``."""
        return self._builder.fpext(self.load(bits, ir.VectorType(ir.HalfType(), self.lanes), 2), self.vector)

    def spread(self, value):
        """A vector of one number."""
        empty, index = ir.Constant(self.vector, ir.Undefined), ir.VectorType(ir.IntType(32), self.lanes)
        single = self._builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
        return self._builder.shuffle_vector(single, empty, ir.Constant(index, None))

    def total(self, vector):
        """Sum of a vector's numbers."""
        return self._call("llvm.vector.reduce.fadd", self.scalar, [ir.Constant(self.scalar, 0.0), vector])

    def prefetch(self, pointer) -> None:
        """Have the core fetch what lies there; past the end of an array that does nothing."""
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(self._builder.module, kind, "llvm.prefetch.p0")
        for_reading, keep, data = word(0), word(3), word(1)
        self._builder.call(function, [self._builder.bitcast(pointer, byte), for_reading, keep, data])

    def fused(self, a, b, c):
        """a * b + c."""
        return self._call("llvm.fma", self.vector, [a, b, c])

    def _call(self, name: str, result: ir.Type, values: list):
        kind = ir.FunctionType(result, [value.type for value in values])
        name = f"{name}.v{self.lanes}f{512 // self.lanes}"
        function = cgutils.get_or_insert_function(self._builder.module, kind, name)
        return self._builder.call(function, values, fastmath=("reassoc",))

    def zeros(self, number: int) -> list:
        """Variables for sums, which LLVM keeps in registers."""
        sums = [cgutils.alloca_once(self._builder, self.vector) for _ in range(number)]
        for variable in sums:
            self._builder.store(ir.Constant(self.vector, None), variable)
        return sums

    def add_product(self, variable, a, b) -> None:
        self._builder.store(self.fused(a, b, self._builder.load(variable)), variable)

    @contextmanager
    def each(self, stop, step: int) -> Iterator:
        """A loop over 0, ``step``, ... below ``stop``."""
        with cgutils.for_range_slice(self._builder, self.whole(0), stop, self.whole(step), inc=True) as (index, _):
            yield index


@intrinsic
def _polynomials(typing_context, rows, a, b, c, d, linear, quadratic, k, joint, column):
    """linear . x + quadratic . x^2 of samples a to d and 4 components from k, to ``joint[k, column]`` on."""

    def generate(context, builder, signature, args):
        rows_type, linear_type, joint_type = signature.args[0], signature.args[5], signature.args[8]
        rows, *samples, linear, quadratic, k, joint, column = args
        vectors = _Vectors(context, builder, linear_type)
        components = [builder.add(k, vectors.whole(c)) for c in range(COMPONENTS)]
        sums = vectors.zeros(_SAMPLES * COMPONENTS)
        channels = cgutils.unpack_tuple(builder, context.make_array(linear_type)(context, builder, linear).shape)[1]
        next_group = builder.mul(vectors.whole(_GROUP), channels)
        with vectors.each(channels, vectors.lanes) as j:
            bits = [vectors.address(rows_type, rows, sample, j) for sample in samples]
            for address in bits:  # the processor alone does not look as far as the next group: a fifth of the time
                vectors.prefetch(builder.gep(address, [next_group]))
            x = [vectors.widened(address) for address in bits]
            for c, component in enumerate(components):
                factors = (vectors.address(linear_type, table, component, j) for table in (linear, quadratic))
                first, second = (vectors.load(factor, vectors.vector, 4) for factor in factors)
                for s in range(_SAMPLES):
                    slope = vectors.fused(x[s], second, first)
                    vectors.add_product(sums[s * COMPONENTS + c], x[s], slope)
        for s in range(_SAMPLES):
            for c, component in enumerate(components):
                place = vectors.address(joint_type, joint, component, builder.add(column, vectors.whole(s)))
                builder.store(vectors.total(builder.load(sums[s * COMPONENTS + c])), place)
        return context.get_dummy_value()

    number = types.intp
    inputs = (rows, number, number, number, number, linear, quadratic, number, joint, number)
    return types.void(*inputs), generate


@intrinsic
def _add_moments(typing_context, rows, share, k, j, first, second):
    """Add x and x^2, weighed by ``share``, to ``first`` and ``second`` at 4 components from k, 32 channels from j."""

    def generate(context, builder, signature, args):
        rows_type, share_type, _, _, sums_type, _ = signature.args
        rows, share, k, j, first, second = args
        vectors = _Vectors(context, builder, share_type)
        components = [builder.add(k, vectors.whole(c)) for c in range(COMPONENTS)]
        count = cgutils.unpack_tuple(builder, context.make_array(rows_type)(context, builder, rows).shape)[0]
        for offset in range(0, CHANNELS, 2 * vectors.lanes):
            starts = [builder.add(j, vectors.whole(offset + part * vectors.lanes)) for part in (0, 1)]
            sums = vectors.zeros(2 * 2 * COMPONENTS)
            with vectors.each(count, 1) as i:
                x = [vectors.widened(vectors.address(rows_type, rows, i, start)) for start in starts]
                squares = [builder.fmul(part, part) for part in x]
                for c, component in enumerate(components):
                    weight = vectors.spread(builder.load(vectors.address(share_type, share, component, i)))
                    for number, part in enumerate(x + squares):
                        vectors.add_product(sums[4 * c + number], part, weight)
            for c, component in enumerate(components):
                for number, start in enumerate(starts * 2):
                    target = vectors.address(sums_type, second if number > 1 else first, component, start)
                    _add_vector(builder, vectors, target, builder.load(sums[4 * c + number]))
        return context.get_dummy_value()

    number = types.intp
    return types.void(rows, share, number, number, first, second), generate


def _add_vector(builder, vectors, target, values) -> None:
    """Add a vector to float64 numbers in memory."""
    double = ir.VectorType(ir.DoubleType(), vectors.lanes)
    wide = values if values.type == double else builder.fpext(values, double)
    place = builder.bitcast(target, double.as_pointer())
    builder.store(builder.fadd(builder.load(place, align=8), wide), place, align=8)
