"""Calling kernels by their addresses: each is compiled once, and not again as a part of whatever calls it.

Numba gives a caller all that it calls to optimise once more, and a None in place of a table makes another type, and so
another caller. What is great, or differs from network to network, is called by an address instead: which kernel that is, the
engine decides for each network when it has filled the tables, whose types are the same for all.
"""
from __future__ import annotations

from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from golden_model.errors import InternalError

_declared: set[tuple[Any, ...]] = set()   # types of arguments that kernels with addresses take


def declare(arguments: tuple[Any, ...]) -> None:
    """Allow calls with arguments of these types."""
    _declared.add(arguments)


def address(function: Any, arguments: tuple[Any, ...]) -> int:
    """Where the machine code of a kernel for arguments of these types begins; it is loaded or compiled if need be."""
    function.compile(arguments)
    entries = function.overloads[arguments]
    return int(entries.library.get_pointer_to_function(entries.fndesc.llvm_func_name))


@intrinsic
def call(typing_context, place, arguments):
    """Call the kernel at the address ``place``, which returns nothing, with a tuple of arguments: scalars, records, arrays of
    any shape.

    The types of a call must have been declared, word for word: what was compiled for others would read anything.
    """
    kinds = tuple(types.unliteral(each) for each in arguments.types)
    if kinds not in _declared:
        raise InternalError(f"a call by address must have types that were declared, not {kinds}")

    def generate(context, builder, signature, values):
        pointer = builder.inttoptr(values[0], context.call_conv.get_function_type(types.none, kinds).as_pointer())
        parts = cgutils.unpack_tuple(builder, values[1])
        casts = [context.cast(builder, *each) for each in zip(parts, signature.args[1].types, kinds, strict=True)]
        status, _ = context.call_conv.call_function(builder, pointer, types.none, kinds, casts)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate
