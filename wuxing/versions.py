"""Versions of what computes a result, for the records that are kept beside it."""
from __future__ import annotations

import platform
from importlib import metadata


def versions() -> dict[str, str]:
    """Of what computes: this package, Python, NumPy, Numba."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in ("wuxing", "numpy", "numba")}}
