"""One parameter of one neuron, read or written while nothing else happens: states of the main machine beside its program."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data

from hdl.array_design import ArrayDesign
from hdl.control import control_latency

WORD_LATENCY = 2                          # of weight memory with two ports
ACCESS = 7                                # clocks of an access to a time-shared array after its unit was found


def access_layout(array: ArrayDesign) -> data.StructLayout:
    """A parameter to read or write: neuron, row of its memory, word; of a time-shared array the place of its layer as well."""
    if array.time_shared:
        return data.StructLayout({"write": 1, "layer": range(len(array.layers)), "neuron": range(max(
            layer.channels for layer in array.layers)), "row": range(array.rows), "data": signed(array.word_bits)})
    layer = array.first
    return data.StructLayout({"write": 1, "neuron": range(layer.neurons), "row": range(layer.parameter_rows),
                              "data": signed(layer.word_bits)})


class TokenAccess:
    """Of an array that serves one layer: the token walks to its unit, fold by fold, unless it is there already.

    ``begin`` leads there from rest; it is built with ``sequencer``, whose control word and counters it uses.
    """

    def __init__(self, m: Module, sequencer: Any) -> None:
        self.m, self.sequencer = m, sequencer
        layer = sequencer.array.first
        self.sought = Signal(name="sought")
        self.sought_neuron = Signal(range(layer.neurons), name="sought_neuron")
        self.neuron = Signal(range(layer.neurons + 1), name="access_neuron")
        self.unit = Signal(range(layer.units + 1), name="access_unit")
        self.latency = control_latency(layer) + WORD_LATENCY + sequencer.output_latency
        with m.If(sequencer.main.strobe("latch")):                    # an image uses the token and the address
            m.d.sync += self.sought.eq(0)
        m.d.comb += sequencer.access_word.eq(sequencer.word)

    def begin(self) -> None:
        m, sequencer = self.m, self.sequencer
        access = sequencer.access
        with m.If(access.valid & sequencer.links.during("IDLE") & ~sequencer.available & sequencer.scan.during("IDLE")):
            m.d.comb += sequencer.next.clear.eq(1)
            m.d.sync += [sequencer.count.eq(0), self.sought.eq(1), self.sought_neuron.eq(access.payload.neuron)]
            m.next = "SEEK"
            with m.If(self.sought & (self.sought_neuron == access.payload.neuron)):
                m.next = "ACCESS"
    def states(self) -> None:
        m, sequencer, layer, word = self.m, self.sequencer, self.sequencer.array.first, self.sequencer.next
        access, base, count = sequencer.access.payload, sequencer.base, sequencer.count
        with m.State("SEEK"):
            m.d.comb += [word.latch_output.eq(1), word.token_first.eq(1)]
            m.d.sync += [self.neuron.eq(access.neuron), self.unit.eq(0), base.eq(0), count.eq(0)]
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(self.neuron == 0):
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += self.neuron.eq(self.neuron - 1)
                with m.If(self.unit == layer.units - 1):
                    m.d.comb += word.token_first.eq(1)
                    m.d.sync += [self.unit.eq(0), base.eq(base + layer.rows)]
                with m.Else():
                    m.d.comb += word.token_next.eq(1)
                    m.d.sync += self.unit.eq(self.unit + 1)
        with m.State("ACCESS"):
            m.d.comb += [word.address.eq(base + access.row), word.write_address.eq(base + access.row)]
            with m.If(access.write):
                m.d.comb += [word.load.eq(1), word.load_data.eq(access.data), word.write.eq(1), word.write_one.eq(1)]
            m.next = "ACCESS_WAIT"
        with m.State("ACCESS_WAIT"):
            m.d.sync += count.eq(count + 1)
            with m.If(count == WORD_LATENCY - 1):
                m.d.comb += word.show_word.eq(1)
            with m.If(count == self.latency - 1):
                m.d.comb += [sequencer.access_done.eq(1), sequencer.access.ready.eq(1)]
                m.next = "IDLE"


class NumberAccess:
    """Of a time-shared array: the unit is named by its number, its word addressed as that of an item."""

    def __init__(self, m: Module, sequencer: Any) -> None:
        self.m, self.sequencer = m, sequencer

    def begin(self) -> None:
        m, sequencer, access = self.m, self.sequencer, self.sequencer.access
        with m.If(access.valid):
            m.d.sync += [sequencer.layer.eq(access.payload.layer), sequencer.count.eq(access.payload.neuron)]
            m.next = "SEEK"

    def states(self) -> None:
        m, sequencer, array, word = self.m, self.sequencer, self.sequencer.array, self.sequencer.next
        access, base, count = sequencer.access.payload, sequencer.base, sequencer.count
        with m.State("SEEK"):
            m.d.sync += base.eq(sequencer.of_layer(array.bases))
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(count < array.units):
                m.d.sync += [sequencer.chosen.eq(count), count.eq(0)]
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += [count.eq(count - array.units), base.eq(sequencer.following)]
        with m.State("ACCESS"):
            m.d.comb += [sequencer.index.eq(access.row), word.load.eq(access.write),
                         word.load_one.eq(access.write & (count == 3))]
            m.d.sync += count.eq(count + 1)
            with m.If(count == ACCESS - 1):
                m.d.comb += [sequencer.access_done.eq(1), sequencer.access.ready.eq(1)]
                m.next = "IDLE"
