"""Hypothesis strategies: networks that hardware accepts, as circuits, with parameters and images that reach the limits."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import POPULATIONS, Formats, Initialisation, Integration, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, Parameters, layer_shapes
from hdl.design import Design, served
from hdl.layer_design import LayerDesign, signed_digits

THEMES = ("convolutions", "recurrent", "K learns", "by sign", "none")      # what a design has that no other has


@dataclass(frozen=True)
class Case:
    """A circuit, what it starts from, and images: to infer, and with labels to learn."""

    design: Design
    values: Parameters
    images: Any
    taught: Any
    labels: Any


@st.composite
def neurons(draw: Any, one: int, fraction: int, alike: bool) -> Neuron:
    """Default, uniform or unequal K of at most two signed powers of two, K3 = 0 included; rest values; any populations a, b.
    ``alike``: all populations have the same."""
    words = [word for word in range(-2 * one + 1, 2 * one) if len(signed_digits(word)) <= 2]
    any_K = st.sampled_from(words).map(lambda word: word / one)
    limiting = st.sampled_from([word for word in words if word >= 0]).map(lambda word: word / one)
    style = draw(st.sampled_from(["default", "uniform"] if alike else ["default", "uniform", "unequal", "oscillator"]))
    K1: Any
    K1, K2, K3, rest = (0.5,) * 5, (0.5,) * 5, (1.0,) * 5, (1.0,) * 5
    if style == "uniform":
        K1, K2, K3 = ((draw(kind),) * 5 for kind in (any_K, any_K, limiting))
        rest = (draw(st.sampled_from([0.5, 0.75, 1.0])),) * 5
    elif style == "unequal":
        K1, K2, K3 = (draw(st.tuples(*[kind] * 5)) for kind in (any_K, any_K, limiting))
        rest = draw(st.tuples(*[st.sampled_from([0.5, 0.75, 1.0])] * 5))
    elif style == "oscillator":
        K3 = draw(st.sampled_from([(0.0,) * 5, (0.0, 1.0, 0.0, 0.0, 0.0)]))
    floors = st.sampled_from([1 / 16, 1 / 16, 3 / 64, 2.0**-fraction])
    return Neuron(K1=K1, K2=K2, K3=K3, rest=rest, gate_floor=draw(floors),
                  input_population=draw(st.integers(0, POPULATIONS - 1)),
                  output_population=draw(st.integers(0, POPULATIONS - 1)))


@st.composite
def convolutions(draw: Any, channels: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """As many convolutions in a row as there are numbers of channels: sizes of the network's inputs and of theirs, words."""
    height, width, depth = draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 2))
    sizes, words = [height * width * depth], []
    for count in channels:
        rows, columns = draw(st.integers(1, min(height, 3))), draw(st.integers(1, min(width, 3)))
        stride = draw(st.integers(1, 2))
        words.append(f"convolution {rows}x{columns} stride {stride} of {height}x{width}x{depth}")
        height, width, depth = (height - rows) // stride + 1, (width - columns) // stride + 1, count
        sizes.append(height * width * depth)
    return tuple(sizes), tuple(words)


