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

    @property
    def core(self) -> str:
        """In which of ``mutation.CORES`` it is tried."""
        return self.name.split(":")[0] if ":" in self.name else "parallel"


_UPDATED = "(Cat(Const(1, 1), word).as_signed() + product[shift - 1:].as_signed()) >> 1"

MUTANTS = (
    # the unit
    Mutant("link sum dropped by a bit too many", "unit.py", "clamp(accumulator[shift:].as_signed()",
           "clamp(accumulator[shift + 1:].as_signed()"),
    Mutant("drive wraps instead of saturating", "unit.py",
           "clamp(accumulator[shift:].as_signed(), len(drive))", "accumulator[shift:][:len(drive)].as_signed()"),
    Mutant("accumulator begins without the half", "unit.py", "len(drive))), accumulator.eq(1 << shift >> 1)",
           "len(drive))), accumulator.eq(0)"),
    Mutant("half step wraps instead of saturating", "unit.py", "clamp(rounded, s.bits)", "rounded[:s.bits].as_signed()"),
    Mutant("half step rounds down", "unit.py", "Cat(Const(1, 1), mean)", "Cat(Const(0, 1), mean)"),
    Mutant("half step takes its neighbour's point", "unit.py", "point[bracket.TAPPED]", "point[bracket.TAPPED + 1]"),
    Mutant("predictor with the corrector's gate", "unit.py", 'wide(Cat(Const(0, 1), gates["predictor_gate"]), operand)',
           'wide(gates["predictor_gate"], operand)'),
    Mutant("reverse gate without floor", "gate.py",
           "return Mux(floored if enable is None else floored & enable, floor, there)", "return there"),
    Mutant("no floor at the upper limit", "gate.py", "floored = low | (word == s.greatest)", "floored = low"),
    Mutant("update rounds down", "word_update.py", _UPDATED, _UPDATED.replace("Const(1, 1)", "Const(0, 1)")),
    Mutant("update that overflows is not held", "word_update.py", "return self._fitted(updated, link, control.load)",
           "return Const(1, 1)"),
    Mutant("reverse signal from the wrong population", "unit.py", "point[-neuron.input_population % POPULATIONS]",
           "point[(1 - neuron.input_population) % POPULATIONS]"),
    # the bracket
    Mutant("ring turned the other way", "bracket.py", "0, x[MOTHER] + x[PREY]", "0, x[CHILD] + x[PREDATOR]"),
    Mutant("self-limitation feeds", "bracket.py", "(scale - in_common)) - self._limited",
           "(scale - in_common)) + self._limited"),
    Mutant("pair of the last half step not cleared", "bracket.py", "Mux(self.control.clear, 0, x[MOTHER] + x[PREY])",
           "x[MOTHER] + x[PREY]"),
    # timing
    Mutant("step start not replaced to its end", "settling.py",
           "when(\"start_shift\") | (corrector & during(phase, at_end, table.phases))", "when(\"start_shift\")"),
    # between the parts
    Mutant("an image that is released is seen again", "core.py", "source.available & ~release", "source.available"),
    Mutant("an access is begun twice", "core.py", " & meant & ~array.access_done & ~done", " & meant"),
    # rings in memory
    Mutant("memory: a cleared ring shows old words too early", "control.py", "with m.If(fresh == POPULATIONS - 1):",
           "with m.If(fresh == POPULATIONS - 3):"),
    Mutant("memory: rings are not cleared", "control.py", "[fresh.eq(0), zero.eq(1)]", "[fresh.eq(0)]"),
    Mutant("memory: step starts go round by six", "control.py", "Mux(start == POPULATIONS - 1, 0, start + 1)",
           "Mux(start == POPULATIONS, 0, start + 1)"),
    Mutant("memory: the gate before the last", "control.py", "last.eq(place)",
           "last.eq(Mux(place == 0, POPULATIONS - 1, place - 1))"),
    Mutant("memory: gates written while they only turn", "control.py", "gate_write.eq(source.gate_shift & source.gate_new)",
           "gate_write.eq(source.gate_shift)"),
    Mutant("gates not mirrored", "program.py", "if clock % 4 == 0", "if clock < POPULATIONS"),
    Mutant("restored displacements not mirrored", "program.py", "At(turn, \"row\", layer.state_row + population)",
           "At(turn, \"row\", layer.state_row + turn)"),
    Mutant("displacements saved one row further", "program.py", "(layer.network.neuron.output_population + turn)",
           "(layer.network.neuron.output_population + turn + 1)"),
    Mutant("one half step too few", "sequencer.py", "self.half_step == array.half_steps - 1",
           "self.half_step == array.half_steps - 2"),
    Mutant("next image before this one is learnt", "sequencer.py", "links_learn.eq(self.learn & array.learns)",
           "links_learn.eq(0)"),
    # the pipeline of items
    Mutant("bias not updated", "items.py", "align(m, fields, self.operations, self.stages, self._operands(m))",
           "align(m, fields, self.operations, self.stages, self._operands(m)); "
           "m.d.comb += fields['write'].eq(self.stages[2].update & ~fields['bias_row'])"),
    Mutant("rate of the links not applied", "operands.py", "links = x << links_places", "links = x"),
    Mutant("rate of the bias not applied", "operands.py", "bias_places.eq(unscaled - bias_rate_shift)",
           "bias_places.eq(unscaled - rate_shifts['bias'])"),
    Mutant("token goes on too early", "operations.py", 'A(5, "token_next")',
           'A(4, "token_next")'),
    Mutant("update to a stale address", "operations.py", 'A(3, "write_address", Op.ADDRESS)',
           'A(2, "write_address", Op.ADDRESS)'),
    # the way back, lists, output
    Mutant("reverse links forget earlier folds", "adder_tree.py",
           "Mux(first, Const(0, total.shape()), before)", "Const(0, total.shape())"),
    Mutant("error wraps instead of saturating", "adder_tree.py",
           "clamp(half_up(whole, layer.reverse_shift), array.formats.error.bits)",
           "half_up(whole, layer.reverse_shift)[:array.formats.error.bits]"),
    Mutant("list loses an item when the layer is busy", "activation_list.py", "move.eq(~valid | self.items.ready)",
           "move.eq(1)"),
    Mutant("list without its last displacement", "activation_list.py", "self.written_valid & self.written.value.any()",
           "self.written_valid & self.written.value.any() & ~self.written.last"),
    Mutant("list played from the other bank", "activation_list.py", "out_of.addr.eq(Cat(fetch[:address_bits], playing))",
           "out_of.addr.eq(Cat(fetch[:address_bits], ~playing))"),
    Mutant("margin on the wrong side", "output_stage.py", "-margin) - self.outputs.value", "-margin) + self.outputs.value"),
    Mutant("last of equal outputs", "output_stage.py", "(candidate > greatest)", "(candidate >= greatest)"),
    Mutant("label off by one", "output_stage.py", "label == self.following)", "label == self.following + 1)"),
    Mutant("verdict looks at the last output only", "output_stage.py", "self.verdict_error.eq(any_error | (error != 0))",
           "self.verdict_error.eq(error != 0)"),
    Mutant("one error too few dropped", "output_stage.py", "dropped == neurons - 1", "dropped == neurons - 2"),
    # commands
    Mutant("RESET forgets a counter", "commands.py", "for counter in (inferred, learnt, changed, refused, cycles)",
           "for counter in (inferred, learnt, refused, cycles)"),
    Mutant("RESET keeps the rates", "commands.py", "[each.register.eq(each.initial) for", "[[] for"),
    Mutant("short links: written words keep bits above their format", "commands.py", "written[:bits].as_signed() for bits",
           "written for bits"),
    Mutant("overlong frames accepted", "commands.py", "with m.Elif(self.over):", "with m.Elif(self.over & ~self.over):"),
    Mutant("parameters one too many", "commands.py", "(index + count <= parameters)", "(index + count <= parameters + 1)"),

    # a time-shared array
    Mutant("time-shared: inputs of layers not aligned", "operands.py",
           "<< layer.network.input_shift(0) + layer.alignment", "<< layer.network.input_shift(0)"),
    Mutant("time-shared: link sum wraps", "unit.py", "clamp(accumulator[shift:].as_signed(), len(drive))",
           "accumulator[shift:][:len(drive)].as_signed()"),
    Mutant("time-shared: half step wraps", "unit.py", "clamp(rounded, s.bits)", "rounded[:s.bits].as_signed()"),
    Mutant("time-shared: gates of all neurons in one place", "ring.py", '"addr": address',
           '"addr": control.gate_place'),
    Mutant("time-shared: gates not mirrored", "program.py",
           "At(turn, \"gate_place\", population)", "At(turn, \"gate_place\", turn)"),
    Mutant("time-shared: gate of the forward circuit in both", "ring.py", "Mux(control.reverse, gate, here)",
           "here"),
    Mutant("time-shared: update that overflows is not held", "word_update.py",
           "enough = fits(updated, formats.weight.bits)", "enough = Const(1, 1)"),
    Mutant("time-shared: update rounds down", "word_update.py", _UPDATED, _UPDATED.replace("Const(1, 1)", "Const(0, 1)")),
    Mutant("time-shared: update written to its neighbour", "items.py",
           "Mux(odd, addresses[-1], addresses[1])", "Mux(odd, addresses[-2], addresses[1])"),
    Mutant("time-shared: step starts with the last one of before", "settling.py",
           "Mux(half_step[1:].any(), 0, ZEROS) | (phase - 2)[:3]", "Mux(half_step.any(), 0, 0) | (phase - 2)[:3]"),
    Mutant("time-shared: sums of folds not joined", "adder_tree.py", "Mux(first, Const(0, total.shape()), before)", "0"),
    Mutant("time-shared: sums of the image before", "adder_tree.py",
           "Mux(first, Const(0, total.shape()), before)", "before"),
    Mutant("time-shared: banks of the tree exchanged", "array.py", "Mux(sequencer.ask_own, bank, ~bank)", "bank"),
    Mutant("time-shared: errors not rounded", "adder_tree.py", "half_up(whole, layer.reverse_shift)",
           "(whole >> layer.reverse_shift)"),
    Mutant("time-shared: last fold as large as the others", "sequencer.py",
           "sizes = [layer.fold_size(layer.folds - 1) for", "sizes = [layer.units for"),
    Mutant("time-shared: links begin while the multiplier settles", "sequencer.py",
           "{phase - 1 for phase in phases}", "{phases.start - 2, *(phase - 1 for phase in phases)}"),
    Mutant("time-shared: sum latched too early", "program.py", "Do(\"DRAIN\", datapath(array).drain)",
           "Do(\"DRAIN\", datapath(array).drain - 1)"),
    Mutant("time-shared: memory writes whatever happens", "weights.py", "if (write_enable) memory[address]",
           "if (1) memory[address]"),
)
