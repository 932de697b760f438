"""The top level: reset after the PLL's lock, and what nextpnr says to the pins, packages and PLLs of the boards."""
from __future__ import annotations

import pytest
from amaranth.hdl import ClockDomain, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from boards import build, constraints, platforms, synthesis, tools, top
from boards.reset import CLOCKS, Reset

# IDCODEs of JTAG, FPGA-TN-02039 (ECP5 sysCONFIG): a bitstream for another device is refused by the chip
IDCODES = {"LFE5U-12F": "21111043", "LFE5U-25F": "41111043", "LFE5U-45F": "41112043", "LFE5U-85F": "41113043",
           "LFE5UM5G-45F": "81112043", "LFE5UM5G-85F": "81113043"}
VERIFY_ID = b"\xe2\x00\x00\x00"


class Echo(wiring.Component):
    """A system so small that it is placed in seconds."""

    def __init__(self):
        super().__init__({"rx": In(1), "tx": Out(1)})

    def elaborate(self, platform):
        m = Module()
        count = Signal(8)
        m.d.sync += [count.eq(count + self.rx), self.tx.eq(count[-1])]
        return m


def test_the_reset_ends_some_clocks_after_the_lock_and_begins_again_when_it_is_lost():
    m, reset = Module(), Reset()
    m.domains += ClockDomain("sync", reset_less=True)
    m.submodules.reset = reset
    ports = []

    async def bench(ctx):
        for locked, clocks in ((0, 50), (1, CLOCKS // 2), (0, 1), (1, CLOCKS + 20), (0, 5), (1, CLOCKS + 20)):
            ctx.set(reset.locked, locked)
            highs = 0
            for _ in range(clocks):
                await ctx.tick()
                highs += ctx.get(reset.reset)
            ports.append((locked, clocks - highs))
    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    low = 20 - 3                                              # two clocks of the synchronizer, one of the register
    assert [locked for locked, _ in ports] == [0, 1, 0, 1, 0, 1]
    assert [count for _, count in ports[:3]] == [0, 0, 0]
    assert ports[3][1] == pytest.approx(low, abs=2)
    assert ports[4][1] <= 3                                    # it begins again within three clocks
    assert ports[5][1] == pytest.approx(low, abs=3)


@pytest.mark.parametrize("name", ["icebreaker", "upduino-v3", "ulx3s-12f", "orangecrab-25f", "ecpix5-45f", "colorlight-5a-75b"])
def test_nextpnr_takes_the_pins_and_the_clock_of_a_board(name, tmp_path):
    platform = platforms.by_name(name)
    (tmp_path / build.TOP_FILE).write_text(top.to_verilog(top.Top(platform, Echo(), platform.pll())), "utf-8")
    (tmp_path / constraints.FILES[platform.target]).write_text(constraints.text(platform), "utf-8")
    synthesis.synthesise(platform.target, [build.TOP_FILE], top.TOP, tmp_path)
    routed, _ = build.routed(platform, platform.pll().output, 1, tmp_path)
    assert routed.goal_MHz == pytest.approx(platform.clock, rel=1e-3)         # through the PLL, from the pin's frequency
    pins = {"ice40": "SB_IO", "ecp5": "TRELLIS_IO"}[platform.target]
    assert routed.cells[pins][0] == len(platform.pins)
    data = build.packed(platform, tmp_path).read_bytes()
    if platform.target == "ecp5":
        place = data.index(VERIFY_ID) + len(VERIFY_ID)
        assert data[place:place + 4].hex() == IDCODES[platform.device.name]


def test_a_pin_that_is_not_there_is_refused(tmp_path):
    platform = platforms.by_name("ulx3s-12f")
    (tmp_path / build.TOP_FILE).write_text(top.to_verilog(top.Top(platform, Echo(), platform.pll())), "utf-8")
    (tmp_path / "board.lpf").write_text(constraints.text(platform).replace('"M1"', '"M99"'), "utf-8")
    synthesis.synthesise(platform.target, [build.TOP_FILE], top.TOP, tmp_path)
    with pytest.raises(tools.ToolError, match="^nextpnr-ecp5 must succeed, but it ended with .*M99"):
        build.routed(platform, platform.pll().output, 1, tmp_path)
