"""The platforms: one declaration for each board. Pins, clocks and packages come from ``amaranth-boards``, the rest is here.

None of them was on the desk when this was written: pins and clocks are those of the vendors' documents and of
``amaranth-boards``, and everything behind the pins is simulated. Pins that are said here and not there were compared with
``RTL/common/upduino.pdc`` of the UPduino v3.0, ``ulx3s_v20.lpf`` of the ULX3S; names of boards with ``board.hpp`` of
openFPGALoader.
"""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from amaranth.build import Resource
from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform
from amaranth_boards.ecpix5 import ECPIX545Platform, ECPIX585Platform
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.icesugar import ICESugarPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform, OrangeCrabR0_2_85FPlatform
from amaranth_boards.resources import UARTResource
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_25F_Platform, ULX3S_45F_Platform, ULX3S_85F_Platform
from amaranth_boards.upduino_v3 import UpduinoV3Platform

from boards import pll
from golden_model.errors import InputError
from hdl.devices import DEVICES, Device

SERIAL = "serial"                         # resource of boards for which amaranth-boards declares no UART
MOST_BAUD_ERROR = 0.015                   # of a bit time; ten bits then drift by less than a sixth of one


PACKAGES = {"SG48": "sg48", "BG256": "CABGA256", "MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554"}


@dataclass(frozen=True, kw_only=True)
class Pin:
    """A pin of the package and what nextpnr is to set there, as ``amaranth-boards`` names it."""

    site: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Programmer:
    """A program that loads a bitstream: its name, its arguments before the file, and where it comes from."""

    name: str
    arguments: tuple[str, ...]
    install: str


OPENFPGALOADER = "install openFPGALoader, on Debian with `apt-get install openfpgaloader`"
ICEPROG = "install iceprog, on Debian with `apt-get install fpga-icestorm`"
ICESPROG = "build icesprog from the tools of the iCESugar repository"


def _loader(*arguments: str) -> Programmer:
    return Programmer(name="openFPGALoader", arguments=arguments, install=OPENFPGALOADER)


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What is to be known of a board: its device, pins, clock and serial line.

    Parameters
    ----------
    name : str
        As ``--board`` takes it.
    title : str
        As people call it.
    amaranth_platform : type
        Class of ``amaranth_boards`` that has its pins.
    clock : float
        MHz of the core by default.
    baud : int
        Bits a second of the serial line.
    serial : str
        How the host reaches the pins of the serial line.
    oscillator : str, optional
        Resource of the clock, if not the platform's default.
    header : tuple, optional
        (rx, tx, connector, its number): pins of the serial line where the platform has no UART; connector "" for pins of
        the package.
    high : tuple of str
        Pins of the package that must be held high: of the ULX3S GPIO0 of its ESP32, of the UPduino the select of the flash
        whose data pins its serial line shares.
    pack : tuple of str
        Options of ecppack.
    programmers : tuple of Programmer
        Best first.
    note : str
        What must be done to the board before it works.
    """

    name: str
    title: str
    amaranth_platform: Any
    clock: float
    baud: int
    serial: str
    programmers: tuple[Programmer, ...]
    oscillator: str = ""
    header: tuple[str, str, str, int] | None = None
    high: tuple[str, ...] = ()
    pack: tuple[str, ...] = ()
    note: str = ""

    @property
    def device(self) -> Device:
        return DEVICES[self.amaranth_platform.device]

    @property
    def target(self) -> str:
        """ice40 or ecp5: of the multiplier, the synthesis and the PLL."""
        return self.device.target

    @property
    def memories(self) -> str:
        """Where the weights live."""
        return "SPRAM" if self.device.has.get("spram") else "block RAM"

    @property
    def arrangement(self) -> str:
        """Of cores here: one array for all layers where the device is small, else one for each."""
        return "time-shared" if self.memories == "SPRAM" else "parallel"

    @property
    def package(self) -> str:
        """As nextpnr names it."""
        return PACKAGES[self.amaranth_platform.package]

    @property
    def speed(self) -> str:
        """Speed grade; empty for devices without."""
        return str(getattr(self.amaranth_platform, "speed", ""))

    @cached_property
    def _requested(self) -> dict[str, Any]:
        """The platform's ports for clock and serial line, each as Pin."""
        declarations = self.amaranth_platform()
        resource = "uart"
        if self.header is not None:
            rx, tx, connector, number = self.header
            resource = SERIAL
            declarations.add_resources([_uart(rx, tx, (connector, number) if connector else None)])
        signals = declarations.lookup(resource, 0).ios
        line = declarations.request(resource, 0, dir={signal.name: "-" for signal in signals})
        oscillator = self.oscillator or declarations.default_clk
        clock = declarations.request(oscillator, 0, dir="-")
        return {"oscillator": _pin(clock), "rx": _pin(line.rx), "tx": _pin(line.tx),
                "MHz": declarations.lookup(oscillator).clock.frequency / 1e6}

    @property
    def pins(self) -> dict[str, Pin]:
        """Ports of the top level: oscillator, rx, tx and high_0, ..."""
        return {**{name: self._requested[name] for name in ("oscillator", "rx", "tx")},
                **{f"high_{index}": Pin(site=site) for index, site in enumerate(self.high)}}

    @property
    def reference(self) -> float:
        """MHz of the oscillator on the board."""
        return float(self._requested["MHz"])

    def pll(self, clock: float | None = None) -> pll.Pll:
        """The PLL for a core of ``clock`` MHz, by default the board's.

        Raises
        ------
        InputError
            If there is none.
        """
        return pll.solve(self.target, self.reference, self.clock if clock is None else clock)

    def divisor(self, clock: float | None = None, baud: int | None = None) -> int:
        """Clocks of a bit of the serial line.

        Raises
        ------
        InputError
            If no whole number of clocks is near enough to a bit.
        """
        Hz, baud_rate = float(self.pll(clock).output) * 1e6, self.baud if baud is None else baud
        divisor = max(1, round(Hz / baud_rate)) if baud_rate > 0 else 0
        if not divisor or abs(Hz / divisor / baud_rate - 1) > MOST_BAUD_ERROR:
            near = f"{Hz / max(divisor, 1):,.0f}"
            raise InputError(f"baud must be within {MOST_BAUD_ERROR:.1%} of {Hz / 1e6:g} MHz divided by a whole number, not "
                             f"{baud_rate:,} (nearest: {near}); choose another --baud or --clock")
        return divisor


