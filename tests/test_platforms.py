"""Boards: their pins against amaranth-boards, constraints that nextpnr reads, clocks of a bit, sentences."""
from __future__ import annotations

import re

import pytest

from boards import constraints, platforms
from golden_model.errors import InputError


def test_the_boards_are_those_that_are_promised():
    chips = {name: (platform.device.name, platform.package, platform.memories)
             for name, platform in platforms.PLATFORMS.items()}
    up5k = ("iCE40UP5K", "sg48", "SPRAM")
    assert chips == {
        "icebreaker": up5k, "icesugar": up5k, "upduino-v3": up5k,
        "ulx3s-12f": ("LFE5U-12F", "CABGA381", "block RAM"), "ulx3s-25f": ("LFE5U-25F", "CABGA381", "block RAM"),
        "ulx3s-45f": ("LFE5U-45F", "CABGA381", "block RAM"), "ulx3s-85f": ("LFE5U-85F", "CABGA381", "block RAM"),
        "orangecrab-25f": ("LFE5U-25F", "CSFBGA285", "block RAM"), "orangecrab-85f": ("LFE5U-85F", "CSFBGA285", "block RAM"),
        "ecpix5-45f": ("LFE5UM5G-45F", "CABGA554", "block RAM"), "ecpix5-85f": ("LFE5UM5G-85F", "CABGA554", "block RAM"),
        "colorlight-5a-75b": ("LFE5U-25F", "CABGA256", "block RAM")}


@pytest.mark.parametrize(("name", "clk", "rx", "tx", "MHz"), [
    ("icebreaker", "35", "6", "9", 12), ("icesugar", "35", "4", "6", 12), ("upduino-v3", "20", "15", "14", 12),
    ("ulx3s-85f", "G2", "M1", "L4", 25), ("orangecrab-25f", "A9", "N17", "M18", 48), ("ecpix5-85f", "K23", "R26", "R24", 100),
    ("colorlight-5a-75b", "P6", "M13", "P11", 25)])
def test_pins_of_clock_and_serial_line_are_those_of_the_schematics(name, clk, rx, tx, MHz):
    platform = platforms.by_name(name)
    assert {port: pin.site for port, pin in platform.pins.items() if not port.startswith("high")} == {
        "oscillator": clk, "rx": rx, "tx": tx}
    assert platform.reference == MHz


@pytest.mark.parametrize("platform", platforms.PLATFORMS.values(), ids=lambda platform: platform.name)
def test_every_pin_is_used_once_and_the_serial_line_keeps_its_rate(platform):
    sites = [pin.site for pin in platform.pins.values()]
    assert len(set(sites)) == len(sites)
    rate = float(platform.pll().output) * 1e6
    assert abs(rate / platform.divisor() / platform.baud - 1) <= platforms.MOST_BAUD_ERROR
    assert platform.baud >= 1_000_000
    assert platform.programmers


def test_constraints_of_ice40():
    assert constraints.text(platforms.by_name("icebreaker")) == (
        "set_io -nowarn oscillator 35\nset_io -nowarn -pullup yes rx 6\nset_io -nowarn -pullup yes tx 9\n"
        "set_frequency oscillator 12\n")
    assert "set_io -nowarn high_0 16\n" in constraints.text(platforms.by_name("upduino-v3"))


def test_constraints_of_ecp5():
    assert constraints.text(platforms.by_name("ecpix5-45f")) == (
        'LOCATE COMP "oscillator" SITE "K23";\nIOBUF PORT "oscillator" IO_TYPE=LVCMOS33;\n'
        'LOCATE COMP "rx" SITE "R26";\nIOBUF PORT "rx" IO_TYPE=LVCMOS33 PULLMODE=UP;\n'
        'LOCATE COMP "tx" SITE "R24";\nIOBUF PORT "tx" IO_TYPE=LVCMOS33 PULLMODE=UP;\n'
        'FREQUENCY PORT "oscillator" 100 MHZ;\n')


def test_pins_of_a_header_have_the_voltage_of_the_clock():
    assert 'IOBUF PORT "rx" IO_TYPE=LVCMOS33;\n' in constraints.text(platforms.by_name("orangecrab-85f"))


def test_the_clocks_of_a_bit_follow_clock_and_baud():
    platform = platforms.by_name("icebreaker")
    assert [platform.divisor(), platform.divisor(36)] == [15, 18]
    assert [platform.divisor(baud=1_000_000), platform.divisor(48, 3_000_000)] == [30, 16]


@pytest.mark.parametrize(("baud", "near"), [(7_000_000, "7,500,000"), (0, "30,000,000"), (-5, "30,000,000")])
def test_a_rate_that_the_clock_does_not_make_is_refused(baud, near):
    text = (f"baud must be within 1.5% of 30 MHz divided by a whole number, not {baud:,} (nearest: {near}); choose another "
            f"--baud or --clock")
    with pytest.raises(InputError, match=re.escape(text)):
        platforms.by_name("icebreaker").divisor(baud=baud)


def test_an_unknown_board_is_refused_with_those_that_there_are():
    text = f"--board must be one of {', '.join(platforms.PLATFORMS)}, not 'arty'; wuxing boards lists them"
    with pytest.raises(InputError, match=re.escape(text)):
        platforms.by_name("arty")


def test_programs_are_called_by_the_names_that_they_have_for_the_boards():
    calls = {name: [(program.name, *program.arguments) for program in platform.programmers]
             for name, platform in platforms.PLATFORMS.items()}
    loader = "openFPGALoader"
    assert calls == {
        "icebreaker": [(loader, "--board", "ice40_generic"), ("iceprog",)],
        "icesugar": [("icesprog",)],
        "upduino-v3": [("iceprog",), (loader, "--board", "ice40_generic", "--cable", "ft232")],   # FT232H, not the FT2232H
        **{f"ulx3s-{size}": [(loader, "--board", "ulx3s")] for size in ("12f", "25f", "45f", "85f")},
        **{f"orangecrab-{size}": [(loader, "--board", "orangeCrab")] for size in ("25f", "85f")},
        **{f"ecpix5-{size}": [(loader, "--board", "ecpix5")] for size in ("45f", "85f")},
        "colorlight-5a-75b": [(loader, "--cable", "ft232")]}


def test_pins_that_must_be_high_are_driven_high():
    high = {name: platform.high for name, platform in platforms.PLATFORMS.items() if platform.high}
    assert high == {"upduino-v3": ("16",), **{f"ulx3s-{size}": ("L2",) for size in ("12f", "25f", "45f", "85f")}}
