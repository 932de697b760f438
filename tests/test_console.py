"""Results as JSON: one function for all of them."""
from __future__ import annotations

import json
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from golden_model.errors import InternalError
from golden_model.network import Network
from wuxing.reports.console import FLAT, OPTIONAL, json_text, plain


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    lacking: int | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner = field(metadata=FLAT)
    inners: tuple[Inner, ...]
    nothing: None = None


def test_a_dataclass_is_a_table_of_its_fields():
    part = Outer(Inner("a"), (Inner("b", 3), Inner("c")))
    assert json.loads(json_text(part)) == {"name": "a", "inners": [{"name": "b", "lacking": 3}, {"name": "c"}], "nothing": None}


def test_networks_paths_and_tables():
    network = Network(layers=(4, 2))
    assert plain({"a": network, 2: Path("x/y")}) == {"a": json.loads(network.to_json()), "2": "x/y"}


@pytest.mark.parametrize("value", [np.int64(3), np.zeros(2), {1, 2}, Inner, b"x"])
def test_what_is_no_json_is_a_fault_that_shows(value):
    """NumPy's float64 is a float and its bool is none: what looks like a number must not become text."""
    assert is_dataclass(Inner)
    with pytest.raises(InternalError, match="^a result must hold plain JSON, not "):
        plain({"a": [value]})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_no_word_for_is_not_written(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_text({"a": value})
