"""Positions of convolutions: where the window stands, and what a sequencer of a time-shared array does otherwise with items."""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value


class Positions:
    """``number``: of the position that main works at; links may be one ahead, as with folds. ``taken``: items that are taken as
    they come. ``flags``: what the program decides by."""

    def __init__(self, m: Module, sequencer: Any) -> None:
        self.sequencer, self.array = sequencer, sequencer.array
        main, links, layers = sequencer.main, sequencer.links, sequencer.array.layers
        self.number = Signal(range(max(2, *(layer.positions for layer in layers))), name="main_position")
        self.window = sequencer.of_layer([int(layer.window is not None) for layer in layers]).bool()
        self.last = self.number == sequencer.of_layer([layer.positions - 1 for layer in layers])
        self.taken = main.during("WINDOW_TREE", "GATHER")
        self.flags: dict[str, Value] = {
            "window": self.window, "last position": self.last, "last position back": self.last,
            "clears": sequencer.of_layer([int(layer.clears) for layer in layers]).bool()}
        begins = main.strobe("first position") | main.strobe("first position back")
        further = main.strobe("next position") | main.strobe("next position back")
        m.d.comb += [sequencer.begin.eq(links.strobe("first position") | main.strobe("first position back")),
                     sequencer.further.eq(links.strobe("next position") | main.strobe("next position back")),
                     sequencer.load.eq(main.strobe("load"))]
        with m.If(begins):
            m.d.sync += self.number.eq(0)
        with m.If(further):
            m.d.sync += [self.number.eq(self.number + 1), sequencer.place.eq(sequencer.place + 1)]

    def items(self, m: Module) -> None:
        """Reverse links of what the window sees, and their places; products that are gathered, sums that are applied."""
        sequencer, main, count = self.sequencer, self.sequencer.main, self.sequencer.count
        issue, item, sees = sequencer.pipeline.issue, sequencer.items.payload, main.during("WINDOW_TREE")
        m.d.comb += [issue.tree.eq(main.during("TREE", "TREE_CLEAR") | (sees & sequencer.items.valid & ~item.last)),
                     sequencer.dense.eq(sees | (main.during("GATHER") & (self.number == 0)))]
        with m.If(main.during("TREE_CLEAR")):                         # products are zero, because no signal is enabled
            m.d.comb += sequencer.index.eq(0)
        place: Value = Mux(sees, sequencer.item_place, count)
        for stage in range(sequencer.pipeline.latency):
            late = Signal.like(sequencer.tree_place, name=f"tree_place_{stage}", reset_less=True)
            m.d.sync += late.eq(place)
            place = late
        m.d.comb += sequencer.tree_place.eq(place)
        if not self.array.gathers:
            return
        applies, ends = main.during("APPLY"), sequencer.of_layer([layer.links for layer in self.array.layers])
        m.d.comb += [issue.gather.eq(main.during("GATHER") & sequencer.items.valid), issue.apply.eq(applies & ~sequencer.odd),
                     sequencer.last.eq(Mux(applies, count[1:] == ends, item.last)),
                     sequencer.next.gather_first.eq(self.number == 0)]
        with m.If(applies):
            m.d.comb += sequencer.index.eq(count[1:])

    def begins_sum(self, m: Module, first_fold: Value) -> Value:
        """Whether a sum of reverse links begins: a convolution's do while they are cleared (``TREE_CLEAR``)."""
        main, cleared = self.sequencer.main, Signal(name="cleared")
        with m.If(main.during("TREE_CLEAR")):
            m.d.sync += cleared.eq(0)
        with m.Elif(main.during("TREE_START")):
            m.d.sync += cleared.eq(1)
        return Mux(self.window, ~cleared, first_fold)
