"""A core in a design of one's own: an iCEBreaker that takes images over its serial line, byte by byte, and answers each with a
byte, its class.

    wuxing train --dataset digits --layers 64,16,10 --board icebreaker -o digits.npz
    python examples/icebreaker_uart.py digits.npz               # builds a bitstream with Yosys, nextpnr and icepack; --program
"""
from __future__ import annotations

import sys

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.uart import UartReceiver, UartTransmitter
from golden_model.parameters import Parameters
from hdl import frames, memory_contents
from hdl.core import Core
from hdl.design import Design
from hdl.frames import Opcode
from hdl.parts import Inside


class ImagesOverUart(wiring.Component):
    """``divisor``: clocks of a bit of the line. The network has a multiple of 4 inputs: so many bytes are an image."""

    def __init__(self, design: Design, values: Parameters, divisor: int) -> None:
        self.design, self.values, self.divisor = design, values, divisor
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = Core(self.design, Inside(memory_contents.words(self.design, self.values)))
        m.submodules.receiver = receiver = UartReceiver(self.divisor)
        m.submodules.transmitter = transmitter = UartTransmitter(self.divisor)
        words = self.design.network.layers[0] // 4
        word, byte, number, full = Signal(32), Signal(2), Signal(range(words)), Signal()
        with m.If(receiver.valid):
            m.d.sync += [word.eq(Cat(word[8:], receiver.data)), byte.eq(byte + 1), full.eq(byte == 3)]
        with m.FSM():
            with m.State("HEADER"):                                      # of the next image's frame
                m.d.comb += [core.s_axis_tvalid.eq(1), core.s_axis_tdata.eq(frames.header(Opcode.INFER))]
                with m.If(core.s_axis_tready):
                    m.next = "IMAGE"
            with m.State("IMAGE"):
                m.d.comb += [core.s_axis_tvalid.eq(full), core.s_axis_tdata.eq(word), core.s_axis_tlast.eq(number == words - 1)]
                with m.If(full & core.s_axis_tready):
                    m.d.sync += [full.eq(0), number.eq(number + 1)]
                    with m.If(core.s_axis_tlast):
                        m.d.sync += number.eq(0)
                        m.next = "HEADER"
        m.d.comb += [receiver.rx.eq(self.rx), self.tx.eq(transmitter.tx),
                     transmitter.i.valid.eq(core.m_axis_tvalid), transmitter.i.payload.eq(core.m_axis_tdata[16:24]),
                     core.m_axis_tready.eq(transmitter.i.ready)]
        return m


class OnIcebreaker(ImagesOverUart):
    def elaborate(self, platform: object) -> Module:
        m = super().elaborate(platform)
        uart = platform.request("uart")                                  # type: ignore[attr-defined]
        m.d.comb += [self.rx.eq(uart.rx.i), uart.tx.o.eq(self.tx)]
        return m


if __name__ == "__main__":
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    from wuxing import load_model

    model = load_model(sys.argv[1])
    chosen = Design(network=model.network, arrangement="time-shared", target="ice40", learns=False)
    top = OnIcebreaker(chosen, model.parameters, 12_000_000 // 115_200)
    ICEBreakerPlatform().build(top, synth_opts="-dsp", do_program="--program" in sys.argv)
