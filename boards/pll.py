"""Phase-locked loops: the dividers that come nearest to a wanted clock, and the primitive that they parametrise.

``icepll`` and ``ecppll`` compute the same; the tests compare them.
"""
from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from amaranth.hdl import Const, Instance, Signal

from golden_model.errors import InputError

# MHz. iCE40: FPGA-DS-02008 (iCE40 UltraPlus), ECP5: FPGA-DS-02012, sections on PLL timing
ICE40_DETECTOR, ICE40_OSCILLATOR, ICE40_OUTPUT = (10, 133), (533, 1066), (16, 275)
ECP5_DETECTOR, ECP5_OSCILLATOR, ECP5_OUTPUT = (Fraction(25, 8), 400), (400, 800), (10, 400)
ICE40_FILTERS = (17, 26, 44, 66, 101)     # detector frequencies from which the next filter range holds
ECP5_MIDDLE = 600                         # of equally good dividers those with the oscillator nearest to its middle


@dataclass(frozen=True, kw_only=True)
class Ice40Pll:
    """SB_PLL40 with feedback SIMPLE. Frequencies in MHz; fields as the primitive has them (each divider is one less)."""

    reference: Fraction
    divr: int
    divf: int
    divq: int

    @property
    def detector(self) -> Fraction:
        return self.reference / (self.divr + 1)

    @property
    def oscillator(self) -> Fraction:
        return self.detector * (self.divf + 1)

    @property
    def output(self) -> Fraction:
        return self.oscillator / 2**self.divq

    @property
    def filter_range(self) -> int:
        return 1 + sum(self.detector >= limit for limit in ICE40_FILTERS)

    def instance(self, pin: Any, clock: Signal, locked: Signal, *, pad: bool) -> Instance:
        """The primitive. ``pad``: the pin is the one wired to the PLL, otherwise the reference comes through the fabric."""
        reference: dict[str, Any] = {"i_PACKAGEPIN": pin} if pad else {"i_REFERENCECLK": pin}
        return Instance("SB_PLL40_PAD" if pad else "SB_PLL40_CORE", p_FEEDBACK_PATH="SIMPLE", p_DIVR=Const(self.divr, 4),
                        p_DIVF=Const(self.divf, 7), p_DIVQ=Const(self.divq, 3), p_FILTER_RANGE=Const(self.filter_range, 3),
                        i_RESETB=Const(1), i_BYPASS=Const(0), o_PLLOUTGLOBAL=clock, o_LOCK=locked, **reference)


@dataclass(frozen=True, kw_only=True)
class Ecp5Pll:
    """EHXPLLL whose feedback is its output CLKOP. Frequencies in MHz, dividers as they are."""

    reference: Fraction
    reference_divider: int
    feedback_divider: int
    output_divider: int

    @property
    def detector(self) -> Fraction:
        return self.reference / self.reference_divider

    @property
    def output(self) -> Fraction:
        return self.detector * self.feedback_divider

    @property
    def oscillator(self) -> Fraction:
        return self.output * self.output_divider

    def instance(self, pin: Any, clock: Signal, locked: Signal) -> Instance:
        """The primitive, with the loop filter that Lattice's own tool writes at every frequency."""
        low, high = Const(0), Const(1)
        return Instance(
            "EHXPLLL", a_FREQUENCY_PIN_CLKI=f"{float(self.reference):g}", a_FREQUENCY_PIN_CLKOP=f"{float(self.output):g}",
            a_ICP_CURRENT="12", a_LPF_RESISTOR="8", a_MFG_ENABLE_FILTEROPAMP="1", a_MFG_GMCREF_SEL="2",
            p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED", p_DPHASE_SOURCE="DISABLED",
            p_OUTDIVIDER_MUXA="DIVA", p_OUTDIVIDER_MUXB="DIVB", p_OUTDIVIDER_MUXC="DIVC", p_OUTDIVIDER_MUXD="DIVD",
            p_CLKI_DIV=self.reference_divider, p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=self.output_divider,
            p_CLKOP_CPHASE=(self.output_divider - 1) // 2, p_CLKOP_FPHASE=0, p_FEEDBK_PATH="CLKOP",
            p_CLKFB_DIV=self.feedback_divider,
            i_RST=low, i_STDBY=low, i_CLKI=pin, o_CLKOP=clock, i_CLKFB=clock, i_PHASESEL0=low, i_PHASESEL1=low,
            i_PHASEDIR=high, i_PHASESTEP=high, i_PHASELOADREG=high, i_PLLWAKESYNC=low, i_ENCLKOP=low, o_LOCK=locked)


Pll = Ice40Pll | Ecp5Pll


def solve(target: str, reference: float | Fraction, frequency: float | Fraction) -> Pll:
    """The PLL of ``target`` (ice40, ecp5) that makes the frequency nearest to ``wanted`` from ``reference``, both in MHz.

    Raises
    ------
    InputError
        If no dividers of the device come within 5 % of it.
    """
    source, goal = Fraction(reference).limit_denominator(1_000_000), Fraction(frequency).limit_denominator(1_000_000)
    solution = _ice40(source, goal) if target == "ice40" else _ecp5(source, goal)
    if solution is None or abs(solution.output - goal) > goal / 20:
        low, high = ICE40_OUTPUT if target == "ice40" else ECP5_OUTPUT
        raise InputError(f"the clock must be {low} to {high} MHz and near to what the PLL of {target} can make from "
                         f"{float(source):g} MHz, not {float(goal):g}; choose another --clock")
    return solution


def _within(value: Fraction, limits: tuple[Any, Any]) -> bool:
    return bool(limits[0] <= value <= limits[1])


def _ice40(reference: Fraction, goal: Fraction) -> Ice40Pll | None:
    candidates = (Ice40Pll(reference=reference, divr=divr, divf=divf, divq=divq)
                  for divr in range(16) if _within(reference / (divr + 1), ICE40_DETECTOR)
                  for divf in range(128) if _within(reference / (divr + 1) * (divf + 1), ICE40_OSCILLATOR)
                  for divq in range(1, 7))
    allowed = (pll for pll in candidates if _within(pll.output, ICE40_OUTPUT))
    return min(allowed, key=lambda pll: abs(pll.output - goal), default=None)


def _ecp5(reference: Fraction, goal: Fraction) -> Ecp5Pll | None:
    pairs = [(divider, feedback) for divider in range(1, 129) if _within(reference / divider, ECP5_DETECTOR)
             for feedback in range(1, 81) if _within(reference / divider * feedback, ECP5_OUTPUT)]
    if not pairs:
        return None
    nearest = min(abs(reference / divider * feedback - goal) for divider, feedback in pairs)
    candidates = (Ecp5Pll(reference=reference, reference_divider=divider, feedback_divider=feedback, output_divider=output)
                  for divider, feedback in pairs if abs(reference / divider * feedback - goal) == nearest
                  for output in range(1, 129))
    allowed = (pll for pll in candidates if _within(pll.oscillator, ECP5_OSCILLATOR))
    return min(allowed, key=lambda pll: abs(pll.oscillator - ECP5_MIDDLE), default=None)
