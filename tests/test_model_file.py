"""Model files: what is saved comes back bit by bit, or is refused before. Damage: ``test_model_file_damage``."""
import base64
import errno
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Learning, Network, Neuron
from golden_model.parameters import Layer, initial
from golden_model.storage import model_file
from golden_model.storage.model_file import load, save
from model_members import (
    NETWORK,
    RECORD,
    SMALL,
    assert_equal,
    parameters_of,
    saved,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.npz"


# ----------------------------------------------------------------- round trips

@pytest.mark.parametrize("kind", ["float32", "float64", "fixed"])
def test_round_trip(path: Path, kind: str) -> None:
    parameters = parameters_of(NETWORK, kind)
    arithmetic = "fixed" if kind == "fixed" else "float"
    save(path, NETWORK, arithmetic, parameters, RECORD)
    assert_equal(load(path), NETWORK, arithmetic, parameters, RECORD)
    assert_equal(load(str(path)), NETWORK, arithmetic, parameters, RECORD)


@pytest.mark.parametrize(("bits", "stored"), [(8, "int8"), (9, "int16"), (16, "int16"), (17, "int32"), (32, "int32"),
                                              (33, "int64"), (38, "int64")])
def test_integers_are_stored_in_the_narrowest_type(path: Path, bits: int, stored: str) -> None:
    network = Network(layers=(4, 3), formats=Formats(weight=Format(bits, 7)))
    parameters = parameters_of(network, "fixed")
    save(path, network, "fixed", parameters, {})
    assert_equal(load(path), network, "fixed", parameters, {})
    with np.load(path) as arrays:                         # numpy alone reads it too
        assert arrays["weights_0"].dtype == stored
        assert np.array_equal(arrays["weights_0"], parameters[0].weights)
        assert (arrays["bias_0"].dtype, arrays["coupling_0"].dtype) == ("int16", "int8")


def test_equal_models_give_equal_bytes(tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = parameters_of(NETWORK, "fixed")
    save(path, NETWORK, "fixed", parameters, RECORD)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2e9))
    other = [Layer(layer.weights.astype(np.int32), np.repeat(layer.bias, 2)[::2], layer.coupling.copy("F"))
             for layer in parameters]
    save(tmp_path / "again.npz", Network.from_json(NETWORK.to_json()), "fixed", other, dict(reversed(RECORD.items())))
    assert (tmp_path / "again.npz").read_bytes() == path.read_bytes()


def test_members(path: Path) -> None:
    members = saved(path, NETWORK)
    assert list(members) == ["model.json", "record.json", *(f"{name}_{k}.npy" for k in range(3) for name in model_file.ARRAYS)]
    assert json.loads(members["model.json"]) == {"format": "wuxing model 1", "arithmetic": "fixed",
                                                 "network": NETWORK.to_dict()}
    assert json.loads(members["record.json"]) == RECORD


def test_legal_zeros_do_not_look_like_an_attack(path: Path) -> None:
    network = Network(layers=(4096, 600))
    zeros = [Layer(np.zeros((600, 4096)), np.zeros(600), np.zeros((3, 5, 600)))]
    save(path, network, "float", zeros, {})
    assert path.stat().st_size > 600 * 4096 * 8           # so it is not packed
    assert_equal(load(path), network, "float", zeros, {})


# ----------------------------------------------------------------- what is not saved

def test_parameters_are_checked_before_saving(path: Path) -> None:
    parameters = parameters_of(SMALL, "fixed")
    parameters[0].weights[0, 0] = 40_000
    with pytest.raises(InputError, match="^" + re.escape(
            "weights of layer 0 must lie in -32768..32767 (format Q2.14), not 40000") + "$"):
        save(path, SMALL, "fixed", parameters, {})
    assert not path.exists()


@pytest.mark.parametrize(("record", "text"), [
    ({"labels": np.zeros(2)}, ("the training record must be data that JSON can hold, but: Object of type ndarray is not JSON "
                               "serializable; convert it first")),
    ({"loss": float("nan")}, None),
    ([1, 2], "the training record must be a JSON object, not [1, 2]; convert it first"),
    ({"n": 10**30}, "the training record must be valid JSON, but: an integer of 31 digits; convert it first"),
    ({"text": "\ud800"}, None),
    ({"a": 1, 2: 3}, None),
    ({"log": "x" * 2**20}, "the training record must be at most 1048576 bytes of JSON, not 1048590; leave details out"),
])
def test_record_must_be_json(path: Path, record: Any, text: str | None) -> None:
    with pytest.raises(InputError, match="^the training record must be " if text is None else "^" + re.escape(text) + "$"):
        save(path, SMALL, "fixed", parameters_of(SMALL, "fixed"), record)
    assert not path.exists()


def test_model_too_large_to_save(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_file, "MOST_UNPACKED", 1000)
    with pytest.raises(InputError, match=(r"^a model file must hold at most 1000 bytes in 8192 members, not \d{4} in 5; "
                                          "choose fewer or smaller layers$")):
        save(path, SMALL, "fixed", parameters_of(SMALL, "fixed"), {})
    assert not path.exists()


@pytest.mark.parametrize(("error", "raised"), [(OSError(errno.ENOSPC, "No space left on device"), InputError),
                                               (KeyboardInterrupt(), KeyboardInterrupt)])
