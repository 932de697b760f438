"""``Model``: a network with its parameters, inferring and learning in plain NumPy. This is the definition.

``golden_model.engine.CompiledModel`` computes the same bits faster.
"""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from golden_model import arithmetic as arithmetics
from golden_model import circuits, instincts, learning, links, parameters, reciprocal
from golden_model.arguments import begun, check_images, lesson
from golden_model.arithmetic import Array, Observer
from golden_model.network import Network
from golden_model.parameters import Layer, Parameters
from golden_model.wiring import masks


@dataclass
class LayerState:
    """What one layer knows of a batch: its inputs (images, M) and settled displacements (5, images, N).

    ``course``: how a recurrent layer came there.
    """

    inputs: Array
    displacement: Array
    course: reciprocal.Course | None = None


class Model:
    """A network that infers and learns.

    Parameters
    ----------
    network : Network
    arithmetic : "float" or "fixed"
    values : Parameters, optional
        Parameters to start from; by default the random ones of ``network.seed``. They are copied.
    observer : callable, optional
        See ``golden_model.arithmetic.Fixed``.

    What pid instincts remember begins at zero, lasts as long as the model and belongs to no model file.
    """

    def __init__(self, network: Network, arithmetic: str, values: Parameters | None = None,
                 observer: Observer | None = None) -> None:
        given = begun(network, arithmetic, values)
        self.network = network
        self.arithmetic = arithmetics.create(network, arithmetic, observer)
        dtype = np.int64 if arithmetic == "fixed" else np.float64
        self.layers = [parameters.Layer(*(np.array(array, dtype) for array in (layer.weights, layer.bias, layer.coupling)))
                       for layer in given]
        self._memory, self._masks = instincts.fresh(network, dtype), masks(network)

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt."""
        return [layer.copy() for layer in self.layers]

    @property
    def memory(self) -> instincts.Memories:
        """A copy of what pid instincts remember."""
        return [{name: state.copy() for name, state in layer.items()} for layer in self._memory]

    def forget(self) -> None:
        """Set to zero what pid instincts remember; parameters stay."""
        self._memory = instincts.fresh(self.network, np.int64 if self.arithmetic.name == "fixed" else np.float64)

    def forward(self, images: npt.ArrayLike) -> list[LayerState]:
        """Settle every layer in turn; images are bytes (images, inputs)."""
        x = self.arithmetic.encode(check_images(self.network, images))
        states = []
        for index, layer in enumerate(self.layers):
            if index == 0 and self.network.wiring.recurrence:
                states.append(self._run(x, layer))
                x = states[0].displacement[self.network.neuron.output_element]
                continue
            drive = links.forward(self.arithmetic, x, layer.weights, layer.bias, index)
            s = circuits.settle(self.arithmetic, drive, links.each_neuron(self.arithmetic, layer.coupling, index), index)
            states.append(LayerState(x, s))
            x = s[self.network.neuron.output_element]
        return states

    def _run(self, x: Array, layer: Layer) -> LayerState:
        """The recurrent layer through all frames of the images."""
        recurrence = self.network.wiring.recurrence
        assert recurrence is not None
        if self.arithmetic.name == "fixed":
            x = x << self.network.input_shift
        frames = np.split(x, recurrence.frames, axis=1)
        weights, mutual = np.split(layer.weights, [frames[0].shape[1]], axis=1)
        drives = [links.forward(self.arithmetic, frame, weights, layer.bias, 0) for frame in frames]
        course = reciprocal.run(self.arithmetic, recurrence, drives, frames, layer.coupling, mutual, 0)
        return LayerState(x, course.states[-1], course)

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes)."""
        return self.forward(images)[-1].displacement[self.network.neuron.output_element]

    def predict(self, images: npt.ArrayLike) -> Array:
        """Classes (images,): the greatest output, the first of equals."""
        return self.outputs(images).argmax(axis=1)

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order, ``network.learning.batch`` between updates.

        Returns
        -------
        The class each image was given just before it was learnt.
        """
        images, labels, epoch = lesson(self.network, images, labels, epoch)
        batch = self.network.learning.batch
        return np.concatenate([self._learn_batch(images[start:start + batch], labels[start:start + batch], epoch)
                               for start in range(0, len(labels), batch)] or [np.zeros(0, np.int64)])

    def _learn_batch(self, images: Array, labels: Array, epoch: int) -> Array:
        states = self.forward(images)
        neuron, last = self.network.neuron, len(self.layers) - 1
        outputs = states[-1].displacement[neuron.output_element]
        error = learning.output_error(self.arithmetic, outputs, labels, last)
        frozen, erring = self.network.learning.frozen, np.any(error, axis=1)
        for index in range(last, frozen - 1, -1):
            layer, state = self.layers[index], states[index]
            if state.course is not None:
                mutual = layer.weights[:, -len(layer.bias):]
                signals = reciprocal.run_reverse(self.arithmetic, state.course, error, layer.coupling, mutual, index)
                self.layers[index] = learning.update_recurrent(self.arithmetic, layer, state.course, signals, epoch,
                                                               self._memory[index], erring)
                continue
            coupling = links.each_neuron(self.arithmetic, layer.coupling, index)
            r = circuits.settle_reverse(self.arithmetic, state.displacement, error, coupling, index)
            if index > frozen:                               # with the old weights, before they learn
                error = links.reverse(self.arithmetic, r[neuron.input_element], layer.weights, index - 1)
            self.layers[index] = learning.update(self.arithmetic, layer, state.inputs, state.displacement, r, index, epoch,
                                                 self._memory[index], self._masks[index], erring)
        return outputs.argmax(axis=1)
