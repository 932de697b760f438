"""What a design costs, by formula: clocks, memory, multipliers, cells of an FPGA. Seconds instead of a synthesis.

Clocks are exact (``hdl.timing``). Cells are counted from the widths of adders, multiplexers and registers, with constants
fitted to syntheses by ``bench/synthesis.py``; they are within 15 % of those.
"""
from __future__ import annotations

import functools
from dataclasses import dataclass

from golden_model.errors import InputError
from hdl import timing
from hdl.adder_tree import levels
from hdl.control import branches, clusters, control_layout
from hdl.design import Design
from hdl.devices import LARGEST
from hdl.frames import MOST_COUNT
from hdl.layer_design import LayerDesign

WARM_UP, MEASURED = 12, 24                # images before and within the steady state
CLOCKS = {"ecp5": 100.0, "ice40": 24.0}   # MHz that a core is to reach at least
BLOCK_SHAPES = {"ecp5": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),      # words, bits
                "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2))}
SMALLEST_BLOCK = {"ecp5": (16, 4, 21), "ice40": (1, 1, 65)}        # words, bits, how many of them: what is less is made
                                                                   # of LUTs or flip-flops by Yosys


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Per image, in the steady state of equal images sent without pause; ``latency`` from the first word to the reply."""

    inferred: float
    latency: int
    learnt: float | None
    learnt_without_error: float | None


@dataclass(frozen=True, kw_only=True)
class Cells:
    """``cells``: TRELLIS_COMB of ECP5, or logic cells of iCE40. ``block_rams``: DP16KD, or SB_RAM40_4K."""

    cells: int
    flip_flops: int
    multipliers: int
    block_rams: int

    def __add__(self, other: Cells) -> Cells:
        return Cells(cells=self.cells + other.cells, flip_flops=self.flip_flops + other.flip_flops,
                     multipliers=self.multipliers + other.multipliers, block_rams=self.block_rams + other.block_rams)

    def times(self, count: int) -> Cells:
        return Cells(cells=self.cells * count, flip_flops=self.flip_flops * count, multipliers=self.multipliers * count,
                     block_rams=self.block_rams * count)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bits of a core's memories."""

    weights: int
    lists: int
    queues: int


# ----------------------------------------------------------------- clocks

@functools.lru_cache(maxsize=256)                         # several boards have the same chip
def clocks(design: Design, nonzero: int) -> Clocks:
    """Clocks of images with ``nonzero`` inputs that are not 0 and no output that is.

    Raises
    ------
    InputError
        If there are not so many inputs.
    """
    def period(learn: bool, error: bool) -> tuple[float, int]:
        image = timing.Image(nonzero=nonzero, hidden=tuple([True] * size for size in design.network.layers[1:-1]),
                             learn=learn, error=error)
        answered = timing.answers(design, [image] * (WARM_UP + MEASURED))
        return (answered[-1] - answered[WARM_UP - 1]) / MEASURED, answered[0] + 1

    inferred, latency = period(learn=False, error=False)
    learns = design.learns
    return Clocks(inferred=inferred, latency=latency, learnt=period(learn=True, error=True)[0] if learns else None,
                  learnt_without_error=period(learn=True, error=False)[0] if learns else None)


# ----------------------------------------------------------------- memory

