"""Training: epochs of learning in a random order, interruptible between complete epochs.

Everything random follows from ``network.seed`` and the epoch alone, so float and fixed see the same images in the same
order: the order of epoch t is the permutation of ``default_rng([seed, 1, t])``, and the offsets of shifted images are
drawn from ``default_rng([seed, 2, t])`` in that order, the pixels that input dropout loses from
``default_rng([seed, 3, t])``, with weights of images what is left to chance of them from ``default_rng([seed, 4, t])``, and
the tosses for images that are flipped, before they are shifted, from ``default_rng([seed, 5, t])``, and the rectangles that are
erased from images, after they are shifted, from ``default_rng([seed, 6, t])``.
"""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Array
from golden_model.data import datasets, transforms
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.fixed_point import narrow
from golden_model.learner import Learner
from golden_model.model import Model
from golden_model.network import Network
from golden_model.parameters import Layer, Parameters

AnyModel = Model | CompiledModel
Engine = Callable[[Network, str, Parameters | None], Learner]

ORDER_STREAM, SHIFT_STREAM, DROPOUT_STREAM, WEIGHTS_STREAM, FLIP_STREAM, ERASE_STREAM = range(1, 7)    # 0 draws the first links
CHUNK = 2000                              # images between two reports of progress, about; Ctrl-C is heard there


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One complete pass over the training images.

    ``epoch``: 0, 1, ... ``online_accuracy``: per cent of the images that were right just before they were learnt.
    ``test_accuracy``: per cent of the test images after the epoch; None if not asked for, or interrupted just then.
    ``images_per_second``: of learning alone, without evaluation, shifting or compilation.
    """

    epoch: int
    online_accuracy: float
    test_accuracy: float | None
    images_per_second: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """What a training gave: the parameters and one record for each complete epoch."""

    parameters: Parameters
    epochs: list[Epoch]
    interrupted: bool = False

    @property
    def complete_epochs(self) -> int:
        return len(self.epochs)

    @property
    def images_per_second(self) -> float:
        """Of all complete epochs together (each has the same number of images)."""
        return len(self.epochs) / sum(1 / epoch.images_per_second for epoch in self.epochs)


def train(network: Network, arithmetic: str, dataset: Dataset, *, values: Parameters | None = None, shift: int = 0,
          flip: bool = False, erase: int = 0, weights: npt.ArrayLike | None = None, evaluate_each_epoch: bool = False,
          engine: Engine = CompiledModel,
          on_progress: Callable[[int, int, int, int], None] | None = None,
          on_epoch: Callable[[Epoch], None] | None = None) -> Training:
    """Train for ``network.learning.epochs`` epochs.

    Parameters
    ----------
    network, arithmetic
        What to train, in "float" or "fixed".
    dataset : Dataset
    values : Parameters, optional
        Where to start; by default the random parameters of ``network.seed``.
    shift : int
        Most pixels by which an image is moved at random before it is learnt, anew in each epoch.
    flip : bool
        Whether half of the images, drawn anew in each epoch, are learnt as in a mirror, left for right.
    erase : int
        Most pixels in height and in width of a rectangle of zeros that covers a part of half of the images as they are learnt,
        drawn anew in each epoch (``transforms.erased``); 0: none.
    weights : reals (images,), optional
        How often each training image is learnt in an epoch: as often as the whole part says, and once more with the chance of
        the rest. By default once.
    evaluate_each_epoch : bool
        Whether to measure the accuracy on the test images after each epoch. Nothing depends on it.
    engine : callable(network, arithmetic, values)
        ``CompiledModel``, ``Model``, or what gives another ``Learner`` that begins with these values.
    on_progress : callable(epoch, images_done, images_total, right_so_far), optional
    on_epoch : callable(Epoch), optional

    Returns
    -------
    Training
        Its parameters are the mean of those at the end of the last ``network.learning.averaged_epochs`` epochs: for integers
        the exact mean rounded half up, for reals the mean in float64, rounded to the model's type. With
        ``learning.dropout`` the first layer's links are then scaled by 1 - dropout, because no pixel is lost any more.

        A ``KeyboardInterrupt`` ends the training with ``interrupted`` True and the parameters of the last complete epoch,
        or the mean over those of the epochs to be averaged that are complete.

    Raises
    ------
    InputError
        If data set, network and values do not fit each other, weights are negative, not finite or all 0, or a frozen first
        layer would lose pixels.
    KeyboardInterrupt
        If no epoch is complete.
    """
    _check(network, dataset, shift, erase)
    times = _weights(weights, len(dataset.train_labels))
    model = engine(network, arithmetic, values)
    first_averaged = network.learning.epochs - network.learning.averaged_epochs
    done: tuple[_Sum, list[Epoch]] | None = None              # one object, so that an interrupt finds both or neither
    try:
        model.learn(dataset.train_images[:0], dataset.train_labels[:0], 0)   # compiles before the clock runs
        for epoch in range(network.learning.epochs):
            record = _pass(model, network, dataset, times, shift, flip, erase, epoch, on_progress)
            before, records = done if done is not None else (None, [])
            total = _Sum.of(model.parameters, before if epoch > first_averaged else None)
            done = total, [*records, record]
            if evaluate_each_epoch:
                whole = engine(network, arithmetic, all_pixels(network, arithmetic, model.parameters))
                record = replace(record, test_accuracy=accuracy(whole, dataset.test_images, dataset.test_labels))
                done = total, [*records, record]
            if on_epoch is not None:
                on_epoch(record)
    except KeyboardInterrupt:
        if done is None:
            raise
        return Training(parameters=all_pixels(network, arithmetic, done[0].mean()), epochs=done[1], interrupted=True)
    assert done is not None                                   # the description has at least one epoch
    return Training(parameters=all_pixels(network, arithmetic, done[0].mean()), epochs=done[1])


def _check(network: Network, dataset: Dataset, shift: int, erase: int) -> None:
    """Raise an ``InputError`` unless such a training can begin."""
    datasets.check_fits(dataset, network)
    height, width = dataset.image_shape
    if not 0 <= shift < min(height, width):
        raise InputError(f"images of {height}x{width} must be shifted by at most 0 to {min(height, width) - 1} pixels, "
                         f"not {shift}")
    transforms.check_erased(dataset.image_shape, erase)
    if network.learning.frozen and network.learning.dropout:
        raise InputError(f"learning.dropout must be 0 when the first layer is frozen, not {network.learning.dropout:g}, "
                         "because its links did not learn to do without the lost pixels; set dropout or frozen to 0")


def all_pixels(network: Network, arithmetic: str, parameters: Parameters) -> Parameters:
    """Parameters for images that lose no pixel, from those learnt with dropout: the first links times 1 - dropout."""
    keep = 1 - network.learning.dropout
    if keep == 1:
        return parameters
    first: Array = parameters[0].weights * keep
    if arithmetic == "fixed":
        first = narrow(np.floor(first + 0.5).astype(np.int64), 0, network.formats.weight)
    scaled = replace(parameters[0], weights=first.astype(parameters[0].weights.dtype))
    return [scaled, *parameters[1:]]


def accuracy(model: Learner, images: Array, labels: Array) -> float:
    """Per cent of the images that the model gives their label. ``images`` (images, inputs), ``labels`` (images,)."""
    return percentage(model.predict(images) == labels)


def percentage(right: npt.NDArray[Any]) -> float:
    """Per cent of the entries that are true; 0 of none. ``right`` (entries,)."""
    return 100 * float(np.count_nonzero(right)) / max(len(right), 1)


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> list[list[int]]:
    """Counts of images by label (row) and prediction (column). ``labels``, ``predictions`` (images,), int64."""
    counts: list[list[int]] = np.bincount(labels * classes + predictions, minlength=classes**2).reshape(classes, -1).tolist()
    return counts


def presented(weights: npt.NDArray[np.float64], seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The images of an epoch, each as often as its weight says, in their order. ``weights`` (images,), 0 or more."""
    whole = np.floor(weights)
    chances = np.random.default_rng([seed, WEIGHTS_STREAM, epoch]).random(len(weights))
    return np.repeat(np.arange(len(weights)), (whole + (chances < weights - whole)).astype(np.int64))


