"""The ``.npy`` format of NumPy, without pickle: what a header declares is compared with the file before memory is taken."""
from __future__ import annotations

import math
import warnings
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

MOST_HEADER = 4096


def read(file: IO[bytes], size: int, what: str) -> npt.NDArray[Any]:
    """An array of numbers or texts from a ``.npy`` file of so many bytes.

    Raises
    ------
    InputError
        If it is anything else, or its header does not declare what the file holds.
    """
    anew = "save it anew by numpy.save"
    try:
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        with warnings.catch_warnings(action="error"):
            shape, fortran, kind = header(file, max_header_size=MOST_HEADER)
    except Exception as error:
        # NumPy parses a literal and a type description here and promises no particular exception for wrong ones
        raise InputError(f"{what} must be a .npy file with a valid header, but: {str(error)[:200]}; {anew}") from None
    if kind.hasobject:
        raise InputError(f"{what} must be numbers or texts, not Python objects, which could run code; save arrays of one type, "
                         "of recordings that differ in length each in a file of its own")
    if kind.kind not in "biufU" or kind.fields is not None:
        raise InputError(f"{what} must be numbers or texts, not {kind}; convert them")
    length = math.prod(shape) * kind.itemsize
    start = file.tell()
    if size != start + length:
        raise InputError(f"{what} must have {length} bytes after its header, not {size - start}; {anew}")
    data = file.read(length)
    if len(data) != length:
        raise InputError(f"{what} must have {length} bytes after its header, not {len(data)}; {anew}")
    return np.frombuffer(data, kind).reshape(shape, order="F" if fortran else "C")
