"""Model files as bytes: the members of a good one, to be damaged and packed again."""
from __future__ import annotations

import io
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden_model.errors import InputError
from golden_model.network import Learning, Network
from golden_model.parameters import Layer, Parameters, initial
from golden_model.storage import model_file
from golden_model.storage.model_file import ModelFile, load, save

NETWORK = Network(layers=(12, 6, 5, 3), seed=7, learning=Learning(epochs=4, batch=2))
SMALL = Network(layers=(3, 2))
RECORD = {"dataset": {"name": "digits", "sha256": "e57b"}, "seed": 7, "accuracy": [0.5, 0.75, 1.0], "versions": {"wuxing": "0"},
          "note": "五行", "best": None}
Members = dict[str, bytes]


def parameters_of(network: Network, kind: str) -> Parameters:
    """Initial parameters, and in the last layer the least and greatest that there are of that kind."""
    parameters = initial(network, "fixed" if kind == "fixed" else "float")
    formats, last = network.formats, parameters[-1]
    for array, word in ((last.weights, formats.weight), (last.bias, formats.drive), (last.coupling, formats.coupling)):
        extremes = (word.least, word.greatest) if kind == "fixed" else (np.finfo(kind).max, -np.finfo(kind).smallest_subnormal)
        array.flat[:2] = extremes
    if kind != "fixed":
        last.bias[0] = -0.0
        with np.errstate(over="raise"):
            parameters = [Layer(*(getattr(layer, name).astype(kind) for name in model_file.ARRAYS)) for layer in parameters]
    return parameters


def assert_equal(result: ModelFile, network: Network, arithmetic: str, parameters: Parameters, record: dict[str, Any]) -> None:
    assert result.network == network
    assert (result.arithmetic, result.record) == (arithmetic, record)
    assert len(result.parameters) == len(parameters)
    for layer, expected in zip(result.parameters, parameters, strict=True):
        for name in model_file.ARRAYS:
            a, b = getattr(layer, name), getattr(expected, name)
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            assert a.tobytes() == b.tobytes()             # -0.0 is not 0.0
            assert a.flags.writeable


def saved(path: Path, network: Network = SMALL, kind: str = "fixed") -> Members:
    """The members of a good file at ``path``."""
    arithmetic = "fixed" if kind == "fixed" else "float"
    save(path, network, arithmetic, parameters_of(network, kind), RECORD)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, members: Members, compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy(array: np.ndarray, version: tuple[int, int] = (1, 0)) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)      # of the version
        np.lib.format.write_array(file, array, version)
    return file.getvalue()


def directory_field(content: bytes, name: str, offset: int, value: int) -> bytes:
    """The archive with a 32-bit field of the directory entry of ``name`` replaced (8: flags and method,
    20: packed, 24: unpacked size)."""
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode())) + offset
    return content[:at] + value.to_bytes(4, "little") + content[at + 4:]


def refuses(path: Path, text: str) -> None:
    with pytest.raises(InputError, match="^" + re.escape(f"model file {path}{text}") + "$"):
        load(path)
