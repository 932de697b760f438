"""What becomes of a layer's inputs before they are multiplied: words with their point in place, and words times a rate."""
from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Signal, Value, signed

from hdl.array_design import ArrayDesign
from hdl.layer_design import LayerDesign
from hdl.narrow import clamp, half_up


def encoded(layer: LayerDesign, value: Value) -> Value:
    """An input in the format of the layer's inputs, aligned, signed: a byte stands for byte / 256."""
    if layer.index:
        return value.as_signed() << layer.alignment
    byte = Cat(value, Const(0, 1)).as_signed()
    drop = 8 - layer.formats.input.fraction
    word = byte << -drop if drop <= 0 else half_up(byte, drop)
    bits = layer.formats.input.bits + (not layer.formats.input.signed)
    return clamp(word, bits) << layer.network.input_shift(0) + layer.alignment


def sign_of(value: Value) -> Value:
    """-1, 0 or 1, of a signed value."""
    return Cat(value.any(), value[-1]).as_signed()


def scaled(m: Module, array: ArrayDesign, x: Value, links_rate_shift: Value, bias_rate_shift: Value) -> tuple[Value, Value]:
    """Inputs ``x`` and the bias' one times their learning rates 2**-n, those of layers with magnified errors as they use them;
    for what learns by sign a step, with the sign of the input.

    Slower rates shift less, so that every product drops the same bits (``ArrayDesign.update_shift``). Adds a register for each
    rate shift; learning rates change only while nothing is learnt.
    """
    layer, rate_shifts = array.first, array.network.learning.rate_shifts(0)
    least = min(layer.slowed for layer in array.layers)
    links: Value = Const(0, signed(2))
    bias: Value = Const(0, signed(2))
    if array.design.by_sign("links"):
        unscaled = layer.step_shift("links")
        links_places = Signal(range(unscaled + 1), reset_less=True, name="links_places")
        m.d.sync += links_places.eq(unscaled - links_rate_shift)
        links = sign_of(x) << links_places
    elif rate_shifts["links"] is not None:
        unscaled = array.update_shift - layer.alignment - layer.network.update_shift(layer.index, 0)    # x is not shifted there
        links_places = Signal(range(unscaled - rate_shifts["links"] - least + 1), reset_less=True, name="links_places")
        m.d.sync += links_places.eq(unscaled - links_rate_shift)
        links = x << links_places
    if rate_shifts["bias"] is not None:
        unscaled = layer.step_shift("bias") if array.design.by_sign("bias") else array.update_shift
        bias_places = Signal(range(unscaled - rate_shifts["bias"] - least + 1), reset_less=True, name="bias_places")
        m.d.sync += bias_places.eq(unscaled - bias_rate_shift)
        bias = Cat(Const(1, 1) << bias_places, Const(0, 1)).as_signed()
    return links, bias
