"""One parameter of one neuron, read or written while nothing else happens: states of the main machine beside its program."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data

from hdl.array_design import ArrayDesign
from hdl.control import control_latency
from hdl.memory_ports import WORD_LATENCY

ACCESS = 7                                # clocks of an access to a time-shared array after its unit was found


def access_layout(array: ArrayDesign) -> data.StructLayout:
    """A parameter to read or write: neuron, row of its memory, word; of a time-shared array the place of its layer as well."""
    if array.time_shared:
        return data.StructLayout({"write": 1, "layer": range(len(array.layers)), "neuron": range(max(
            layer.channels for layer in array.layers)), "row": range(max(array.rows, array.parameter_rows)),
            "data": signed(array.access_bits)})
    layer = array.first
    return data.StructLayout({"write": 1, "neuron": range(layer.neurons), "row": range(layer.parameter_rows),
                              "data": signed(layer.access_bits)})


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
        with m.If(access.valid & sequencer.links.during("IDLE") & ~sequencer.available & sequencer.scan.rests):
            m.d.comb += sequencer.next.clear.eq(1)
            m.d.sync += [sequencer.count.eq(0), self.sought.eq(1), self.sought_neuron.eq(access.payload.neuron)]
            m.next = "SEEK"
            with m.If(self.sought & (self.sought_neuron == access.payload.neuron)):
                m.next = "ACCESS"
    def states(self) -> None:
        m, sequencer, layer, word = self.m, self.sequencer, self.sequencer.array.first, self.sequencer.next
        access, base, count, rows = sequencer.access.payload, sequencer.base, sequencer.count, sequencer.coupling_rows
        with m.State("SEEK"):
            m.d.comb += [word.latch_output.eq(1), word.token_first.eq(1)]
            m.d.sync += [self.neuron.eq(access.neuron), self.unit.eq(0), base.eq(0), count.eq(0)]
            if layer.own_K:
                m.d.sync += rows.place.eq(0)
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(self.neuron == 0):
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += self.neuron.eq(self.neuron - 1)
                with m.If(self.unit == layer.units - 1):
                    m.d.comb += word.token_first.eq(1)
                    m.d.sync += [self.unit.eq(0), base.eq(base + layer.rows)]
                    if layer.own_K:
                        m.d.sync += rows.place.eq(rows.place + 1)
                with m.Else():
                    m.d.comb += word.token_next.eq(1)
                    m.d.sync += self.unit.eq(self.unit + 1)
        with m.State("ACCESS"):
            m.d.comb += [word.address.eq(base + access.row), word.write_address.eq(base + access.row)]
            of_links, of_K = self._memories(access.row)
            with m.If(access.write):
                m.d.comb += [word.load.eq(1), word.load_data.eq(access.data), word.write.eq(of_links), word.write_one.eq(1)]
            if layer.own_K:
                place = access.row - layer.coupling_row
                m.d.comb += [*rows.accessed(place), word.K_load.eq(access.write & of_K)]
            m.next = "ACCESS_WAIT"
        with m.State("ACCESS_WAIT"):
            m.d.sync += count.eq(count + 1)
            with m.If(count == WORD_LATENCY - 1):
                m.d.comb += word.show_word.eq(of_links)
                if layer.own_K:
                    m.d.comb += word.show_K.eq(of_K)
            with m.If(count == self.latency - 1):
                m.d.comb += [sequencer.access_done.eq(1), sequencer.access.ready.eq(1)]
                m.next = "IDLE"

    def _memories(self, row: Value) -> tuple[Value | int, Value | int]:
        """Whether a parameter is in the memory of weights, and whether in that of K."""
        layer = self.sequencer.array.first
        return (row < layer.coupling_row, row >= layer.coupling_row) if layer.own_K else (1, 0)


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
        access, base, count, rows = sequencer.access.payload, sequencer.base, sequencer.count, sequencer.coupling_rows
        with m.State("SEEK"):
            m.d.sync += base.eq(sequencer.of_layer(array.bases))
            if array.own_K:
                m.d.sync += rows.place.eq(sequencer.of_layer(array.slots))
            m.next = "WALK"
        with m.State("WALK"):
            with m.If(count < array.units):
                m.d.sync += [sequencer.chosen.eq(count), count.eq(0)]
                m.next = "ACCESS"
            with m.Else():
                m.d.sync += [count.eq(count - array.units), base.eq(sequencer.following)]
                if array.own_K:
                    m.d.sync += rows.place.eq(rows.place + 1)
        with m.State("ACCESS"):
            stores = access.write & (count == 3)
            if array.own_K:
                first = sequencer.of_layer([layer.coupling_row for layer in array.layers])
                of_K, place = access.row >= first, access.row - first
                m.d.comb += [sequencer.of_K.eq(of_K), *rows.accessed(place), word.K_load.eq(stores & of_K),
                             word.load_data.eq(access.data)]
                stores = stores & ~of_K
            m.d.comb += [sequencer.index.eq(access.row), word.load.eq(access.write), word.load_one.eq(stores)]
            m.d.sync += count.eq(count + 1)
            with m.If(count == ACCESS - 1):
                m.d.comb += [sequencer.access_done.eq(1), sequencer.access.ready.eq(1)]
                m.next = "IDLE"
