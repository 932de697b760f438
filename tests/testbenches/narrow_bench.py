"""cocotb testbench of narrowing units side by side: every value of small ones, corners and random values of wide ones.

Settings: ``units``, a list of [name, bits, shift, result bits]; ``exhaustive``, the widest that are given every value;
``samples``, random values of the others; ``seed``. The scoreboard is ``golden_model.fixed_point.narrow``.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
from cocotb.triggers import Timer

from golden_model.fixed_point import Format, narrow
from testbenches.cases import each_case
from testbenches.ports import Ports


def values_of(bits: int, shift: int, to: Format, exhaustive: int, samples: int, chance: random.Random) -> list[int]:
    """All values of small words; else those around zero, the limits of word and result, ties, and random ones."""
    least, greatest = -(1 << bits - 1), (1 << bits - 1) - 1
    if bits <= exhaustive:
        return list(range(least, greatest + 1))
    half = 1 << shift >> 1
    centres = [0, least, greatest, *((limit << shift) + side for limit in (to.least, to.greatest) for side in (-half, half))]
    near = [centre + step for centre in centres for step in (-2, -1, 0, 1, 2)]
    spread = [chance.randrange(-1 << k, 1 << k) for k in (chance.randrange(1, bits) for _ in range(samples))]
    return [value for value in near + spread if least <= value <= greatest]


@each_case
async def every_result_is_the_narrowed_value(dut: Any, options: Any) -> None:
    ports, chance = Ports(dut), random.Random(options["seed"])
    units, coverage = [], Counter[str]()
    for name, bits, shift, result in options["units"]:
        to = Format(result, 0)
        values = values_of(bits, shift, to, options["exhaustive"], options["samples"], chance)
        expected = narrow(np.array(values), shift, to)
        rounded = narrow(np.array(values), shift, Format(62, 0))
        coverage["above"] += int((rounded > to.greatest).sum())
        coverage["below"] += int((rounded < to.least).sum())
        if shift:
            coverage["ties"] += int((np.array(values) % (1 << shift) == 1 << shift - 1).sum())
        units.append((name, bits, shift, result, values, expected.tolist()))
    for number in range(max(len(values) for *_, values, _ in units)):
        current = [unit for unit in units if number < len(unit[4])]
        for name, *_, values, _ in current:
            ports.set(**{f"{name}_value": values[number]})
        await Timer(1, "ns")
        for name, bits, shift, result, values, expected in current:
            outcome = ports.signed(f"{name}_result")
            assert outcome == expected[number], (f"narrow({values[number]}, {shift}) of {bits} to {result} bits must be "
                                                 f"{expected[number]}, not {outcome}")
            coverage["compared"] += 1
    assert all(coverage[name] for name in ("above", "below", "ties")), f"saturation and ties must occur: {coverage}"
    assert coverage["compared"] == sum(len(values) for *_, values, _ in units)
