"""A description translated into what the compiled loops read: types of words, records of sizes, constants and instincts.

Integers are 32 bits wide where every exact sum of the network but the link sums fits (``Network.widths``), else 64. Reals
are float32.
"""
from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Array, create_arithmetic, learning_rate
from golden_model.circuits import MIRROR, mirrored
from golden_model.kernels.plan import (
    LANES,
    LAYER,
    PID,
    PROPORTIONAL,
    ROWS,
    SIGN,
    Instincts,
    constants_type,
    instinct_type,
)
from golden_model.network import POPULATIONS, Network
from golden_model.parameters import layer_shapes
from golden_model.sections import INSTINCTS


class Types(NamedTuple):
    """NumPy types: of signals, of exact sums, of those over reciprocal links, and in which weights are held."""

    word: Any
    wide: Any
    exact: Any
    held: Any


def types(network: Network, fixed: bool, any_coupling: bool) -> Types:
    """The narrowest types that suffice, for any K of its format or only for those of the description."""
    if not fixed:
        return Types(np.float32, np.float32, np.float32, np.float32)
    widths, formats = network.widths(any_coupling), network.formats
    product = formats.displacement.bits + max(formats.displacement.bits, formats.input.bits + 1)
    widths |= {f"update[{layer}]": product for layer, wiring in enumerate(network.wirings)
               if wiring.uses > 1}               # whose sums of products are wide, but one product is not
    exact = [bits for name, bits in widths.items() if name in ("bracket", "product") or name.startswith("update[")]
    held = [word.bits + 2 for word in (formats.drive, formats.weight, formats.error, formats.coupling, formats.input)]
    rates = network.learning.greatest_rate_shifts()["links"] or 0
    shifts = [network.update_shift(layer, rates) + network.learning.magnified(layer)
              for layer in range(len(network.layers) - 1)]
    narrow = max(exact + held) <= 31 and max([network.corrector_shift, *shifts]) <= 30
    word: Any = np.int32 if narrow else np.int64
    return Types(word, np.int64, _over_reciprocal_links(network), np.int16 if formats.weight.bits <= 16 else word)


def _over_reciprocal_links(network: Network) -> Any:
    """float64, whose sums are exact below 2**53 and faster, else int64."""
    recurrent = [layer for layer, wiring in enumerate(network.wirings) if wiring.reciprocal]
    if not recurrent:
        return np.float64
    widths = network.widths(True)
    return np.float64 if max(widths["exchange_sum"], *(widths[f"update[{layer}]"] for layer in recurrent)) <= 53 else np.int64


def populations(network: Network) -> Array:
    """Row j of the forward ring is population a + j: int64 (5,)."""
    return (network.neuron.input_population + np.arange(ROWS)) % POPULATIONS


