"""``Gates``: a core's netlist as gates of one bit, which are simulated many at a time and handed to a prover.

A literal is twice the number of a node, plus 1 if it is inverted. Node 0 is constant 0. Every node comes after those that it
reads. Gates that are the same, or follow from constants, are made once or not at all.
"""
from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

CONSTANT, SOURCE, AND, XOR, MUX = range(5)        # a source is an input or a register
FALSE, TRUE = 0, 1
GATES = {"$_AND_": "and", "$_OR_": "or", "$_XOR_": "xor", "$_XNOR_": "xnor", "$_MUX_": "mux", "$_NOT_": "not", "$_BUF_": "buf"}
REGISTER = "$_DFF_P_"


@dataclass(kw_only=True)
class Gates:
    """``nodes``: (kind, literals) of each. ``inputs``, ``outputs``: literals of each port, least bit first. ``registers``: the
    node of each; ``follows``: the literal that it has after the clock; ``begins``: its first value. ``nets``: by name,
    the literals of those that the Verilog names, None where nothing depends on one."""

    nodes: list[tuple[int, ...]] = field(default_factory=lambda: [(CONSTANT,)])
    inputs: dict[str, list[int]] = field(default_factory=dict)
    outputs: dict[str, list[int]] = field(default_factory=dict)
    registers: list[int] = field(default_factory=list)
    follows: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    nets: dict[str, list[int | None]] = field(default_factory=dict)
    _numbers: dict[tuple[int, ...], int] = field(default_factory=dict)

    def source(self) -> int:
        self.nodes.append((SOURCE,))
        return 2 * len(self.nodes) - 2

    def gate(self, kind: int, *literals: int) -> int:
        """The literal of such a gate; for ``MUX`` the choice, then what it is for 0 and for 1."""
        if kind == MUX:
            return self._mux(*literals)
        one, other = sorted(literals)
        if kind == XOR:
            inverted = (one ^ other) & 1
            one, other = one & ~1, other & ~1
            if one == other:
                return inverted
            return (other if one == FALSE else self._node(XOR, *sorted((one, other)))) ^ inverted
        if one == FALSE or one ^ 1 == other:
            return FALSE
        return other if one in (TRUE, other) else self._node(AND, one, other)

    def _mux(self, choice: int, low: int, high: int) -> int:
        if choice & 1:
            choice, low, high = choice ^ 1, high, low
        if choice == FALSE or low == high:
            return low
        if low ^ 1 == high:
            return self.gate(XOR, choice, low)
        if low in (FALSE, choice):
            return self.gate(AND, choice, high)
        if low in (TRUE, choice ^ 1):
            return self.gate(AND, choice, high ^ 1) ^ 1
        if high in (FALSE, choice ^ 1):
            return self.gate(AND, choice ^ 1, low)
        if high in (TRUE, choice):
            return self.gate(AND, choice ^ 1, low ^ 1) ^ 1
        inverted = low & 1
        return self._node(MUX, choice, low ^ inverted, high ^ inverted) ^ inverted

    def _node(self, *node: int) -> int:
        if node not in self._numbers:
            self.nodes.append(node)
            self._numbers[node] = 2 * len(self.nodes) - 2
        return self._numbers[node]

    def copied(self, nodes: Iterable[int], of: Gates, literals: dict[int, int]) -> None:
        """Gates of other ``nodes`` (in their order) anew: ``literals`` has, and is given, what each of those is here."""
        for number in nodes:
            if number not in literals:
                kind, *read = of.nodes[number]
                literals[number] = self.gate(kind, *(literals[each >> 1] ^ each & 1 for each in read))


def read(text: str, top: str) -> Gates:
    """The module of a netlist that Yosys wrote as JSON: gates of ``GATES``, registers ``REGISTER`` of one clock."""
    module = json.loads(text)["modules"][top]
    gates, literals, drivers = Gates(), {"0": FALSE, "1": TRUE, "x": FALSE, "z": FALSE}, {}
    for name, port in module["ports"].items():
        if port["direction"] == "input":
            gates.inputs[name] = [literals.setdefault(bit, gates.source()) for bit in port["bits"]]
    begins = _begins(module)
    registers = []
    for cell in module["cells"].values():
        pins = {pin: bits[0] for pin, bits in cell["connections"].items()}
        if cell["type"] == REGISTER:
            literals[pins["Q"]] = gates.source()
            gates.registers.append(literals[pins["Q"]] >> 1)
            gates.begins.append(begins.get(pins["Q"], 0))
            registers.append(pins["D"])
        else:
            drivers[pins["Y"]] = GATES[cell["type"]], [pins[pin] for pin in "SAB" if pin in pins]
    outputs = {name: port["bits"] for name, port in module["ports"].items() if port["direction"] == "output"}
    for bit in [*registers, *(bit for bits in outputs.values() for bit in bits)]:
        _driven(gates, bit, drivers, literals)
    gates.follows = [literals[bit] for bit in registers]
    gates.outputs = {name: [literals[bit] for bit in bits] for name, bits in outputs.items()}
    gates.nets = {name: [literals.get(bit) for bit in net["bits"]] for name, net in module["netnames"].items()
                  if not net["hide_name"]}
    return gates


def without(full: Gates, ports: Sequence[str]) -> tuple[Gates, dict[int, int]]:
    """The gates if these inputs are 0; and what each node of ``full`` is there, as a literal."""
    gates, literals = Gates(), {0: FALSE}
    for name, inputs in full.inputs.items():
        literals |= {literal >> 1: FALSE if name in ports else gates.source() for literal in inputs}
    literals |= {register: gates.source() for register in full.registers}
    gates.copied(range(len(full.nodes)), full, literals)
    return gates, literals


def register_names(full: Gates, literals: dict[int, int]) -> list[tuple[str, int]]:
    """Of each register the shortest name that the Verilog has for it, and the bit, with what ``without`` gave."""
    names: dict[int, tuple[str, int]] = {}
    for name, net in full.nets.items():
        for bit, literal in enumerate(net):
            if literal is not None:
                there = literals[literal >> 1] ^ literal & 1
                names[there] = min(names.get(there, (name, bit)), (name, bit), key=lambda each: (len(each[0]), each))
    return [names.get(literals[register], ("", 0)) for register in full.registers]


def _begins(module: dict[str, Any]) -> dict[Any, int]:
    """First values of nets."""
    begins: dict[Any, int] = {}
    for net in module["netnames"].values():
        first = net.get("attributes", {}).get("init", "")[::-1]
        begins |= {bit: int(value) for bit, value in zip(net["bits"], first, strict=False) if value in "01"}
    return begins


def _driven(gates: Gates, bit: Any, drivers: dict[Any, tuple[str, list[Any]]], literals: dict[Any, int]) -> None:
    """Make the gate that drives a net, after all that it reads."""
    stack = [bit]
    while stack:
        bit = stack[-1]
        if bit in literals:
            stack.pop()
            continue
        kind, pins = drivers[bit]
        if missing := [pin for pin in pins if pin not in literals]:
            stack += missing
            continue
        reads = [literals[pin] for pin in pins]
        if kind in ("not", "buf"):
            literals[bit] = reads[0] ^ (kind == "not")
        elif kind == "or":
            literals[bit] = gates.gate(AND, *(literal ^ 1 for literal in reads)) ^ 1
        elif kind == "and":
            literals[bit] = gates.gate(AND, *reads)
        elif kind == "mux":
            literals[bit] = gates.gate(MUX, *reads)
        else:
            literals[bit] = gates.gate(XOR, *reads) ^ (kind == "xnor")
        stack.pop()