def _uart(rx: str, tx: str, connector: tuple[str, int] | None) -> Resource:
    resources: list[Resource] = UARTResource(SERIAL, 0, rx=rx, tx=tx, conn=connector)
    return resources[0] if isinstance(resources, list) else resources


def _pin(port: Any) -> Pin:
    place, = port.io.metadata
    return Pin(site=place.name, attributes=dict(place.attrs))


_ADAPTER = "with a USB-to-UART adapter of 3.3 V"
_ULX3S: dict[str, Any] = {
    "clock": 100, "baud": 2_000_000, "serial": "USB (FT231X), connector US1", "high": ("L2",), "pack": ("--compress",),
    "programmers": (_loader("--board", "ulx3s"),)}
_ORANGECRAB: dict[str, Any] = {
    "clock": 100, "baud": 2_000_000, "serial": f"header, 0 (in) and 1 (out), {_ADAPTER}", "header": ("0", "1", "io", 0),
    "pack": ("--compress", "--freq", "38.8"), "programmers": (_loader("--board", "orangeCrab"),),
    "note": "to load a bitstream, hold the button while you plug the board in: its bootloader then takes one"}
_ECPIX: dict[str, Any] = {
    "clock": 100, "baud": 2_000_000, "serial": "USB (FT2232H, from R03 on FT4232H), second channel", "pack": ("--compress",),
    "programmers": (_loader("--board", "ecpix5"),),
    "note": "a board R03 is loaded by hand: openFPGALoader --board ecpix5_r03 wuxing.bit"}
_ICEPROG = Programmer(name="iceprog", arguments=(), install=ICEPROG)

PLATFORMS = {platform.name: platform for platform in (
    Platform(name="icebreaker", title="iCEBreaker", amaranth_platform=ICEBreakerPlatform, clock=30, baud=2_000_000,
             serial="USB (FT2232H), second channel", programmers=(_loader("--board", "ice40_generic"), _ICEPROG)),
    Platform(name="icesugar", title="iCESugar", amaranth_platform=ICESugarPlatform, clock=30, baud=1_000_000,
             serial="USB (iCELink)", programmers=(Programmer(name="icesprog", arguments=(), install=ICESPROG),)),
    Platform(name="upduino-v3", title="UPduino v3", amaranth_platform=UpduinoV3Platform, clock=30, baud=2_000_000,
             serial="USB (FT232H)", oscillator="clk12", header=("15", "14", "", 0), high=("16",),
             programmers=(_ICEPROG, _loader("--board", "ice40_generic", "--cable", "ft232")),
             note="close jumper OSC (R16): 12 MHz to pin 20, because the oscillator of the chip is too inexact for a serial "
                  "line"),
    Platform(name="ulx3s-12f", title="ULX3S 12F", amaranth_platform=ULX3S_12F_Platform, **_ULX3S),
    Platform(name="ulx3s-25f", title="ULX3S 25F", amaranth_platform=ULX3S_25F_Platform, **_ULX3S),
    Platform(name="ulx3s-45f", title="ULX3S 45F", amaranth_platform=ULX3S_45F_Platform, **_ULX3S),
    Platform(name="ulx3s-85f", title="ULX3S 85F", amaranth_platform=ULX3S_85F_Platform, **_ULX3S),
    Platform(name="orangecrab-25f", title="OrangeCrab r0.2 25F", amaranth_platform=OrangeCrabR0_2_25FPlatform, **_ORANGECRAB),
    Platform(name="orangecrab-85f", title="OrangeCrab r0.2 85F", amaranth_platform=OrangeCrabR0_2_85FPlatform, **_ORANGECRAB),
    Platform(name="ecpix5-45f", title="ECPIX-5 45F", amaranth_platform=ECPIX545Platform, **_ECPIX),
    Platform(name="ecpix5-85f", title="ECPIX-5 85F", amaranth_platform=ECPIX585Platform, **_ECPIX),
    Platform(name="colorlight-5a-75b", title="Colorlight 5A-75B r7.0", amaranth_platform=Colorlight_5A75B_R70Platform,
             clock=100, baud=2_000_000, serial=f"J19: KEY+ (in) and DATA_LED- (out), {_ADAPTER}",
             pack=("--compress",), programmers=(_loader("--cable", "ft232"),),
             note="solder four wires for JTAG and two for the serial line; a capacitor at KEY+, as revision 6.1 has, must go, "
                  "or build and run with --baud 9600"))}


def by_name(name: str) -> Platform:
    """The platform of the board of that name.

    Raises
    ------
    InputError
        If there is none.
    """
    platform = PLATFORMS.get(name)
    if platform is None:
        raise InputError(f"--board must be one of {', '.join(PLATFORMS)}, not {name[:40]!r}; wuxing boards lists them")
    return platform
