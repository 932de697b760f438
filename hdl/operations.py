"""Operations: what an item, or a half step, does to the processing units clock by clock, as reservation tables.

A reservation table (E. S. Davidson, "The design and control of pipelined function generators", 1971) says for each clock since
an operation was issued which fields of the control word it sets. All that controllers, timing and documents know of clocks
follows from it: registers that align, latencies, when the last effect of an item is over, and the phases of a half step in
which the multiplier has time for an item.

Clock 0 is that of the issue. Fields of clock c stand in the control word c clocks later; ``Datapath`` says how that is aligned
with the fields of half steps, and how long fields take to the multiplier.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto

from hdl.multiplier import LATENCY as MULTIPLIER_LATENCY


class Operand(Enum):
    """What a field is set to that differs from item to item."""

    ADDRESS = auto()                      # of the item's word of weight memory
    INPUT = auto()                        # aligned; a power of two for the bias
    POWER = auto()                        # that shifts an error to the point of the sum
    ERROR = auto()
    SCALED_INPUT = auto()                 # times the learning rate
    LAST = auto()                         # whether the item is the bias
    BY_SIGN = auto()                      # whether it learns by the sign of its product
    RESTORE = auto()                      # the power of two with which a half step gives back the other operand
    ENTRANCE = auto()                     # the population is the one that takes the drive
    CORRECTOR = auto()                    # the half step is a corrector
    PREDICTOR = auto()                    # it is a predictor


@dataclass(frozen=True)
class At:
    """A field of the control word, in a clock; by default a flag that is set."""

    clock: int
    field: str
    value: int | Operand = 1


@dataclass(frozen=True)
class Operation:
    """A reservation table: ``fields`` and their clocks, in no order."""

    name: str
    fields: tuple[At, ...]

    @property
    def cycles(self) -> int:
        """Clocks from the issue to the last field."""
        return max(at.clock for at in self.fields)

    def clock(self, field: str) -> int:
        """The clock of a field that is set once.

        Raises
        ------
        StopIteration
            If the operation does not set it.
        """
        return next(at.clock for at in self.fields if at.field == field)

    def enters(self, path: Datapath) -> int:
        """The clock in which its operands are at the multiplier.

        Raises
        ------
        AssertionError
            If they do not all meet there.
        """
        clocks = {at.clock + path.to_multiplier[at.field] for at in self.fields if at.field in path.to_multiplier}
        assert len(clocks) == 1, f"operands of {self.name} must meet at the multiplier in one clock, not in {sorted(clocks)}"
        return clocks.pop()


@dataclass(frozen=True, kw_only=True)
class Datapath:
    """How long a processing unit takes.

    ``to_multiplier``: clocks from a field of the control word to the multiplier's operands. ``lead``: clocks by which the
    control word of a half step's phase is later than that phase, where an item's is the clock itself. ``written``: clocks from
    the field that writes a word to the first in which a read finds it. ``operations``: by name.
    """

    to_multiplier: dict[str, int]
    lead: int
    written: int
    operations: dict[str, Operation]

    def __getitem__(self, name: str) -> Operation:
        return self.operations[name]

    @property
    def product(self) -> int:
        """Clocks from an item's issue to its product."""
        return self["link"].enters(self) + MULTIPLIER_LATENCY

    @property
    def drain(self) -> int:
        """Clocks between the last item of a sum and the latch of that sum."""
        return self["link"].clock("accumulate") - self.lead

    @property
    def drain_of_errors(self) -> int:
        """Clocks of the state between the last error of a fold and the latch of its sum."""
        return self["error"].clock("accumulate_one") - self.lead + 1

    @property
    def update_to_read(self) -> int:
        """Clocks after the last update in which no word may be asked for, lest it be read before it is written."""
        return self["update"].clock("write") + self.written - 1 - self["link"].clock("address")

    @property
    def updated(self) -> int:
        """Clocks after the last update of a time-shared array in which no word may be asked for.

        Raises
        ------
        AssertionError
            If updates of the next fold would be fetched in odd clocks, in which words are written.
        """
        clocks = self["update"].clock("judge") + self.written
        assert clocks % 2 == 0, f"words must be fetched in even clocks, also of the next fold, not after {clocks}"
        return clocks


def _datapath(to_multiplier: dict[str, int], lead: int, written: int, **tables: tuple[At, ...]) -> Datapath:
    return Datapath(to_multiplier=to_multiplier, lead=lead, written=written,
                    operations={name: Operation(name, fields) for name, fields in tables.items()})


A, Op = At, Operand

