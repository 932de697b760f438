"""Bugs to plant in the gateware: each replaces one piece of a source file that occurs in it exactly once."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """``old`` becomes ``new`` in ``hdl/<file>``."""

    name: str
    file: str
    old: str
    new: str


_UPDATED = "(Cat(Const(1, 1), self.word).as_signed() + product[shift - 1:].as_signed()) >> 1"

MUTANTS = (
    # the element
    Mutant("link sum dropped by a bit too many", "element.py", "clamp(accumulator[layer.link_shift:].as_signed()",
           "clamp(accumulator[layer.link_shift + 1:].as_signed()"),
    Mutant("drive wraps instead of saturating", "element.py",
           "clamp(accumulator[layer.link_shift:].as_signed(), formats.drive.bits)",
           "accumulator[layer.link_shift:][:formats.drive.bits].as_signed()"),
    Mutant("accumulator begins without the half", "element.py", "accumulator.eq(half)", "accumulator.eq(0)"),
    Mutant("half step wraps instead of saturating", "element.py", "clamp(rounded, s.bits)", "rounded[:s.bits].as_signed()"),
    Mutant("half step rounds down", "element.py", "Cat(Const(1, 1), mean)", "Cat(Const(0, 1), mean)"),
    Mutant("half step takes its neighbour's point", "element.py", "point[1 if programmable else 2]",
           "point[1 if programmable else 3]"),
    Mutant("predictor with the corrector's gate", "element.py", "self._wide(Cat(Const(0, 1), predictor_gate), operand)",
           "self._wide(predictor_gate, operand)"),
    Mutant("reverse gate without floor", "element.py",
           "return Mux((low | (word == s.greatest)) & self.control.gate_floor, floor, population)", "return population"),
    Mutant("no floor at the upper limit", "element.py", "(low | (word == s.greatest))", "low"),
    Mutant("update rounds down", "element.py", _UPDATED, _UPDATED.replace("Const(1, 1)", "Const(0, 1)")),
    Mutant("update that overflows is not held", "element.py",
           "enough = self._fitted(m, updated, formats.weight.bits, control.load)", "enough = Const(1, 1)"),
    Mutant("reverse signal from the wrong element", "element.py", "point[-network.neuron.input_element % ELEMENTS]",
           "point[(1 - network.neuron.input_element) % ELEMENTS]"),
    # the ring
    Mutant("ring turned the other way", "ring.py", "x[MOTHER] + x[PREY]", "x[CHILD] + x[PREDATOR]"),
    Mutant("self-limitation feeds", "ring.py", "(broadcast << (scale - common)) - limited",
           "(broadcast << (scale - common)) + limited"),
    Mutant("pair of the last half step not cleared", "ring.py", "Mux(control.clear, 0, x[MOTHER] + x[PREY])",
           "x[MOTHER] + x[PREY]"),
    # schedules
    Mutant("step start not replaced to its end", "half_step.py",
           "control.start_shift.eq(fourth | (corrector & (phase >= 8)))", "control.start_shift.eq(fourth)"),
    Mutant("gates not mirrored", "sequencer.py", "sample = wait[:2] == 0", "sample = wait < ELEMENTS"),
    Mutant("restored displacements not mirrored", "sequencer.py", "order = [-turn % ELEMENTS for turn in range(ELEMENTS)]",
           "order = [turn % ELEMENTS for turn in range(ELEMENTS)]"),
    Mutant("displacements saved one row further", "sequencer.py", "(neuron.output_element + turn) % ELEMENTS for",
           "(neuron.output_element + turn + 1) % ELEMENTS for"),
    Mutant("one half step too few", "sequencer.py", "half_step == half_steps - 1", "half_step == half_steps - 2"),
    Mutant("next image before this one is learnt", "sequencer.py", "learn.eq(self.learn & layer.learns)", "learn.eq(0)"),
    # the pipeline of items
    Mutant("bias not updated", "items.py", "control.write.eq(1), control.write_address", "control.write.eq(~lasts[-1]), "
           "control.write_address"),
    Mutant("rate of the links not applied", "items.py", "links = x << links_places", "links = x"),
    Mutant("rate of the bias not applied", "items.py", "bias_places.eq(layer.update_shift - self.bias_exponent)",
           "bias_places.eq(layer.update_shift - exponents['bias'])"),
    Mutant("token goes on too early", "items.py", "control.token_next.eq(stages[4].error)",
           "control.token_next.eq(stages[3].error)"),
    Mutant("update to a stale address", "items.py", "control.write_address.eq(addresses[-1])",
           "control.write_address.eq(addresses[-2])"),
    # the way back, lists, output
    Mutant("reverse links forget earlier folds", "adder_tree.py",
           "Mux(first, Const(0, signed(layer.reverse_sum_bits)), out_of.data)", "Const(0, signed(layer.reverse_sum_bits))"),
    Mutant("error wraps instead of saturating", "adder_tree.py", "clamp(rounded, layer.formats.error.bits)",
           "rounded[:layer.formats.error.bits]"),
    Mutant("list loses an item when the layer is busy", "activation_list.py", "move.eq(~valid | self.items.ready)",
           "move.eq(1)"),
    Mutant("list without its last displacement", "activation_list.py", "self.written_valid & self.written.value.any()",
           "self.written_valid & self.written.value.any() & ~self.written.last"),
    Mutant("list played from the other bank", "activation_list.py", "out_of.addr.eq(Cat(fetch[:address_bits], playing))",
           "out_of.addr.eq(Cat(fetch[:address_bits], ~playing))"),
    Mutant("margin on the wrong side", "output_unit.py", "-margin) - value", "-margin) + value"),
    Mutant("last of equal outputs", "output_unit.py", "(value > greatest)", "(value >= greatest)"),
    Mutant("label off by one", "output_unit.py", "job.label == index", "job.label == index + 1"),
    Mutant("verdict looks at the last output only", "output_unit.py", "self.verdict_error.eq(any_error | (error != 0))",
           "self.verdict_error.eq(error != 0)"),
    Mutant("one error too few dropped", "output_unit.py", "dropped == neurons - 1", "dropped == neurons - 2"),
    # commands
    Mutant("RESET forgets a counter", "commands.py", "for counter in (inferred, learnt, changed, refused, cycles)",
           "for counter in (inferred, learnt, refused, cycles)"),
    Mutant("RESET keeps the rates", "commands.py", "links.eq(self.initial_links), bias.eq(self.initial_bias)",
           "bias.eq(self.initial_bias)"),
    Mutant("overlong frames accepted", "commands.py", "with m.Elif(self.over):", "with m.Elif(self.over & ~self.over):"),
    Mutant("parameters one too many", "commands.py", "(index + count <= parameters)", "(index + count <= parameters + 1)"),
)
