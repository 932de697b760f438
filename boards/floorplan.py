"""Where the units of a large array lie: each unit's multiplier beside its memory, units in their order.

A placer that works on all cells at once strews the parts of 138 units over the whole of an ECP5-85: 784-128-10 could not
be routed so. Multipliers and block RAMs are few and stand in rows; with them in place, all else gathers around its unit. ::

    Y  10 -- multipliers --  unit  0  1  2 ... 47      a band for each row of multipliers, with the row of
       22 -- block RAMs ---           0  1  2 ... 47      block RAMs below it
       34 -- multipliers --  unit 79 ... 49 48         every second one from right to left
       46 -- block RAMs ---          79 ... 49 48

so that neighbours stay neighbours from band to band: a unit hands its token to the next one, and sums of clusters meet.
Layers of few units lie in the middle of the middle band, and beside them the memories that all units share, of images,
errors and the link: nextpnr put these anywhere, and they were at the ends of all slow paths. No cluster is cut in two.
"""
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from hdl.array_design import ArrayDesign
from hdl.cells import block_rams
from hdl.control import CLUSTER, branches
from hdl.design import Design

COLUMNS = (4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114)       # where groups of four multipliers and memories begin
MULTIPLIERS = ((0, "MULT18_0"), (1, "MULT18_1"), (4, "MULT18_4"), (5, "MULT18_5"))     # place in a group, name of the site
MEMORIES = ((0, "EBR0"), (2, "EBR1"), (4, "EBR2"), (6, "EBR3"))
BANDS = {                                 # rows of multipliers and of block RAMs, by device as nextpnr calls it
    "--85k": ((10, 22), (34, 46), (58, 70)), "--um5g-85k": ((10, 22), (34, 46), (58, 70))}
CELL = re.compile(r"\blayer_(\d+)\.(?:unit|weights)_(\d+)\.")
MULTIPLIER, MEMORY = "MULT18X18D", "DP16KD"
CENTRAL = 8                               # places whose memories are for what is no unit's

Occupant = tuple[int, int] | None         # of a place: layer and unit, or a memory of all


@dataclass(frozen=True, kw_only=True)
class Floorplan:
    """Sites, as nextpnr names them: of multiplier and memory by layer and unit; of memories that units share."""

    units: Mapping[tuple[int, int], tuple[str, str]]
    central: tuple[str, ...]


NONE = Floorplan(units={}, central=())


def sites(device: str, design: Design) -> Floorplan:
    """The sites; none for a device or arrays that need no such help, or where units of a large one have several memories each.
    Small arrays whose units have are left to the placer."""
    large = [array for array in design.arrays if branches(array)]
    if device not in BANDS or not large or not all(map(_has_one_memory, large)):
        return NONE
    bands, places = BANDS[device], len(COLUMNS) * len(MULTIPLIERS)
    rows = _rows(design, len(bands))
    if max(map(len, rows)) > places:
        return NONE
    units, central = {}, []
    for (multipliers, memories), row in zip(bands, rows, strict=True):
        for number, unit in enumerate(row):
            group, place = divmod(number * (places - 1) // max(1, len(row) - 1), len(MULTIPLIERS))
            (across, multiplier), (along, memory) = MULTIPLIERS[place], MEMORIES[place]
            site = f"X{COLUMNS[group] + along}/Y{memories}/{memory}"
            if unit is None:
                central.append(site)
            else:
                units[unit] = f"X{COLUMNS[group] + across}/Y{multipliers}/{multiplier}", site
    return Floorplan(units=units, central=tuple(central))


def _has_one_memory(array: ArrayDesign) -> bool:
    """Whether a unit has one block RAM, for weights and what else; that of a time-shared array has others for gates, which a
    recurrent layer has not."""
    one = block_rams(array.design.target, array.depth, array.word_bits) <= 1
    return one and (array.recurrent or not array.time_shared)


def _rows(design: Design, bands: int) -> list[list[Occupant]]:
    """What occupies the places of each band in their order: as even as whole clusters allow.

    A cluster has one copy of the control word and one register of its sum. Cut in two by a band's end it would reach from
    edge to edge of the die: 784-128-10 was placed for 66 MHz so, and for 79 MHz with its clusters whole.
    """
    small: list[list[Occupant]] = []
    large: list[list[Occupant]] = []
    for array in filter(_has_one_memory, design.arrays):
        units: list[Occupant] = [(array.first.index, unit) for unit in range(array.units)]
        if branches(array):
            large += [units[start:start + CLUSTER] for start in range(0, len(units), CLUSTER)]
        else:
            small.append(units)
    middle = len(large) // 2
    pieces: list[list[Occupant]] = [*large[:middle], *small, [None] * CENTRAL, *large[middle:]]
    ends = list(accumulate(map(len, pieces)))
    cuts = [0, *(1 + min(range(len(ends)), key=lambda piece: abs(ends[piece] * bands - ends[-1] * band))
                 for band in range(1, bands)), len(pieces)]
    rows = [[occupant for piece in pieces[start:end] for occupant in piece] for start, end in pairwise(cuts)]
    return [row[::-1] if band % 2 else row for band, row in enumerate(rows)]


def plan(module: dict[str, Any], floorplan: Floorplan) -> int:
    """Tell nextpnr the sites in a flat netlist: of the units' multipliers and memories, and of other memories as far as
    there are sites. Returns how many were told."""
    placed_count, central = 0, iter(floorplan.central)
    for name, cell in sorted(module["cells"].items()):
        named = CELL.search(name)
        if cell["type"] not in (MULTIPLIER, MEMORY):
            continue
        if named:
            pair = floorplan.units.get((int(named[1]), int(named[2])))
            site = pair[cell["type"] == MEMORY] if pair else None
        else:
            site = next(central, None) if cell["type"] == MEMORY else None
        if site:
            cell.setdefault("attributes", {})["BEL"] = site
            placed_count += 1
    return placed_count
