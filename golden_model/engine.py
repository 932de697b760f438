"""``CompiledModel``: the same bits as ``Model``, compiled.

Integers are 32 bits wide where every exact sum of the network but the link sums fits (``Network.widths``), else 64. Reals
are float32. No operation is reordered, so results do not depend on the machine or on the number of threads.
"""
from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import instincts, parameters
from golden_model.arguments import begun, check_images, check_threads, lesson
from golden_model.arithmetic import Array, create_arithmetic, learning_rate
from golden_model.circuits import MIRROR, mirrored
from golden_model.compiling import COMPILES
from golden_model.kernels import learn
from golden_model.kernels.plan import (
    LANES,
    PID,
    PROPORTIONAL,
    ROWS,
    SIGN,
    Frames,
    Instinct,
    Instincts,
    Plan,
    Store,
    Windows,
    Words,
)
from golden_model.model import Model
from golden_model.network import PARAMETER_SETS, POPULATIONS, Network
from golden_model.parameters import Layer, Parameters
from golden_model.sections import INSTINCTS
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
        self._type, self._wide = self._types(self._brings_coupling(start))
        self._plan = self._planned()
        self._tables = self._plan, self._windows(), self._frames(), self._constants()
        self._store = self._stored(start)

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt: int64, or float32."""
        result = []
        dtype = np.int64 if self.fixed else np.float32
        store = self._store
        for index, shapes in enumerate(parameters.layer_shapes(self.network)):
            coupling = np.empty(shapes["coupling"])
            if store.coupling is None:
                unscaled = np.array([self.network.neuron.K1, self.network.neuron.K2, self.network.neuron.K3])
                coupling[:] = unscaled[:, :, None] * (self.network.formats.coupling.one if self.fixed else 1)
            else:
                coupling[:, self._populations] = self._units(store.coupling, index).reshape(3, ROWS, -1)
            result.append(Layer(_defined(self._links(store.weights, index)).astype(dtype),
                                np.array(self._units(store.bias, index).ravel(), dtype), np.array(coupling, dtype)))
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
        images = np.ascontiguousarray(check_images(self.network, images))
        outputs = np.empty((len(images), self.network.layers[-1]), self._type)

        def infer(start: int) -> None:
            part = slice(start, start + SLICE)
            learn.infer(images[part], outputs[part], *self._exact_types(), *self._tables, self._store)

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
        learn.learn(np.ascontiguousarray(images), labels, predictions, np.zeros(1, self._type), *self._exact_types(),
                    self.network.learning.batch, *self._tables, self._store, self._instincts(epoch))
        return predictions

    def _links(self, array: Array, layer: int) -> Array:
        """The part of ``array``, laid out like ``Store.weights``, that is a layer's: a view (own, inputs, neurons)."""
        plan = self._plan
        own, inputs, lanes, start = plan.own[layer], plan.inputs[layer], plan.blocks[layer] * LANES, plan.weight_at[layer]
        return array[start:start + own * inputs * lanes].reshape(own, inputs, lanes)[:, :, :plan.neurons[layer]]

    def _as_stored(self, weights: Array, layer: int) -> Array:
        """Weights, or what is in their shape, of a layer as ``_links`` has them."""
        plan = self._plan
        return weights.reshape(plan.own[layer], plan.neurons[layer], plan.inputs[layer]).transpose(0, 2, 1)

    def _units(self, array: Array, layer: int) -> Array:
        """The part of ``array``, its last axis laid out like ``Store.bias``, that is a layer's: a view (..., own, neurons)."""
        plan = self._plan
        own, lanes, start = plan.own[layer], plan.blocks[layer] * LANES, plan.unit_at[layer]
        return array[..., start:start + own * lanes].reshape(*array.shape[:-1], own, lanes)[..., :plan.neurons[layer]]

    def _exact_types(self) -> tuple[Array, Array]:
        """Arrays of the types of exact sums: of all, and of those over reciprocal links."""
        return np.zeros(1, self._wide), np.zeros(1, self._exact)

    # ------------------------------------------------------------- translation of the description

    def _types(self, any_coupling: bool) -> tuple[Any, Any]:
        if not self.fixed:
            return np.float32, np.float32
        widths, formats = self.network.widths(any_coupling), self.network.formats
        product = formats.displacement.bits + max(formats.displacement.bits, formats.input.bits + 1)
        widths |= {f"update[{layer}]": product for layer, wiring in enumerate(self.network.wirings)
                   if wiring.uses > 1}           # whose sums of products are wide, but one product is not
        exact = [bits for name, bits in widths.items() if name in ("bracket", "product") or name.startswith("update[")]
        held = [word.bits + 2 for word in (formats.drive, formats.weight, formats.error, formats.coupling, formats.input)]
        rates = self.network.learning.greatest_rate_shifts()["links"] or 0
        shifts = [self.network.update_shift(layer, rates) for layer in range(len(self.network.layers) - 1)]
        narrow = max(exact + held) <= 31 and max([self.network.corrector_shift, *shifts]) <= 30
        return (np.int32 if narrow else np.int64), np.int64

    def _planned(self) -> Plan:
        network, neuron, formats = self.network, self.network.neuron, self.network.formats
        layers, wirings = range(len(network.wirings)), network.wirings
        shapes = np.array([shape["weights"] for shape in parameters.layer_shapes(network)])
        positions, tied = np.array([len(each.bases()) for each in wirings]), np.array([each.positions for each in wirings])
        own, inputs = positions // tied, shapes[:, 1]
        neurons = shapes[:, 0] // own
        blocks, emissions = -(-neurons // LANES), np.array(network.layers[1:]) // (positions * neurons)
        lanes = positions * emissions * blocks * LANES
        chunk = np.full(len(inputs), np.iinfo(np.int64).max)
        if self._type is np.int32:
            reach = np.full(len(inputs), -formats.displacement.least)
            reach[0] = max(formats.input.greatest, -formats.input.least) << network.input_shift(0)
            chunk = np.maximum((2**31 - 1) // (reach * -formats.weight.least), 1)
        a, b = neuron.input_population, neuron.output_population
        # row j of the forward ring is population a + j; row j of the reverse ring is population -(b' + j), b' mirrored b
        self._populations = (a + np.arange(ROWS)) % POPULATIONS
        row_of = np.argsort(self._populations)
        labels = np.repeat(np.arange(POPULATIONS)[None, :, None], 3, axis=0)
        back = mirrored(labels)[:, (MIRROR[b] + np.arange(ROWS)) % POPULATIONS, 0]

        def rows(populations: Array) -> tuple[tuple[int, ...], ...]:
            return tuple(tuple(int(row) for row in row_of[kind]) for kind in populations)

        held = [network.integration.exponent if wiring.reciprocal else 0 for wiring in wirings]    # a sum over time, times dt
        return Plan(inputs=inputs, neurons=neurons, blocks=blocks, own=own, tied=tied, emissions=emissions,
                    weight_at=_starts(own * inputs * blocks * LANES), unit_at=_starts(own * blocks * LANES),
                    lane_at=_starts(lanes), signal_at=_starts(network.layers),
                    link_shift=np.array([network.link_shift(layer) for layer in layers]),
                    reverse_shift=network.reverse_link_shift + np.array(held), chunk=chunk,
                    lanes=int(lanes.sum()), signals=sum(network.layers),
                    steps=network.integration.steps, output_row=(b - a) % POPULATIONS,
                    forward_rows=rows(np.stack([self._populations] * 3)), reverse_rows=rows(back),
                    gate_rows=rows(back)[2], frozen=min(network.learning.frozen, len(inputs)))

    def _windows(self) -> Windows | None:
        network, formats = self.network, self.network.formats
        bases = [wiring.bases() for wiring in network.wirings]
        if all(len(each) == 1 for each in bases) and (self._plan.emissions == 1).all():
            return None
        taps = [wiring.offsets(inputs) for wiring, inputs in zip(network.wirings, network.layers, strict=False)]
        whole = [len(base) == 1 and len(tap) == inputs for base, tap, inputs in zip(bases, taps, network.layers, strict=False)]
        reach = np.full(len(bases), -formats.displacement.least)
        reach[0] = max(reach[0], formats.input.greatest, -formats.input.least)
        most = np.iinfo(self._type if self.fixed else np.int64).max
        return Windows(base_at=_starts([len(each) for each in bases]), bases=np.concatenate(bases),
                       tap_at=_starts([*(len(each) for each in taps), 0]), taps=np.concatenate(taps),
                       chunk=most // (reach * -formats.displacement.least), whole=np.array(whole, np.int64))

    def _frames(self) -> Frames | None:
        network, formats, plan = self.network, self.network.formats, self._plan
        recurrent = np.array([wiring.reciprocal for wiring in network.wirings])
        self._exact: Any = self._wide
        if not recurrent.any():
            return None
        number = np.array([getattr(wiring, "frames", 0) for wiring in network.wirings])
        steps = np.array([getattr(wiring, "steps", 0) for wiring in network.wirings])
        lanes = plan.blocks * LANES
        if self.fixed:
            widths = network.widths(True)
            exact = max(widths["exchange_sum"], *(widths[f"update[{layer}]"] for layer in np.flatnonzero(recurrent)))
            self._exact = np.float64 if exact <= 53 else np.int64
        return Frames(number=number, steps=steps,
                      course_at=_starts([*np.where(recurrent, number * steps + 1, 0) * lanes * ROWS, 0]),
                      pair_at=_starts([*np.where(recurrent, plan.neurons, 0) * lanes, 0]),
                      exchange_shift=formats.weight.fraction, kick_shift=formats.error.fraction,
                      hold=np.int64(1) if self.fixed else np.float32(network.integration.dt))

    def _constants(self) -> Words:
        word, network = self._type, self.network
        formats, learning = network.formats, network.learning
        exact = self.arithmetic
        adders = self._adders_suffice()
        if self.fixed:
            predictor: Any
            corrector: Any
            predictor, corrector, scale = network.predictor_shift, network.corrector_shift, formats.coupling.one
            minimum: Any = formats.coupling.quantise(learning.K3_minimum)[()]

            def limits(name: str) -> tuple[Any, Any]:
                return word(getattr(formats, name).least), word(getattr(formats, name).greatest)
        else:
            scale = 2 if adders else 1            # the adders' bracket is twice the real one
            predictor, corrector = 2 * network.integration.dt / scale, network.integration.dt / scale
            minimum = learning.K3_minimum

            def limits(name: str) -> tuple[Any, Any]:
                return word(getattr(formats, name).minimum), word(getattr(formats, name).maximum)

        drive, error, weight, coupling = (limits(name) for name in ("drive", "error", "weight", "coupling"))
        decode = exact.encode(np.arange(256))
        decode = (decode << network.input_shift(0) if self.fixed else decode).astype(word)
        return Words(predictor=word(predictor), corrector=word(corrector), least=word(exact.least), high=word(exact.high),
                     floor=word(exact.floor), margin=word(exact.margin), drive_least=drive[0], drive_high=drive[1],
                     error_least=error[0], error_high=error[1], weight_least=weight[0], weight_high=weight[1],
                     coupling_least=coupling[0], coupling_high=coupling[1], coupling_minimum=word(minimum),
                     drive_scale=word(scale), decode=decode,
                     rest=tuple(word(exact.rest[population]) for population in self._populations))

    def _brings_coupling(self, values: Parameters) -> bool:
        """Whether any K differs from the description's."""
        neuron = self.network.neuron
        one = self.network.formats.coupling.one if self.fixed else 1
        described = np.array([neuron.K1, neuron.K2, neuron.K3])[:, :, None] * one
        self._own_coupling = any((layer.coupling != described).any() for layer in values)
        return self._own_coupling

    def _adders_suffice(self) -> bool:
        """Whether every K is 1/2, 1/2, 1 and stays so, and the contract's bracket is twice the real one."""
        neuron, learning = self.network.neuron, self.network.learning
        if self._own_coupling:
            return False
        usual = set(neuron.K1) == set(neuron.K2) == {0.5} and set(neuron.K3) == {1.0}
        return usual and not learning.trains_K and (not self.fixed or self.network.formats.coupling.fraction == 1)

    def _stored(self, values: Parameters) -> Store:
        plan, formats = self._plan, self.network.formats
        units = int((plan.own * plan.blocks * LANES).sum())
        held: Any = np.float32
        if self.fixed:
            held = np.int16 if formats.weight.bits <= 16 else np.int32 if formats.weight.bits <= 32 else np.int64
        weights = np.zeros(int((plan.own * plan.inputs * plan.blocks * LANES).sum()), held)
        bias = np.zeros(units, self._type)
        coupling = np.zeros((3, ROWS, units), self._type)
        for index, layer in enumerate(values):
            self._links(weights, index)[:] = self._as_stored(layer.weights, index)
            view = self._units(bias, index)
            view[:] = layer.bias.reshape(view.shape)
            view = self._units(coupling, index)
            view[:] = layer.coupling[:, self._populations].reshape(view.shape)
        rounding = None
        if self.fixed and formats.bracket is not None:
            rounding = (self._type(formats.exact_bracket_fraction - formats.bracket_fraction),
                        self._type(formats.bracket.least), self._type(formats.bracket.greatest))
        wiring = masks(self.network)
        mask = np.zeros(0 if all(each is None for each in wiring) else len(weights), np.int8)
        for index, each in enumerate(wiring):
            if len(mask):
                self._links(mask, index)[:] = True if each is None else self._as_stored(each, index)

        def memory(name: str, shape: tuple[int, ...]) -> Array:
            remembers = self.network.learning.instinct(name) == "pid"
            return np.zeros((2, *(size if remembers else 0 for size in shape)), self._wide)

        return Store(weights=weights, bias=bias, rounding=rounding, coupling=None if self._adders_suffice() else coupling,
                     mask=mask, links_memory=memory("links", weights.shape), bias_memory=memory("bias", bias.shape),
                     coupling_memory=memory("K1", coupling.shape))

    def _instincts(self, epoch: int) -> Instincts:
        layers = range(len(self.network.layers) - 1)
        return Instincts(links=self._instinct([("links", layer) for layer in layers], epoch),
                         bias=self._instinct([("bias", layer) for layer in layers], epoch),
                         K=self._instinct([("K1", 0), ("K2", 0), ("K3", 0)], epoch))

    def _instinct(self, entries: list[tuple[str, int]], epoch: int) -> Instinct:
        """One entry for each parameter set and layer; all of them have the same instinct."""
        network, learning, formats = self.network, self.network.learning, self.network.formats
        kind = (PROPORTIONAL, SIGN, PID)[INSTINCTS.index(learning.instinct(entries[0][0]))]
        words = formats.local_product, formats.integral
        trains = np.array([getattr(learning, name) > 0 for name, _ in entries])
        gains = np.array([self.arithmetic.gains(name, layer) for name, layer in entries], self._wide)
        if not self.fixed:
            rates = np.array([learning_rate(learning, name, epoch) / 2**network.dwell(layer) for name, layer in entries],
                             np.float32)
            return Instinct(kind=kind, trains=trains, rate=rates, step=rates, gains=gains, leak=np.float32(learning.leak),
                            product_shift=np.zeros(len(entries), np.int64),
                            limits=np.array([(word.minimum, word.maximum) for word in words], np.float32).ravel())
        exponents = [learning.rate_shifts(epoch)[name] or 0 for name, _ in entries]
        places = list(zip(entries, exponents, strict=True))
        return Instinct(kind=kind, trains=trains, gains=gains, leak=np.int64(learning.leak_shift),
                        rate=np.array([network.change_shift(name, layer, exponent) for (name, layer), exponent in places]),
                        step=np.array([network.sign_step(name, exponent) for (name, _), exponent in places], self._type),
                        product_shift=np.array([network.controller(*entry).product_shift for entry in entries]),
                        limits=np.array([(word.least, word.greatest) for word in words]).ravel())


def _defined(links: Array) -> Array:
    """Weights of a layer as the definition has them: (neurons, links)."""
    return links.transpose(0, 2, 1).reshape(-1, links.shape[1])


def _starts(sizes: npt.ArrayLike) -> Array:
    """Where each of these begins if they lie one after the other."""
    ends = np.cumsum(sizes)
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)


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
