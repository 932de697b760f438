"""The control word that a layer's sequencer broadcasts to its processing units, one a clock.

Every field is aligned to the clock in which the unit uses it; the sequencer does all delaying, so that a unit has no
control of its own. Fields that a layer does not need have no bits.
"""
from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import POPULATIONS
from hdl.layer_design import LayerDesign

CLUSTER = 8                               # units that share one registered copy of the control word
BRANCH = 4                                # clusters that share one registered copy of theirs, where there are more clusters


def control_layout(layer: LayerDesign) -> data.StructLayout:
    """The fields. Widths in bits; flags have one."""
    address = max(1, (layer.depth - 1).bit_length())
    operand = layer.design.operand_bits
    fields = {
        "address": address,                             # of the weight that is read
        "write_address": address,
        "write": 1,                                     # an updated word, if it does not overflow; else see load
        "write_one": 1,                                 # only the unit that has the token
        "load": 1,                                      # write the broadcast data, or a displacement, instead
        "load_data": layer.word_bits,                   # zero when a displacement is written
        "bias_row": 1,                                  # what is updated is a bias
        "word_enable": 1,                               # the word that is being read goes to operand A
        "broadcast_a": signed(operand),                 # to operand A; zero when unused
        "broadcast_b": signed(layer.broadcast_bits),    # to operand B; zero when unused
        "drive_enable": 1,                              # the drive goes into the bracket
        "reverse_enable": 1,                            # the reverse signal goes to operand B
        "self_enable": 1,                               # the unit's own displacement goes into the bracket
        "coupling_enable": 1,                           # generation and overcoming go into the bracket
        "corrector_gate": 1, "predictor_gate": 1,       # the gate that has just entered its ring goes to operand A
        "reverse": 1,                                   # the reverse circuit settles
        "gate_shift": 1, "gate_new": 1,                 # gate ring: rotate; take the gate of the point at the head
        "gate_floor": 1,                                # that gate is for the reverse circuit
        "state_shift": 1, "state_new": 1,               # ring of evaluation points: rotate; take a new word
        "start_shift": 1, "start_new": 1,               # ring of step starts: rotate; take a new word
        "clear": 1,                                     # both rings to zero
        "mean_enable": 1,                               # step start + evaluation point goes into the half step
        "accumulate": 1, "accumulate_one": 1,           # all units; only the one with the token
        "latch_drive": 1,                               # drive := narrowed accumulator; accumulator := rounding half
        "latch_output": 1,                              # output register := displacement of the output population
        "show_word": 1,                                 # the word that was read joins the output
        "token_first": 1, "token_next": 1,              # the token goes to the first unit; to the next one
    }
    if layer.design.kind == "programmable":
        fields |= {
            "bracket_add": 1,                           # a product joins the bracket
            "bracket_first": 1, "bracket_subtract": 1,  # it is the first one; it is taken off
            "bracket_latch": 1, "bracket_enable": 1,    # the bracket is complete; it goes to operand B
            "result_shift": 1,                          # ring of results: take a new word, or turn
            "transfer": 1,                              # the results go into the ring of evaluation points
        }
    if layer.rings_in_memory:                           # filled in by the register of the cluster
        # oldest step start of the next clock, or from 8 on the zeros of a cleared ring; where a word enters in this clock
        fields |= {"start_place": 4, "start_write": 1, "start_written": 3}
        if layer.learns:
            fields |= {"gate_place": 3, "gate_last": 3, "gate_write": 1}     # oldest gate, and the one that entered last
    if needs_populations(layer):
        fields |= {name: range(POPULATIONS) for name in ("population_difference", "population_self", "population_gate",
                                                         "population_clamp")}
    return data.StructLayout({name: shape if not isinstance(shape, int) else unsigned(shape)
                              for name, shape in fields.items()})


def needs_populations(layer: LayerDesign) -> bool:
    """Whether the five populations of a neuron differ in wired K or rest value: a datapath must know which one it computes."""
    neuron = layer.network.neuron
    wired = (neuron.K1, neuron.K2, neuron.K3) if layer.design.kind == "shift" else ()
    return any(len(set(values)) > 1 for values in (*wired, neuron.rest))


def clusters(layer: LayerDesign) -> int:
    return -(-layer.units // CLUSTER)


def branches(layer: LayerDesign) -> int:
    """Copies of the control word between the sequencer and the clusters: a large array spans more than a clock's way."""
    return 0 if clusters(layer) <= BRANCH else -(-clusters(layer) // BRANCH)


def control_latency(layer: LayerDesign) -> int:
    """Clocks from what the sequencer decides to the units: its own register, the branch's if any, the cluster's."""
    return 2 if branches(layer) == 0 else 3


class ControlBranch(wiring.Component):
    """A registered copy of the control word for ``BRANCH`` clusters.

    Members
    -------
    source : In(layout)
    control : Out(layout)
        ``source`` of one clock ago.
    """

    def __init__(self, layer: LayerDesign) -> None:
        layout = control_layout(layer)
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

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        layout = control_layout(layer)
        super().__init__({"source": In(layout), "control": Out(layout)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        copy = Signal.like(self.control, reset_less=True, name="copy")
        write_address = Signal.like(self.source.write_address, reset_less=True, name="write_address")
        m.d.sync += [copy.eq(self.source), write_address.eq(copy.write_address)]
        m.d.comb += [self.control.eq(copy), self.control.write_address.eq(write_address)]
        if self.layer.rings_in_memory:
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
        if self.layer.learns:
            place, last = Signal(range(POPULATIONS), init=1, name="place"), Signal(range(POPULATIONS), name="last")
            gate_write = Signal(reset_less=True, name="gate_write")
            m.d.sync += gate_write.eq(source.gate_shift & source.gate_new)
            with m.If(copy.gate_shift):
                m.d.sync += [place.eq(Mux(place == POPULATIONS - 1, 0, place + 1)), last.eq(place)]
            m.d.comb += [control.gate_place.eq(place), control.gate_last.eq(last), control.gate_write.eq(gate_write)]
