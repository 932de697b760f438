"""Energy of an image: an estimate of its order of magnitude, from published figures. Nothing here was measured.

Standing: the typical core current of the data sheet. Moving: as if every processing element multiplied, added and read a word
in every clock, at the energies of those operations in a chip, times what an FPGA takes more.
"""
from __future__ import annotations

from dataclasses import dataclass

from boards.platforms import Board
from hdl.design import Design

SOURCES = (
    "M. Horowitz, Computing's energy problem, ISSCC 2014: 45 nm, 0.9 V",
    "I. Kuon, J. Rose, Measuring the gap between FPGAs and ASICs, IEEE TCAD 26 (2007): dynamic power of FPGAs",
    "Lattice FPGA-DS-02008 (iCE40 UltraPlus), FPGA-DS-02012 (ECP5): typical standby current of the core")
MULTIPLY_32, ADD_32, READ_64 = 3.1, 0.1, 10.0     # pJ: Horowitz, words of 32 bits, 64 bits of an 8 KiB memory
THEIR_VOLTS = 0.9
FPGA_FACTOR = 14                                  # Kuon and Rose
ADDERS = 9                                        # of an element
VOLTS = {"ice40": 1.2, "ecp5": 1.1}
STANDBY_MA = {"iCE40UP5K": 0.1, "LFE5U-12F": 77, "LFE5U-25F": 77, "LFE5U-45F": 116, "LFE5U-85F": 212, "LFE5UM5G-45F": 116,
              "LFE5UM5G-85F": 212}


@dataclass(frozen=True, kw_only=True)
class Energy:
    """``standing_mW`` whether or not it works; ``clock_pJ``: of all elements in a clock in which they do."""

    standing_mW: float
    clock_pJ: float

    def image_uJ(self, clocks: float, MHz: float) -> float:
        """Of an image that keeps the core for so many clocks."""
        return (self.standing_mW * clocks / MHz * 1e-3) + self.clock_pJ * clocks * 1e-6


def estimate(board: Board, design: Design) -> Energy:
    """Of a core on a board."""
    volts = VOLTS[board.target]
    scale = FPGA_FACTOR * (volts / THEIR_VOLTS)**2
    clock = 0.0
    for layer in design.layers:
        operand, word = design.operand_bits, layer.word_bits
        element = MULTIPLY_32 * (operand / 32)**2 + ADDERS * ADD_32 * operand / 32 + READ_64 * word / 64
        clock += layer.elements * element * scale
    return Energy(standing_mW=STANDBY_MA[board.device.name] * volts, clock_pJ=clock)
