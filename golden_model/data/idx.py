"""The IDX format of MNIST: a magic number with the type of the numbers, the sizes as 32-bit big-endian words, then the numbers,
big-endian, C order; plain or gzip.

What a header declares is believed only as far as the file really holds it: no memory is taken before that.
"""
from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError

Numbers = npt.NDArray[Any]

TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}       # by the third byte; from 13 on no labels
MOST_BYTES = 1 << 30                      # of one unpacked file; the greatest in use (EMNIST by class) has 547 million
CHUNK = 1 << 20
GZIP_MAGIC = b"\x1f\x8b"


def magic_and_sizes(*sizes: int) -> bytes:
    """Two zero bytes, 8 for unsigned bytes, the number of sizes; then the sizes."""
    return np.array([0x800 + len(sizes), *sizes], ">u4").tobytes()


def read(path: Path, dimensions: int) -> Numbers:
    """An IDX file with that many dimensions, gzip if its name ends in ``.gz``: unsigned bytes, or numbers of another type that
    IDX has. Images, of which 3 are to be expected, may have 2 to 4.

    Reads in pieces, and no further than one byte beyond what the header declares.

    Raises
    ------
    InputError
        Names the file, what it must be, what was found, and the remedy.
    """
    try:
        with path.open("rb") as file:
            if path.suffix != ".gz":
                return _parse(file, path, dimensions)
            if (start := file.read(2)) != GZIP_MAGIC:
                raise InputError(f"{path} must be a gzip file (bytes 1f 8b), but begins with {start.hex(' ') or 'nothing'}; "
                                 f"rename it without .gz if it is plain, else get it anew")
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _parse(unpacked, path, dimensions)
    except EOFError:
        raise InputError(f"{path} must be a complete gzip file, but it is truncated; get it anew") from None
    except PermissionError as error:
        raise InputError(f"{path} must be a file that may be read, but: {error.strerror}; give yourself the right to (chmod), "
                         f"or put a copy of your own in its place") from None
    except (OSError, zlib.error) as error:
        raise InputError(f"{path} must be a file that can be read, but: "
                         f"{getattr(error, 'strerror', None) or error}; get it anew") from None


def _parse(file: BinaryIO | gzip.GzipFile, path: Path, dimensions: int) -> Numbers:
    kind = {1: "labels", 3: "images"}[dimensions]
    header = file.read(4)
    known = len(header) == 4 and header[:2] == bytes(2) and header[2] in TYPES
    if known and (header[3] == dimensions and header[2] < 13 or kind == "images" and header[3] in (2, 3, 4)):
        dimensions = header[3]
    elif len(header) >= 4:
        magic = magic_and_sizes(*[0] * dimensions)[:4]
        hint = "rename it with .gz, it is packed" if header[:2] == GZIP_MAGIC else "put the right file there"
        raise InputError(f"{path} must begin with the magic number {magic.hex(' ')} of {kind}, not {header[:4].hex(' ')}; "
                         f"{hint}")
    length = 4 * (1 + dimensions)
    header += file.read(length - len(header))
    if len(header) < length:
        raise InputError(f"{path} must begin with a header of {length} bytes, but has only {len(header)}; get it anew")
    shape = tuple(int(size) for size in np.frombuffer(header, ">u4", offset=4))
    number = np.dtype(TYPES[header[2]])
    expected = math.prod(shape) * number.itemsize
    if not 1 <= expected <= MOST_BYTES:
        raise InputError(f"{path} must hold 1 to {MOST_BYTES} bytes of {kind}, but its header declares {by_sizes(shape)}; "
                         f"get it anew or split it")
    data = read_at_most(file, expected + 1)
    if len(data) != expected:
        count = f"only {len(data)}" if len(data) < expected else "more"
        raise InputError(f"{path} must hold {expected} bytes for the {by_sizes(shape)} {kind} of its header, but has {count}; "
                         f"get it anew")
    return np.frombuffer(data, number).reshape(shape).astype(number.newbyteorder("="), copy=False)


def read_at_most(file: BinaryIO | gzip.GzipFile, count: int) -> bytearray:
    """Up to ``count`` bytes; memory grows with what is really there, not with what was asked for."""
    data = bytearray()
    while len(data) < count and (chunk := file.read(min(CHUNK, count - len(data)))):
        data += chunk
    return data


def by_sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
