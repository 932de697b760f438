"""To be imported before matplotlib: its folder (a list of fonts) is a part of our cache, unless ``MPLCONFIGDIR`` names one.

A ``matplotlibrc`` of the user is then not read: pictures are the same everywhere. Where matplotlib is imported already, as in a
notebook, it keeps what it has.
"""
from __future__ import annotations

import os
import sys
from contextlib import suppress

from golden_model.errors import InputError
from golden_model.storage import cache

VARIABLE = "MPLCONFIGDIR"
if "matplotlib" not in sys.modules and not os.environ.get(VARIABLE):
    with suppress(InputError):                            # then matplotlib finds a place by itself, and says so
        os.environ[VARIABLE] = str(cache.part("matplotlib"))
