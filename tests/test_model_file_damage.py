"""Model files that are damaged or hostile get their sentence before memory is taken."""
import json
import os
import re
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Network
from golden_model.storage import model_file
from golden_model.storage.model_file import ModelFile, load, save
from model_members import RECORD, SMALL, assert_equal, directory_field, npy, pack, parameters_of, refuses, saved


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


# ----------------------------------------------------------------- files that are none

def test_file_that_cannot_be_read(tmp_path: Path, path: Path) -> None:
    refuses(path, " must be a whole file that can be read, but: No such file or directory; copy it again or train anew")
    refuses(tmp_path, " must be a whole file that can be read, but: Is a directory; copy it again or train anew")
    os.mkfifo(path)
    for endless in (path, Path("/dev/zero"), Path("/dev/full")):
        refuses(endless, ": it must be a file, not a device or a pipe; give the path of a copy on disk")
    with pytest.raises(InputError, match="embedded null byte"):
        load("a\0b")


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"PK\x05\x06" + bytes(18), bytes(100)])
def test_file_of_another_kind(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    refuses(path, ": it must be a zip archive, but is truncated or of another kind; copy it again or train anew")


def test_truncated_anywhere(path: Path) -> None:
    saved(path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        refuses(path, ": it must be a zip archive, but is truncated or of another kind; copy it again or train anew")


def test_other_npz(path: Path) -> None:
    np.savez(path, weights_0=np.zeros(3))
    refuses(path, ": it must contain model.json, but does not; it is another kind of .npz file")


@pytest.mark.parametrize(("version", "output"), [("wuxing model 2", "'wuxing model 2'"), (None, "None"), (1, "1"),
                                                 ("x" * 1000, "'" + "x" * 396 + "...")])
def test_other_version(path: Path, version: Any, output: str) -> None:
    members = saved(path)
    pack(path, {"model.json": json.dumps({"format": version}).encode(), "other.bin": members["record.json"]})
    text = (f": it must have the format 'wuxing model 1', not {output}; load it with the version of wuxing that wrote it, or "
            f"train anew")
    refuses(path, text if len(text) < 400 else text[:399] + "...")


# ----------------------------------------------------------------- members

def test_missing_and_unexpected_members(path: Path) -> None:
    members = saved(path)
    text = ": it must contain the arrays of 1 layers and nothing else, but"
    pack(path, {name: content for name, content in members.items() if name != "coupling_0.npy"})
    refuses(path, f"{text} lacks 'coupling_0.npy'; train anew")
    pack(path, {name: content for name, content in members.items() if name != "record.json"})
    refuses(path, f"{text} lacks 'record.json'; train anew")
    for name in ("weights_1.npy", "weights_00.npy", "../evil", "a\x1b[31m"):
        pack(path, {**members, name: b""})
        refuses(path, f"{text} has also {name!r}; train anew")


def test_members_of_the_same_name(path: Path) -> None:
    members = saved(path)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("record.json", members["record.json"])
    refuses(path, ": each of its members must have its own name, but some have the same; train anew")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression(path: Path, compression: int) -> None:
    members = saved(path)
    pack(path, members, compression)
    refuses(path, ": 'model.json' must be stored or deflated and not encrypted; train anew")


def test_encrypted(path: Path) -> None:
    saved(path)
    path.write_bytes(directory_field(path.read_bytes(), "bias_0.npy", 8, 1 | zipfile.ZIP_DEFLATED << 16))
    refuses(path, ": 'bias_0.npy' must be stored or deflated and not encrypted; train anew")


def test_stored_members_are_read(path: Path) -> None:
    pack(path, saved(path), zipfile.ZIP_STORED)
    assert_equal(load(path), SMALL, "fixed", parameters_of(SMALL, "fixed"), RECORD)


SHAPE = "weights_0.npy must be int16 of shape (2, 3) in C order, not"
NPY = "weights_0.npy must begin as a .npy file of version 1.0 with a header of at most 512 bytes, but begins with"


class Trap:
    """What runs when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return pytest.fail, ("a pickle was loaded",)


@pytest.mark.parametrize(("content", "text"), [
    (npy(np.zeros((2, 4), np.int16)), f"{SHAPE} int16 of shape (2, 4); train anew"),
    (npy(np.zeros((6,), np.int16)), f"{SHAPE} int16 of shape (6,); train anew"),
    (npy(np.zeros((2, 3), np.int64)), f"{SHAPE} int64 of shape (2, 3); train anew"),
    (npy(np.zeros((2, 3), ">i2")), f"{SHAPE} >i2 of shape (2, 3); train anew"),
    (npy(np.zeros((2, 3), np.uint16)), f"{SHAPE} uint16 of shape (2, 3); train anew"),
    (npy(np.zeros((2, 3), np.float32)), f"{SHAPE} float32 of shape (2, 3); train anew"),
    (npy(np.zeros((2, 3), np.int16, order="F")), f"{SHAPE} int16 of shape (2, 3) in Fortran order; train anew"),
    (npy(np.full((2, 3), Trap(), object)), ("weights_0.npy must be numbers, not Python objects, which could run code; do not "
                                            "trust it")),
    (npy(np.zeros((2, 3), np.int16), (2, 0)), f"{NPY} 93 4e 55 4d 50 59 02 00 74 00; train anew"),
    (npy(np.zeros((2, 3), np.int16))[:9], f"{NPY} 93 4e 55 4d 50 59 01 00 76; train anew"),
    (b"\x93NUMPY\x01\x00\xff\xff" + bytes(70_000), f"{NPY} 93 4e 55 4d 50 59 01 00 ff ff; train anew"),
    (b"", f"{NPY} nothing; train anew"),
    (npy(np.zeros((2, 3), np.int16))[:-1], "weights_0.npy must have 12 bytes after its header, not 11; train anew"),
    (npy(np.zeros((2, 3), np.int16)) + b"\0", "weights_0.npy must have 12 bytes after its header, not 13; train anew"),
])
def test_wrong_array(path: Path, content: bytes, text: str) -> None:
    pack(path, {**saved(path), "weights_0.npy": content})
    refuses(path, f": {text}")


@pytest.mark.parametrize("header", [
    b"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3)", b"[1, 2]", b"{}", b"(" * 500, b"-" * 500, b"\0", b"\xff",
    b"{'descr': (), 'fortran_order': False, 'shape': (2, 3)}", b"{'descr': [], 'fortran_order': False, 'shape': (2, 3)}",
    b"{'descr': 'Z9', 'fortran_order': False, 'shape': (2, 3)}", b"{'descr': '<i2', 'fortran_order': 1, 'shape': (2, 3)}",
    b"{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 3L)}",
    b"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 'x')}", b"{'descr': 1j, 'fortran_order': False, 'shape': ()}",
    b"{'descr': [('a', '<i2'), ('a', '<i2')], 'fortran_order': False, 'shape': (2, 3)}",
    b"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), 'x': 1}", b"9" * 500,
])
def test_wrong_array_header(path: Path, header: bytes) -> None:
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(12)
    pack(path, {**saved(path), "weights_0.npy": content})
    with pytest.raises(InputError, match="^" + re.escape(f"model file {path}: weights_0.npy must be")):
        load(path)


@pytest.mark.parametrize("shape", ["(2, 3000000000)", "(1000000, 1000000)", "(-2, -3)", "(" + "9" * 300 + ",)"])
def test_huge_declared_shape(path: Path, shape: str) -> None:
    header = f"{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}}}".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(12)
    pack(path, {**saved(path), "weights_0.npy": content})
    refuses(path, f": {SHAPE} int16 of shape {shape}; train anew")


def test_values_outside_their_format(path: Path) -> None:
    network = Network(layers=(3, 2), formats=Formats(weight=Format.parse("Q2.13")))
    members = saved(path, network)
    pack(path, {**members, "weights_0.npy": npy(np.full((2, 3), 16384, np.int16))})
    refuses(path, ": weights of layer 0 must lie in -16384..16383 (format Q2.13), not 16384")
    members = saved(path, network, "float32")
    pack(path, {**members, "bias_0.npy": npy(np.array([1, np.nan]))})
    refuses(path, ": bias of layer 0 must be finite float32 or float64 numbers, not float64 with NaN or infinite entries")


# ----------------------------------------------------------------- JSON

JSON = "record.json must be valid JSON, but:"


@pytest.mark.parametrize(("content", "text"), [
    (b"[]", "record.json must be a JSON object, not []; train anew"),
    (b"[" * 100_000 + b"]" * 100_000, None),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, None),
    (b"", f"{JSON} Expecting value: line 1 column 1 (char 0); train anew"),
    (b'{"a": NaN}', f"{JSON} NaN is not a finite number; train anew"),
    (b'{"a": -Infinity}', f"{JSON} -Infinity is not a finite number; train anew"),
    (b'{"a": 1e999}', f"{JSON} 1e999 is not a finite number; train anew"),
    (b'{"a": ' + b"9" * 5000 + b"}", f"{JSON} an integer of 5000 digits; train anew"),
    (b'{"a": "\\ud800"}', None), (b'{"a": "\xff"}', None), ("{}".encode("utf-16"), None), (b"\xef\xbb\xbf{}", None),
    (b" " * 2**20 + b"{}", "record.json must have at most 1048576 bytes, not 1048578; do not trust it"),
])
def test_hostile_record(path: Path, content: bytes, text: str | None) -> None:
    pack(path, {**saved(path), "record.json": content})
    if text is not None:
        refuses(path, f": {text}")
    else:
        with pytest.raises(InputError, match="^" + re.escape(f"model file {path}: {JSON}")):
            load(path)


def head(**changes: Any) -> bytes:
    return json.dumps({"format": model_file.VERSION, "arithmetic": "fixed", "network": SMALL.to_dict(), **changes}).encode()


@pytest.mark.parametrize(("content", "text"), [
    (head(arithmetic="analog"), "arithmetic must be float or fixed, not 'analog'"),
    (head(arithmetic=["fixed"]), "arithmetic must be float or fixed, not ['fixed']"),
    (head(extra=1), ("model.json must have the entries arithmetic, format and network, not 'arithmetic', 'extra', 'format', "
                     "'network'; train anew")),
    (head(network=[]), "a network description must be a table, not list"),
    (head(network={"layers": [3]}), "layers must have at least two sizes, not (3,)"),
    (head(network={"layers": [3, 2**21]}), "each size in layers must be a whole number from 1 to 1048576, not 2097152"),
    (head(network={"layers": [3, 2], "neuron": {"K4": 1}}),
     "neuron has no entry 'K4'; it has K1, K2, K3, rest, input_population, output_population, gate_floor"),
    (head(network={"layers": [3, 2], "neuron": {"K1": [0.3] * 5}}),
     "neuron.K1 must be a multiple of 0.5 in [-2, 1.5] to be held in Q2.1, not 0.3; choose 0.5, which is near"),
    (b'{"format": "wuxing model 1", "arithmetic": "fixed", "network": {"layers": [' + b"9" * 400 + b", 2]}}",
     "model.json must be valid JSON, but: an integer of 400 digits; train anew"),
])
def test_hostile_head(path: Path, content: bytes, text: str) -> None:
    pack(path, {**saved(path), "model.json": content})
    refuses(path, f": {text}")


# ----------------------------------------------------------------- memory

def refuses_in_little_memory(path: Path, text: str) -> None:
    tracemalloc.start()
    try:
        refuses(path, text)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_enormous_network_is_refused_before_memory_is_taken(path: Path) -> None:
    network = {**SMALL.to_dict(), "layers": [2**20, 2**20]}
    members = {**saved(path), "model.json": head(network=network)}
    pack(path, members)
    text = "weights_0.npy must be int16 of shape (1048576, 1048576) in C order, not int16 of shape (2, 3); train anew"
    refuses_in_little_memory(path, f": {text}")
    header = b"{'descr': '<i2', 'fortran_order': False, 'shape': (1048576, 1048576)}"
    members["weights_0.npy"] = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(12)
    pack(path, members)
    refuses_in_little_memory(path, ": weights_0.npy must have 2199023255552 bytes after its header, not 12; train anew")


def test_declared_sizes_are_not_believed(path: Path) -> None:
    saved(path)
    content, size = path.read_bytes(), path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        packed = sum(entry.compress_size for entry in archive.infolist())
        unpacked = sum(entry.file_size for entry in archive.infolist())
        entry = archive.getinfo("weights_0.npy")
    limits = ": its members must unpack to at most 1073741824 bytes and 128 times the file, but declare"
    for offset, value, header in (
            (24, 2**31, (unpacked - entry.file_size + 2**31, packed)),
            (24, 2**25, (unpacked - entry.file_size + 2**25, packed)),
            (20, 2**20, (unpacked, packed - entry.compress_size + 2**20))):
        path.write_bytes(directory_field(content, "weights_0.npy", offset, value))
        refuses_in_little_memory(path, f"{limits} {header[0]} bytes from {header[1]} in a file of {size}; do not trust it")


def test_zip_bomb(path: Path) -> None:
    """Half a GiB of zeros in less than 1 MiB, with the shape that the description demands."""
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (16384, 4096)}"
    members = {**saved(path, SMALL, "float64"), "model.json": head(network={"layers": [4096, 16384]}, arithmetic="float")}
    del members["weights_0.npy"]
    pack(path, members)
    with (zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
          archive.open("weights_0.npy", "w") as member):
        member.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(64):
            member.write(bytes(2**20))                    # the rest is only declared: the test need not wait for it
    content = directory_field(path.read_bytes(), "weights_0.npy", 24, 10 + len(header) + 16384 * 4096 * 8)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as archive:
        packed = sum(entry.compress_size for entry in archive.infolist())
        unpacked = sum(entry.file_size for entry in archive.infolist())
    refuses_in_little_memory(path, f": its members must unpack to at most 1073741824 bytes and 128 times the file, but declare "
                                   f"{unpacked} bytes from {packed} in a file of {len(content)}; do not trust it")


def test_endless_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = saved(path)
    content = path.read_bytes()
    text = ": its zip directory must have at most 1048576 bytes, but is longer; do not trust it"
    path.write_bytes(content[:-10] + (2**20 + 1).to_bytes(4, "little") + content[-6:])
    refuses(path, text)
    path.write_bytes(content[:-22] + b"PK\x06\x07" + bytes(16) + content[-22:])
    refuses(path, text)
    longest = 46 + len(f"coupling_{model_file.MOST_MEMBERS}.npy")
    assert longest * model_file.MOST_MEMBERS <= model_file.MOST_DIRECTORY    # what is saved can be loaded
    monkeypatch.setattr(model_file, "MOST_MEMBERS", len(members) - 1)
    with pytest.raises(InputError, match=r"not \d+ in 5; choose fewer or smaller layers$"):
        save(path, SMALL, "fixed", parameters_of(SMALL, "fixed"), {})


# ----------------------------------------------------------------- fuzz

def loaded_unless_refused(path: Path, text: str) -> ModelFile | None:
    """What is in the file, or None after an ``InputError`` that begins with ``text`` behind its name."""
    try:
        return load(path)
    except InputError as error:
        refusal = str(error)
    assert refusal.startswith(f"model file {path}{text}")
    return None


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.data())
def test_any_damage_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Bytes changed and cut off: an equal model or an ``InputError``, never another exception."""
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    saved(path)
    content = bytearray(path.read_bytes())
    positions = st.integers(0, len(content) - 1) | st.integers(len(content) - 400, len(content) - 1)     # the directory too
    for at in data.draw(st.lists(positions, min_size=1, max_size=4)):
        content[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content[:data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    if (result := loaded_unless_refused(path, "")) is not None:
        assert_equal(result, SMALL, "fixed", parameters_of(SMALL, "fixed"), RECORD)


JSON_VALUES = st.recursive(st.none() | st.booleans() | st.integers(-2**70, 2**70) | st.floats() | st.text(max_size=9)
                           | st.sampled_from(["Q1.12", "Q62.0", "UQ0.8", "exact", "fixed", "float", 1e308, 2**62]),
                           lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                           max_leaves=8)


@settings(deadline=None, derandomize=True, max_examples=400)
@given(st.data())
def test_any_description_is_refused_or_fits(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """An archive without a flaw whose description was tampered with, somewhere in its tree."""
    path = tmp_path_factory.getbasetemp() / "tampered.npz"
    kind = data.draw(st.sampled_from(["fixed", "float64"]))
    members = saved(path, SMALL, kind)
    tree = json.loads(members["model.json"])
    tree["format"] = model_file.VERSION
    place: Any = tree if data.draw(st.integers(0, 9)) == 0 else tree["network"]
    key = data.draw(st.sampled_from(sorted(place)))
    while isinstance(place[key], (dict, list)) and place[key] and data.draw(st.integers(0, 9)):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(JSON_VALUES)
    pack(path, {**members, "model.json": json.dumps(tree).encode()})
    if (result := loaded_unless_refused(path, ": ")) is not None:
        save(path, result.network, result.arithmetic, result.parameters, result.record)
        assert_equal(load(path), result.network, result.arithmetic, result.parameters, RECORD)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(st.data())
def test_any_array_header_is_refused_or_right(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "header.npz"
    members = saved(path)
    content = bytearray(members["weights_0.npy"])
    for at in data.draw(st.lists(st.integers(0, 80), min_size=1, max_size=3)):
        content[at] = data.draw(st.integers(0, 255) | st.sampled_from(b"0123456789'<>|[](){},:iOVSfLTF "))
    pack(path, {**members, "weights_0.npy": bytes(content)})
    if (result := loaded_unless_refused(path, ": weights_0.npy must ")) is not None:
        assert_equal(result, SMALL, "fixed", parameters_of(SMALL, "fixed"), RECORD)
