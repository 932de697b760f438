"""What a core is made of, in two forms: Amaranth components inside it, or instances of Verilog modules that exist once.

A core that is simulated by Amaranth, or put into somebody's Amaranth design, has everything inside. Emitted Verilog keeps
units, copies of the control word, memories and copies of the reset as modules of their own: synthesis must not merge copies,
each memory reads its own file, and a text of a hundred units is read by people.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hdl import weights
from hdl.array_design import MemoryShape

RESET = "wuxing_reset"
RESET_VERILOG = f"""\
(* keep_hierarchy *)
module {RESET} (
  input clk,
  input source,
  output reg reset
);
  initial reset = 0;
  always @(posedge clk) reset <= source;
endmodule
"""


class ResetCopy(wiring.Component):
    """``source`` of a clock ago."""

    def __init__(self) -> None:
        super().__init__({"source": In(1), "reset": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        copy = Signal(reset_less=True, name="copy")
        m.d.sync += copy.eq(self.source)
        m.d.comb += self.reset.eq(copy)
        return m


class Inside:
    """Everything is an Amaranth component. ``contents``: words of memories by the names of their files; the others begin
    with zeros."""

    def __init__(self, contents: Mapping[str, Sequence[int]] | None = None) -> None:
        self.contents = contents or {}

    def place(self, m: Module, name: str, module: str, make: Callable[[], wiring.Component], inputs: Mapping[str, Any],
              outputs: Mapping[str, Any], *, reset: bool = True) -> None:
        component = make()
        m.submodules[name] = component
        m.d.comb += [getattr(component, port).eq(value) for port, value in inputs.items()]
        m.d.comb += [value.eq(getattr(component, port)) for port, value in outputs.items()]

    def memory(self, m: Module, name: str, shape: MemoryShape, file: str, inputs: Mapping[str, Any],
               outputs: Mapping[str, Any]) -> None:
        words = self.contents.get(file, ())
        self.place(m, name, "", lambda: weights.Weights(shape, words), inputs, outputs)


class Modules:
    """Instances of Verilog modules, which ``hdl.emit`` writes beside the core. ``initialised``: memories begin with the
    contents of files."""

    def __init__(self, initialised: bool = False) -> None:
        self.initialised = initialised

    def place(self, m: Module, name: str, module: str, make: Callable[[], wiring.Component], inputs: Mapping[str, Any],
              outputs: Mapping[str, Any], *, reset: bool = True) -> None:
        clocking: dict[str, Value] = {"i_clk": ClockSignal()} | ({"i_rst": ResetSignal()} if reset else {})
        m.submodules[name] = Instance(module, **clocking, **{f"i_{port}": value for port, value in inputs.items()},
                                      **{f"o_{port}": value for port, value in outputs.items()})

    def memory(self, m: Module, name: str, shape: MemoryShape, file: str, inputs: Mapping[str, Any],
               outputs: Mapping[str, Any]) -> None:
        m.submodules[name] = weights.instance(shape, file if self.initialised else "", inputs, outputs)


Parts = Inside | Modules
