"""Model files: a network, what it has learnt, and how, in one ``.npz`` without pickle.

A zip archive with these members, in this order:

===================  =================================================================================================
``model.json``       ``format`` ("wuxing model 1"), ``arithmetic`` ("float" or "fixed"), ``network`` (the description)
``record.json``      the training record, any JSON object
``weights_0.npy``    links (neurons, inputs) of layer 0; then ``bias_0.npy`` (neurons,) and ``coupling_0.npy``
                     (3, 5, neurons), and so on for each layer
``encoding.json``    how what is measured becomes bytes (``golden_model.data.encoding``); only in files of models that have one
===================  =================================================================================================

Integers are stored in the narrowest of int8, int16, int32, int64 that has the bits of their format, reals as they are
(float32 or float64), all little-endian; ``numpy.load`` reads them too. Equal models give equal bytes.

Whoever loads a file need not trust it: names, sizes and types are compared with what the network description demands
before an array is read, and what is unpacked cannot be much larger than the file.
"""
from __future__ import annotations

import io
import json
import math
import os
import stat
import struct
import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from golden_model.data.encoding import IDENTITY, Encoding
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Network
from golden_model.parameters import Layer, Parameters, check, check_arithmetic, layer_shapes, quantised, to_real
from golden_model.storage.atomic_write import write_atomically

VERSION = "wuxing model 1"
HEAD, RECORD, ENCODING = "model.json", "record.json", "encoding.json"
ARRAYS = ("weights", "bias", "coupling")

MOST_TEXT = 1 << 20                       # bytes of one JSON member
MOST_ENCODING = 16 << 20                  # bytes of that of the encoding, which has numbers for each value of a sample
MOST_UNPACKED = 1 << 30                   # bytes of all members
MOST_RATIO, SMALL = 128, 16 << 20         # above SMALL bytes, members unpack to at most MOST_RATIO times the file
MOST_MEMBERS = 8192
MOST_DIRECTORY = 128 * MOST_MEMBERS       # bytes of the zip directory: an entry of ours has 46 and its name
MOST_NPY_HEADER = 512
CHUNK = 1 << 20
DIRECTORY_END = struct.Struct("<4s4HLLH")  # the last record of a zip archive without comment
ZIP64_LOCATOR = 20                        # bytes of the record before it in archives too large for us

CONVERT, TRAIN, DISTRUST = "convert it first", "train anew", "do not trust it"       # remedies

# What zipfile, zlib and the JSON parser raise for damaged or hostile bytes
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, OverflowError)


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFile:
    """What a model file holds. ``parameters`` are int64 for fixed arithmetic, float32 or float64 as saved for float;
    ``encoding`` makes the bytes that the network takes: one that changes nothing in files that have none."""

    network: Network
    arithmetic: str
    parameters: Parameters
    record: dict[str, Any]
    encoding: Encoding = IDENTITY

    def converted(self, arithmetic: str) -> Parameters:
        """The parameters in that arithmetic: exact to reals, rounded and saturated to integers.

        Raises
        ------
        InputError
            If the arithmetic is neither float nor fixed, or the network has no integers.
        """
        check_arithmetic(arithmetic)
        if arithmetic == self.arithmetic:
            return self.parameters
        if arithmetic == "fixed":
            self.network.check_fixed()
            return quantised(self.network, self.parameters)
        return to_real(self.network, self.parameters)


def save(path: str | os.PathLike[str], network: Network, arithmetic: str, parameters: Parameters,
         record: dict[str, Any], encoding: Encoding = IDENTITY) -> None:
    """Write a model file, all of it or none.

    ``record`` is any dictionary that JSON can hold: data set name and digest, seed, versions, accuracy per epoch. ``encoding``:
    what made the bytes that the network has learnt.

    Raises
    ------
    InputError
        If the parameters or the encoding do not fit the network, the record is not JSON, or the file cannot be written.
    """
    check(network, arithmetic, parameters)
    encoding.check_fits(network)
    if arithmetic == "fixed":
        network.check_fixed()
    head = {"format": VERSION, "arithmetic": arithmetic, "network": network.to_dict()}
    members = {HEAD: _to_json(head, "the network description"), RECORD: _to_json(record, "the training record")}
    if not encoding.is_identity:
        members[ENCODING] = _to_json(encoding.to_dict(), "the encoding", MOST_ENCODING)
    for index, layer in enumerate(parameters):
        for name in ARRAYS:
            array = getattr(layer, name)
            kind = _stored(_word(network, name)) if arithmetic == "fixed" else array.dtype.newbyteorder("<")
            member = io.BytesIO()
            np.lib.format.write_array(member, np.ascontiguousarray(array, kind), (1, 0), allow_pickle=False)
            members[f"{name}_{index}.npy"] = member.getvalue()
    total = sum(map(len, members.values()))
    if total > MOST_UNPACKED or len(members) > MOST_MEMBERS:
        raise InputError(f"a model file must hold at most {MOST_UNPACKED} bytes in {MOST_MEMBERS} members, not {total} in "
                         f"{len(members)}; choose fewer or smaller layers")
    archive = _zipped(members, zipfile.ZIP_DEFLATED)
    if _is_bomb(total, len(archive)):
        archive = _zipped(members, zipfile.ZIP_STORED)    # a legal model must not look like an attack
    write_atomically(path, archive)


