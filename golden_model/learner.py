"""``Learner``: what a network that infers and learns can do, whatever computes it."""
from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy.typing as npt

from golden_model.fixed_point import Array
from golden_model.network import Network
from golden_model.parameters import Parameters


@runtime_checkable
class Learner(Protocol):
    """A network that infers and learns.

    The definition (``Model``), the compiled engine (``CompiledModel``), simulated hardware (``sim.rtl_model.RtlModel``) and a
    board (``boards.connection.Connection``) have this in common. In fixed arithmetic the same words come out of all of them.

    Images are bytes (images, inputs): uint8, or whole numbers 0..255 in an array of another type or in lists. Labels are whole
    numbers (images,), outputs of the network. All methods raise an ``InputError`` for others, and simulated hardware and boards
    a ``DeviceError`` if the core does not answer.
    """

    network: Network

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt: int64 in the network's formats, or reals in float arithmetic."""

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes): int64 in ``formats.displacement``, or reals in float arithmetic."""

    def predict(self, images: npt.ArrayLike) -> Array:
        """Classes (images,), int64: the greatest output, the first of equals."""

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order at the rates of ``epoch`` (0, 1, ...).

        Returns
        -------
        Classes (images,), int64: that of each image just before it was learnt.
        """
