"""Versions of what computes a result, for the records that are kept beside it."""
from __future__ import annotations

import platform
from importlib import metadata

COMPUTING = ("wuxing", "numpy", "numba")  # what every result depends on


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of these packages, by default those of ``COMPUTING``."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in packages or COMPUTING}}
