"""What a time-shared array costs, by formula: ``hdl.estimate`` for designs of arrangement ``time-shared``."""
from __future__ import annotations

from hdl import estimate
from hdl.adder_tree import levels
from hdl.array_design import ArrayDesign
from hdl.design import Design
from hdl.estimate import Cells, adder, block_rams
from hdl.frames import MOST_COUNT

LUTS_OF_CONTROL = 15                      # of a unit: enables and clears
LONE_WORDS = 10                           # displacements' worth of flip-flops that iCE40 cannot pack with a LUT of their own
SEQUENCER = {True: 560, False: 330}       # a sequencer, by whether it learns; and for each bit of its addresses
CELLS_PER_ADDRESS_BIT, REGISTERS_OF_SEQUENCER, REGISTERS_PER_ADDRESS_BIT = 8.5, {True: 150, False: 90}, 6
SELECTED_SHARE = 0.6                      # LUTs for each bit of a unit's word and output, in choosing one of them


def unit_cells(array: ArrayDesign) -> Cells:
    """One processing unit with its memories; a large single-port RAM is not counted."""
    formats, network, design, layer = array.formats, array.network, array.design, array.first
    s, operand, broadcast = formats.displacement.bits, design.operand_bits, array.broadcast_bits
    rounded = layer.product_bits - network.corrector_shift + 1
    bracket = layer.operand_bits_needed["the bracket"]
    adders = [array.sum_bits, s + 1, rounded, s + 1, s + 2, broadcast + 1, bracket]
    luts = 2 * operand + 2 * broadcast + s + formats.drive.bits + 5 + 2 * (s + 1) + LUTS_OF_CONTROL
    registers = (10 * s + array.sum_bits + formats.drive.bits + 2 * broadcast + 4 * (s + 1) + operand + rounded)
    blocks = 1                                           # step starts: in a block whatever their size, as gates and sums
    if array.learns:
        updated = 2 * operand - array.update_shift - array.operand_scale + 1
        adders.append(updated)
        luts += array.word_bits + s + 12
        registers += updated
        blocks += max(1, block_rams(design.target, array.gate_words, s + 1))
    lone = LONE_WORDS * s if design.target == "ice40" else 0
    weights = 0 if design.target == "ice40" else block_rams(design.target, array.depth, array.word_bits)
    return Cells(cells=luts + sum(map(adder, adders)) + lone, flip_flops=registers, multipliers=1, block_rams=blocks + weights)


def cells(design: Design) -> Cells:
    """The whole core; arguments as ``hdl.estimate.cells``, which checks them."""
    array, formats, target = design.arrays[0], design.network.formats, design.target
    s, address = formats.displacement.bits, (array.depth - 1).bit_length()
    words = -(-design.network.layers[0] // 4)
    place = (words - 1).bit_length()
    luts = (SEQUENCER[array.learns] + round(CELLS_PER_ADDRESS_BIT * address)
            + round(SELECTED_SHARE * array.units * (array.word_bits + s)) + estimate.OUTPUT_UNIT[design.learns])
    registers = (REGISTERS_OF_SEQUENCER[array.learns] + REGISTERS_PER_ADDRESS_BIT * address
                 + estimate.REGISTERS_OF_OUTPUT_UNIT[design.learns])
    blocks = (block_rams(target, 2 << place, 36 + place) + block_rams(target, MOST_COUNT + 1, 32)
              + block_rams(target, design.network.layers[-1], s))
    for layer in array.layers[1:]:
        luts += estimate.LIST + 6 * layer.inputs.bit_length()
        registers += 30 + 5 * layer.inputs.bit_length()
        blocks += block_rams(target, 2 << (layer.inputs - 1).bit_length(), s + layer.inputs.bit_length())
    if array.learns:
        luts += estimate.QUEUE
        registers += 25
        blocks += block_rams(target, array.last.neurons, formats.error.bits)
    if array.reverses:
        width, count = formats.weight.bits + s, array.units
        for level in range(levels(array.units)):
            luts += count // 2 * adder(width + level + 1)
            count = -(-count // 2)
            registers += count * (width + level + 1)
        total = array.reverse_sum_bits
        luts += adder(total) + adder(total - design.network.reverse_link_shift + 2) + formats.error.bits + 5
        registers += total + 20
        inputs = max(layer.inputs for layer in array.reversing())
        blocks += max(1, block_rams(target, inputs * min(2, len(array.reversing())), total))
    rest = Cells(cells=estimate.COMMANDS[target] + estimate.packed(target, luts, registers // 2),
                   flip_flops=estimate.REGISTERS_OF_COMMANDS + registers, multipliers=0, block_rams=blocks)
    return unit_cells(array).times(array.units) + rest