# Two ports to the weight memory: a word is read and another one written in every clock. The control word is registered twice
# or thrice on its way, so that addresses stand in it; operand A may come from it at the last moment.
PARALLEL = _datapath(
    {"broadcast_a": 0, "broadcast_b": 2, "reverse_sign": 2, "word_enable": 1}, lead=0, written=2,
    link=(A(1, "address", Op.ADDRESS), A(1, "broadcast_b", Op.INPUT), A(2, "word_enable"), A(5, "accumulate")),
    error=(A(1, "address", Op.ADDRESS), A(1, "broadcast_b", Op.POWER), A(3, "broadcast_a", Op.ERROR), A(5, "accumulate"),
           A(5, "accumulate_one"), A(5, "token_next")),
    tree=(A(1, "address", Op.ADDRESS), A(2, "word_enable")),
    update=(A(1, "address", Op.ADDRESS), A(1, "broadcast_a", Op.SCALED_INPUT), A(3, "write"),
            A(3, "write_address", Op.ADDRESS), A(3, "bias_row", Op.LAST)),
    restore=(A(1, "address", Op.ADDRESS), A(1, "broadcast_b", Op.RESTORE), A(2, "word_enable"), A(6, "state_shift"),
             A(6, "state_new"), A(6, "reverse")))

# Learning by sign: the sign of the reverse signal takes its way to operand B, so that operand A is waited for.
PARALLEL_BY_SIGN = replace(PARALLEL, operations=PARALLEL.operations | {"update": Operation("update", (
    A(1, "reverse_sign", Op.BY_SIGN), A(3, "address", Op.ADDRESS), A(3, "broadcast_a", Op.SCALED_INPUT), A(5, "write"),
    A(5, "write_address", Op.ADDRESS), A(5, "bias_row", Op.LAST)))})

# One port to the weight memory, whose address does not stand in the control word; ``operand`` is the register of the sequencer
# behind which broadcast_a is. An updated word is judged before it is written.
TIME_SHARED = _datapath(
    {"operand": 2, "broadcast_b": 2, "reverse_sign": 2, "word_enable": 1}, lead=1, written=2,
    link=(A(1, "broadcast_b", Op.INPUT), A(2, "word_enable"), A(5, "accumulate")),
    error=(A(1, "broadcast_b", Op.POWER), A(1, "operand", Op.ERROR), A(5, "accumulate_one")),
    tree=(A(2, "word_enable"),),
    update=(A(1, "operand", Op.SCALED_INPUT), A(5, "update"), A(6, "judge"), A(6, "bias_row", Op.LAST)))
# Of an array that serves convolutions, whose memories are so large that a register lies behind each: a word that was asked for
# is there a clock later, a product waits for the word that it updates, and an updated word passes a register on its way back.
# Products of a link at all positions are summed up in a memory before the sum updates its word.
WINDOWED = _datapath(
    {"operand": 2, "broadcast_b": 2, "reverse_sign": 2, "word_enable": 1}, lead=1, written=3,
    link=(A(2, "broadcast_b", Op.INPUT), A(3, "word_enable"), A(6, "accumulate")),
    error=TIME_SHARED["error"].fields,
    tree=(A(3, "word_enable"),),
    update=(A(1, "operand", Op.SCALED_INPUT), A(6, "update"), A(7, "judge"), A(7, "bias_row", Op.LAST)),
    gather=(A(1, "operand", Op.SCALED_INPUT), A(3, "sum_read", Op.ADDRESS), A(5, "gather"), A(6, "sum_write", Op.ADDRESS)),
    apply=(A(3, "sum_read", Op.ADDRESS), A(5, "apply"), A(6, "update"), A(7, "judge"), A(7, "bias_row", Op.LAST)))
# Of a recurrent layer products are summed up over its steps, of a link that is used both ways the difference of two.
TIME_SHARED_RECURRENT = replace(TIME_SHARED, operations=TIME_SHARED.operations | {
    name: Operation(name, fields) for name, fields in (
        ("add", (A(1, "operand", Op.SCALED_INPUT), A(1, "kept_enable"), A(5, "accumulate"))),
        ("subtract", (A(1, "operand", Op.SCALED_INPUT), A(1, "kept_enable"), A(5, "accumulate"), A(5, "subtract"))),
        ("apply", (A(5, "update"), A(6, "judge"), A(6, "begin_sum"), A(6, "bias_row", Op.LAST))))})
TIME_SHARED_BY_SIGN = replace(TIME_SHARED, operations=TIME_SHARED.operations | {"update": Operation("update", (
    A(1, "reverse_sign", Op.BY_SIGN), *TIME_SHARED["update"].fields))})
