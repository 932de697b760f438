"""How a sequencer sends settled outputs on: one a clock, in the order of the neurons.

An array that serves one layer has a machine for it, *scan*, so that the next fold settles meanwhile: outputs are latched, and a
token goes from unit to unit; the one that has it shows its output. In a time-shared array main does it and chooses units by
their numbers.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value, signed
from amaranth.lib import data

from golden_model.network import Formats
from hdl.control import control_latency
from hdl.machine import Machine, Sides
from hdl.program import SCAN_REST, Count, datapath


def output_layout(formats: Formats) -> data.StructLayout:
    """One output of a layer. ``learn``: the image is to be learnt. ``last``: no more of this image."""
    return data.StructLayout({"value": signed(formats.displacement.bits), "last": 1, "learn": 1})


class Scan:
    """Of an array that serves one layer. ``size``: outputs of this fold. ``leaving``: clocks from a token to ``word``.

    Parameters
    ----------
    m : Module
    sequencer : Sequencer
    machine : Machine
        Of the program *scan*.
    learn : Signal
        The image is to be learnt.
    """

    def __init__(self, m: Module, sequencer: Any, machine: Machine, learn: Signal) -> None:
        self.main, self.machine, array = sequencer.main, machine, sequencer.array
        self.size = Signal(range(array.units + 1), name="scan_size")
        last, learn_late = Signal(name="scan_last"), Signal(name="scan_learn")
        with m.If(self.main.strobe("scan")):
            m.d.comb += [sequencer.next.latch_output.eq(1), sequencer.next.token_first.eq(1)]
            m.d.sync += [self.size.eq(sequencer.size), last.eq(sequencer.last_fold), learn_late.eq(learn)]
        self.scanned = machine.count == self.size - 1
        sending = machine.during("SCAN")
        with m.If(sending):
            m.d.comb += sequencer.next.token_next.eq(1)
        with m.If(self.main.strobe("token")):
            m.d.comb += sequencer.next.token_first.eq(1)
        self.leaving = control_latency(array.first) + sequencer.output_latency
        flags = [Signal(2, name=f"scan_{stage}") for stage in range(self.leaving)]
        sent = Cat(sending, sending & self.scanned & last)
        m.d.sync += [late.eq(early) for early, late in zip([sent, *flags], flags, strict=False)]
        m.d.comb += [sequencer.outputs_valid.eq(flags[-1][0]), sequencer.outputs.last.eq(flags[-1][1]),
                     sequencer.outputs.learn.eq(learn_late), sequencer.outputs.value.eq(sequencer.word)]

    @property
    def rests(self) -> Value:
        """All outputs have left, and the receiver has told whether it is free."""
        return self.machine.during("IDLE")

    def build(self, m: Module) -> None:
        """Add the machine, with what it waits for and counts."""
        self.machine.build(m, Sides(events={"scan": self.main.strobe("scan")}, flags={"last fold": True}, last={
            Count.UNITS: self.scanned, Count.LEAVING: self.machine.count == self.leaving + SCAN_REST - 1}))


def scan_of_main(m: Module, sequencer: Any, learn: Signal) -> None:
    """Of a time-shared array: outputs, and the unit that is chosen for them and for errors."""
    array, main, chosen = sequencer.array, sequencer.main, sequencer.chosen
    ending = sequencer.count == sequencer.size - 1
    last = ending & sequencer.last_fold
    if sequencer.positions is not None:
        last = last & sequencer.positions.last
    m.d.comb += [sequencer.outputs_valid.eq(main.during("SCAN")), sequencer.outputs.value.eq(sequencer.output),
                 sequencer.outputs.learn.eq(learn), sequencer.outputs.last.eq(last)]
    with m.If(sequencer.outputs_valid):
        m.d.sync += chosen.eq(chosen + 1)
    if array.learns:
        with m.If(sequencer.pipeline.ago("error", datapath(array)["error"].clock("accumulate_one"))):
            m.d.sync += chosen.eq(chosen + 1)
    with m.If(main.strobe("latch") | main.strobe("token")):
        m.d.sync += chosen.eq(0)
