"""Where the elements of a large array lie: each element's multiplier beside its memory, elements in their order.

A placer that works on all cells at once strews the parts of 138 elements over the whole of an ECP5-85: 784-128-10 could not
be routed so. Multipliers and block RAMs are few and stand in rows; with them in place, all else gathers around its element. ::

    Y  10 -- multipliers --  element  0  1  2 ...         a band for each row of multipliers, with the row of
       22 -- block RAMs ---           0  1  2 ...         block RAMs below it
       34 -- multipliers --  element 48 49 ...
       46 -- block RAMs ---          48 49 ...

Layers of few elements lie in the middle of the middle band, close to what every image passes. No cluster is cut in two.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any

from hdl import estimate
from hdl.control import CLUSTER, branches
from hdl.design import Design

Sites = Mapping[tuple[int, int], tuple[str, str]]
COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)       # where groups of four multipliers and memories begin
MULTIPLIERS = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))     # place in a group, name of the site
MEMORIES = ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))
BANDS = {                                 # rows of multipliers and of block RAMs, by device as nextpnr calls it
    "--85k": ((10, 22), (34, 46), (58, 70)), "--um5g-85k": ((10, 22), (34, 46), (58, 70))}
CELL = re.compile(r"\blayer_(\d+)\.(?:element|weights)_(\d+)\.")
TAKES = {"MULT18X18D": 0, "DP16KD": 1}    # which of an element's two sites a cell takes


def sites(device: str, design: Design) -> Sites:
    """Sites of multiplier and memory by layer and element; none for a device or an array that needs no such help, or whose
    elements have several memories each."""
    if device not in BANDS or design.arrangement != "parallel" or not any(map(branches, design.layers)):
        return {}
    if any(estimate.block_rams(design.target, layer.depth, layer.word_bits) > 1 for layer in design.layers):
        return {}
    bands, slots = BANDS[device], len(COLUMNS) * len(MULTIPLIERS)
    rows = _rows(design, len(bands))
    if max(map(len, rows)) > slots:
        return {}
    found = {}
    for (multipliers, memories), row in zip(bands, rows, strict=True):
        for number, element in enumerate(row):
            group, place = divmod(number * (slots - 1) // max(1, len(row) - 1), len(MULTIPLIERS))
            (across, multiplier), (along, memory) = MULTIPLIERS[place], MEMORIES[place]
            found[element] = (f"X{COLUMNS[group] + across}/Y{multipliers}/{multiplier}",
                              f"X{COLUMNS[group] + along}/Y{memories}/{memory}")
    return found


def _rows(design: Design, bands: int) -> list[list[tuple[int, int]]]:
    """Layer and element of each band's elements, in their order: as even as whole clusters allow.

    A cluster has one copy of the control word and one register of its sum. Cut in two by a band's end it would reach from
    edge to edge of the die: 784-128-10 was placed for 66 MHz so, and for 84 MHz with its clusters whole.
    """
    small, large = [], []
    for layer in design.layers:
        elements = [(layer.index, element) for element in range(layer.elements)]
        if branches(layer):
            large += [elements[start:start + CLUSTER] for start in range(0, len(elements), CLUSTER)]
        else:
            small.append(elements)
    middle = len(large) // 2
    pieces = large[:middle] + small + large[middle:]
    ends = list(accumulate(map(len, pieces)))
    cuts = [0, *(1 + min(range(len(ends)), key=lambda piece: abs(ends[piece] * bands - ends[-1] * band))
                 for band in range(1, bands)), len(pieces)]
    return [[element for piece in pieces[start:end] for element in piece] for start, end in pairwise(cuts)]


def plan(module: dict[str, Any], chosen: Sites) -> int:
    """Tell nextpnr the sites of the elements' multipliers and memories in a flat netlist; returns how many."""
    told = 0
    for name, cell in module["cells"].items():
        named = CELL.search(name)
        if chosen and named and cell["type"] in TAKES:
            cell.setdefault("attributes", {})["BEL"] = chosen[int(named[1]), int(named[2])][TAKES[cell["type"]]]
            told += 1
    return told
