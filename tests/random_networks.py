"""Hypothesis strategies: valid network descriptions and parameters, extremes included; images for them."""
from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import Array, Format
from golden_model.network import Formats, Initialisation, Integration, Learning, Network, Neuron, Wiring
from golden_model.parameters import Layer, Parameters, layer_shapes
from golden_model.wirings import masks


@st.composite
def strategies(draw: Any) -> dict[str, Any]:
    """Entries of ``Learning``: an instinct for links, biases and K, and gains of what is pid."""
    choice: dict[str, Any] = {}
    for name in ("links", "bias", "K"):
        instinct = draw(st.sampled_from(["proportional", "proportional", "sign", "pid", "pid"]))
        choice[f"{name}_instinct"] = instinct
        if instinct == "pid":
            gain = st.sampled_from([0.0, 2.0**-6, 0.25, 1.0, 4.0])
            choice[f"{name}_gains"] = draw(st.tuples(gain, gain, gain).filter(any))
            choice["leak"] = draw(st.sampled_from([0.0, 0.5, 2.0**-5]))
    return choice


@st.composite
def networks(draw: Any, most_neurons: int = 20, trains_K: bool | None = None, wired: bool = True) -> Network:
    """A description whose integers exist: general K and rest, words of many widths, any rates, batches, frozen layers.

    ``wired`` False: every link exists.
    """
    fraction = draw(st.sampled_from([6, 9, 12]))
    coupling_fraction = draw(st.sampled_from([1, 1, 2, 6]))
    rate = st.sampled_from([2.0**-k for k in range(7)] + [0.0])
    rates_of_K = draw(st.booleans()) if trains_K is None else trains_K
    step = 2.0**-coupling_fraction
    K = st.tuples(*[st.integers(-2 * 2**coupling_fraction + 1, 2 * 2**coupling_fraction - 1).map(lambda k: k * step)] * 5)
    general = draw(st.booleans())
    neuron = Neuron(
        K1=draw(K) if general else (0.5,) * 5, K2=draw(K) if general else (0.5,) * 5,
        K3=tuple(abs(k) for k in draw(K)) if general else (1.0,) * 5,
        rest=tuple(draw(st.sampled_from([0.5, 0.75, 1.0])) for _ in range(5)) if general else (1.0,) * 5,
        input_population=draw(st.integers(0, 4)), output_population=draw(st.integers(0, 4)))
    bracket = draw(st.sampled_from([None, None, Format(fraction + 5, fraction), Format(fraction + 4, fraction)]))
    formats = Formats(
        displacement=Format(1 + fraction, fraction), drive=Format(draw(st.sampled_from([3, 4, 6])) + fraction, fraction),
        error=Format(draw(st.sampled_from([1, 2])) + fraction, fraction),
        weight=draw(st.sampled_from([Format(fraction + 4, fraction + 2), Format(fraction + 1, fraction)])),
        input=draw(st.sampled_from([Format(8, 8, False), Format(4, 4, False), Format(10, 8)])),
        coupling=Format(2 + coupling_fraction, coupling_fraction), bracket=bracket)
    product_fraction = draw(st.sampled_from([fraction - 2, fraction + 2, 14]))
    formats = replace(formats, local_product=Format(product_fraction + draw(st.sampled_from([0, 2])), product_fraction),
                      integral=Format(product_fraction + draw(st.sampled_from([1, 4, 12])), product_fraction))
    instincts = draw(strategies())
    trained = {name: draw(rate) for name in ("K1", "K2", "K3")} if rates_of_K else {}
    sizes = draw(st.lists(st.integers(1, most_neurons), min_size=2, max_size=4))
    plain = not any(trained.values()) and instincts["links_instinct"] == instincts["bias_instinct"] == "proportional"
    if plain and draw(st.booleans()):
        instincts["magnification"] = tuple(draw(st.integers(0, 5)) for _ in sizes[2:])
    wiring = Wiring()
    if wired and draw(st.booleans()):
        wiring = Wiring(layers=tuple(draw(st.sampled_from(
            ["full", f"random {draw(st.integers(1, inputs))}", "one-to-one" if inputs == neurons else "random 1"]))
            for inputs, neurons in itertools.pairwise(sizes)))
    try:
        network = Network(
            layers=tuple(sizes), neuron=neuron, formats=formats, wiring=wiring, seed=draw(st.integers(0, 1000)),
            integration=Integration(dt=draw(st.sampled_from([1.0, 0.5, 0.25])), steps=draw(st.integers(1, 9))),
            initialisation=Initialisation(bias=0.0),
            learning=Learning(links=draw(rate), bias=draw(rate), batch=draw(st.sampled_from([1, 1, 3])), epochs=4, halvings=3,
                              frozen=draw(st.sampled_from([0, 0, 1])), K3_minimum=0.5, **instincts, **trained))
        network.check_fixed()
    except InputError:                            # a rate too fast for a wide weight: the same network, slower
        network = Network(layers=tuple(sizes), formats=Formats(coupling=Format(2 + 6, 6)), seed=0,
                          neuron=Neuron(K1=(0.25,) * 5), initialisation=Initialisation(bias=0.0), learning=Learning(batch=2))
    return network


@st.composite
def cases(draw: Any, **options: Any) -> tuple[Network, Parameters, Any, Any, int]:
    """A network, parameters, images, labels and an epoch. The parameters range from small to their formats' extremes."""
    network = draw(networks(**options))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    extreme = draw(st.booleans())
    formats, parameters = network.formats, []
    for shapes, mask in zip(layer_shapes(network), masks(network), strict=True):
        def words(shape: tuple[int, ...], word: Format, least: int | None = None) -> Any:
            low = word.least if least is None else least
            if extreme:
                near = random.integers(-3, 3, shape, endpoint=True)      # close to a limit, to hold is not to saturate
                return np.clip(random.choice([low, word.greatest, 0], shape) + near, low, word.greatest)
            return random.integers(low, word.greatest, shape, endpoint=True) // random.choice([1, 1, 4, 64])
        coupling = words(shapes["coupling"], formats.coupling)
        coupling[2] = np.abs(coupling[2]) // 2 + formats.coupling.one // 2
        usual = not network.learning.trains_K and draw(st.booleans())
        if usual:
            for k, rates in enumerate((network.neuron.K1, network.neuron.K2, network.neuron.K3)):
                coupling[k] = formats.coupling.quantise(rates)[:, None]
        weights = words(shapes["weights"], formats.weight) * (1 if mask is None else mask)
        parameters.append(Layer(weights, words(shapes["bias"], formats.drive), coupling))
    count = draw(st.integers(0, 7))
    images = random.integers(0, 256, (count, network.layers[0])) * (random.random((count, network.layers[0])) < 0.6)
    if extreme:
        images = random.choice([0, 255], images.shape)
    labels = random.integers(0, network.layers[-1], count)
    return network, parameters, images.astype(np.uint8), labels, draw(st.integers(0, 3))


def pictures(network: Network, count: int, seed: int = 0, density: float = 0.5) -> tuple[Array, Array]:
    """Images (count, inputs) of random bytes, of which that share is not 0, and labels."""
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, network.layers[0])) * (random.random((count, network.layers[0])) < density)
    return images.astype(np.uint8), random.integers(0, network.layers[-1], count)
