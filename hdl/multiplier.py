"""The multiplier of a processing unit: signed, registers at its operands and at its product.

::

    a --> reg --+
                * --> reg --> product
    b --> reg --+

Two clocks. The registers are inside the DSP block: Yosys absorbs them for iCE40, but does not infer them for ECP5, where
MULT18X18D is instantiated. Every target computes the same bits.
"""
from __future__ import annotations

from amaranth.hdl import ClockSignal, Const, Instance, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden_model.errors import InputError

TARGETS = ("portable", "ecp5", "ice40")
OPERAND_BITS = {"portable": 18, "ecp5": 18, "ice40": 16}      # of one DSP block; wider ones take several
LATENCY = 2


class Multiplier(wiring.Component):
    """One DSP block.

    Parameters
    ----------
    bits : int
        Width of both operands.
    target : "portable", "ecp5" or "ice40"
        ``ecp5`` instantiates MULT18X18D, the others leave the block to synthesis.

    Members
    -------
    a, b : In(signed(bits))
    product : Out(signed(2 * bits))
        a * b of two clocks ago.
    """

    def __init__(self, bits: int, target: str = "portable") -> None:
        check_target(target)
        if not 2 <= bits <= OPERAND_BITS[target]:
            raise InputError(f"a multiplier of target {target} must have operands of 2 to {OPERAND_BITS[target]} bits, "
                             f"not {bits}")
        self.bits, self.target = bits, target
        super().__init__({"a": In(signed(bits)), "b": In(signed(bits)), "product": Out(signed(2 * bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.target == "ecp5":
            wide = {name: Signal(signed(18), name=name) for name in ("a18", "b18")}
            product = Signal(36, name="product")
            ports: dict[str, object] = {"i_CLK0": ClockSignal(), "i_CE0": Const(1), "i_RST0": Const(0)}
            for operand, word in (("A", wide["a18"]), ("B", wide["b18"])):
                ports |= {f"i_{operand}{bit}": word[bit] for bit in range(18)}
                ports |= {f"i_SIGNED{operand}": Const(1), f"i_SOURCE{operand}": Const(0)}
            ports |= {f"o_P{bit}": product[bit] for bit in range(36)}
            m.d.comb += [wide["a18"].eq(self.a), wide["b18"].eq(self.b), self.product.eq(product[:2 * self.bits].as_signed())]
            m.submodules.dsp = Instance(
                "MULT18X18D", p_REG_INPUTA_CLK="CLK0", p_REG_INPUTB_CLK="CLK0", p_REG_INPUTC_CLK="NONE",
                p_REG_PIPELINE_CLK="NONE", p_REG_OUTPUT_CLK="CLK0", p_GSR="DISABLED", p_MULT_BYPASS="DISABLED",
                p_RESETMODE="SYNC", **ports)
        else:
            a = Signal(signed(self.bits), reset_less=True, name="a")
            b = Signal(signed(self.bits), reset_less=True, name="b")
            product = Signal(signed(2 * self.bits), reset_less=True, name="product")
            m.d.sync += [a.eq(self.a), b.eq(self.b), product.eq(a * b)]
            m.d.comb += self.product.eq(product)
        return m


def check_target(target: str) -> None:
    if target not in TARGETS:
        raise InputError(f"target must be portable, ecp5 or ice40, not {target!r}")
