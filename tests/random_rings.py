"""Hypothesis strategies and random samples of neurons in reals: any couplings, any rest values, any populations of entry."""

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from golden_model.network import Neuron
from golden_model.theory.neuron import (
    Ring,
)

DEFAULT = Ring.of(Neuron())
NONE = np.zeros(5)                                        # no drive


def five(low, high):
    return arrays(np.float64, 5, elements=st.floats(low, high))


def rings(least_K3=0.1):
    """One neuron with any couplings and any rest values, and any input and output population."""
    return st.builds(Ring, K1=five(-2, 2), K2=five(-2, 2), K3=five(least_K3, 2), rest=five(0.25, 4),
                     input_population=st.integers(0, 4), output_population=st.integers(0, 4))


def states(least=0.05):
    """Populations as multiples of rest: a state is rest * (multiple - 1)."""
    return five(least, 4)


def random_rings(seed, count, K3=(0.3, 1.5), K=(-1.0, 1.0)):
    """``count`` neurons with their own K and rest values, as one ring of arrays (5, count)."""
    rng = np.random.default_rng(seed)
    return rng, Ring(K1=rng.uniform(*K, (5, count)), K2=rng.uniform(*K, (5, count)), K3=rng.uniform(*K3, (5, count)),
                     rest=rng.uniform(0.5, 2, (5, count)))


properties = settings(deadline=None, max_examples=60, derandomize=True)
