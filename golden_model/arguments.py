"""What callers hand to a network that learns, checked in one place in front of every engine, simulation and board.

NumPy's whole numbers are taken like Python's, and lists like arrays; truth values are refused, because they are a mistake.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import parameters
from golden_model.errors import InputError
from golden_model.fixed_point import Array
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.sections import brief


def begun(network: Network, arithmetic: str, values: Parameters | None) -> Parameters:
    """The parameters that a model begins with: ``values``, checked, or the random ones of the network's seed.

    Raises
    ------
    InputError
        If the network is none, ``arithmetic`` not "float" or "fixed", or the parameters are of another network.
    """
    if not isinstance(network, Network):
        raise InputError(f"the network must be a Network, not {type(network).__name__}; make one with Network(layers=...) or "
                         "Network.from_toml")
    start = parameters.initial(network, arithmetic) if values is None else values
    parameters.check(network, arithmetic, start)
    return start


def lesson(network: Network, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int) -> tuple[Array, Array, int]:
    """What is to be learnt: images (images, inputs) uint8, labels (images,) int64, and the epoch whose rates apply.

    Raises
    ------
    InputError
        For the first of them that cannot be used.
    """
    array = check_images(network, images)
    return array, check_labels(network, array, labels), check_epoch(epoch)


def check_images(network: Network, images: npt.ArrayLike) -> Array:
    """``images`` as uint8 (images, inputs) if they are bytes, one for each input of this network."""
    array = _array(images, "images")
    if array.ndim != 2 or array.shape[1] != network.layers[0] or array.dtype.kind not in "iu":
        raise InputError(f"images must be uint8 of shape (images, {network.layers[0]}), "
                         f"not {array.dtype} of shape {array.shape}")
    if array.dtype != np.uint8:
        if array.size and not 0 <= array.min() <= array.max() <= 255:
            wrong = array.min() if array.min() < 0 else array.max()
            raise InputError(f"images must be bytes, whole numbers 0..255, not {wrong}; scale them")
        array = array.astype(np.uint8)
    return array


def check_labels(network: Network, images: Array, labels: npt.ArrayLike) -> Array:
    """``labels`` as int64 if there is one for each image and each is an output of this network.

    ``labels`` (images,), whole numbers; ``images`` (images, inputs).
    """
    array = _array(labels, "labels")
    if array.size == 0 and array.ndim == 1:
        array = array.astype(np.int64)                        # of an empty list
    if array.shape != images.shape[:1] or array.dtype.kind not in "iu":
        raise InputError(f"labels must be integers of shape {images.shape[:1]}, not {array.dtype} of shape {array.shape}")
    if array.size and not 0 <= array.min() <= array.max() < network.layers[-1]:
        wrong = array.min() if array.min() < 0 else array.max()
        raise InputError(f"labels must be outputs 0..{network.layers[-1] - 1} of this network, not {wrong}")
    return array.astype(np.int64)


def check_epoch(epoch: int) -> int:
    """``epoch`` if it is one: 0, 1, ... After the last of the rate schedule the rates stay as they are."""
    return _count(epoch, "epoch", 0, "the first is 0")


def check_threads(threads: int) -> int:
    """``threads`` if there can be so many."""
    return _count(threads, "threads", 1, "None stands for one for each core")


def _count(value: Any, name: str, least: int, remedy: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise InputError(f"{name} must be a whole number, {least} or more, not {brief(value)}; {remedy}")
    return int(value)


def _array(values: npt.ArrayLike, name: str) -> Array:
    try:
        return np.asarray(values)
    except ValueError:                                        # NumPy's sentence is about its own terms
        raise InputError(f"{name} must be an array or a list whose rows have one length, but they differ; cut or fill "
                         f"them") from None
