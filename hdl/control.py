"""The control word that a layer's sequencer broadcasts to its processing elements, one a clock.

Every field is aligned to the clock in which the element uses it; the sequencer does all delaying, so that an element has no
control of its own. Fields that a layer does not need have no bits.
"""
from __future__ import annotations

from amaranth.hdl import Module, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from golden_model.network import ELEMENTS
from hdl.design import LayerDesign


def control_layout(layer: LayerDesign) -> data.StructLayout:
    """The fields. Widths in bits; flags have one."""
    address = max(1, (layer.depth - 1).bit_length())
    operand = layer.design.operand_bits
    fields = {
        "address": address,                             # of the weight that is read
        "write_address": address,
        "write": 1,                                     # an updated word, if it does not overflow; else see load
        "write_one": 1,                                 # only the element that has the token
        "load": 1,                                      # write the broadcast data, or a displacement, instead
        "load_data": layer.word_bits,                   # zero when a displacement is written
        "bias_row": 1,                                  # what is updated is a bias
        "word_enable": 1,                               # the word that is being read goes to operand A
        "broadcast_a": signed(operand),                 # to operand A; zero when unused
        "broadcast_b": signed(layer.broadcast_bits),    # to operand B; zero when unused
        "drive_enable": 1,                              # the drive goes into the bracket
        "reverse_enable": 1,                            # the reverse signal goes to operand B
        "self_enable": 1,                               # the element's own displacement goes into the bracket
        "coupling_enable": 1,                           # generation and overcoming go into the bracket
        "corrector_gate": 1, "predictor_gate": 1,       # the gate that has just entered its ring goes to operand A
        "reverse": 1,                                   # the reverse circuit settles
        "gate_shift": 1, "gate_new": 1,                 # gate ring: rotate; take the gate of the point at the head
        "gate_floor": 1,                                # that gate is for the reverse circuit
        "state_shift": 1, "state_new": 1,               # ring of evaluation points: rotate; take a new word
        "start_shift": 1, "start_new": 1,               # ring of step starts: rotate; take a new word
        "clear": 1,                                     # both rings to zero
        "mean_enable": 1,                               # step start + evaluation point goes into the half step
        "accumulate": 1, "accumulate_one": 1,           # all elements; only the one with the token
        "latch_drive": 1,                               # drive := narrowed accumulator; accumulator := rounding half
        "latch_output": 1,                              # output register := displacement of the output element
        "show_word": 1,                                 # the word that was read joins the output
        "token_first": 1, "token_next": 1,              # the token goes to the first element; to the next one
    }
    if layer.design.kind == "programmable":
        fields |= {
            "bracket_add": 1,                           # a product joins the bracket
            "bracket_first": 1, "bracket_subtract": 1,  # it is the first one; it is taken off
            "bracket_latch": 1, "bracket_enable": 1,    # the bracket is complete; it goes to operand B
            "result_shift": 1,                          # ring of results: take a new word, or turn
            "transfer": 1,                              # the results go into the ring of evaluation points
        }
    if needs_elements(layer):
        fields |= {name: range(ELEMENTS) for name in ("element_difference", "element_self", "element_gate", "element_clamp")}
    return data.StructLayout({name: shape if not isinstance(shape, int) else unsigned(shape)
                              for name, shape in fields.items()})


def needs_elements(layer: LayerDesign) -> bool:
    """Whether the five elements of a neuron differ in wired K or rest value: a datapath must know which one it computes."""
    neuron = layer.network.neuron
    wired = (neuron.K1, neuron.K2, neuron.K3) if layer.design.kind == "shift" else ()
    return any(len(set(values)) > 1 for values in (*wired, neuron.rest))


class ControlRegister(wiring.Component):
    """A registered copy of the control word, one for each cluster of elements: it keeps the fan-out off the critical path.

    Members
    -------
    given : In(layout)
    control : Out(layout)
        ``given`` of one clock ago, but ``write_address`` of two: the elements register what they write.
    """

    def __init__(self, layer: LayerDesign) -> None:
        layout = control_layout(layer)
        super().__init__({"given": In(layout), "control": Out(layout)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        copy = Signal.like(self.control, reset_less=True)
        write_address = Signal.like(self.given.write_address, reset_less=True)
        m.d.sync += [copy.eq(self.given), write_address.eq(copy.write_address)]
        m.d.comb += [self.control.eq(copy), self.control.write_address.eq(write_address)]
        return m
