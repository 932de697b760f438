"""The five populations of every neuron after every whole step, forward and reverse: golden model against probes of the core.

The golden side is built from ``golden_model.circuits`` with ``record``, in the order of ``Model``; the core's side is what
probes read from the rings of its units in the clocks that the sequencer marks.
"""
from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from golden_model import circuits, learning
from golden_model.arithmetic import Array
from golden_model.circuits import MIRROR
from golden_model.model import Model
from golden_model.network import POPULATIONS
from golden_model.wirings.recurrent import RecurrentState
from hdl.array import unit_module
from hdl.core import array_name
from hdl.design import Design
from hdl.layer_design import LayerDesign
from sim.compiled import Probe, Samples


@dataclass(frozen=True, kw_only=True)
class LayerSteps:
    """States of one layer for one image: ``forward`` (steps, 5, neurons), and ``reverse`` likewise, None if not learnt.

    Both in the order of the forward populations.
    """

    forward: Array
    reverse: Array | None


@dataclass(frozen=True, kw_only=True)
class Row:
    """What the core must show at one moment: ``words`` (neurons of the fold, 5), in the order of its ring. ``first``: the
    neuron that unit 0 is."""

    image: int
    reverse: bool
    first: int
    step: int
    words: Array


@dataclass(frozen=True, kw_only=True)
class StateMismatch:
    """A state that differs. ``population`` is that of the forward ring.

    Where the core made fewer or more steps, ``neuron`` and ``population`` are -1, ``expected`` and ``actual`` count them.
    """

    image: int
    layer: int
    reverse: bool
    step: int
    neuron: int
    population: int
    expected: int
    actual: int


def probes(design: Design) -> tuple[list[Probe], list[tuple[str, str]]]:
    """For ``Compiled``: a probe of each layer, and the names that must be public for them."""
    watched = []
    for array in design.arrays:
        name = array_name(design, array)
        for layer in array.layers:
            strobe = f"step_{layer.index}" if array.time_shared else "watch"
            watched.append(Probe(strobe=f"{name}.sequencer.{strobe}", signed=tuple(
                f"{name}.unit_{number}.point_{place}" for number in range(layer.units) for place in range(POPULATIONS))))
    return watched, [(unit_module(array), "point_?") for array in design.arrays]


def golden_steps(model: Model, image: Array, label: int | None) -> list[LayerSteps]:
    """What every layer goes through for one image (inputs,); with a label, when it is learnt and has an error.

    The parameters of ``model`` stay as they are.
    """
    network, arithmetic = model.network, model.arithmetic
    neuron, last = network.neuron, len(model.layers) - 1
    states = model.forward(image[None])
    forward: list[list[Array]] = []
    for index, (wiring, layer, state) in enumerate(zip(network.wirings, model.layers, states, strict=True)):
        forward.append([])
        if isinstance(state, RecurrentState):
            forward[-1] += state.course.states[1:]
            continue
        drive = wiring.drive(arithmetic, state.inputs, layer, index)
        circuits.settle(arithmetic, drive, wiring.each_neuron(layer.coupling), index, record=forward[-1])
    reverse: list[list[Array]] = [[] for _ in model.layers]
    if label is not None:
        outputs = states[-1].displacement[neuron.output_population]
        error = learning.output_error(arithmetic, outputs, np.array([label]), last)
        rate_shifts = network.learning.rate_shifts(0)
        trained = any(each is not None for each in rate_shifts.values())
        for index in range(last, network.learning.frozen - 1, -1) if trained and error.any() else ():
            wiring, layer = network.wirings[index], model.layers[index]
            if isinstance(states[index], RecurrentState):             # as the error came in, and back to the first step
                r = wiring.settle_reverse(arithmetic, states[index], error, layer, index)
                reverse[index] += r[:0:-1]
                continue
            r = circuits.settle_reverse(arithmetic, states[index].displacement, error, wiring.each_neuron(layer.coupling),
                                        index, record=reverse[index])
            if index:
                error = wiring.error_before(arithmetic, r, layer, index)
    return [LayerSteps(forward=np.stack(there)[:, :, 0], reverse=np.stack(back)[:, :, 0] if back else None)
            for there, back in zip(forward, reverse, strict=True)]


def rows(layer: LayerDesign, images: Sequence[Sequence[LayerSteps]], first: int = 0) -> list[Row]:
    """What a layer must show while it works on ``images``, which are numbered from ``first``, in order."""
    result = []
    for number, image in enumerate(images, first):
        steps = image[layer.index]
        for reverse, states in ((False, steps.forward), (True, steps.reverse)):
            if states is None:
                continue
            ring = states[:, MIRROR] if reverse else states
            for position, fold in itertools.product(range(layer.positions), range(layer.folds)):
                first = position * layer.channels + fold * layer.units
                result += [Row(image=number, reverse=reverse, first=first, step=step,
                               words=words[:, first:first + layer.fold_size(fold)].T) for step, words in enumerate(ring)]
    return result


def compare(layer: LayerDesign, rows: Sequence[Row], samples: Samples) -> tuple[int, list[StateMismatch]]:
    """How many words were compared, and every one that differs, in the order of time."""
    states = np.stack(list(samples.values.values()), axis=1)
    states = states.reshape(len(samples.clocks), layer.units, POPULATIONS)
    compared, wrong = 0, []
    for row, words in zip(rows, states, strict=False):
        part = words[:len(row.words)]
        compared += part.size
        for number, place in np.argwhere(part != row.words):
            wrong.append(StateMismatch(
                image=row.image, layer=layer.index, reverse=row.reverse, step=row.step,
                neuron=row.first + int(number), population=int(MIRROR[place]) if row.reverse else int(place),
                expected=int(row.words[number, place]), actual=int(part[number, place])))
    if rows and len(rows) != len(states):
        row = rows[min(len(states), len(rows) - 1)]
        wrong.append(StateMismatch(image=row.image, layer=layer.index, reverse=row.reverse, step=row.step, neuron=-1,
                                   population=-1, expected=len(rows), actual=len(states)))
    return compared, wrong
