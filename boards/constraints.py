"""Where the ports of a board's top level go, in the language of its place and route: PCF for iCE40, LPF for ECP5."""
from __future__ import annotations

from boards.platforms import Pin, Platform

FILES = {"ice40": "board.pcf", "ecp5": "board.lpf"}
FALLBACK = {"IO_TYPE": "LVCMOS33"}        # of pins for which amaranth-boards says nothing: all these boards have 3.3 V there


def text(platform: Platform) -> str:
    """The constraints of ``platform.pins`` and the frequency of its oscillator."""
    lines = [line for port, pin in platform.pins.items() for line in (_pcf if platform.target == "ice40" else _lpf)(port, pin)]
    MHz = f"{platform.reference:g}"
    lines.append(f"set_frequency oscillator {MHz}" if platform.target == "ice40" else
                 f'FREQUENCY PORT "oscillator" {MHz} MHZ;')
    return "\n".join(lines) + "\n"


def _pcf(port: str, pin: Pin) -> list[str]:
    pull = "-pullup yes " if pin.attributes.get("PULLUP") else ""
    return [f"set_io -nowarn {pull}{port} {pin.site}"]


def _lpf(port: str, pin: Pin) -> list[str]:
    attributes = " ".join(f"{name}={value}" for name, value in (pin.attributes or FALLBACK).items())
    return [f'LOCATE COMP "{port}" SITE "{pin.site}";', f'IOBUF PORT "{port}" {attributes};']
