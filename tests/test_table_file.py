"""Tables as text and in Parquet: what is read is what was written, and what is wrong is named by its line and column."""
from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from golden_model.data import parquet_file, table_file
from golden_model.data.datasets import read
from golden_model.data.reading import Reading
from golden_model.data.splits import Split
from golden_model.errors import InputError
from letters import refusal

TEXT = "T,p,class,day\n20.5,1013,sun,1\n-3e1, ?,rain,2\n\n1,NaN,sun,3\n"


def written(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(("text", "name"), [
    (TEXT, "t.csv"), (TEXT.replace(",", ";"), "t.csv"), (TEXT.replace(",", "\t"), "t.tsv"), ("\ufeff" + TEXT, "t.csv"),
    (TEXT.replace("\n", "\r\n"), "T.CSV"), (TEXT.replace("sun", '"sun"'), "t.csv")])
def test_text_in_its_spellings(tmp_path, text, name):
    collection = table_file.read(written(tmp_path, text, name), "t", Reading(split=Split.parse("time:day")))
    assert collection.features == ("T", "p")
    assert np.array_equal(collection.values, [[20.5, 1013], [-30, math.nan], [1, math.nan]], equal_nan=True)
    assert list(collection.labels) == ["sun", "rain", "sun"]
    assert collection.columns == {"day": [1, 2, 3]}
    assert collection.kind == "table"


def test_columns_by_name(tmp_path):
    path = written(tmp_path, TEXT.replace("class", "sky"))
    collection = table_file.read(path, "t", Reading(label="sky", without=("day",)))
    assert (collection.features, collection.columns) == (("T", "p"), {})
    assert table_file.read(written(tmp_path, "a,Label\n1,3\n2,-4\n"), "t", Reading()).labels == [3, -4]


@pytest.mark.parametrize(("text", "reading", "sentence"), [
    ("", Reading(), "must begin with a line that names each of its columns, two or more, not []; add it"),
    ("1,2\n3,4\n", Reading(), "must begin with a line that names each of its columns, two or more, not ['1', '2']; add it"),
    ("a,a,class\n", Reading(), "must have a name of its own for each column, but 'a' is there twice; rename one"),
    ("a,b\n1,x\n", Reading(), ("must have a column label, class or target, but has 'a', 'b'; name the one with the classes by "
                              "--label")),
    ("a,class\n1,x\n", Reading(label="kind"), "must have the column 'kind', but has 'a', 'class'; mend the name"),
    ("a,class\n1,x\n", Reading(without=("b",)), "must have the column 'b', but has 'a', 'class'; mend the name"),
    ("a,class\n1,x\n", Reading(without=("class",)), ("the column 'class' of the classes must be neither left out nor that of "
                                                    "the split; choose another")),
    ("a,class\n1,x\n", Reading(without=("a",)), ("must have a column beside 'class' that says something of the samples, but "
                                                "has none")),
    ("a,class\n1,x\nred,y\n", Reading(), ("must have numbers in column 'a', but line 3 has 'red'; name it in "
                                         "--categories if it has names, or leave it out by --without")),
    ("a,class\n1,x\n", Reading(categories=("b",)), "must have the column 'b', but has 'a', 'class'; mend the name"),
    ("a,class\n1,x\n", Reading(categories=("class",)), ("the column 'class' of --categories must be one of the values, not "
                                                        "that of classes or split or one that is left out; choose another")),
    ("a,class\n,x\n?,y\n", Reading(categories=("a",)), ("the column 'a' of --categories must have 1 to 256 different names, "
                                                        "not 0; leave it out by --without, or take it as numbers")),
    ("a;class\n1,5;x\n", Reading(), ("must have numbers with a point in column 'a', but line 2 has '1,5'; save it with "
                                     "points")),
    ("a,class\n1,x\n2\n", Reading(), "must have 2 values in each line, as its header, but line 3 has 1; mend the line"),
    ("a,class\n1,\n", Reading(), "must have a class in column 'class' of each line, but line 2 has none; leave the line out"),
    ("a,class\n\n", Reading(), "must have a line for each sample below its header, but has none; add some"),
    (b"a,class\n1,\xff\n", Reading(), "must be text in UTF-8, but is not; save it so"),
    ('a,class\n1,"x\n', Reading(), "must be a table as text, but: unexpected end of data; save it anew"),
])
def test_what_is_no_table(tmp_path, text, reading, sentence):
    path = written(tmp_path, text)
    subject = "" if sentence.startswith("the column") else f"{path} "
    with pytest.raises(InputError, match=refusal(subject + sentence)):
        table_file.read(path, "t", reading)


def test_a_file_that_is_too_large_is_not_opened(tmp_path, monkeypatch):
    path = written(tmp_path, TEXT)
    monkeypatch.setattr(table_file, "MOST_BYTES", 10)
    with pytest.raises(InputError, match=refusal(f"{path} must have at most 10 bytes, not {len(TEXT)}; split it, or save it as "
                                                 "Parquet or .npz")):
        table_file.read(path, "t", Reading())


def test_parquet_and_text_read_alike(tmp_path):
    table = pyarrow.table({"T": [20.5, -30, 1], "p": [1013, None, None], "ok": [True, False, True],
                           "class": ["sun", "rain", "sun"], "day": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "t.parquet")
    reading = Reading(split=Split.parse("time:day"))
    there = parquet_file.read(tmp_path / "t.parquet", "t", reading)
    text = TEXT.replace("class", "ok,class").replace("sun", "1,sun").replace("rain", "0,rain")
    here = table_file.read(written(tmp_path, text), "t", reading)
    assert np.array_equal(there.values, here.values, equal_nan=True)
    assert (there.features, list(there.labels), there.columns) == (here.features, list(here.labels), here.columns)
    assert read(str(tmp_path / "t.parquet"), reading).test_labels == ["sun"]


def test_what_is_no_table_in_parquet(tmp_path, monkeypatch):
    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"a": ["red"], "class": ["x"]}), path)
    with pytest.raises(InputError, match=refusal(f"{path} must have numbers in column 'a', not string; name it in "
                                                 "--categories if it has names, or leave it out by --without")):
        parquet_file.read(path, "t", Reading())
    parquet.write_table(pyarrow.table({"a": [1, 2], "class": ["x", None]}), path)
    with pytest.raises(InputError, match=refusal(f"{path} must have a class in column 'class' of each row, but row 1 has none; "
                                                 "leave the row out")):
        parquet_file.read(path, "t", Reading())
    monkeypatch.setattr(parquet_file, "MOST_VALUES", 3)
    with pytest.raises(InputError, match=refusal(f"{path} must have 1 to 3 values, but declares 2 rows of 2; split it")):
        parquet_file.read(path, "t", Reading())
    path.write_bytes(b"PAR1 but no more")
    with pytest.raises(InputError, match=f"^{path} must be a Parquet file that can be read, but: "):
        parquet_file.read(path, "t", Reading())
