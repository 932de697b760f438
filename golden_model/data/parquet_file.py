"""Tables in Parquet, which pyarrow reads."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from golden_model.data import table_file
from golden_model.data.categories import codes_of, names_of
from golden_model.data.reading import Collection, Reading
from golden_model.errors import InputError, ToolError
from golden_model.sections import brief

SUFFIXES = (".parquet",)
MOST_VALUES = 1 << 27                     # of a table, a GiB of float64


def read(path: Path, name: str, reading: Reading) -> Collection:
    """The samples of a Parquet file, one row each; columns of numbers, and one of texts or numbers with the classes.

    Raises
    ------
    InputError
        Names the file and the column, what they must be, what was found, and the remedy.
    ToolError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ToolError("Parquet files must be read by the package pyarrow, which is not installed; pip install "
                        "'wuxing[parquet]', or save the table as .csv") from None
    try:
        with parquet.ParquetFile(path) as file:
            rows, header = file.metadata.num_rows, list(file.schema_arrow.names)
            table_file.check_header(header, str(path))
            label, beside = table_file.roles(header, reading, str(path))
            features = table_file.features_of(header, reading, label, beside)
            if not 1 <= rows * len(header) <= MOST_VALUES:
                raise InputError(f"{path} must have 1 to {MOST_VALUES} values, but declares {rows} rows of {len(header)}; "
                                 f"split it")
            for each in features:
                kind = file.schema_arrow.field(each).type
                if each not in reading.categories and not (
                        pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind)):
                    raise InputError(f"{path} must have numbers in column {brief(each)}, not {kind}; name it in "
                                     f"--categories if it has names, or leave it out by --without")
            table = file.read([*features, label, *beside])
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{path} must be a Parquet file that can be read, but: {str(error)[:200]}; save it anew") from None
    entries = {each: [None if value is None else str(value) for value in table[each].to_pylist()]
               for each in reading.categories}
    names = {each: names_of([text for text in entries[each] if text is not None], each) for each in entries}
    values = np.column_stack([codes_of(entries[each], names[each]) if each in names
                              else table[each].cast(pyarrow.float64(), safe=False).to_numpy() for each in features])
    texts: dict[str, list[Any]] = {each: table[each].to_pylist() for each in (label, *beside)}
    if None in texts[label]:
        raise InputError(f"{path} must have a class in column {brief(label)} of each row, but row {texts[label].index(None)} "
                         "has none; leave the row out")
    columns = {each: [value if isinstance(value, (int, float)) else str(value) for value in texts[each]] for each in beside}
    return Collection(name=name, kind="table", values=values, labels=texts[label], features=tuple(features), columns=columns,
                      categories=tuple(names.get(each, ()) for each in features) if names else (),
                      source=f"{rows:,} rows of {path.name}")