def load(path: str | os.PathLike[str]) -> ModelFile:
    """Read a model file; every part of it is checked.

    Raises
    ------
    InputError
        Names the file and the first thing about it that is wrong.
    """
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode) and not Path(path).is_dir():      # a device may go on for ever
            raise InputError("it must be a file, not a device or a pipe; give the path of a copy on disk")
        with Path(path).open("rb") as file:
            return _load(file)
    except InputError as error:
        raise InputError(f"model file {os.fspath(path)}: {_brief(error)}") from None
    except UNREADABLE as error:
        reason = getattr(error, "strerror", None) or _brief(error) or type(error).__name__
        raise InputError(f"model file {os.fspath(path)} must be a whole file that can be read, but: {reason}; copy it again or "
                         f"train anew") from None


# ----------------------------------------------------------------- writing

def _word(network: Network, name: str) -> Format:
    formats = network.formats
    return {"weights": formats.weight, "bias": formats.drive, "coupling": formats.coupling}[name]


def _stored(word: Format) -> np.dtype[Any]:
    """The narrowest little-endian integer type that has the bits of a (signed) format."""
    return np.dtype(next(f"<i{size}" for size in (1, 2, 4, 8) if word.bits <= 8 * size))


def _zipped(members: dict[str, bytes], compression: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        for name, content in members.items():
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))   # no clock: equal models, equal bytes
            entry.create_system, entry.external_attr = 3, 0o644 << 16        # nor the system they are written on
            writer.writestr(entry, content, compression, 6)
    return archive.getvalue()


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > max(SMALL, MOST_RATIO * packed)


def _to_json(data: Any, what: str, most: int = MOST_TEXT) -> bytes:
    """JSON that ``_from_json`` accepts."""
    try:
        text = json.dumps(data, allow_nan=False, indent=1, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{what} must be data that JSON can hold, but: {_brief(error)}; {CONVERT}") from None
    if len(text) > most:
        raise InputError(f"{what} must be at most {most} bytes of JSON, not {len(text)}; leave details out")
    _from_json(text, what, CONVERT)
    return text


# ----------------------------------------------------------------- reading

def _from_json(text: bytes | bytearray, what: str, remedy: str) -> dict[str, Any]:
    """A JSON object whose numbers are ordinary and whose texts can be printed."""
    try:
        data = json.loads(text.decode(), parse_int=_integer, parse_float=_finite, parse_constant=_finite)
        json.dumps(data, ensure_ascii=False).encode()     # half a surrogate pair is refused
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} must be valid JSON, but: {_brief(error)}; {remedy}") from None
    if not isinstance(data, dict):
        raise InputError(f"{what} must be a JSON object, not {_brief(repr(data))}; {remedy}")
    return data


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{_brief(digits)} is not a finite number")
    return number


def _load(file: BinaryIO) -> ModelFile:
    size = file.seek(0, os.SEEK_END)
    _check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        _check_entries(archive.infolist(), size)
        if HEAD not in entries:
            raise InputError(f"it must contain {HEAD}, but does not; it is another kind of .npz file")
        head = _from_json(_read_text(archive, entries[HEAD]), HEAD, TRAIN)
        network, arithmetic = _parse_head(head)
        expected = [HEAD, RECORD, *(f"{name}_{index}.npy" for index in range(len(network.layers) - 1) for name in ARRAYS)]
        there = set(entries) - {ENCODING}
        if there != set(expected):
            for problem, names in (("lacks", set(expected) - there), ("has also", there - set(expected))):
                if names:
                    raise InputError(f"it must contain the arrays of {len(network.layers) - 1} layers and nothing else, but "
                                     f"{problem} {_brief(repr(min(names)))}; {TRAIN}")
        record = _from_json(_read_text(archive, entries[RECORD]), RECORD, TRAIN)
        encoding = IDENTITY
        if ENCODING in entries:
            text = _read_text(archive, entries[ENCODING], MOST_ENCODING)
            encoding = Encoding.from_dict(_from_json(text, ENCODING, TRAIN))
        parameters = [Layer(**{name: _read_array(archive, entries[f"{name}_{index}.npy"], shapes[name],
                                                 _word(network, name) if arithmetic == "fixed" else None) for name in ARRAYS})
                      for index, shapes in enumerate(layer_shapes(network))]
    check(network, arithmetic, parameters)
    encoding.check_fits(network)
    if arithmetic == "fixed":
        network.check_fixed()
    return ModelFile(network=network, arithmetic=arithmetic, parameters=parameters, record=record, encoding=encoding)


def _parse_head(head: dict[str, Any]) -> tuple[Network, str]:
    if head.get("format") != VERSION:
        raise InputError(f"it must have the format {VERSION!r}, not {_brief(repr(head.get('format')))}; load it with the "
                         f"version of wuxing that wrote it, or train anew")
    if set(head) != {"format", "arithmetic", "network"}:
        raise InputError(f"{HEAD} must have the entries arithmetic, format and network, not "
                         f"{_brief(', '.join(map(repr, sorted(head))))}; {TRAIN}")
    check_arithmetic(head["arithmetic"])
    return Network.from_dict(head["network"]), head["arithmetic"]


