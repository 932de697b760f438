"""The FPGAs: what each has and draws, once for estimates, fits, boards and energy."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Device:
    """An FPGA. ``has``: what it offers, by the names of ``hdl.cells.Cells``, and ``spram`` blocks of 256 kbit.

    ``option``: how nextpnr is told. ``core_volts``, ``standby_mA``: of the core's supply; the typical standby current.
    ``assumed``: what of that no data sheet says.
    """

    name: str
    target: str
    option: str
    has: Mapping[str, int]
    core_volts: float
    standby_mA: float
    assumed: str = ""


UNSEEN = "116 mA of the ECP5-45F: an assumption between the 77 mA of the 25F and the 212 mA of the 85F"


def _ecp5(name: str, option: str, cells: int, blocks: int, multipliers: int, standby_mA: float, assumed: str = "") -> Device:
    """ECP5-5G (LFE5UM5G) has 1.2 V, other ECP5 1.1 V."""
    return Device(name=name, target="ecp5", option=option, core_volts=1.2 if "5G" in name else 1.1, standby_mA=standby_mA,
                  assumed=assumed, has={"cells": cells, "flip_flops": cells, "multipliers": multipliers, "block_rams": blocks})


# What the data sheets guarantee: FPGA-DS-02008 (iCE40 UltraPlus), FPGA-DS-02012 (ECP5). A 12F is sold as half a 25F and is
# the same die.
DEVICES = {device.name: device for device in (
    Device(name="iCE40UP5K", target="ice40", option="--up5k", core_volts=1.2, standby_mA=0.1, has={
        "cells": 5280, "flip_flops": 5280, "multipliers": 8, "block_rams": 30, "spram": 4}),
    _ecp5("LFE5U-12F", "--12k", 12_000, 32, 28, 77),
    _ecp5("LFE5U-25F", "--25k", 24_288, 56, 28, 77),
    _ecp5("LFE5U-45F", "--45k", 43_848, 108, 72, 116, UNSEEN),
    _ecp5("LFE5U-85F", "--85k", 83_640, 208, 156, 212),
    _ecp5("LFE5UM5G-45F", "--um5g-45k", 43_848, 108, 72, 116, UNSEEN),
    _ecp5("LFE5UM5G-85F", "--um5g-85k", 83_640, 208, 156, 212))}
LARGEST = {"ecp5": ("ECP5-85F", DEVICES["LFE5U-85F"]), "ice40": ("iCE40UP5K", DEVICES["iCE40UP5K"])}     # of each target