def layer_records(network: Network, types: Types) -> npt.NDArray[np.void]:
    """Sizes and places of each layer: records ``kernels.plan.LAYER`` (layers,)."""
    formats, wirings = network.formats, network.wirings
    shapes = np.array([shape["weights"] for shape in layer_shapes(network)])
    positions, tied = np.array([len(each.bases()) for each in wirings]), np.array([each.positions for each in wirings])
    own, inputs = positions // tied, shapes[:, 1]
    neurons = shapes[:, 0] // own
    blocks, emissions = -(-neurons // LANES), np.array(network.layers[1:]) // (positions * neurons)
    reach = np.full(len(inputs), -formats.displacement.least)                     # the greatest input of each layer
    reach[0] = max(formats.input.greatest, -formats.input.least) << max(network.input_shift(0), 0)
    most = np.iinfo(types.word).max if types.word in (np.int32, np.int64) else np.iinfo(np.int64).max
    taps = [len(each.offsets(size)) for each, size in zip(wirings, network.layers, strict=False)]
    recurrent = np.array([each.reciprocal for each in wirings])
    frames = np.array([getattr(each, "frames", 0) for each in wirings])
    steps = np.array([getattr(each, "steps", 0) for each in wirings])
    words = np.where(recurrent, frames * steps + 1, 0) * blocks * LANES * ROWS
    held = np.where(recurrent, network.integration.exponent, 0)                   # a sum over time, times dt
    result = np.zeros(len(inputs), LAYER)
    columns = {
        "inputs": inputs, "neurons": neurons, "blocks": blocks, "own": own, "tied": tied, "emissions": emissions,
        "weight_at": _starts(own * inputs * blocks * LANES), "unit_at": _starts(own * blocks * LANES),
        "lane_at": _starts(positions * emissions * blocks * LANES),
        "signal_at": _starts(network.layers[:-1]), "output_at": np.cumsum(network.layers[:-1]),
        "link_shift": [network.link_shift(layer) for layer in range(len(inputs))],
        "reverse_shift": [network.reverse_shift(max(layer - 1, 0)) for layer in range(len(inputs))] + held,
        "chunk": np.maximum(most // (reach * -formats.weight.least), 1) if types.word is np.int32 else np.iinfo(np.int64).max,
        "windowed": (positions > 1) | (~recurrent & (np.array(taps) != network.layers[:-1])),
        "spread": np.concatenate([[False], (positions * emissions > 1)[:-1]]),
        "base_at": _starts(positions), "tap_at": _starts(taps), "taps": taps,
        "chunk_of_products": most // (reach * -formats.displacement.least),
        "frames": np.where(recurrent, frames, 0), "steps": np.where(recurrent, steps, 0),
        "course_at": _starts(words), "course_end": np.cumsum(words),
        "pair_at": _starts(np.where(recurrent, neurons, 0) * blocks * LANES)}
    for name, column in columns.items():
        result[name] = column
    return result


def windows(network: Network) -> tuple[Array, Array]:
    """What the positions of all layers see: ``bases`` and ``taps`` of ``kernels.plan.Store``, int64."""
    taps = [each.offsets(size) for each, size in zip(network.wirings, network.layers, strict=False)]
    return (np.concatenate([each.bases() for each in network.wirings]).astype(np.int64),
            np.concatenate(taps).astype(np.int64))


def constants(network: Network, types: Types, adders: bool) -> np.void:
    """The record ``kernels.plan.constants_type``.

    ``adders``: K of 1/2, 1/2 and 1, with a bracket that is twice the real one.
    """
    fixed, formats, learning = types.wide is np.int64, network.formats, network.learning
    arithmetic = create_arithmetic(network, "fixed" if fixed else "float")
    result = np.zeros(1, constants_type(types.word, types.wide))[0]
    scale: Any
    if fixed:
        scale, result["predictor"], result["corrector"] = formats.coupling.one, network.predictor_shift, network.corrector_shift
        result["coupling_minimum"], result["hold"] = formats.coupling.quantise(learning.K3_minimum), 1
    else:
        scale = 2 if adders else 1                # the adders' bracket is twice the real one
        result["predictor"], result["corrector"] = 2 * network.integration.dt / scale, network.integration.dt / scale
        result["coupling_minimum"], result["hold"] = learning.K3_minimum, network.integration.dt
    for name in ("drive", "error", "weight", "coupling"):
        word = getattr(formats, name)
        result[f"{name}_least"], result[f"{name}_high"] = ((word.least, word.greatest) if fixed
                                                          else (word.minimum, word.maximum))
    if fixed and formats.bracket is not None:
        result["bracket_shift"] = formats.exact_bracket_fraction - formats.bracket_fraction
        result["bracket_least"], result["bracket_high"] = formats.bracket.least, formats.bracket.greatest
    for name in ("least", "high", "floor", "margin"):
        result[name] = getattr(arithmetic, name)
    decode = arithmetic.encode(np.arange(256))
    result["decode"] = decode << network.input_shift(0) if fixed else decode
    result["drive_scale"], result["rest"] = scale, arithmetic.rest[populations(network)]
    result["steps"], result["frozen"] = network.integration.steps, min(learning.frozen, len(network.wirings))
    result["output_row"] = (network.neuron.output_population - network.neuron.input_population) % POPULATIONS
    result["exchange_shift"], result["kick_shift"] = formats.weight.fraction, formats.error.fraction
    result["rows"], result["gate_rows"] = _rows(network)
    return result


def _rows(network: Network) -> tuple[Array, Array]:
    """``rows`` and ``gate_rows`` of the constants.

    Row j of the forward ring is population a + j; row j of the reverse ring is population -(b' + j), b' mirrored b.
    """
    forward = populations(network)
    row_of = np.argsort(forward)
    labels = np.repeat(np.arange(POPULATIONS)[None, :, None], 3, axis=0)
    back = mirrored(labels)[:, (MIRROR[network.neuron.output_population] + np.arange(ROWS)) % POPULATIONS, 0]
    rows = row_of[np.stack([np.stack([forward] * 3), back])]
    return rows, rows[1, 2]


def instincts(network: Network, types: Types, epoch: int) -> Instincts:
    """How each parameter set of each layer learns in an epoch: records ``kernels.plan.instinct_type``."""
    layers = range(len(network.layers) - 1)
    return Instincts(links=_instincts(network, types, epoch, [("links", layer) for layer in layers]),
                     bias=_instincts(network, types, epoch, [("bias", layer) for layer in layers]),
                     K=_instincts(network, types, epoch, [("K1", 0), ("K2", 0), ("K3", 0)]))


def _instincts(network: Network, types: Types, epoch: int, entries: list[tuple[str, int]]) -> npt.NDArray[np.void]:
    """One record for each parameter set and layer; all of them have the same instinct."""
    learning, formats, fixed = network.learning, network.formats, types.wide is np.int64
    result = np.zeros(len(entries), instinct_type(types.word, types.wide))
    result["kind"] = (PROPORTIONAL, SIGN, PID)[INSTINCTS.index(learning.instinct(entries[0][0]))]
    result["leak"] = learning.leak_shift if fixed else learning.leak
    for name, word in (("product", formats.local_product), ("integral", formats.integral)):
        result[f"{name}_least"], result[f"{name}_high"] = (word.least, word.greatest) if fixed else (word.minimum, word.maximum)
    rate_shifts = learning.rate_shifts(epoch) if fixed else {}
    for record, (name, layer) in zip(result, entries, strict=True):
        record["trains"] = getattr(learning, name) > 0
        if fixed:
            rate_shift, controller = rate_shifts[name] or 0, network.controller(name, layer)
            gains: tuple[float, float, float] = (controller.proportional, controller.integral, controller.derivative)
            record["rate"], record["step"] = network.change_shift(name, layer, rate_shift), network.sign_step(name, rate_shift)
            record["product_shift"] = controller.product_shift
        else:
            gains = learning.gains(name)
            record["rate"] = record["step"] = learning_rate(learning, name, epoch) / 2**network.dwell(layer)
        record["gain_P"], record["gain_I"], record["gain_D"] = gains
    return result


def _starts(sizes: npt.ArrayLike) -> Array:
    """Where each of these begins if they lie one after the other."""
    ends = np.cumsum(sizes)
    return np.concatenate([[0], ends[:-1]]).astype(np.int64)