def test_interrupted_saving_keeps_the_old_model(path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException,
                                                raised: type[BaseException]) -> None:
    def interrupted(_: int) -> None:
        raise error
    old = parameters_of(SMALL, "fixed")
    save(path, SMALL, "fixed", old, RECORD)
    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(raised):
        save(path, NETWORK, "fixed", parameters_of(NETWORK, "fixed"), {})
    assert_equal(load(path), SMALL, "fixed", old, RECORD)
    assert list(path.parent.iterdir()) == [path]


def test_neuron_that_the_integers_cannot_hold_is_not_saved(path: Path) -> None:
    network = Network(layers=(3, 2), neuron=Neuron(gate_floor=0.01))
    with pytest.raises(InputError, match="^neuron.gate_floor must be a multiple of 0.000244141 "):
        save(path, network, "fixed", parameters_of(SMALL, "fixed"), {})
    save(path, network, "float", parameters_of(SMALL, "float64"), {})
    assert load(path).network == network


# ---------------------------------------------------------------- files of earlier versions

# Written by wuxing 0.1.0 when the digest of a network still covered all of its description, seed and epochs too:
# save(path, OLD, "fixed", initial(OLD, "fixed"), {"dataset": "digits", "seed": 7})
OLD = Network(layers=(3, 2), seed=7, learning=Learning(epochs=4, average=1))
OLD_FILE = (
    "UEsDBBQAAAAIAAAAIQBrpJvE1QEAAFUFAAAKAAAAbW9kZWwuanNvbqVUwW7bMAy95ysMnzsjdpKt6C/klMNORRGwNmMLkS2DlpO0Rf99pCQ7Sges6wYEiP"
    "hIPpGPlN8WSQqkbNOiVWX6kKQHdcEqvWP8YKgFK9h5vKiuTlpToU5y5+zQng0d2fu2SKbYIZhJ+kxQHtEl4wVKKzkMl2bsNVMJviuyPMCVGnoNJbbYuZRd"
    "nuXF5CN1QgeuryASGfoYqbp+dOk/d8vsfgYt1gR6YlgHXJsS9L4nU42lncqZnGdUdROhDL6Lh9mUVaDVAFaZ7tqtAmn9W54tPUENSryz7UrbB7TIiojQlX"
    "fDVsnNy2zjUweLvZDfzzkaXpAEepSAlQsTxifvRaDOS+zptrmjC5VsixtrdWvtW+6wHdu4gK2re75vbmrOk4P8P03xHG1V52VlhXtD0h/PwAfACQlqmWnu"
    "gWewZROZXk1m/V5srtAXy3Apn1RSCTR6uYuwWb0pG7ll7e0DmVeU2QSNGtAnVlciQm0s+DFWkff7+LF+h32xAZ/zSQctUO2Wisc1L0iHI0X75BbgMdywuf"
    "uLQzzN4n+SV793++dDlFyDxf1BG/fQYzH9Y0I9fS6C7jzIWzysE+Fg/6mMWc8B+Yv4kPxwxllR/Lquj9HFL/j3/gtQSwMEFAAAAAgAAAAhAHlqoToiAAAA"
    "JAAAAAsAAAByZWNvcmQuanNvbqvmUlBKSSxJLE4tUbICMjPTM0uKlXSAosWpqSlAIXOuWgBQSwMEFAAAAAgAAAAhAOcWdvZTAAAAjAAAAA0AAAB3ZWlnaH"
    "RzXzAubnB5m+wX6hsQychQxlCtnpJanFykbqWgbpNppK6joJ6WX1RSlJgXn1+UkgoSd0vMKU4FihdnJBakAvkaRjoKxpo6CrUKZAMuK+Xb+Yt8523addww"
    "EwBQSwMEFAAAAAgAAAAhALa2drhIAAAAhAAAAAoAAABiaWFzXzAubnB5m+wX6hsQychQxlCtnpJanFykbqWgbpNppK6joJ6WX1RSlJgXn1+UkgoSd0vMKU"
    "4FihdnJBakAvkaRjqaOgq1ChQALoYPDB8AUEsDBBQAAAAIAAAAIQBX28/6TgAAAJ4AAAAOAAAAY291cGxpbmdfMC5ucHmb7BfqGxDJyFDGUK2eklqcXKRu"
    "paBek2morqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOgqmOgpGmjoKtQrkAS5GLIAJDgBQSwECFAMUAAAACAAAACEAa6SbxNUBAABVBQAACg"
    "AAAAAAAAAAAAAApAEAAAAAbW9kZWwuanNvblBLAQIUAxQAAAAIAAAAIQB5aqE6IgAAACQAAAALAAAAAAAAAAAAAACkAf0BAAByZWNvcmQuanNvblBLAQIU"
    "AxQAAAAIAAAAIQDnFnb2UwAAAIwAAAANAAAAAAAAAAAAAACkAUgCAAB3ZWlnaHRzXzAubnB5UEsBAhQDFAAAAAgAAAAhALa2drhIAAAAhAAAAAoAAAAAAA"
    "AAAAAAAKQBxgIAAGJpYXNfMC5ucHlQSwECFAMUAAAACAAAACEAV9vP+k4AAACeAAAADgAAAAAAAAAAAAAApAE2AwAAY291cGxpbmdfMC5ucHlQSwUGAAAA"
    "AAUABQAgAQAAsAMAAAAA")


def test_files_of_earlier_versions_load(path: Path) -> None:
    path.write_bytes(base64.b64decode(OLD_FILE))
    assert_equal(load(path), OLD, "fixed", initial(OLD, "fixed"), {"dataset": "digits", "seed": 7})