def memory(design: Design) -> Memory:
    """Weight memories; the lists of inputs (two banks) and the words of a WRITE; the queues of errors and outputs."""
    layers = design.network.layers
    words = -(-layers[0] // 4)
    place = (words - 1).bit_length()
    lists = (2 << place) * (36 + place) + 32 * (MOST_COUNT + 1)
    queues = 0
    for layer in design.layers:
        formats = layer.formats
        if layer.index:
            lists += (2 << (layer.inputs - 1).bit_length()) * (formats.displacement.bits + layer.inputs.bit_length())
        if layer.learns:
            queues += layer.neurons * formats.error.bits
        if layer.reverses and layer.folds > 1:
            queues += layer.inputs * layer.reverse_sum_bits
    queues += layers[-1] * design.network.formats.displacement.bits
    weights = sum(array.units * array.depth * array.word_bits for array in design.arrays)
    return Memory(weights=weights, lists=lists, queues=queues)


def block_rams(target: str, words: int, bits: int) -> int:
    """Blocks that a memory takes; 0 where it is made of LUTs."""
    deep, wide, least = SMALLEST_BLOCK[target]
    if -(-words // deep) * -(-bits // wide) < least:
        return 0
    return min(-(-words // deep) * -(-bits // wide) for deep, wide in BLOCK_SHAPES[target])


# ----------------------------------------------------------------- cells

LUTS_OF_CONTROL = 10                      # of a unit: enables and clears
MEMORY_OF_LUTS = 6                        # cells of ECP5 that hold 16 words of 4 bits: four read, two write
LONE_REGISTERS = 0.61                     # share of flip-flops that iCE40 cannot pack with a LUT of their own
JOINED_SHARE = 0.41                       # LUTs for each bit of a unit's output, in the OR of all
SEQUENCER = {True: 370, False: 170}       # a sequencer, by whether it learns; and for each bit of its addresses
CELLS_PER_ADDRESS_BIT, REGISTERS_OF_SEQUENCER, REGISTERS_PER_ADDRESS_BIT = 8.5, {True: 240, False: 150}, 5
LIST, QUEUE = 45, 20                      # an input list beside its memory, a queue of errors
COMMANDS, REGISTERS_OF_COMMANDS = {"ecp5": 930, "ice40": 985}, 490
OUTPUT_UNIT, REGISTERS_OF_OUTPUT_UNIT = {True: 170, False: 70}, {True: 100, False: 45}


def adder(bits: int) -> int:
    """Cells of a carry chain: one a bit, and one that sets its carry."""
    return bits + 1


def packed(target: str, luts: int, registers: int) -> int:
    """Cells of that many LUTs and flip-flops: COMB of ECP5 are LUTs, a logic cell of iCE40 is a LUT and a flip-flop."""
    return luts + (round(LONE_REGISTERS * registers) if target == "ice40" else 0)


def unit_cells(layer: LayerDesign) -> Cells:
    """One processing unit with its weight memory."""
    formats, network, design = layer.formats, layer.network, layer.design
    s, word, operand = formats.displacement.bits, layer.word_bits, layer.design.operand_bits
    gate, drive, broadcast = s + 1, formats.drive.bits, layer.broadcast_bits
    rounded = layer.product_bits - network.corrector_shift + 1
    updated = 2 * operand - layer.update_shift - layer.operand_scale + 1
    pairs = 1 if design.kind == "shift" and len({*network.neuron.K1, *network.neuron.K2}) == 1 else 2

    adders = [layer.sum_bits, s + 1, rounded]                       # accumulator, mean, half step
    luts = operand + broadcast + s + drive + 5 + s + 2 + 2 * s + 2 * word + LUTS_OF_CONTROL
    registers = (10 * s + 2 * gate + word + layer.sum_bits + drive + broadcast + s + 1 + rounded + word + 1 + s + 1 + word)
    if layer.learns:
        adders.append(updated)
        luts += gate + 5 + 6                                        # gate ring's entrance, test for overflow
        registers += 5 * gate
    else:
        registers += gate
    if layer.rings == "lut":                                         # not in registers, and without a multiplexer to turn
        luts += MEMORY_OF_LUTS * -(-s // 4) - s
        registers -= 4 * s
        if layer.learns:
            luts += MEMORY_OF_LUTS * -(-gate // 4)
            registers -= 5 * gate
    if design.kind == "shift":
        adders += [s + 1] * pairs + [s + 2, broadcast + 1, layer.operand_bits_needed["the bracket"]]
        registers += s + (s + 1) * 2 + s + 2 + broadcast + 1
    else:
        bracket = network.widths(any_coupling=True)["bracket"]
        adders += [bracket]
        luts += 2 * bracket + 3 * operand + 3 * s
        registers += bracket + operand + broadcast + 5 * s
    return Cells(cells=packed(design.target, luts + sum(map(adder, adders)), registers), flip_flops=registers, multipliers=1,
                 block_rams=max(1, block_rams(design.target, layer.depth, word)))


def tree_cells(layer: LayerDesign) -> Cells:
    """The adder tree of a layer that sends errors back."""
    if not layer.reverses:
        return Cells(cells=0, flip_flops=0, multipliers=0, block_rams=0)
    width = layer.formats.weight.bits + layer.formats.displacement.bits
    cells = registers = 0
    count = layer.units
    for level in range(levels(layer.units)):
        cells += count // 2 * adder(width + level + 1)
        count = -(-count // 2)
        registers += count * (width + level + 1)
    total, error = layer.reverse_sum_bits, layer.formats.error.bits
    cells += adder(total - layer.network.reverse_link_shift + 2) + error + 5
    registers += total + error + 3 * levels(layer.units) + 4
    blocks = 0
    if layer.folds > 1:
        cells += adder(total) + total
        registers += 2 * layer.inputs.bit_length()
        blocks = block_rams(layer.design.target, layer.inputs, total)
    return Cells(cells=packed(layer.design.target, cells, registers), flip_flops=registers, multipliers=0, block_rams=blocks)


def layer_cells(layer: LayerDesign) -> Cells:
    """Units, sequencer, control registers, outputs' OR, adder tree, input list, queue of errors."""
    design, s = layer.design, layer.formats.displacement.bits
    address = max(1, (layer.depth - 1).bit_length())
    joined = round(layer.units * layer.word_bits * JOINED_SHARE)
    cells = SEQUENCER[layer.learns] + round(CELLS_PER_ADDRESS_BIT * address) + joined
    copies = control_layout(layer).size * (clusters(layer) + branches(layer))
    registers = (REGISTERS_OF_SEQUENCER[layer.learns] + REGISTERS_PER_ADDRESS_BIT * address + clusters(layer) * layer.word_bits)
    blocks = 0
    if layer.index:
        cells += LIST + 6 * layer.inputs.bit_length()
        registers += 30 + 5 * layer.inputs.bit_length()
        blocks += block_rams(design.target, 2 << (layer.inputs - 1).bit_length(), s + layer.inputs.bit_length())
    if layer.learns:
        cells += QUEUE
        registers += 25
        blocks += block_rams(design.target, layer.neurons, layer.formats.error.bits)
    return (unit_cells(layer).times(layer.units) + tree_cells(layer)
            + Cells(cells=packed(design.target, cells, registers) + (copies if design.target == "ice40" else 0),
                    flip_flops=registers + copies, multipliers=0, block_rams=blocks))


def cells(design: Design) -> Cells:
    """The whole core.

    Raises
    ------
    InputError
        For a target whose cells are not known.
    """
    if design.target not in LARGEST:
        raise InputError(f"target must be {' or '.join(LARGEST)} for an estimate of cells, not {design.target}")
    if design.arrangement == "time-shared":
        from hdl.time_shared import estimate  # which is made of this module
        return estimate.cells(design)
    words = -(-design.network.layers[0] // 4)
    place = (words - 1).bit_length()
    formats = design.network.formats
    blocks = (block_rams(design.target, 2 << place, 36 + place) + block_rams(design.target, MOST_COUNT + 1, 32)
              + block_rams(design.target, design.network.layers[-1], formats.displacement.bits))
    output = REGISTERS_OF_OUTPUT_UNIT[design.learns]
    rest = Cells(cells=COMMANDS[design.target] + packed(design.target, OUTPUT_UNIT[design.learns], output),
                   flip_flops=REGISTERS_OF_COMMANDS + output, multipliers=0, block_rams=blocks)
    return sum(map(layer_cells, design.layers), rest)