@st.composite
def designs(draw: Any, theme: str, most_neurons: int = 6) -> Design:
    """Sizes, folding, arrays time-shared by all layers or some, rings in registers or in memory, formats, K wired or of each
    neuron, steps, rates, frozen layers, cores that only infer; and what ``theme``, of ``THEMES``, says."""
    fraction = draw(st.sampled_from([6, 9, 12]))
    one = 2 ** draw(st.sampled_from([1, 1, 2]))
    coupling = Format(2 + one.bit_length() - 1, one.bit_length() - 1)
    weight = draw(st.sampled_from([Format(fraction + 4, fraction + 2), Format(fraction + 1, fraction)]))
    formats: dict[str, Any] = {"displacement": Format(1 + fraction, fraction), "coupling": coupling, "weight": weight,
               "drive": Format(draw(st.sampled_from([3, 4])) + fraction, fraction),
               "error": Format(draw(st.sampled_from([1, 2])) + fraction, fraction),
               "input": draw(st.sampled_from([Format(8, 8, False), Format(4, 4, False), Format(10, 8)])),
               "bracket": draw(st.sampled_from([None, None, Format(fraction + 4, fraction)]))}
    if draw(st.booleans()):
        formats, fraction, one = {"bracket": formats["bracket"] and Format(16, 12)}, 12, 2
    rate = st.sampled_from([2.0**-k for k in range(6)] + [0.0])
    depth = draw(st.sampled_from([3, 3, 4] if theme in ("convolutions", "recurrent") else [2, 3, 3, 4]))
    sizes = tuple(draw(st.lists(st.integers(1, most_neurons), min_size=depth, max_size=depth)))
    learns = draw(st.sampled_from([True, True, True, False]))
    margin = draw(st.sampled_from([0.5, 0.5, 0.75]))
    by_sign = draw(st.sampled_from([("links", "bias"), ("links",), ("bias",)])) if theme == "by sign" else ()
    instincts = {f"{name}_instinct": "sign" if name in by_sign else "proportional" for name in ("links", "bias")}
    of_K: dict[str, float] = {}
    if theme == "K learns":
        slow = draw(st.sampled_from([2, 5, 8]))
        of_K = {name: 2.0**-(slow + draw(st.sampled_from([0, 0, 1]))) for name in draw(st.sampled_from(
            [("K1", "K2", "K3"), ("K1", "K2", "K3"), ("K3",), ("K2",), ("K1", "K3")]))}
        longer = draw(st.sampled_from([20, 12, 20, 0, 6]))
        formats |= {"coupling": Format(coupling.bits + longer, coupling.fraction + longer),
                    "bracket": Format(fraction + 6, fraction)}
    magnification = () if "sign" in instincts.values() or of_K else tuple(
        draw(st.sampled_from([0, 0, 1, 3])) for _ in sizes[2:])
    learning = Learning(links=draw(rate), bias=draw(rate), epochs=4, halvings=draw(st.sampled_from([0, 3])), margin=margin,
                        frozen=min(draw(st.sampled_from([0, 0, 0, 1, 3])), len(sizes) - 1), dropout=0.0,
                        magnification=magnification, **instincts, **of_K)
    neuron = draw(neurons(one, fraction, theme in ("convolutions", "recurrent")))
    integration = Integration(dt=draw(st.sampled_from([1.0, 0.5, 0.5, 0.25])), steps=draw(st.integers(1, 9)))
    arrangement = draw(st.sampled_from(["time-shared", "some time-shared"] + ["parallel"] * (theme != "convolutions")))
    kind = "programmable" if of_K else "shift"
    wired = (neuron.K1, neuron.K2, neuron.K3) if kind == "shift" else ()
    if any(len(set(values)) > 1 for values in (*wired, neuron.rest)):
        arrangement = "parallel"
    units = sizes[1:] if draw(st.integers(0, 3)) == 0 else tuple(draw(st.integers(1, size)) for size in sizes[1:])
    if arrangement == "some time-shared":
        first, last = sorted(draw(st.tuples(*[st.integers(0, len(units) - 1)] * 2)))
        if theme == "convolutions":
            first, last = 0, last - ((first, last) == (0, len(units) - 1) and len(units) > 1)
        first += (first, last) == (0, len(units) - 1) and len(units) > 1               # not all of them
        arrangement = f"time-shared {first}-{last}"
    for layers, time_shared in served(arrangement, len(units)):
        if time_shared:
            most = max(units[layers.start:layers.stop])
            units = tuple(min(most, size) if layer in layers else count
                          for layer, (count, size) in enumerate(zip(units, sizes[1:], strict=True)))
    in_front, time_shared = served(arrangement, len(units))[0]
    words: tuple[str, ...] = ()
    if time_shared and theme == "convolutions":
        channels = sizes[1:1 + draw(st.integers(1, len(in_front)))]
        front, words = draw(convolutions(channels))
        sizes, words = (*front, *sizes[len(front):]), (*words, *["full"] * (len(units) - len(words)))
    if theme == "recurrent" and len(sizes) > 2:
        frames, points = draw(st.integers(1, 3)), draw(st.integers(1, 4))
        K3 = draw(st.sampled_from([0.5, 1, 1.5]))
        sizes = (frames * points, *sizes[1:])
        words = (f"recurrent {frames} steps {draw(st.integers(1, 3))} K3 {K3:g}", *["full"] * (len(units) - 1))
        arrangement, units = draw(st.sampled_from(["time-shared 0-0", ""])), (sizes[1], *[min(units[1:])] * (len(units) - 1))
        units = units if arrangement else ()
        learning = replace(learning, magnification=())
    target = draw(st.sampled_from(["portable", "ecp5"]))
    seed = draw(st.integers(0, 1000))
    # what the multiplier or the exact sums have no room for becomes narrower or slower, step by step
    for changes, slower in (({}, {}), ({"bracket": Format(18, fraction)}, {}), ({"bracket": Format(18, fraction)},
                            {"links": 2.0**-4, "bias": 2.0**-4, "halvings": 0}), (None, {})):
        try:
            network = Network(layers=sizes, seed=seed, neuron=neuron, integration=integration, wiring=Wiring(layers=words),
                              formats=Formats() if changes is None else Formats(**formats | changes),
                              initialisation=Initialisation(bias=0.0), learning=Learning(**vars(learning) | slower))
            return Design(network=network, units=units, learns=learns, arrangement=arrangement, target=target, kind=kind)
        except InputError:
            neuron = neuron if changes is not None else Neuron()
    rounded = Formats(bracket="Q6.12") if words and words[0].startswith("recurrent") else Formats()
    network = Network(layers=sizes, seed=seed, wiring=Wiring(layers=words), formats=rounded)
    return Design(network=network, units=units, learns=learns, arrangement=arrangement, target=target)


