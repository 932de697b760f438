"""``Machine``: a program (``hdl.program``) as a state machine of Amaranth.

Each node that is a state becomes one; ``Tell`` strobes a signal in the last clock of the state before; loops strobe when they
begin and go on. What that means to units and addresses is the business of who builds the machine.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from amaranth.hdl import Module, Signal, Value

from hdl.program import Count, Do, Each, If, Node, Play, Tell, Wait, nodes_of

Go = Callable[[], None]                   # adds the statements that leave a state


@dataclass(kw_only=True)
class Sides:
    """What a machine looks at.

    ``events``: what is waited for, by name. ``flags``: what is decided, by name; those of Python are decided at once. Loops ask
    for ``last fold``, ``last layer``, ``last layer backwards``. ``last``: of each ``Count``, that this is the last clock of
    such a state. ``played``: of each ``Play``, by its state, that one is issued, and that it is the last one. ``otherwise``:
    what a state that waits does while there is nothing.
    """

    events: Mapping[str, Value]
    flags: Mapping[str, Value | bool] = field(default_factory=dict)
    last: Mapping[Count, Value] = field(default_factory=dict)
    played: Mapping[str, tuple[Value, Value]] = field(default_factory=dict)
    otherwise: Mapping[str, Go] = field(default_factory=dict)


class Machine:
    """A machine that repeats a program for ever.

    Parameters
    ----------
    name : str
    text : tuple of Node
        Its first state is that of rest.
    most : int
        Clocks of the longest state that is counted, or more.

    ``count``: how many clocks of a state, or items of a list, there have been. ``strobes``: by what is told; a loop tells
    ``first`` and ``next`` of what it goes over.
    """

    def __init__(self, name: str, text: tuple[Node, ...], most: int) -> None:
        self.name, self.text = name, text
        self.count = Signal(range(max(2, most)), name=f"{name}_count")
        self.strobes: dict[str, Signal] = {}
        self.states = [node.state for node in nodes_of(text) if isinstance(node, Do | Wait | Play)]
        self._during = {state: Signal(name=f"{name}_{state.lower()}") for state in self.states}

    def during(self, *states: str) -> Value:
        """Whether the machine is in one of these states; none of those that its program lacks."""
        joined: Value | None = None
        for state in states:
            if state in self._during:
                joined = self._during[state] if joined is None else joined | self._during[state]
        return Value.cast(0) if joined is None else joined

    def strobe(self, event: str) -> Signal:
        """High in the clock in which this is told."""
        if event not in self.strobes:
            self.strobes[event] = Signal(name=f"{self.name}_{event.replace(' ', '_')}")
        return self.strobes[event]

    def build(self, m: Module, sides: Sides, more: Callable[[], None] = lambda: None) -> None:
        """Add the machine. ``more``: states that are in no program, which ``otherwise`` leads to."""
        self._m, self._sides = m, sides
        self._left: list[tuple[Do | Wait | Play, Go]] = []
        begin: list[Go] = []
        begin.append(self._sequence(self.text, lambda: begin[0]()))
        with m.FSM(init=self.states[0], name=self.name) as machine:
            for node, leave in reversed(self._left):
                with m.State(node.state):
                    self._state(node, leave)
            more()
        m.d.comb += [signal.eq(machine.ongoing(state)) for state, signal in self._during.items()]
        self.ongoing = machine.ongoing

    def _state(self, node: Do | Wait | Play, leave: Go) -> None:
        m, sides = self._m, self._sides
        if isinstance(node, Wait):
            with m.If(sides.events[node.event]):
                leave()
            if node.state in sides.otherwise:
                with m.Else():
                    sides.otherwise[node.state]()
        elif isinstance(node, Play):
            issued, last = sides.played[node.state]
            with m.If(issued):
                if node.stream == "errors":                           # which has no mark at its end
                    m.d.sync += self.count.eq(self.count + 1)
                with m.If(last):
                    leave()
        elif node.clocks == 1:
            leave()
        else:
            m.d.sync += self.count.eq(self.count + 1)
            with m.If(sides.last[node.clocks] if isinstance(node.clocks, Count) else self.count == node.clocks - 1):
                leave()

    def _sequence(self, nodes: tuple[Node, ...], after: Go) -> Go:
        for node in reversed(nodes):
            after = self._before(node, after)
        return after

    def _before(self, node: Node, after: Go) -> Go:
        """What leads to this node, if ``after`` leads to the one that follows it."""
        if isinstance(node, Tell):
            return self._telling(node.event, after)
        if isinstance(node, If):
            return self._choice(node.flag, self._sequence(node.then, after), self._sequence(node.otherwise, after))
        if isinstance(node, Each):
            what = node.over + " backwards" * node.backwards
            body: list[Go] = []
            again = self._choice(f"last {what}", after, self._telling(f"next {what}", lambda: body[0]()))
            body.append(self._sequence(node.body, again))
            return self._telling(f"first {what}", body[0])

        def enter() -> None:
            self._m.d.sync += self.count.eq(0)
            self._m.next = node.state
        self._left.append((node, after))
        return enter

    def _telling(self, event: str, after: Go) -> Go:
        def tell() -> None:
            self._m.d.comb += self.strobe(event).eq(1)
            after()
        return tell

    def _choice(self, flag: str, then: Go, otherwise: Go) -> Go:
        value = self._sides.flags[flag]
        if isinstance(value, bool):
            return then if value else otherwise

        def choose() -> None:
            with self._m.If(value):
                then()
            with self._m.Else():
                otherwise()
        return choose
