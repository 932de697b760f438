"""CRC-32 (that of Ethernet, zip and zlib), one bit a clock: a byte takes eight clocks, least bit first."""
from __future__ import annotations

from amaranth.hdl import Module, ResetInserter
from amaranth.lib import wiring
from amaranth.lib.crc import catalog
from amaranth.lib.wiring import In, Out


class BitCrc(wiring.Component):
    """A byte on the serial line takes 40 clocks and more, so that there is time, and a bit costs one register.

    Members
    -------
    start : In(1)
        Begin anew; not together with ``valid``.
    data : In(1), valid : In(1)
        The next bit.
    crc : Out(32)
        Of all bits since the start; its byte k, bits [8k + 7 : 8k], is sent as byte k.
    intact : Out(1)
        The last 32 bits were the CRC of those before.
    """

    def __init__(self) -> None:
        super().__init__({"start": In(1), "data": In(1), "valid": In(1), "crc": Out(32), "intact": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        processor = catalog.CRC32_ISO_HDLC(data_width=1).create()
        m.submodules.processor = ResetInserter(self.start)(processor)    # cheaper than its own start: registers have a reset
        m.d.comb += [processor.data.eq(self.data), processor.valid.eq(self.valid), self.crc.eq(processor.crc),
                     self.intact.eq(processor.match_detected)]
        return m