def changed(images: npt.NDArray[np.uint8], image_shape: tuple[int, int], seed: int, epoch: int, *, shift: int,
            flip: bool, erase: int = 0) -> npt.NDArray[np.uint8]:
    """The images of an epoch, in their order, flipped, shifted and erased as ``train`` does it. ``images`` (n, pixels)."""
    if flip:
        images = transforms.flipped(images, image_shape, np.random.default_rng([seed, FLIP_STREAM, epoch]))
    if shift:
        images = transforms.shift(images, image_shape, np.random.default_rng([seed, SHIFT_STREAM, epoch]), shift)
    if erase:
        images = transforms.erased(images, image_shape, np.random.default_rng([seed, ERASE_STREAM, epoch]), erase)
    return images


def _weights(weights: npt.ArrayLike | None, count: int) -> npt.NDArray[np.float64] | None:
    if weights is None:
        return None
    array = np.asarray(weights, np.float64)
    if array.shape != (count,) or not np.isfinite(array).all() or not (array >= 0).all() or not array.any():
        raise InputError(f"weights must be {count} finite numbers, one for each training image, none negative and not all 0")
    return array


def _pass(model: Learner, network: Network, dataset: Dataset, weights: npt.NDArray[np.float64] | None, shift: int, flip: bool,
          erase: int, epoch: int, on_progress: Callable[[int, int, int, int], None] | None) -> Epoch:
    seed, batch = network.seed, network.learning.batch
    chosen = np.arange(len(dataset.train_labels)) if weights is None else presented(weights, seed, epoch)
    count = len(chosen)
    order = chosen[np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(count)]
    images = dataset.train_images
    as_they_are = not (flip or shift or erase)
    if not as_they_are:
        images = changed(images[order], dataset.image_shape, seed, epoch, shift=shift, flip=flip, erase=erase)
    losses = np.random.default_rng([seed, DROPOUT_STREAM, epoch])
    dropout = np.float32(network.learning.dropout)
    step = max(CHUNK // batch, 1) * batch                     # whole batches, so that chunks change no bit
    right, seconds = 0, 0.0
    for start in range(0, count, step):
        part = order[start:start + step]
        chunk = images[part] if as_they_are else images[start:start + step]
        if dropout:
            chunk = chunk * (losses.random(chunk.shape, dtype=np.float32) >= dropout)
        labels = dataset.train_labels[part]
        began = time.perf_counter()
        predictions = model.learn(chunk, labels, epoch)
        seconds += time.perf_counter() - began
        right += int(np.count_nonzero(predictions == labels))
        if on_progress is not None:
            on_progress(epoch, start + len(part), count, right)
    return Epoch(epoch=epoch, online_accuracy=100 * right / max(count, 1), test_accuracy=None,
                 images_per_second=max(count, 1) / max(seconds, 1e-9))


@dataclass(frozen=True)
class _Sum:
    """Exact sum (float64 or int64) of the parameters of ``count`` epochs, and the latest of them."""

    latest: Parameters
    total: Parameters
    count: int

    @classmethod
    def of(cls, latest: Parameters, before: _Sum | None) -> _Sum:
        if before is None:
            return cls(latest, latest, 1)
        total = [Layer(*(_wide(old) + _wide(new) for old, new in zip(_arrays(a), _arrays(b), strict=True)))
                 for a, b in zip(before.total, latest, strict=True)]
        return cls(latest, total, before.count + 1)

    def mean(self) -> Parameters:
        if self.count == 1:
            return self.latest
        return [Layer(*(_mean(array, self.count, like.dtype) for array, like in zip(_arrays(a), _arrays(b), strict=True)))
                for a, b in zip(self.total, self.latest, strict=True)]


def _arrays(layer: Layer) -> tuple[Array, Array, Array]:
    return layer.weights, layer.bias, layer.coupling


def _wide(array: Array) -> Array:
    return array if array.dtype == np.int64 else array.astype(np.float64)


def _mean(total: Array, count: int, dtype: npt.DTypeLike) -> Array:
    if total.dtype == np.int64:
        return (2 * total + count) // (2 * count)             # half up, as everywhere in the contract
    return (total / count).astype(dtype)