def _check_directory(file: BinaryIO, size: int) -> None:
    """Look at the end of the archive before ``zipfile`` builds an object for each entry that is there."""
    file.seek(max(0, size - DIRECTORY_END.size - ZIP64_LOCATOR))
    end = file.read()[-DIRECTORY_END.size - ZIP64_LOCATOR:]
    locator, last = end[:-DIRECTORY_END.size], end[-DIRECTORY_END.size:]
    if len(locator) < ZIP64_LOCATOR or not last.startswith(b"PK\x05\x06"):
        raise InputError("it must be a zip archive, but is truncated or of another kind; copy it again or train anew")
    length = DIRECTORY_END.unpack(last)[5]
    if length > MOST_DIRECTORY or locator.startswith(b"PK\x06\x07"):
        raise InputError(f"its zip directory must have at most {MOST_DIRECTORY} bytes, but is longer; {DISTRUST}")


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    names = [entry.filename for entry in entries]
    if len(set(names)) < len(names):
        raise InputError(f"each of its members must have its own name, but some have the same; {TRAIN}")
    for entry in entries:
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or entry.flag_bits & 1:
            raise InputError(f"{_brief(repr(entry.filename))} must be stored or deflated and not encrypted; {TRAIN}")
    packed, unpacked = sum(entry.compress_size for entry in entries), sum(entry.file_size for entry in entries)
    if packed > size or unpacked > MOST_UNPACKED or _is_bomb(unpacked, size):
        raise InputError(f"its members must unpack to at most {MOST_UNPACKED} bytes and {MOST_RATIO} times the file, but "
                         f"declare {unpacked} bytes from {packed} in a file of {size}; {DISTRUST}")


def _read_text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int = MOST_TEXT) -> bytearray:
    if entry.file_size > most:
        raise InputError(f"{entry.filename} must have at most {most} bytes, not {entry.file_size}; {DISTRUST}")
    with archive.open(entry) as member:
        return _read_exactly(member, entry.file_size, entry.filename)


def _read_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, shape: tuple[int, ...],
                word: Format | None) -> npt.NDArray[Any]:
    """An array of this shape: int64 from the integers of format ``word``, or reals."""
    kinds = [np.dtype("<f4"), np.dtype("<f8")] if word is None else [_stored(word)]
    with archive.open(entry) as member:
        stored_shape, fortran, kind, start = _npy_header(member, entry.filename)
        if kind.hasobject:
            raise InputError(f"{entry.filename} must be numbers, not Python objects, which could run code; {DISTRUST}")
        if stored_shape != shape or fortran or kind not in kinds:
            raise InputError(f"{entry.filename} must be {' or '.join(map(str, kinds))} of shape {shape} in C order, not "
                             f"{_brief(kind)} of shape {_brief(stored_shape)}{' in Fortran order' if fortran else ''}; {TRAIN}")
        length = math.prod(shape) * kind.itemsize
        if entry.file_size != start + length:
            raise InputError(f"{entry.filename} must have {length} bytes after its header, not {entry.file_size - start}; "
                             f"{TRAIN}")
        data = np.frombuffer(_read_exactly(member, length, entry.filename), kind).reshape(shape)
    return data.astype(np.int64 if word is not None else kind.newbyteorder("="))


def _npy_header(member: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order and type that a ``.npy`` member declares, and how long the declaration is; no data is read."""
    header = member.read(10)                              # magic, version, length of what follows
    length = int.from_bytes(header[8:], "little")
    if len(header) < 10 or header[:8] != np.lib.format.magic(1, 0) or length > MOST_NPY_HEADER:
        raise InputError(f"{name} must begin as a .npy file of version 1.0 with a header of at most {MOST_NPY_HEADER} bytes, "
                         f"but begins with {header.hex(' ') or 'nothing'}; {TRAIN}")
    header += member.read(length)
    try:
        with warnings.catch_warnings(action="error"):     # NumPy warns where it mends a header
            shape, fortran, kind = np.lib.format.read_array_header_1_0(io.BytesIO(header[8:]))
    except Exception as error:
        # NumPy parses a literal and a type description here and promises no particular exception for wrong ones
        raise InputError(f"{name} must begin with a valid .npy header, but: {_brief(error)}; {TRAIN}") from None
    return shape, fortran, kind, len(header)


def _read_exactly(member: IO[bytes], length: int, name: str) -> bytearray:
    """The rest of a member to its end, where its CRC is compared; memory grows only with what is there."""
    data = bytearray()
    while chunk := member.read(CHUNK):
        data += chunk
    if len(data) != length:
        raise InputError(f"{name} must have {length} bytes, but has {len(data)}; copy the file again or train anew")
    return data


def _brief(message: object) -> str:
    """The beginning of a message that may quote a hostile file."""
    text = str(message)
    return text if len(text) <= 400 else text[:397] + "..."
