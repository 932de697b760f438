"""One value on several inputs: thermometer and population code of bytes, in exact integers.

A network is linear in its inputs up to the first neurons; a code gives each part of a value's range links of its own.
"""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden_model.data.scaling import GREATEST

Bytes = npt.NDArray[np.uint8]


def coded(values: Bytes, code: str, levels: int) -> Bytes:
    """Bytes (samples, values) as (samples, values * levels), the levels of a value beside each other.

    ``value``: as they are. Level j = 0, 1, ... of b is with the code ``thermometer`` levels * b - 255 j, clipped to 0..255, and
    with ``population`` 255 - |(levels - 1) b - 255 j|, at least 0.
    """
    if code == "value":
        return values
    places = GREATEST * np.arange(levels, dtype=np.int32)
    wide = values[:, :, None].astype(np.int32)
    answers = levels * wide - places if code == "thermometer" else GREATEST - np.abs((levels - 1) * wide - places)
    return np.clip(answers, 0, GREATEST).astype(np.uint8).reshape(len(values), -1)
