"""A recurrent layer: instants, frames and words, and what the sequencer of its array does otherwise.

An instant is a state before or after a step; ``sequencer.place`` is the one that main works at, and the slot of weight memory
in which its states are. At both points of a step main plays the reciprocal links twice: first each neuron multiplies its own
x_a by its links (TELL), and the sums over neurons are what the others lose; then it hears their x_b (HEAR). Where an image is
learnt, products of states that are kept are summed up word by word, four clocks for each step, and each product is issued
``FETCH`` clocks after the word that all hear was asked for::

    clock of a step         0                 1                 2         3
    asked for, for all      s_m,b or input    r_m,b
    asked for, of its own                                       r_a       s_a
    product                 + r_a s_m,b       - s_a r_m,b
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value

from golden_model.network import POPULATIONS
from hdl.exchange import reverse_words, state_word
from hdl.operands import encoded
from hdl.operations import Operand

FETCH = 3                                 # clocks from the one in which a word is asked for to the issue of its product


class Recurrence:
    """Of the sequencer of an array that serves a recurrent layer. ``row``: of the word that learns. ``flags``: what the program
    decides by."""

    def __init__(self, m: Module, sequencer: Any) -> None:
        self.m, self.sequencer, self.array, self.layer = m, sequencer, sequencer.array, sequencer.array.first
        layer, main, place = self.layer, sequencer.main, sequencer.place
        assert layer.recurrence is not None
        self.steps, self.inputs = layer.recurrence.steps, layer.links - layer.channels    # of a frame
        self.step = Signal(range(max(2, self.steps)), name="step")                        # of its frame
        self.ahead = Signal(name="ahead")                                                 # the next instant is meant
        self.backwards, self.row = Signal(name="backwards"), Signal(range(layer.links + 1), name="learning_row")
        self.multiplies, self.quarter = main.during("PRODUCTS"), sequencer.count[:2]
        self.stepped = self.multiplies & (self.quarter == 3)
        self.flags: dict[str, Value] = {
            "new frame": self.step == 0, "last instant": place == layer.recurrence.instants, "goes on": place != 1,
            "last instant back": main.during("KEEP_BACK"), "last point": sequencer.half_step[0],
            "last point back": sequencer.half_step[0], "last row": self.row == layer.links}
        self._instants()
        self._strobes()

    def _instants(self) -> None:
        m, main, place, step = self.m, self.sequencer.main, self.sequencer.place, self.step
        with m.If(main.strobe("next point") | self.stepped):
            m.d.sync += [place.eq(place + 1), step.eq(Mux(step == self.steps - 1, 0, step + 1))]
        with m.If(main.strobe("next point back")):
            m.d.sync += place.eq(place - 1)
        with m.If(main.strobe("latch") | main.strobe("first row") | main.strobe("next row")):
            m.d.sync += [place.eq(0), step.eq(0)]
        with m.If(main.strobe("first row")):
            m.d.sync += self.row.eq(0)
        with m.If(main.strobe("next row")):
            m.d.sync += self.row.eq(self.row + 1)
        with m.If(main.strobe("latch")):
            m.d.sync += self.backwards.eq(0)
        with m.If(main.strobe("latch back")):
            m.d.sync += self.backwards.eq(1)

    def _strobes(self) -> None:
        """What the list of inputs and the units are told."""
        m, sequencer, main = self.m, self.sequencer, self.sequencer.main
        control, start, first = sequencer.next, sequencer.start, sequencer.place == 0
        m.d.comb += [sequencer.load.eq(main.strobe("load")), sequencer.begin.eq(start & first),
                     sequencer.further.eq(start & ~first), control.latch_gain.eq(main.strobe("latch gain")),
                     control.reverse.eq(self.backwards)]
        if self.array.learns:
            m.d.comb += control.begin_sum.eq(main.strobe("sum"))

    # ------------------------------------------------------------- half steps

    def settle(self, last_phase: Value) -> None:
        """What enters the brackets. A half step is the predictor or the corrector of the first step, which begins with zeros,
        or of a later one; an error is added to a state of zeros, from which nothing else comes."""
        m, sequencer, control, neuron = self.m, self.sequencer, self.sequencer.next, self.array.network.neuron
        kick, half_step = sequencer.main.during("KICK"), sequencer.half_step
        alike = neuron.input_population == neuron.output_population
        with m.If(last_phase):
            m.d.sync += half_step.eq(Cat(~half_step[0], half_step.any()))
        entrances = sorted(self.layer.half_step.when("drive_enable", Operand.ENTRANCE))
        enters = [sequencer.phase == Mux(self.backwards, entrances[-population % POPULATIONS], entrances[population])
                  for population in (neuron.input_population, neuron.output_population)]
        m.d.comb += [control.reverse.eq(self.backwards), control.drive_enable.eq(enters[0] & ~kick),
                     control.exchange_enable.eq(enters[1] & kick if alike else enters[1])]

    # ------------------------------------------------------------- what neurons hear, and learn

    def items(self) -> None:
        """Items of frames, of reciprocal links, and of products."""
        m, sequencer, main, item = self.m, self.sequencer, self.sequencer.main, self.sequencer.items.payload
        issue, count, chosen = sequencer.pipeline.issue, sequencer.count, sequencer.chosen
        plays, tells, hears = main.during("FRAME"), main.during("TELL", "TELL_BACK"), main.during("HEAR", "HEAR_BACK")
        self.voice, speaks = Signal.like(item.value, reset_less=True, name="voice"), Signal(name="speaks")
        speaker = Signal(range(self.layer.channels + 1), reset_less=True, name="speaker")
        m.d.sync += [speaks.eq(hears), speaker.eq(count), self.voice.eq(sequencer.output)]
        m.d.comb += [issue.tree.eq(tells), issue.link.eq((plays & sequencer.items.valid) | speaks),
                     sequencer.index.eq(Mux(item.last, self.layer.bias_row, item.index)), sequencer.last.eq(plays & item.last),
                     sequencer.value.eq(Mux(plays, item.value, self.voice))]
        with m.If(tells):
            m.d.comb += sequencer.index.eq(self.inputs + count)
        with m.If(speaks):
            m.d.comb += sequencer.index.eq(self.inputs + speaker)
        with m.If(tells | main.during("HALF")):                           # then outputs are sent from the first one on
            m.d.sync += chosen.eq(0)
        with m.If(hears):
            m.d.sync += chosen.eq(chosen + 1)
        self._exchange()
        if self.array.learns:
            reciprocal = Signal(name="reciprocal")                        # is the word that learns
            m.d.sync += reciprocal.eq((self.row >= self.inputs) & (self.row != self.layer.bias_row))
            self._products(reciprocal)
            self._sources(reciprocal)

    def _exchange(self) -> None:
        """Sums from the tree, or errors, to their neurons."""
        m, sequencer, control, layer = self.m, self.sequencer, self.sequencer.next, self.layer
        receiver = Signal(range(max(2, layer.channels)), name="receiver")
        m.d.comb += [control.exchange_set.eq(sequencer.exchanged_valid), control.exchange_word.eq(sequencer.exchanged),
                     control.exchange_unit.eq(receiver)]
        with m.If(sequencer.exchanged_valid):
            m.d.sync += receiver.eq(Mux(receiver == layer.channels - 1, 0, receiver + 1))
        if self.array.learns:
            with m.If(sequencer.main.during("ERRORS")):
                m.d.comb += [control.exchange_set.eq(sequencer.errors.valid), control.exchange_unit.eq(sequencer.count),
                             control.exchange_word.eq(sequencer.errors.payload << layer.kick_shift)]

    def addresses(self, address: Signal) -> None:
        """Of states, which are behind the parameters; never in the clock of an item that is issued."""
        m, sequencer, layer = self.m, self.sequencer, self.layer
        with m.If(sequencer.main.during("REST", "KEEP", "KEEP_BACK", "KICK", "HALF_BACK", "PRODUCTS")):
            m.d.sync += address.eq(layer.rows + Cat(sequencer.next.gate_place, sequencer.place + self.ahead))

    def _products(self, reciprocal: Value) -> None:
        """Words of all steps are asked for, in the clocks above, their products issued, and the sum of those applied."""
        m, sequencer, control, neuron = self.m, self.sequencer, self.sequencer.next, self.array.network.neuron
        main, issue = sequencer.main, sequencer.pipeline.issue
        of_a, of_b = reverse_words(neuron)
        words = (state_word(neuron.output_population), of_b, of_a, state_word(neuron.input_population))
        with m.If(self.multiplies):
            m.d.comb += [control.kept_shown.eq(1), self.ahead.eq((self.quarter == 1) | (self.quarter == 2)),
                         control.gate_place.eq(Array([Const(word, 3) for word in words])[self.quarter])]
        for name, when in (("add", self.quarter == 0), ("subtract", (self.quarter == 1) & reciprocal)):
            flags: list[Value] = [self.multiplies & when]
            flags += [Signal(name=f"{name}_{clock}") for clock in range(FETCH)]
            m.d.sync += [late.eq(early) for early, late in zip(flags, flags[1:], strict=False)]
            m.d.comb += issue[name].eq(flags[-1])
        m.d.comb += issue.apply.eq(main.during("APPLY") & ~sequencer.odd)
        with m.If(main.during("PRODUCTS", "PRODUCTS_DRAIN", "APPLY")):
            m.d.comb += [sequencer.index.eq(self.row), sequencer.last.eq(self.row == self.layer.bias_row)]

    def _sources(self, reciprocal: Value) -> None:
        """What all hear: of a reciprocal link the neuron at its other end, of the others inputs, which are looked up."""
        m, sequencer, main, point = self.m, self.sequencer, self.sequencer.main, self.sequencer.point
        with m.If(main.strobe("first row")):
            m.d.sync += [sequencer.chosen.eq(0), point.eq(0)]
        with m.Elif(main.strobe("next row")):
            m.d.sync += [sequencer.chosen.eq(sequencer.chosen + reciprocal), point.eq(self.row + 1)]
        with m.Elif(self.stepped & (self.step == self.steps - 1)):
            m.d.sync += point.eq(point + self.inputs)
        with m.If(main.during("PRODUCTS", "PRODUCTS_DRAIN") & ~reciprocal):
            m.d.sync += self.voice.eq(encoded(self.layer, sequencer.pointed))
