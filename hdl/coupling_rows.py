"""Which K units work with: words of a memory of K, which a layer has where K learn or are too wide for the multiplier.

A unit has ``K_rows`` words for each of its neurons: 15 of K, and where they learn five settled displacements. While neurons
settle or learn they are those of the fold that main works at; while a host reads or writes, those of the fold that it names.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value

from golden_model.network import POPULATIONS
from hdl.choices import COUPLINGS
from hdl.half_step import HalfStep, coupling_row


class CouplingRows:
    """Of the sequencer of an array with a memory of K.

    Parameters
    ----------
    m : Module
    sequencer : Sequencer

    ``row``, ``written``: of the neuron's words the one that is read, and the one that is written. ``kind``: which of K1, K2
    and K3 learns; each has a rate of its own, which says how far a displacement is shifted before it is multiplied.
    ``place``: the fold that a host names, among those of all layers.
    """

    def __init__(self, m: Module, sequencer: Any) -> None:
        array, control, layer = sequencer.array, sequencer.next, sequencer.array.first
        self.row, self.written = (Signal(range(layer.K_rows), name=name) for name in ("K_row", "K_written"))
        self.place = Signal(range(max(2, array.folds)), name="K_place")
        self.access = Signal(name="K_access")                         # is under way
        place = Mux(self.access, self.place, sequencer.place if array.time_shared else sequencer.fold)
        base = place * layer.K_rows if array.folds > 1 else Const(0)
        m.d.comb += [control.K_address.eq(base + self.row), control.K_write_address.eq(base + self.written)]
        self.kind = Signal(range(len(COUPLINGS)), name="K_kind")
        if array.learns_K:
            rate_shifts, first = array.network.learning.rate_shifts(0), array.design.K_rate_shifts().start
            places = []
            for name in COUPLINGS:
                places.append(Signal(range(layer.K_most_places + 1), reset_less=True, name=f"{name}_places"))
                if (own := rate_shifts[name]) is not None:
                    m.d.sync += places[-1].eq(layer.K_shift - layer.K_places - (own - first) - sequencer.K_rate_shift)
            m.d.comb += control.K_places.eq(Array(places)[self.kind])

    @property
    def fields(self) -> dict[str, Signal]:
        """What a program's table of fields says of them, by its names."""
        return {"K_row": self.row, "K_written": self.written, "K_kind": self.kind}

    def settle(self, m: Module, table: HalfStep, *, phase: Value, reverse: Value) -> None:
        """The word of each product of a half step, forward and in reverse."""
        rows = []
        for mirrored in (False, True):
            for number in range(table.phases):
                population, term = divmod(number, table.period)
                issued = number in table.when("self_enable")
                rows.append(coupling_row(population, term % POPULATIONS, mirrored) if issued else 0)
        m.d.comb += self.row.eq(Array([Const(row, len(self.row)) for row in rows])[phase + Mux(reverse, table.phases, 0)])

    def accessed(self, row: Value) -> list[Any]:
        """The statements of a clock in which a host reads or writes this word."""
        return [self.access.eq(1), self.row.eq(row), self.written.eq(row)]
