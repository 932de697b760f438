"""The ring of five populations, and the same ring read backwards."""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ELEMENTS = 5                              # Wood, Fire, Earth, Metal, Water
MIRROR = -np.arange(ELEMENTS) % ELEMENTS      # element e of the mirrored ring is element -e


def mirrored(coupling: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """K of the mirrored ring: K1'_e = K1_{1-e}, K2'_e = K2_{-e-2}, K3'_e = K3_{-e}. Shape (3, 5, ...)."""
    element = np.arange(ELEMENTS)
    return np.stack([coupling[0][(1 - element) % ELEMENTS], coupling[1][(-element - 2) % ELEMENTS], coupling[2][MIRROR]])