@st.composite
def cases(draw: Any, theme: str, count: int = 6) -> Case:
    """A circuit with parameters from small to close to the limits, and ``count`` images of each kind. ``theme``: of
    ``THEMES``."""
    design = draw(designs(theme))
    network, random = design.network, np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    extreme = draw(st.booleans())

    def words(shape: tuple[int, ...], word: Format) -> Any:
        if extreme:
            near = random.integers(-3, 3, shape, endpoint=True)              # close to a limit, to hold is not to saturate
            return np.clip(random.choice([word.least, word.greatest, 0], shape) + near, word.least, word.greatest)
        return random.integers(word.least, word.greatest, shape, endpoint=True) // random.choice([1, 4, 64])

    def couplings(shape: tuple[int, ...], layer: LayerDesign) -> Any:
        if design.kind == "shift":
            fixed = np.array([network.neuron.K1, network.neuron.K2, layer.K3])[:, :, None] * network.formats.coupling.one
            return np.broadcast_to(fixed, shape).astype(np.int64)
        own, minimum = words(shape, network.formats.coupling), network.learning.K3_minimum * network.formats.coupling.one
        near = int(minimum) + random.integers(0, 3, own[2].shape)
        own[2] = np.where(random.random(own[2].shape) < 0.5, near, abs(own[2] + 1))
        return own
    values = [Layer(words(shapes["weights"], network.formats.weight), words(shapes["bias"], network.formats.drive),
                    couplings(shapes["coupling"], layer))
              for shapes, layer in zip(layer_shapes(network), design.layers, strict=True)]

    def pictures(number: int) -> Any:
        shape = number, network.layers[0]
        bytes_ = random.choice([0, 255], shape) if extreme else random.integers(0, 256, shape)
        return (bytes_ * (random.random(shape) < random.choice([0.0, 0.5, 0.9], (number, 1)))).astype(np.uint8)
    learnt = count if design.learns else 0
    return Case(design, values, pictures(count), pictures(learnt), random.integers(0, network.layers[-1], learnt))
