"""Cells, flip-flops, multipliers and block RAMs of a core, by formula, summed over its parts.

They are counted from the widths of adders, multiplexers and registers, with constants fitted to syntheses by
``bench/synthesis.py``; within 15 % of those.
"""
from __future__ import annotations

from dataclasses import dataclass

from golden_model.errors import InputError
from hdl.adder_tree import levels
from hdl.array_design import ArrayDesign
from hdl.control import branches, clusters, control_layout
from hdl.design import Design
from hdl.devices import LARGEST
from hdl.frames import MOST_COUNT
from hdl.layer_design import LayerDesign

BLOCK_SHAPES = {"ecp5": ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),      # words, bits
                "ice40": ((256, 16), (512, 8), (1024, 4), (2048, 2))}
SMALLEST_BLOCK = {"ecp5": (16, 4, 21), "ice40": (1, 1, 65)}        # words, bits, how many of them: what is less is made
                                                                   # of LUTs or flip-flops by Yosys
LUTS_OF_CONTROL = {2: 10, 1: 15}          # of a unit, by ports of its weight memory: enables and clears
MEMORY_OF_LUTS = 6                        # cells of ECP5 that hold 16 words of 4 bits: four read, two write
LONE_REGISTERS = 0.61                     # share of flip-flops that iCE40 cannot pack with a LUT of their own
LONE_SHARE = {2: 1, 1: 0.5}               # and of those beside the units, of which a time-shared array has fewer alone
LONE_WORDS = 10                           # displacements' worth of flip-flops of a time-shared unit that it cannot
JOINED_SHARE = {2: 0.41, 1: 0.6}          # LUTs for each bit of a unit's output: in the OR of all, in choosing one
SEQUENCER = {2: {True: 370, False: 170}, 1: {True: 560, False: 330}}      # by ports, and whether it learns
REGISTERS_OF_SEQUENCER = {2: {True: 240, False: 150}, 1: {True: 150, False: 90}}
CELLS_PER_ADDRESS_BIT, REGISTERS_PER_ADDRESS_BIT = 8.5, {2: 5, 1: 6}
LIST, QUEUE = 45, 20                      # an input list beside its memory, a queue of errors
WINDOW = 40                               # the input of a convolution beside its memory
COMMANDS, REGISTERS_OF_COMMANDS = {"ecp5": 930, "ice40": 985}, 490
OUTPUT_UNIT, REGISTERS_OF_OUTPUT_UNIT = {True: 170, False: 70}, {True: 100, False: 45}


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


def adder(bits: int) -> int:
    """Cells of a carry chain: one a bit, and one that sets its carry."""
    return bits + 1


def packed(target: str, luts: int, registers: float) -> int:
    """Cells of that many LUTs and flip-flops: COMB of ECP5 are LUTs, a logic cell of iCE40 is a LUT and a flip-flop."""
    return luts + (round(LONE_REGISTERS * registers) if target == "ice40" else 0)


