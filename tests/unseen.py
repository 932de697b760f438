"""Which mutations can nothing show? Proofs by induction that a core with a mutation is the same at its ports, always.

The core and its mutated copy begin alike. Sought is a set of registers that stay equal, whatever comes in, if all of the set
are equal now; the others may be anything in the copy. If with such a set no port can differ, now or ever, nothing can show the
mutation. States that the core never reaches do not count: clauses over its small registers that held in a long simulation, as
far as induction proves them, are taken as given. A word that was offered and not taken is offered again, as the interface
has it.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numba import njit
from pysat.solvers import Solver

from gates import AND, FALSE, MUX, TRUE, XOR, Gates, register_names, without
from golden_model.fixed_point import Array

SMALL = 8                                 # bits of a register whose values and pairs of bits are looked at
WORD = 6                                  # of which all values are
SOLVER = "glucose4"
BUDGET = 300                              # conflicts after which a mutation counts as not proven
ROUNDS = 12                               # of registers that are found to differ, likewise

Clause = tuple[int, ...]                  # literals of gates, one of which is 1


class Undecided(Exception):
    """A solver did not come to an end."""


class Clauses:
    """A solver that knows of the gates what was asked of it. ``budget``: conflicts of an answer, -1: any number."""

    def __init__(self, gates: Gates, budget: int) -> None:
        self.gates, self.solver, self.known, self.budget = gates, Solver(name=SOLVER, bootstrap_with=[[-1]]), {0}, budget

    def close(self) -> None:
        self.solver.delete()

    def literal(self, literal: int) -> int:
        """As the solver writes it; the gates that it depends on become known."""
        stack = [literal >> 1]
        while stack:
            number = stack.pop()
            if number in self.known:
                continue
            self.known.add(number)
            kind, *read = self.gates.nodes[number]
            x, y = number + 1, [_signed(each) for each in read]
            stack += [each >> 1 for each in read]
            if kind == AND:
                clauses = [[-x, y[0]], [-x, y[1]], [x, -y[0], -y[1]]]
            elif kind == XOR:
                clauses = [[-x, y[0], y[1]], [-x, -y[0], -y[1]], [x, -y[0], y[1]], [x, y[0], -y[1]]]
            elif kind == MUX:
                clauses = [[y[0], -x, y[1]], [y[0], x, -y[1]], [-y[0], -x, y[2]], [-y[0], x, -y[2]]]
            else:
                continue
            for clause in clauses:
                self.solver.add_clause(clause)
        return _signed(literal)

    def add(self, clause: Iterable[int]) -> None:
        self.solver.add_clause([self.literal(each) for each in clause])

    def model(self, assumed: Iterable[int]) -> Array | None:
        """Of each node whether it is 1 in a case that is possible (unknown nodes: 0), or None if there is none.

        Raises
        ------
        Undecided
            If the budget does not suffice.
        """
        self.solver.conf_budget(self.budget)
        possible = self.solver.solve_limited(assumptions=[self.literal(each) for each in assumed])
        if possible is None:
            raise Undecided
        if not possible:
            return None
        values = np.zeros(len(self.gates.nodes), np.uint8)
        answer = np.array(self.solver.get_model(), np.int64)
        there = np.flatnonzero(answer[:len(values)] > 0)
        values[there] = 1
        return values


def _signed(literal: int) -> int:
    return -((literal >> 1) + 1) if literal & 1 else (literal >> 1) + 1


class Machine:
    """The core of a netlist without its mutations, and the same with one of them.

    Parameters
    ----------
    full : Gates
        With an input ``mutant<k>`` for each mutation.
    """

    def __init__(self, full: Gates) -> None:
        self.full, self.mutants = full, [name for name in full.inputs if name.startswith("mutant")]
        self.work, self.base = without(full, self.mutants)
        self.names = register_names(full, self.base)
        self.registers = [self.base[each] for each in full.registers]
        self.follows = [self.now(each) for each in full.follows]
        self.readers: dict[int, list[int]] = {}
        for number, (_, *read) in enumerate(full.nodes):
            for literal in read:
                self.readers.setdefault(literal >> 1, []).append(number)
        self.facts = self._interface()
        self._solver: Clauses | None = None

    def now(self, literal: int, copy: dict[int, int] | None = None) -> int:
        """A literal of the full netlist in the core, or in a copy that differs from it in some nodes."""
        number = literal >> 1
        return (copy[number] if copy and number in copy else self.base[number]) ^ literal & 1

    def _interface(self) -> list[Clause]:
        """That a word which was offered and not taken is offered still."""
        inputs, clauses = self.full.inputs, []
        held, before = self.work.source(), {}
        for name in ("s_axis_tvalid", "s_axis_tlast", "s_axis_tdata"):
            for literal in inputs[name]:
                present = self.now(literal)
                before[present] = TRUE if name == "s_axis_tvalid" else self.work.source()
                clauses += [(held ^ 1, present, before[present] ^ 1), (held ^ 1, present ^ 1, before[present])]
        [valid], [ready], [reset] = ([self.now(each) for each in ports[name]] for ports, name in (
            (inputs, "s_axis_tvalid"), (self.full.outputs, "s_axis_tready"), (inputs, "rst")))
        pairs = {held: self.work.gate(AND, self.work.gate(AND, valid, ready ^ 1), reset ^ 1)}
        pairs |= {past: present for present, past in before.items() if past != TRUE}
        self.registers += pairs.keys()
        self.follows += pairs.values()
        return [tuple(each for each in clause if each != FALSE) for clause in clauses if TRUE not in clause]

    # ------------------------------------------------------------- what always holds

    def small(self) -> list[int]:
        """Places of registers of few bits, which are not words of a memory."""
        widths: dict[str, int] = {}
        for name, _ in self.names:
            widths[name] = widths.get(name, 0) + 1
        return [place for place, (name, _) in enumerate(self.names) if name and widths[name] <= SMALL and "[" not in name]

    def learn(self, places: Sequence[int], history: Array) -> int:
        """Take as given what held of these registers in all clocks (clocks, registers) and is proven; how many clauses."""
        held = self._proven(self._candidates(places, history))
        self.facts += held
        return len(held)

    def _candidates(self, places: Sequence[int], history: Array) -> list[Clause]:
        literals = [self.registers[place] for place in places]
        pairs_there = _pairs(np.packbits(history.T, axis=1), len(history))
        constant = history.max(0) == history.min(0)
        clauses = [(literals[one] ^ 1 ^ int(history[0, one]),) for one in np.flatnonzero(constant)]
        home = [self.names[place][0].rpartition(".")[0] for place in places]
        for one, other, a, b in np.argwhere(~pairs_there):
            if one < other and not constant[one] and not constant[other] and home[one] == home[other]:
                clauses.append((literals[one] ^ int(a), literals[other] ^ int(b)))
        pairs = set(clauses)
        words: dict[str, list[int]] = {}
        for column, place in enumerate(places):
            words.setdefault(self.names[place][0], []).append(column)
        for columns in words.values():
            if 3 <= len(columns) <= WORD:
                there = {tuple(row) for row in np.unique(history[:, columns], axis=0)}
                for value in np.ndindex(*[2] * len(columns)):
                    clause = tuple(literals[column] ^ bit for column, bit in zip(columns, value, strict=True))
                    if value not in there and not any(pair in pairs or pair[::-1] in pairs for k, one in enumerate(clause)
                                                      for pair in [(one,), *((one, other) for other in clause[k + 1:])]):
                        clauses.append(clause)
        return clauses

    def _proven(self, clauses: list[Clause]) -> list[Clause]:
        """Most of them, so that all of these hold after any clock before which all of them held."""
        following = dict(zip(self.registers, self.follows, strict=True))
        after = [[following[each & ~1] ^ each & 1 for each in clause] for clause in clauses]
        longest = max(map(len, after), default=0)
        table = np.array([[*clause, *[FALSE] * (longest - len(clause))] for clause in after], np.int64).reshape(len(after), -1)
        solver, counted, broken = Clauses(self.work, -1), [], []
        for clause in self.facts:
            solver.add(clause)
        for clause, later in zip(clauses, after, strict=True):
            counted.append(self.work.source())                    # 1: the clause is taken to hold
            solver.add([counted[-1] ^ 1, *clause])
            literal = TRUE
            for each in later:
                solver.literal(each)
                literal = self.work.gate(AND, literal, each ^ 1)
            broken.append(literal)
        left, values = np.ones(len(clauses), bool), None
        while left.any():
            one_of = self.work.source()
            solver.add([one_of ^ 1, *(broken[place] for place in np.flatnonzero(left))])
            values = solver.model([one_of, *(counted[place] for place in np.flatnonzero(left))])
            if values is None:
                break
            holds = (values[table >> 1] ^ (table & 1)).any(1)
            assert not holds[left].all(), "a case that was found must break a clause"
            left &= holds
        solver.close()
        return [clause for clause, still in zip(clauses, left, strict=True) if still]

    # ------------------------------------------------------------- a mutation

    def unseen(self, number: int) -> bool:
        """Whether it is proven that nothing can show mutation ``number``."""
        full = self.full
        [mutant] = full.inputs[f"mutant{number}"]
        free: set[int] = set()                                    # places of registers that may differ
        if self._solver is None:
            self._solver = Clauses(self.work, BUDGET)
            for clause in self.facts:
                self._solver.add(clause)
        for _ in range(ROUNDS):
            copy = {mutant >> 1: TRUE} | {full.registers[place]: self.work.source() for place in free}
            self._copied(copy)
            ports = self._ports(copy)
            differ = {place: self.work.gate(XOR, self.now(literal), self.now(literal, copy))
                      for place, literal in enumerate(full.follows) if literal >> 1 in copy and place not in free}
            differ = {place: literal for place, literal in differ.items() if literal != FALSE}
            one_of = self.work.source()
            self._solver.add([one_of ^ 1, *ports, *differ.values()])
            try:
                values = self._solver.model([one_of])
            except Undecided:
                return False
            if values is None:
                return True
            if any(values[each >> 1] ^ each & 1 for each in ports):
                return False
            free |= {place for place, each in differ.items() if values[each >> 1] ^ each & 1}
        return False

    def _copied(self, copy: dict[int, int]) -> None:
        """All nodes that depend on those of a copy."""
        affected, stack = set(), list(copy)
        while stack:
            for reader in self.readers.get(stack.pop(), ()):
                if reader not in affected:
                    affected.add(reader)
                    stack.append(reader)
        for number in sorted(affected):
            kind, *read = self.full.nodes[number]
            copy[number] = self.work.gate(kind, *(self.now(each, copy) for each in read))

    def _ports(self, copy: dict[int, int]) -> list[int]:
        """1 if a port of the copy differs; of a word only while it is offered."""
        [valid] = self.full.outputs["m_axis_tvalid"]
        result = []
        for name, literals in self.full.outputs.items():
            for literal in literals:
                differs = self.work.gate(XOR, self.now(literal), self.now(literal, copy))
                if name in ("m_axis_tdata", "m_axis_tlast"):
                    differs = self.work.gate(AND, differs, self.now(valid))
                if differs != FALSE:
                    result.append(differs)
        return result


@njit(cache=True)
def _pairs(bits, clocks):
    """Whether (bit i, bit j) have the values (a, b) in any clock."""
    count, size = bits.shape
    pairs_there = np.zeros((count, count, 2, 2), np.bool_)
    rest = np.uint8(0xFF << (8 * size - clocks) & 0xFF)
    for one in range(count):
        for other in range(one + 1, count):
            for place in range(size):
                x, y = bits[one, place], bits[other, place]
                there = np.uint8(0xFF) if place < size - 1 else rest
                pairs_there[one, other, 0, 0] |= (~x & ~y & there) != 0
                pairs_there[one, other, 0, 1] |= (~x & y & there) != 0
                pairs_there[one, other, 1, 0] |= (x & ~y & there) != 0
                pairs_there[one, other, 1, 1] |= (x & y & there) != 0
    for one in range(count):
        for other in range(one + 1):
            pairs_there[one, other] = True
    return pairs_there
