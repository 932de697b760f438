"""The narrowings of ``golden_model.arithmetic`` once more, one word at a time, for compiled code.

Each name is one function for reals and one for integers of any width; Numba picks by type. Integers keep the width of
their first argument (Numba alone would widen to 64 bits, and half the lanes of a vector register would carry nothing),
so the caller must have checked that every exact sum fits it (``Network.widths``).
"""
from __future__ import annotations

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload

from golden_model.kernels.plan import LANES


@intrinsic
def cast(typing_context, value, like):
    """``value`` in the type of ``like``; integers keep their low bits."""
    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[0], signature.args[0], signature.return_type)
    return like(value, like), generate


@intrinsic
def shift_right(typing_context, value, bits):
    """Arithmetic shift right in the width of ``value``: rounds towards minus infinity."""
    def generate(context, builder, signature, arguments):
        amount = context.cast(builder, arguments[1], signature.args[1], signature.args[0])
        return builder.ashr(arguments[0], amount)
    return value(value, bits), generate


def half_step(s, x, gate, operand, rate, low, high):
    """Half an improved-Euler step, clamped. ``rate``: the shift k, or for reals dt (2 dt for the predictor)."""


def rounded(operand, shift, low, high):
    """The bracket as the multiplier takes it where that one is narrower; reals are not rounded."""


def drive(total, bias, shift, low, high):
    """narrow(link sum + bias), saturated; bias in the type of the result."""


def error(total, shift, low, high):
    """narrow(reverse link sum), saturated."""


def kick(signal, product, shift, low, high):
    """narrow(signal + product), saturated: a reverse signal that an error is added to, in the type of ``low``."""


def change(product, rate):
    """rate * product, rounded. ``rate``: the shift, or for reals the factor."""


def local_product(product, shift, low, high):
    """The word of a product that a pid instinct remembers, saturated. ``shift`` < 0: it gains bits; of no use to reals."""


def integral(before, word, leak, low, high):
    """before - leak * before + word, saturated. ``leak``: the shift, 0 for none, or for reals the factor."""


@njit(forceinline=True)
def clamp(value, low, high):
    return cast(max(min(value, high), low), low)


@njit(forceinline=True)
def _half_up(value, shift):
    """(value + half) >> shift; a shift of 0 adds nothing."""
    return shift_right(cast(value + shift_right(cast(1 << shift, value), 1), value), shift)


@overload(half_step, jit_options={"forceinline": True})
def _(s, x, gate, operand, rate, low, high):
    if isinstance(s, types.Float):
        return lambda s, x, gate, operand, rate, low, high: clamp((s + x + gate * operand * rate) * cast(0.5, s), low, high)

    def integers(s, x, gate, operand, rate, low, high):
        # floor(floor(P / 2**k) + s + x + 1) / 2) equals one rounding of the exact sum: nested floors
        scaled = shift_right(cast(gate * operand, s), rate)
        return clamp(shift_right(cast(s + x + scaled + 1, s), 1), low, high)
    return integers


@overload(rounded, jit_options={"forceinline": True})
def _(operand, shift, low, high):
    if isinstance(operand, types.Float):
        return lambda operand, shift, low, high: operand
    return lambda operand, shift, low, high: clamp(_half_up(operand, shift), low, high)


@overload(drive, jit_options={"forceinline": True})
def _(total, bias, shift, low, high):
    if isinstance(total, types.Float):
        return lambda total, bias, shift, low, high: clamp(total + bias, low, high)
    return lambda total, bias, shift, low, high: clamp(_half_up(total, shift) + bias, low, high)


@overload(error, jit_options={"forceinline": True})
def _(total, shift, low, high):
    if isinstance(total, types.Float):
        return lambda total, shift, low, high: clamp(total, low, high)
    return lambda total, shift, low, high: clamp(_half_up(total, shift), low, high)


@overload(kick, jit_options={"forceinline": True})
def _(signal, product, shift, low, high):
    if isinstance(product, types.Float):
        return lambda signal, product, shift, low, high: clamp(signal + product, low, high)
    return lambda signal, product, shift, low, high: clamp(
        _half_up(cast(cast(signal, product) << shift, product) + product, shift), low, high)


@overload(change, jit_options={"forceinline": True})
def _(product, rate):
    if isinstance(product, types.Float):
        return lambda product, rate: product * rate
    return lambda product, rate: _half_up(product, rate)


@overload(local_product, jit_options={"forceinline": True})
def _(product, shift, low, high):
    if isinstance(product, types.Float):
        return lambda product, shift, low, high: clamp(product, low, high)
    return lambda product, shift, low, high: clamp(
        _half_up(product, shift) if shift >= 0 else cast(product << -shift, product), low, high)


@overload(integral, jit_options={"forceinline": True})
def _(before, word, leak, low, high):
    if isinstance(before, types.Float):
        return lambda before, word, leak, low, high: clamp(before - leak * before + word, low, high)
    return lambda before, word, leak, low, high: clamp(
        _half_up(cast((before + word << leak) - (before if leak > 0 else 0), before), leak), low, high)


@intrinsic
def item(typing_context, array, index):
    """array[index] of a contiguous array; unlike Numba's own, it does not ask whether the index counts from the end.

    ``array`` (n,), ``index`` a scalar.
    """
    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        place = builder.gep(data, [context.cast(builder, arguments[1], signature.args[1], types.intp)])
        return context.unpack_value(builder, signature.return_type, place)
    return array.dtype(array, index), generate


@intrinsic
def add_product(typing_context, total, at, values, start, factor):
    """total[at:at + LANES] += factor * values[start:start + LANES], in the type of ``total``, as one vector operation.

    A loop would do the same; for so few lanes LLVM finds its tests whether the arrays overlap too dear and takes them one by
    one. The arrays are contiguous and do not overlap; nothing is checked.
    ``total``, ``values`` (n,), ``factor`` a scalar.
    """
    def vector(context, builder, array_type, value, index, index_type):
        array = context.make_array(array_type)(context, builder, value)
        place = builder.gep(array.data, [context.cast(builder, index, index_type, types.intp)])
        kind = ir.VectorType(context.get_data_type(array_type.dtype), LANES)
        return builder.bitcast(place, kind.as_pointer()), kind

    def generate(context, builder, signature, arguments):
        types_ = signature.args
        pointer, kind = vector(context, builder, types_[0], arguments[0], arguments[1], types_[1])
        source, source_kind = vector(context, builder, types_[2], arguments[2], arguments[3], types_[3])
        alignment = context.get_abi_sizeof(kind.element)
        row = builder.load(source, align=context.get_abi_sizeof(source_kind.element))
        real = isinstance(types_[0].dtype, types.Float)
        if row.type != kind:
            row = builder.sext(row, kind)
        scalar = context.cast(builder, arguments[4], types_[4], types_[0].dtype)
        one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
        factors = builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined),
                                         ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES))
        before = builder.load(pointer, align=alignment)
        multiply, add = (builder.fmul, builder.fadd) if real else (builder.mul, builder.add)
        builder.store(add(before, multiply(row, factors)), pointer, align=alignment)
        return context.get_dummy_value()

    return types.void(total, at, values, start, factor), generate
