"""``Model``: a network with its parameters, inferring and learning in plain NumPy. This is the definition.

``golden_model.engine.CompiledModel`` computes the same bits faster.
"""
from __future__ import annotations

import numpy as np
import numpy.typing as npt

from golden_model import instincts, learning, parameters
from golden_model.arguments import begun, check_images, lesson
from golden_model.arithmetic import Array, Observer, create_arithmetic
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.wirings import LayerState, masks


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
        start = begun(network, arithmetic, values)
        self.network = network
        self.arithmetic = create_arithmetic(network, arithmetic, observer)
        dtype = np.int64 if arithmetic == "fixed" else np.float64
        self.layers = [parameters.Layer(*(np.array(array, dtype) for array in (layer.weights, layer.bias, layer.coupling)))
                       for layer in start]
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
        for index, (wiring, layer) in enumerate(zip(self.network.wirings, self.layers, strict=True)):
            states.append(wiring.settle(self.arithmetic, x, layer, index))
            x = states[-1].outputs
        return states

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes)."""
        return self.forward(images)[-1].outputs

    def predict(self, images: npt.ArrayLike) -> Array:
        """Classes (images,): the greatest output, the first of equals."""
        return self.outputs(images).argmax(axis=1)

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order, ``network.learning.batch`` between updates.

        ``images`` (images, inputs), ``labels`` (images,).

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
        outputs, last, frozen = states[-1].outputs, len(self.layers) - 1, self.network.learning.frozen
        error = learning.output_error(self.arithmetic, outputs, labels, last)
        erring = np.any(error, axis=1)
        for index in range(last, frozen - 1, -1):
            wiring, layer, state = self.network.wirings[index], self.layers[index], states[index]
            r = wiring.settle_reverse(self.arithmetic, state, error, layer, index)
            if index > frozen:                               # with the old weights, before they learn
                error = wiring.error_before(self.arithmetic, r, layer, index)
            self.layers[index] = learning.update(self.arithmetic, wiring, layer, state, r, index, epoch, self._memory[index],
                                                 self._masks[index], erring)
        return outputs.argmax(axis=1)
