"""What it means that two networks have learnt the same: bit by bit, to the rounding of reals, and out of a file."""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from golden_model.engine import CompiledModel
from golden_model.fixed_point import Array
from golden_model.model import Model
from golden_model.network import Network
from golden_model.storage import model_file

ARRAYS = ("weights", "bias", "coupling")
Learner = Model | CompiledModel


def same(a: Learner, b: Learner) -> None:
    """The same words in parameters and in what instincts remember."""
    for layer, (one, other) in enumerate(zip(a.parameters, b.parameters, strict=True)):
        for name in ARRAYS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=f"{name} of layer {layer}")
    for layer, (before, after) in enumerate(zip(a.memory, b.memory, strict=True)):
        assert before.keys() == after.keys()
        for name in before:
            for word in ("integral", "previous"):
                np.testing.assert_array_equal(getattr(before[name], word), getattr(after[name], word),
                                              err_msg=f"{word} of {name} of layer {layer}")


def same_bits_learnt(model: Model, compiled: CompiledModel, images: Array, labels: Array, epochs: Iterable[int]) -> None:
    """Definition and engine learn these images in these epochs, and never differ in a class, a word or an output."""
    for epoch in epochs:
        np.testing.assert_array_equal(compiled.learn(images, labels, epoch), model.learn(images, labels, epoch))
        same(model, compiled)
    np.testing.assert_array_equal(compiled.outputs(images), model.outputs(images))


def same_to_float32(network: Network, images: Array, labels: Array, tolerance: float = 2e-5) -> None:
    """Definition and engine, in reals, learn these images and differ by the rounding of float32 alone."""
    model, engine = Model(network, "float"), CompiledModel(network, "float", threads=1)
    before = engine.parameters
    model.learn(images, labels)
    engine.learn(images, labels)
    for start, one, other in zip(before, model.parameters, engine.parameters, strict=True):
        assert np.abs(other.weights - start.weights).max() > 10 * tolerance, "it must have learnt, or equality shows little"
        for name in ARRAYS:
            np.testing.assert_allclose(getattr(other, name), getattr(one, name), atol=tolerance)
    np.testing.assert_allclose(engine.outputs(images), model.outputs(images), atol=5 * tolerance)


def same_out_of_a_file(network: Network, images: Array, labels: Array, path: Path) -> None:
    """What was learnt in either arithmetic comes back whole from a model file and says the same of images."""
    for arithmetic in ("fixed", "float"):
        model = CompiledModel(network, arithmetic, threads=1)
        model.learn(images, labels)
        model_file.save(path, network, arithmetic, model.parameters, {})
        content = model_file.load(path)
        assert (content.network, content.arithmetic) == (network, arithmetic)
        again = CompiledModel(content.network, arithmetic, content.parameters, threads=1)
        same(model, again)
        np.testing.assert_array_equal(again.outputs(images), model.outputs(images))
