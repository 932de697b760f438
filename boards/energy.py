"""Energy of an image: an estimate of its order of magnitude, from published figures. Nothing here was measured.

Standing: the typical standby current of the core. Moving: as if every processing unit multiplied, added and read a word
in every clock, at the energies of those operations in a chip, times what an FPGA takes more.

Assumed, not published: that a multiplication's energy goes with the square of its width, those of an addition and a read with
the width, and all with the square of the voltage, from 45 nm to the 40 nm of these devices alike. The factor of Kuon and Rose
is that of circuits made of look-up tables alone, in 90 nm; hard multipliers and memories take less, so that this errs upwards.
"""
from __future__ import annotations

from dataclasses import dataclass

from boards.platforms import Platform
from hdl.design import Design

SOURCES = (
    "M. Horowitz, Computing's energy problem, ISSCC 2014: 45 nm, 0.9 V",
    "I. Kuon, J. Rose, Measuring the gap between FPGAs and ASICs, IEEE TCAD 26 (2007): dynamic power of FPGAs",
    "Lattice FPGA-DS-02008 (iCE40 UltraPlus), FPGA-DS-02012 (ECP5): typical standby current of the core")
MULTIPLY_32, ADD_32, READ_64 = 3.1, 0.1, 10.0     # pJ: Horowitz, words of 32 bits, 64 bits of an 8 KiB memory
THEIR_VOLTS = 0.9
FPGA_FACTOR = 14                                  # Kuon and Rose
ADDERS = 9                                        # of a unit


@dataclass(frozen=True, kw_only=True)
class Energy:
    """``standing_mW`` whether or not it works; ``clock_pJ``: of all units in a clock in which they do."""

    standing_mW: float
    clock_pJ: float

    def image_uJ(self, clocks: float, MHz: float) -> float:
        """Of an image that keeps the core for so many clocks."""
        return (self.standing_mW * clocks / MHz * 1e-3) + self.clock_pJ * clocks * 1e-6


def sources(platform: Platform) -> list[str]:
    """Of the figures that ``estimate`` takes for a board, what was assumed among them included."""
    return [*SOURCES, *filter(None, [platform.device.assumed])]


def estimate(platform: Platform, design: Design) -> Energy:
    """Of a core on a board."""
    volts, standby = platform.device.core_volts, platform.device.standby_mA
    scale = FPGA_FACTOR * (volts / THEIR_VOLTS)**2
    clock = 0.0
    for layer in design.layers:
        operand, word = design.operand_bits, layer.word_bits
        unit = MULTIPLY_32 * (operand / 32)**2 + ADDERS * ADD_32 * operand / 32 + READ_64 * word / 64
        clock += layer.units * unit * scale
    return Energy(standing_mW=standby * volts, clock_pJ=clock)
