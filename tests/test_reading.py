"""Readings: what is said of files, kept in model files, and what cannot be said."""
from __future__ import annotations

import json

import numpy as np
import pytest

from golden_model.data.reading import Collection, Reading
from golden_model.data.splits import Split
from golden_model.errors import InputError
from letters import refusal


def test_a_reading_is_kept_as_plain_data():
    reading = Reading(label="kind", without=("id", "note"), split=Split.parse("group:person:2/3"), size="20x30x3",
                      frames="pad:7")
    plain = json.loads(json.dumps(reading.to_dict()))
    assert plain == {"label": "kind", "without": ["id", "note"], "split": "group:person:2/3", "size": "20x30x3",
                     "frames": "pad:7"}
    assert Reading.from_dict(plain) == reading
    named = Reading(categories=("colour", "doors"))
    assert named.to_dict() == {"categories": ["colour", "doors"]}
    assert Reading.from_dict(named.to_dict()) == named
    assert (reading.image_shape(), reading.length()) == ((20, 30, 3), ("pad", 7))
    assert Reading(frames="32").length() == ("resample", 32)
    assert Reading().to_dict() == {}
    assert Reading.from_dict({}) == Reading()


@pytest.mark.parametrize(("data", "text"), [
    ({"lable": "x"}, ("a reading must have entries of label, without, categories, only, split, size, frames, not "
                       "{'lable': 'x'}")),
    ([], "a reading must have entries of label, without, categories, only, split, size, frames, not []"),
    ({"label": 3}, "the entries of a reading must be texts, not {'label': 3}"),
    ({"without": "id"}, "the entries of a reading must be texts, not {'without': 'id'}"),
    ({"size": "28x28"}, ("the size of images must be written HEIGHTxWIDTHxCHANNELS, as 28x28x1 for grey or 32x32x3 for "
                        "colours, sides of at most 1024, not '28x28'")),
    ({"size": "2000x28x1"}, ("the size of images must be written HEIGHTxWIDTHxCHANNELS, as 28x28x1 for grey or 32x32x3 for "
                            "colours, sides of at most 1024, not '2000x28x1'")),
    ({"frames": "cut:3"}, "frames of recordings must be a number from 1 to 65536, as 32, or pad:32 to pad them, not 'cut:3'"),
])
def test_what_is_no_reading(data, text):
    with pytest.raises(InputError, match=refusal(text)):
        Reading.from_dict(data)


def test_a_collection_becomes_samples_by_its_split():
    values = np.arange(20.0).reshape(10, 2)
    collection = Collection(name="c", kind="table", values=values, labels=list("aabbaabbab"), source="drawn",
                            columns={"t": list(range(10))})
    samples = collection.split(Split.parse("time:t"))
    assert samples.test_values.tolist() == values[8:].tolist()
    assert samples.test_labels == ["a", "b"]
    assert samples.divided
    assert samples.source == "drawn; split by the time t, fold 1 of 5 from the last is tested on"
    assert len({collection.split(Split.parse(text)).sha256 for text in ("stratified", "stratified:2/5", "time:t", "all")}) == 4
