"""The control word that a sequencer broadcasts to the processing units of its array, one a clock.

Every field is aligned to the clock in which the unit uses it; the sequencer does all delaying, so that a unit has no
control of its own.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.array_design import SLOT, ArrayDesign
from hdl.layer_design import LayerDesign

CLUSTER = 8                               # units that share one registered copy of the control word
BRANCH = 4                                # clusters that share one registered copy of theirs, where there are more clusters


def control_layout(array: ArrayDesign | LayerDesign) -> data.StructLayout:
    """The fields in their order, without those that an array of this kind does not need. Widths in bits; flags have one."""
    design, learns, (one_port, two_ports) = array.design, array.learns, (array.ports == ports for ports in (1, 2))
    registers, lut, block = (array.rings == rings for rings in ("registers", "lut", "block"))
    address = max(1, (array.depth - 1).bit_length())
    parts: tuple[tuple[bool, dict[str, Any]], ...] = (
        (two_ports, {
            "address": address, "write_address": address,       # of the word that is read, and of the one that is written
            "write": 1, "write_one": 1,                 # an updated word, if it fits; only the unit that has the token
            "load": 1,                                  # write the broadcast data, or a displacement, instead
            "load_data": array.access_bits,             # zero when a displacement is written
            "bias_row": 1}),                            # what is updated is a bias
        (True, {
            "word_enable": 1,                           # the word that is being read goes to operand A
            "broadcast_a": signed(design.operand_bits),         # to operand A; zero when unused
            "broadcast_b": signed(array.broadcast_bits),        # to operand B; zero when unused
            "drive_enable": 1, "reverse_enable": 1,     # the drive goes into the bracket; the reverse signal to operand B
            "self_enable": 1, "coupling_enable": 1,     # the unit's own displacement, and its neighbours', into the bracket
            "corrector_gate": 1, "predictor_gate": 1,   # the gate that comes from its ring goes to operand A
            "reverse": 1}),                             # the reverse circuit settles
        (learns and design.signs, {"reverse_sign": 1}),     # only the sign of the reverse signal goes to operand B
        (registers or lut, {
            "gate_shift": 1, "gate_new": 1,             # gate ring: rotate; take the gate of the point at the head
            "gate_floor": 1}),                          # that gate is for the reverse circuit
        (block, {
            "gate_place": range(SLOT), "gate_write": 1,         # word of the memory of gates, within the slot
            "start_read": range(2 * SLOT),              # word of the memory of step starts
            "start_write": 1, "start_place": range(SLOT)}),
        (True, {"state_shift": 1, "state_new": 1}),     # ring of evaluation points: rotate; take a new word
        (registers or lut, {"start_shift": 1, "start_new": 1}),     # ring of step starts likewise
        (True, {"clear": 1}),                           # those rings to zero
        (two_ports, {"mean_enable": 1}),                # step start + evaluation point goes into the half step
        (True, {
            "accumulate": 1, "accumulate_one": 1,       # all units; only the selected one
            "latch_drive": 1}),                         # drive := narrowed accumulator; accumulator := rounding half
        (two_ports, {
            "latch_output": 1,                          # output register := displacement of the output population
            "show_word": 1,                             # the word that was read joins the output
            "token_first": 1, "token_next": 1}),        # the token goes to the first unit; to the next one
        (one_port, {
            "update": 1,                                # updated word := fetched word + product
            "judge": 1,                                 # write it in the next clock, if it fits
            "bias_row": 1,                              # it is a bias, whose width may be another than that of a link
            "load": 1, "load_one": 1,                   # write operand A's word instead; the selected unit, next clock
            "unit": range(array.units)}),               # the selected one
        (array.gathers, _gathering(array)), *_of_exchange(array), *_of_K(array), (design.kind == "programmable", {
            "bracket_add": 1,                           # a product joins the bracket
            "bracket_first": 1, "bracket_subtract": 1,  # it is the first one; it is taken off
            "bracket_latch": 1, "bracket_enable": 1,    # the bracket is complete; it goes to operand B
            "result_shift": 1,                          # ring of results: take a new word, or turn
            "transfer": 1}),                            # the results go into the ring of evaluation points
        # filled in by the register of the cluster: oldest step start of the next clock, or from 8 on the zeros of a cleared
        # ring; where a word enters in this clock; oldest gate, and the one that entered last
        (lut, {"start_place": 4, "start_write": 1, "start_written": 3}),
        (lut and learns, {"gate_place": 3, "gate_last": 3, "gate_write": 1}),
        (needs_populations(array), {
            name: range(POPULATIONS) for name in ("population_difference", "population_self", "population_gate",
                                                  "population_clamp")}))
    return data.StructLayout({name: unsigned(shape) if isinstance(shape, int) else shape
                              for needed, fields in parts if needed for name, shape in fields.items()})


def _gathering(array: ArrayDesign | LayerDesign) -> dict[str, Any]:
    """Of an array that learns convolutions."""
    words = array.gathered_words if isinstance(array, ArrayDesign) and array.gathers else 1
    address = max(1, (words - 1).bit_length())
    return {"sum_read": address, "sum_write": address,  # places of sums over positions
            "gather": 1, "gather_first": 1,             # the product joins such a sum; it is its first one
            "apply": 1}                                 # the sum is narrowed and joins the fetched word, not the product


def _of_exchange(array: ArrayDesign | LayerDesign) -> tuple[tuple[bool, dict[str, Any]], ...]:
    """Where neurons have reciprocal links."""
    layer = array.first if isinstance(array, ArrayDesign) else array
    recurrent = layer.recurrence is not None
    return (
        (recurrent, {
            "latch_gain": 1,                            # gain := narrowed accumulator; accumulator := rounding half
            "exchange_enable": 1,                       # what comes over links the other way goes into the bracket
            "exchange_set": 1,                          # one unit takes a word of that
            "exchange_unit": range(max(2, array.units)), "exchange_word": signed(layer.exchanged_bits if recurrent else 1)}),
        (recurrent and layer.learns, {
            "kept_shown": 1, "kept_enable": 1,          # the word of the memory of gates is the output; it goes to operand B
            "subtract": 1, "begin_sum": 1}))            # the product is taken off the accumulator; accumulator := 0


def _of_K(array: ArrayDesign | LayerDesign) -> tuple[tuple[bool, dict[str, Any]], ...]:
    """Where K are in a memory of their own."""
    layer = array.first if isinstance(array, ArrayDesign) else array
    own_K, learns_K = layer.own_K, layer.own_K and array.learns_K
    address = max(1, (layer.K_rows * array.folds - 1).bit_length())
    return (
        (own_K, {
            "K_address": address, "K_write_address": address,           # of that memory: read, and written
            "K_high": 1,                                # the K, or its upper bits, that is being read goes to operand A
            "K_load": 1}),                              # write the broadcast data there; the selected unit
        (own_K and array.ports == 1, {"load_data": array.access_bits}),
        (own_K and array.ports == 2, {"show_K": 1}),    # the K that was read joins the output
        (own_K and layer.K_split > 0, {"K_low": 1,      # its lower bits go there
                                       "bracket_high": 1}),         # a product that joins the bracket is that of upper bits
        (learns_K, {
            "K_keep": 1,                                # write the displacement at the head of the ring
            "K_state": 1,                               # the displacement that is being read goes to operand A, shifted left by
            "K_places": range(layer.K_most_places + 1 if learns_K else 1),
            "K_update": 1, "K_judge": 1,                # updated K := K + sum; write it, if it fits
            "K_third": 1}))                             # it is a K3, which has a minimum


def needs_populations(array: ArrayDesign | LayerDesign) -> bool:
    """Whether the five populations of a neuron differ in wired K or rest value: a datapath must know which one it computes."""
    neuron = array.network.neuron
    wired = (neuron.K1, neuron.K2, neuron.K3) if array.design.kind == "shift" else ()
    return any(len(set(values)) > 1 for values in (*wired, neuron.rest))


def clusters(array: ArrayDesign | LayerDesign) -> int:
    return -(-array.units // CLUSTER)


def branches(array: ArrayDesign | LayerDesign) -> int:
    """Copies of the control word between the sequencer and the clusters: a large array spans more than a clock's way."""
    return 0 if clusters(array) <= BRANCH else -(-clusters(array) // BRANCH)


def control_latency(array: ArrayDesign | LayerDesign) -> int:
    """Clocks from what the sequencer decides to the units: its own register, the branch's if any, the cluster's."""
    return 2 if branches(array) == 0 else 3


class ControlBranch(wiring.Component):
    """A registered copy of the control word for ``BRANCH`` clusters.

    Members
    -------
    source : In(layout)
    control : Out(layout)
        ``source`` of one clock ago.
    """

    def __init__(self, array: ArrayDesign) -> None:
        layout = control_layout(array)
        super().__init__({"source": In(layout), "control": Out(layout)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        copy = Signal.like(self.control, reset_less=True, name="copy")
        m.d.sync += copy.eq(self.source)
        m.d.comb += self.control.eq(copy)
        return m


class ControlRegister(wiring.Component):
    """A registered copy of the control word, one for each cluster of units: it keeps the fan-out off the critical path.

    Members
    -------
    source : In(layout)
    control : Out(layout)
        ``source`` of one clock ago, but ``write_address`` of two: the units register what they write. Where rings are in
        memory, with their places, which are not in it.
    """

    def __init__(self, array: ArrayDesign) -> None:
        self.array = array
        layout = control_layout(array)
        super().__init__({"source": In(layout), "control": Out(layout)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        copy = Signal.like(self.control, reset_less=True, name="copy")
        write_address = Signal.like(self.source.write_address, reset_less=True, name="write_address")
        m.d.sync += [copy.eq(self.source), write_address.eq(copy.write_address)]
        m.d.comb += [self.control.eq(copy), self.control.write_address.eq(write_address)]
        if self.array.rings == "lut":
            self._places(m, copy)
        return m

    def _places(self, m: Module, copy: data.View) -> None:
        """Where the head of each ring is: it goes on where a ring of registers would shift. That of the step starts is told a
        clock ahead, for the units register what they read there."""
        control, source = self.control, self.source
        start, fresh, zero = (
            Signal(range(POPULATIONS), name="start"), Signal(range(POPULATIONS), name="fresh"), Signal(init=1, name="zero"))
        start_write, written = (
            Signal(reset_less=True, name="start_write"), Signal(range(POPULATIONS), reset_less=True, name="written"))
        enters = source.start_shift & source.start_new
        m.d.sync += [start_write.eq(enters), written.eq(start)]
        with m.If(source.start_shift):
            m.d.sync += start.eq(Mux(start == POPULATIONS - 1, 0, start + 1))
        with m.If(enters):                         # a cleared ring reads as zeros until five words have entered
            m.d.sync += fresh.eq(fresh + 1)
            with m.If(fresh == POPULATIONS - 1):
                m.d.sync += zero.eq(0)
        with m.If(source.clear):
            m.d.sync += [fresh.eq(0), zero.eq(1)]
        m.d.comb += [control.start_place.eq(Cat(start, zero)), control.start_write.eq(start_write),
                     control.start_written.eq(written)]
        if self.array.learns:
            place, last = Signal(range(POPULATIONS), init=1, name="place"), Signal(range(POPULATIONS), name="last")
            gate_write = Signal(reset_less=True, name="gate_write")
            m.d.sync += gate_write.eq(source.gate_shift & source.gate_new)
            with m.If(copy.gate_shift):
                m.d.sync += [place.eq(Mux(place == POPULATIONS - 1, 0, place + 1)), last.eq(place)]
            m.d.comb += [control.gate_place.eq(place), control.gate_last.eq(last), control.gate_write.eq(gate_write)]
