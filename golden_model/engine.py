"""``CompiledModel``: the same bits as ``Model``, compiled.

``golden_model.tables`` has the types of words and what the compiled loops in ``golden_model.kernels`` read. No operation is
reordered, so results do not depend on the machine or on the number of threads.
"""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import instincts, tables
from golden_model.addresses import addresses
from golden_model.arguments import begun, check_images, check_threads, lesson
from golden_model.arithmetic import Array, create_arithmetic
from golden_model.compiling import COMPILES
from golden_model.kernels import learn
from golden_model.kernels.plan import LANES, ROWS, Calls, Instincts, Room, Store, Work
from golden_model.model import Model
from golden_model.network import PARAMETER_SETS, Network
from golden_model.parameters import Layer, Parameters, layer_shapes
from golden_model.space import Space
from golden_model.wirings import masks

SLICE = 256                                   # images that a thread infers at a time


class CompiledModel:
    """A network that infers and learns; see ``golden_model.model.Model``, whose methods these are.

    Parameters
    ----------
    network, arithmetic, values : see ``Model``.
    threads : int, optional
        For inference; by default one per core. Learning is sequential by its definition.
    """

    def __init__(self, network: Network, arithmetic: str, values: Parameters | None = None, threads: int | None = None) -> None:
        start = begun(network, arithmetic, values)
        self.network = network
        self.arithmetic = create_arithmetic(network, arithmetic)
        self.threads = (os.cpu_count() or 1) if threads is None else check_threads(threads)
        self.fixed = arithmetic == "fixed"
        own_coupling = self._brings_coupling(start)
        self._adders = not own_coupling and self._adders_suffice()
        self._types = tables.types(network, self.fixed, own_coupling)
        self._plan = tables.layer_records(network, self._types)
        self._const = tables.constants(network, self._types, self._adders)
        self._space = Space(self._plan, self._types)
        self._populations = tables.populations(network)
        self._store = self._stored(start)
        self._room: Room | None = None
        self._calls: dict[tuple[bool, bool], Calls] = {}
        self._rules: tuple[int, Instincts] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """A model that goes to another process leaves its addresses behind: there they would point anywhere."""
        return self.__dict__ | {"_calls": {}}

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt: int64, or float32."""
        result = []
        dtype = np.int64 if self.fixed else np.float32
        store = self._store
        for index, shapes in enumerate(layer_shapes(self.network)):
            coupling = np.empty(shapes["coupling"], dtype)
            coupling[:, self._populations] = self._units(store.coupling, index).reshape(3, ROWS, -1)
            result.append(Layer(_defined(self._links(store.weights, index)).astype(dtype),
                                np.array(self._units(store.bias, index).ravel(), dtype), coupling))
        return result

    @property
    def memory(self) -> instincts.Memories:
        """A copy of what pid instincts remember: int64, or float32."""
        result: instincts.Memories = []
        store = self._store
        for index, layer in enumerate(instincts.fresh(self.network, np.int64 if self.fixed else np.float32)):
            for name, memory in layer.items():
                for place, array in enumerate((memory.integral, memory.previous)):
                    if name == "links":
                        array[:] = _defined(self._links(store.links_memory[place], index))
                    elif name == "bias":
                        array[:] = self._units(store.bias_memory[place], index).ravel()
                    else:
                        words = self._units(store.coupling_memory[place, PARAMETER_SETS.index(name) - 2], index)
                        array[self._populations] = words.reshape(ROWS, -1)
            result.append(layer)
        return result

    def forget(self) -> None:
        """Set to zero what pid instincts remember; parameters stay."""
        for memory in (self._store.links_memory, self._store.bias_memory, self._store.coupling_memory):
            memory[:] = 0

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes): int64, or float32."""
        images = _read_only(check_images(self.network, images))
        outputs = np.empty((len(images), self.network.layers[-1]), self._types.word)
        plan, const, store, calls = self._plan, self._const, self._store, self._addresses(None)

        def infer(start: int) -> None:
            part = slice(start, start + SLICE)
            signals, states, courses = self._space.signals(1)
            learn.infer(images[part], outputs[part], signals[0], states[0], courses[0], plan, const, store, self._work(), calls)

        starts = range(0, len(images), SLICE)
        if self.threads == 1 or len(starts) < 2:
            for start in starts:
                infer(start)
        else:
            infer(0)                              # compiles once, before there are threads
            with ThreadPoolExecutor(self.threads) as pool:
                list(pool.map(infer, starts[1:]))
        return outputs.astype(np.int64) if self.fixed else outputs

    def predict(self, images: npt.ArrayLike) -> Array:
        """Classes (images,): the greatest output, the first of equals."""
        return self.outputs(images).argmax(axis=1)

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order; returns the class each was given just before it was learnt.

        ``images`` (images, inputs), ``labels`` (images,).
        """
        images, labels, epoch = lesson(self.network, images, labels, epoch)
        predictions = np.empty(len(labels), np.int64)
        if self._room is None:
            self._room = self._space.room(self.network.learning.batch)
        rules = self._instincts(epoch)
        learn.learn(_read_only(images), _read_only(labels), predictions, self._plan, self._const, self._store, rules,
                    self._work(), self._room, self._addresses((rules, self._room)))
        return predictions

    def _links(self, array: Array, layer: int) -> Array:
        """The part of ``array``, laid out like ``Store.weights``, that is a layer's: a view (own, inputs, neurons)."""
        here = self._plan[layer]
        own, inputs, lanes, start = here["own"], here["inputs"], here["blocks"] * LANES, here["weight_at"]
        return array[start:start + own * inputs * lanes].reshape(own, inputs, lanes)[:, :, :here["neurons"]]

    def _as_stored(self, weights: Array, layer: int) -> Array:
        """Weights, or what is in their shape, of a layer as ``_links`` has them."""
        here = self._plan[layer]
        return weights.reshape(here["own"], here["neurons"], here["inputs"]).transpose(0, 2, 1)

    def _units(self, array: Array, layer: int) -> Array:
        """The part of ``array``, its last axis laid out like ``Store.bias``, that is a layer's: a view (..., own, neurons)."""
        here = self._plan[layer]
        own, lanes, start = here["own"], here["blocks"] * LANES, here["unit_at"]
        return array[..., start:start + own * lanes].reshape(*array.shape[:-1], own, lanes)[..., :here["neurons"]]

    def _work(self) -> Work:
        """Work space, with the reciprocal links of recurrent layers as they are now, each way."""
        work = self._space.work()
        for layer, here in enumerate(self._plan if self._space.pairs else ()):
            if here["frames"]:
                neurons, lanes, at = here["neurons"], here["blocks"] * LANES, here["pair_at"]
                links = self._links(self._store.weights, layer)[0, -neurons:]
                for pairs, words in ((work.there, links), (work.back, links.T)):
                    pairs[at:at + neurons * lanes].reshape(neurons, lanes)[:, :neurons] = words
        return work

    def _addresses(self, learning: tuple[Instincts, Room] | None) -> Calls:
        """What inferring, or ``learning``, calls; to look at all types takes a hundred times as long as to infer an image."""
        key = learning is not None, len(self._store.upsets) > 0
        if key not in self._calls:
            self._calls[key] = addresses(self._plan, self._const, self._store, self._work(), learning, adders=self._adders,
                                         rounds=self.fixed and self.network.formats.bracket is not None)
        return self._calls[key]

    def _instincts(self, epoch: int) -> Instincts:
        """How parameters learn in this epoch; kept for as long as rates stay, for those who learn a few images at a time."""
        halvings = self.network.learning.halvings_before(epoch)
        if self._rules is None or self._rules[0] != halvings:
            self._rules = halvings, tables.instincts(self.network, self._types, epoch)
        return self._rules[1]

    def _brings_coupling(self, values: Parameters) -> bool:
        """Whether any K differs from the description's."""
        neuron = self.network.neuron
        one = self.network.formats.coupling.one if self.fixed else 1
        description = np.array([neuron.K1, neuron.K2, neuron.K3])[:, :, None] * one
        return any((layer.coupling != description).any() for layer in values)

    def _adders_suffice(self) -> bool:
        """Whether every K of the description is 1/2, 1/2, 1 and stays so, and the contract's bracket is twice the real one."""
        neuron, learning = self.network.neuron, self.network.learning
        usual = set(neuron.K1) == set(neuron.K2) == {0.5} and set(neuron.K3) == {1.0}
        return usual and not learning.trains_K and (not self.fixed or self.network.formats.coupling.fraction == 1)

    def _stored(self, values: Parameters) -> Store:
        plan, types = self._plan, self._types
        units = int((plan["own"] * plan["blocks"]).sum()) * LANES
        weights = np.zeros(int((plan["own"] * plan["inputs"] * plan["blocks"]).sum()) * LANES, types.held)
        bias = np.zeros(units, types.word)
        coupling = np.zeros((3, ROWS, units), types.word)
        for index, layer in enumerate(values):
            self._links(weights, index)[:] = self._as_stored(layer.weights, index)
            view = self._units(bias, index)
            view[:] = layer.bias.reshape(view.shape)
            view = self._units(coupling, index)
            view[:] = layer.coupling[:, self._populations].reshape(view.shape)
        wiring = masks(self.network)
        mask = np.zeros(0 if all(each is None for each in wiring) else len(weights), np.int8)
        for index, each in enumerate(wiring):
            if len(mask):
                self._links(mask, index)[:] = True if each is None else self._as_stored(each, index)

        def memory(name: str, shape: tuple[int, ...]) -> Array:
            remembers = self.network.learning.instinct(name) == "pid"
            return np.zeros((2, *(size if remembers else 0 for size in shape)), types.wide)

        bases, taps = tables.windows(self.network)
        return Store(weights=weights, bias=bias, coupling=coupling, mask=mask, links_memory=memory("links", weights.shape),
                     bias_memory=memory("bias", bias.shape), coupling_memory=memory("K1", coupling.shape), bases=bases,
                     taps=taps, upsets=np.zeros(0, np.uint64))


def _read_only(array: Array) -> Array:
    """A contiguous view that cannot be written, whatever the caller's array is: one type for the compiler."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _defined(links: Array) -> Array:
    """Weights of a layer as the definition has them: (neurons, links)."""
    return links.transpose(0, 2, 1).reshape(-1, links.shape[1])


class Interpreted(Model):
    """``CompiledModel`` where nothing may be compiled: the definition computes, slowly; integers have the same bits."""

    def __init__(self, network: Network, arithmetic: str, values: Parameters | None = None, threads: int | None = None) -> None:
        super().__init__(network, arithmetic, values)
        self.threads = 1 if threads is None else check_threads(threads)

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt: int64, or float32."""
        dtype = np.int64 if self.arithmetic.name == "fixed" else np.float32
        return [Layer(*(array.astype(dtype) for array in (layer.weights, layer.bias, layer.coupling)))
                for layer in super().parameters]

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes): int64, or float32."""
        outputs = super().outputs(images)
        return outputs if self.arithmetic.name == "fixed" else outputs.astype(np.float32)


if not COMPILES:
    CompiledModel = Interpreted  # type: ignore[assignment, misc]
