"""The ring of five populations, and the same ring read backwards."""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

POPULATIONS = 5                           # Wood, Fire, Earth, Metal, Water
MIRROR = -np.arange(POPULATIONS) % POPULATIONS  # population e of the mirrored ring is population -e
MOTHER, CHILD, PREY, PREDATOR = ((np.arange(POPULATIONS) + place) % POPULATIONS for place in (-1, 1, 2, -2))   # of each


def mirrored(coupling: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """K of the mirrored ring: K1'_e = K1_{1-e}, K2'_e = K2_{-e-2}, K3'_e = K3_{-e}. Shape (3, 5, ...)."""
    population = np.arange(POPULATIONS)
    return np.stack([coupling[0][(1 - population) % POPULATIONS], coupling[1][(-population - 2) % POPULATIONS],
                     coupling[2][MIRROR]])
