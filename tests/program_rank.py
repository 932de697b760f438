"""The measure of the termination proofs, from the program that a machine carries out: what is left to do, node by node."""
from __future__ import annotations

from collections.abc import Iterator, Mapping

from amaranth.hdl import Assert, Cat, Const, Module, Mux, Signal, Value

from formal import LEFT
from hdl.machine import Machine
from hdl.program import Each, If, Node, Play, Tell

PLACE, AGAIN = 5, 4                       # bits of a place in a text, and of the turns of a loop that are left


def flat(nodes: tuple[Node, ...]) -> list[Node]:
    """A text with its branches one after the other."""
    result: list[Node] = []
    for node in nodes:
        result += [*flat(node.then), *flat(node.otherwise)] if isinstance(node, If) else [node]
    return [node for node in result if not isinstance(node, Tell)]


def paths(nodes: tuple[Node, ...]) -> Iterator[tuple[str, tuple[tuple[int, str], ...]]]:
    """Each state, and at each level of loops its place, counted from the end, and what the loop there goes over."""
    text = flat(nodes)
    for place, node in enumerate(text):
        left = len(text) - place
        if isinstance(node, Each):
            over = node.over + " backwards" * node.backwards
            yield from ((state, ((left, over), *inner)) for state, inner in paths(node.body))
        else:
            yield node.state, ((left, ""),)


def rank(m: Module, machine: Machine, left: Mapping[str, Value], again: Mapping[str, Value],
         beside: Value | None = None) -> Value:
    """A number that is less in each clock, as long as the machine waits for nothing; 0 at rest and in states of no program.

    ``left``: clocks or items that are left in a state that counts them. ``again``: turns that are left of the loops, by what
    they go over. ``beside``: the machine is in a state of no program. Claims that there are no other states and that nothing
    counts beyond its bounds.
    """
    where = dict(paths(machine.text))
    depth = max(map(len, where.values()))
    plays = {node.state for node in flat(machine.text) if isinstance(node, Play)}
    assert set(left) <= set(where), f"states that count must be of the program, not {sorted(left)}"
    assert plays & set(left) <= {"ERRORS"}, "of what is played, errors alone are counted"
    words: Value = Const(0, 1)
    for state, path in list(where.items())[1:]:
        levels: list[Value] = [Signal(LEFT, name=f"{machine.name}_left_{state.lower()}")]
        m.d.comb += levels[0].eq(left.get(state, Const(0)))
        exact = left.get(state, Const(0))
        m.d.comb += Assert(~machine.ongoing(state) | ((exact >= 0) & (exact < 1 << LEFT)), "counters keep to their bounds")
        for place, over in reversed([*path, *[(0, "")] * (depth - len(path))]):
            turns = Signal(AGAIN, name=f"{machine.name}_again_{len(levels)}_{state.lower()}")
            m.d.comb += turns.eq(again.get(over, Const(0)))
            levels += [turns, Const(place, PLACE)]
        number = Cat(*levels)
        words = words | Mux(machine.ongoing(state), number, 0)
    known = Cat(machine.ongoing(state) for state in where).any()
    m.d.comb += Assert(known if beside is None else known | beside, f"{machine.name} has no other states")
    return words