def block_rams(target: str, words: int, bits: int) -> int:
    """Blocks that a memory takes; 0 where it is made of LUTs."""
    deep, wide, least = SMALLEST_BLOCK[target]
    if -(-words // deep) * -(-bits // wide) < least:
        return 0
    return min(-(-words // deep) * -(-bits // wide) for deep, wide in BLOCK_SHAPES[target])


def unit_cells(layer: LayerDesign) -> Cells:
    """One processing unit of a layer of its own, with its weight memory."""
    formats, network, design = layer.formats, layer.network, layer.design
    s, word, operand = formats.displacement.bits, layer.word_bits, layer.design.operand_bits
    gate, drive, broadcast = s + 1, formats.drive.bits, layer.broadcast_bits
    rounded = layer.product_bits - network.corrector_shift + 1
    updated = 2 * operand - layer.update_shift - layer.operand_scale + 1
    pairs = 1 if design.kind == "shift" and len({*network.neuron.K1, *network.neuron.K2}) == 1 else 2

    adders = [layer.sum_bits, s + 1, rounded]                       # accumulator, mean, half step
    luts = operand + broadcast + s + drive + 5 + s + 2 + 2 * s + 2 * word + LUTS_OF_CONTROL[2]
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
        adders += [layer.bracket_bits]
        luts += 2 * layer.bracket_bits + 3 * operand + 3 * s
        registers += layer.bracket_bits + operand + broadcast + 5 * s
    own_K = K_cells(layer, layer.folds)
    return Cells(cells=packed(design.target, luts + sum(map(adder, adders)), registers), flip_flops=registers, multipliers=1,
                 block_rams=max(1, block_rams(design.target, layer.depth, word))) + own_K


def K_cells(layer: LayerDesign, folds: int) -> Cells:
    """What a unit has where K are in a memory of their own: the memory, the register of operand A, the update."""
    design, K, operand = layer.design, layer.formats.coupling.bits, layer.design.operand_bits
    if not layer.own_K:
        return Cells(cells=0, flip_flops=0, multipliers=0, block_rams=0)
    luts, registers = 2 * operand + (layer.bracket_bits if layer.K_split else 0), operand
    if layer.design.learns_K:
        updated = max(layer.bracket_bits - layer.K_shift, K) + 1
        luts += layer.formats.displacement.bits * layer.K_most_places.bit_length() + adder(updated) + adder(K) + 2 * K
        registers += updated
    return Cells(cells=packed(design.target, luts, registers), flip_flops=registers, multipliers=0,
                 block_rams=max(1, block_rams(design.target, folds * layer.K_rows, layer.K_bits)))


def time_shared_unit_cells(array: ArrayDesign) -> Cells:
    """One processing unit of a time-shared array with its memories; a large single-port RAM is not counted."""
    formats, network, design, layer = array.formats, array.network, array.design, array.first
    s, operand, broadcast = formats.displacement.bits, design.operand_bits, array.broadcast_bits
    rounded = layer.product_bits - network.corrector_shift + 1
    bracket = layer.operand_bits_needed["the bracket"]
    adders = [array.sum_bits, s + 1, rounded]
    luts = 2 * operand + 2 * broadcast + s + formats.drive.bits + 5 + 2 * (s + 1) + LUTS_OF_CONTROL[1]
    registers = 10 * s + array.sum_bits + formats.drive.bits + 2 * broadcast + 4 * (s + 1) + operand + rounded
    if design.kind == "shift":
        adders += [s + 1, s + 2, broadcast + 1, bracket]
    else:
        adders.append(layer.bracket_bits)
        luts += 2 * layer.bracket_bits + 2 * operand + 2 * s
        registers += layer.bracket_bits + operand + 2 * s
    blocks = 0
    if array.starts_in_blocks:
        blocks += 1                                      # whatever their size, as gates and sums
    else:
        luts += MEMORY_OF_LUTS * -(-s // 4)
        registers += s
    if array.windowed:                                   # beside the weight memory, and for a product that waits
        registers += 2 * array.word_bits
    if array.recurrent:
        own, joined = exchange_cells(array)
        luts, registers, adders = luts + own.cells, registers + own.flip_flops, [*adders, *joined]
    if array.learns:
        updated = 2 * operand - array.update_shift - array.operand_scale + 1
        adders.append(updated)
        luts += array.word_bits + s + 12
        registers += 2 * updated if array.windowed else updated
        blocks += max(1, block_rams(design.target, array.gate_words, s + 1)) if array.gate_words else 0
    if array.gathers:
        adders.append(array.gathered_bits)
        luts += 2 * array.gathered_bits
        registers += 2 * array.gathered_bits + 1
        blocks += max(1, block_rams(design.target, array.gathered_words, array.gathered_bits))
    lone = LONE_WORDS * s if design.target == "ice40" else 0
    weights = 0 if design.target == "ice40" else block_rams(design.target, array.depth, array.word_bits)
    return Cells(cells=luts + sum(map(adder, adders)) + lone, flip_flops=registers, multipliers=1,
                 block_rams=blocks + weights) + K_cells(layer, array.folds)


def exchange_cells(array: ArrayDesign) -> tuple[Cells, list[int]]:
    """What a unit has for reciprocal links, and the widths of its adders: what is gained, and what comes from the tree, to the
    brackets; states read back in place of a memory of gates."""
    s, drive, exchanged = array.formats.displacement.bits, array.formats.drive.bits, array.first.exchanged_bits
    luts = drive + 5 + 2 * (exchanged + 1) + 2 * s + 8
    registers = drive + 3 * exchanged + 2
    if array.learns:
        luts += 2 * s + array.word_bits + array.sum_bits
    return Cells(cells=luts, flip_flops=registers, multipliers=0, block_rams=0), [drive + 1, exchanged + 1]


def tree_cells(array: ArrayDesign) -> Cells:
    """The adder tree of an array that sends errors back, and the memory of sums over folds; or of reciprocal links."""
    if not (array.reverses or array.recurrent):
        return Cells(cells=0, flip_flops=0, multipliers=0, block_rams=0)
    width, target, count = array.formats.weight.bits + array.formats.displacement.bits, array.design.target, array.units
    cells = registers = 0
    for level in range(levels(array.units)):
        cells += count // 2 * adder(width + level + 1)
        count = -(-count // 2)
        registers += count * (width + level + 1)
    if array.recurrent:
        total, drive = array.first.reverse_sum_bits, array.formats.drive.bits
        return Cells(cells=cells + adder(total - array.link_shift + 1) + drive + 5, flip_flops=registers + total + drive,
                     multipliers=0, block_rams=0)
    total, error, inputs = array.reverse_sum_bits, array.formats.error.bits, max(layer.inputs for layer in array.reversing())
    cells += adder(total - array.reversing()[0].reverse_shift + 2) + error + 5
    registers += total
    blocks = 0
    if array.time_shared:
        cells += adder(total)
        registers += 20
        blocks = max(1, block_rams(target, array.reverse_words, total))
    else:
        registers += error + 3 * levels(array.units) + 4
        if array.first.folds > 1:
            cells += adder(total) + total
            registers += 2 * inputs.bit_length()
            blocks = block_rams(target, array.reverse_words, total)
    return Cells(cells=packed(target, cells, LONE_SHARE[array.ports] * registers), flip_flops=registers, multipliers=0,
                 block_rams=blocks)


def array_cells(array: ArrayDesign) -> Cells:
    """Units, sequencer, copies of the control word, what joins outputs, adder tree, input lists, queue of errors."""
    design, s, ports = array.design, array.formats.displacement.bits, array.ports
    address = max(1, (array.depth - 1).bit_length())
    unit = time_shared_unit_cells(array) if array.time_shared else unit_cells(array.first)
    word = array.word_bits + (s if array.time_shared else 0)
    cells = (SEQUENCER[ports][array.learns] + round(CELLS_PER_ADDRESS_BIT * address)
             + round(JOINED_SHARE[ports] * array.units * word))
    copies = 0 if array.time_shared else control_layout(array).size * (clusters(array) + branches(array))
    registers = REGISTERS_OF_SEQUENCER[ports][array.learns] + REGISTERS_PER_ADDRESS_BIT[ports] * address
    registers += 0 if array.time_shared else clusters(array) * array.word_bits
    blocks = 0
    for layer in array.layers:
        if layer.walked is not None:
            place, tap = (layer.inputs - 1).bit_length(), layer.walked.taps.bit_length()
            value = s if layer.index else 8
            cells += WINDOW + 7 * place + 4 * tap + 2 * value
            registers += 10 + 6 * place + 5 * tap + 2 * value
            blocks += max(1, block_rams(design.target, layer.inputs, value))
        elif layer.index:
            cells += LIST + 6 * layer.inputs.bit_length()
            registers += 30 + 5 * layer.inputs.bit_length()
            blocks += block_rams(design.target, 2 << (layer.inputs - 1).bit_length(), s + layer.inputs.bit_length())
    if array.learns:
        cells += QUEUE
        registers += 25
        blocks += block_rams(design.target, array.last.neurons, array.formats.error.bits)
    beside = packed(design.target, cells, LONE_SHARE[ports] * registers) + (copies if design.target == "ice40" else 0)
    return (unit.times(array.units) + tree_cells(array)
            + Cells(cells=beside, flip_flops=registers + copies, multipliers=0, block_rams=blocks))


def core_cells(design: Design) -> Cells:
    """The whole core.

    Raises
    ------
    InputError
        For a target whose cells are not known.
    """
    target, formats = design.target, design.network.formats
    if target not in LARGEST:
        raise InputError(f"target must be {' or '.join(LARGEST)} for an estimate of cells, not {target}")
    words = -(-design.network.layers[0] // 4)
    place = (words - 1).bit_length()
    blocks = (block_rams(target, 2 << place, 36 + place) + block_rams(target, MOST_COUNT + 1, 32)
              + block_rams(target, design.network.layers[-1], formats.displacement.bits))
    output = REGISTERS_OF_OUTPUT_UNIT[design.learns]
    share = max(LONE_SHARE[array.ports] for array in design.arrays)
    rest = Cells(cells=COMMANDS[target] + packed(target, OUTPUT_UNIT[design.learns], share * output),
                 flip_flops=REGISTERS_OF_COMMANDS + output, multipliers=0, block_rams=blocks)
    return sum(map(array_cells, design.arrays), rest)
