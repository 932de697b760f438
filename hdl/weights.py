"""Memories of weights, and of K: a module of its own in Verilog for each kind, because each instance has its own initial
contents, read from a file.

With two ports, one word is read and one written a clock, of different addresses; two clocks from address to word, one to the
register before it. With one port, a memory reads or writes in a clock, and an address gives its word a clock later. That is
what the single-port RAM of an iCE40UP5K can do (16,384 words of 16 bits a block, no contents at power-up), so a core whose
memories are these must be given its parameters over the link before it is of use.
"""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.hdl import ClockSignal, Instance, Module, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from hdl.array_design import MemoryShape
from hdl.memory_ports import read_port, write_port

MODULES = {2: "wuxing_weights", 1: "wuxing_single_port_weights"}          # by ports
# no_rw_check: an address is never read and written in the same clock; without it Yosys wraps the memory in comparisons.
# huge: Yosys takes a single-port RAM of an iCE40UP5K; such a RAM has no initial contents, so synthesis does not see them.
STYLES = {2: 'no_rw_check, ram_style = "block"', 1: 'ram_style = "block"'}
HUGE = 'ram_style = "huge"'
VERILOG = """\
module {module} #(
  parameter WIDTH = 16,
  parameter DEPTH = 1024,
  parameter ADDRESS = 10,
  parameter INIT = ""
) (
  input clk,
  input [ADDRESS-1:0] address,
  output reg signed [WIDTH-1:0] fetched,
{ports}  input signed [WIDTH-1:0] write_data,
  input write_enable
);
  (* {style} *)
  reg signed [WIDTH-1:0] memory [0:DEPTH-1];
{initial}  always @(posedge clk) begin
{clocked}  end
endmodule
"""
SECOND_PORT = """\
  output reg signed [WIDTH-1:0] word,
  input [ADDRESS-1:0] write_address,
"""
INITIAL = """\
  integer row;
  initial begin
    for (row = 0; row < DEPTH; row = row + 1) memory[row] = 0;
    if (INIT != "") $readmemh(INIT, memory);
  end
"""
TWO_PORTS = """\
    fetched <= memory[address];
    word <= fetched;
    if (write_enable) memory[write_address] <= write_data;
"""
ONE_PORT = """\
    if (write_enable) memory[address] <= write_data;
    else fetched <= memory[address];
"""


def verilog(ports: int, target: str) -> str:
    """The module's text."""
    huge = ports == 1 and target == "ice40"
    return VERILOG.format(
        module=MODULES[ports], ports=SECOND_PORT if ports == 2 else "", style=HUGE if huge else STYLES[ports],
        initial=f"`ifndef SYNTHESIS\n{INITIAL}`endif\n" if huge else INITIAL, clocked=TWO_PORTS if ports == 2 else ONE_PORT)


def instance(shape: MemoryShape, init: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Instance:
    """An instance of the memory of a unit. ``init``: name of a file of hexadecimal words, or empty for zeros."""
    return Instance(MODULES[shape.ports], p_WIDTH=shape.word_bits, p_DEPTH=shape.depth, p_ADDRESS=address_bits(shape),
                    p_INIT=init, i_clk=ClockSignal(), **{f"i_{port}": value for port, value in inputs.items()},
                    **{f"o_{port}": value for port, value in outputs.items()})


def address_bits(shape: MemoryShape) -> int:
    return max(1, (shape.depth - 1).bit_length()) if shape.ports == 2 else len(Signal(range(shape.depth)))


class Weights(wiring.Component):
    """The same memory as an Amaranth component.

    Members
    -------
    address : In, fetched : Out(signed(word_bits))
        The word of a clock ago's address.
    write_data : In(signed(word_bits)), write_enable : In(1)
        With one port a clock that writes, at ``address``, fetches nothing.
    word : Out(signed(word_bits)), write_address : In
        Of a memory with two ports: ``fetched`` of a clock ago.
    """

    def __init__(self, shape: MemoryShape, words: Sequence[int] = ()) -> None:
        self.shape, self.words = shape, words
        word, address = signed(shape.word_bits), address_bits(shape)
        members: dict[str, Any] = {"address": In(address), "fetched": Out(word), "write_data": In(word), "write_enable": In(1)}
        super().__init__(members | ({"word": Out(word), "write_address": In(address)} if shape.ports == 2 else {}))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = kept = memory.Memory(shape=signed(self.shape.word_bits), depth=self.shape.depth,
                                                   init=list(map(int, self.words)))
        into, out_of = write_port(kept, "into"), read_port(kept, "out_of")
        m.d.comb += [out_of.addr.eq(self.address), self.fetched.eq(out_of.data), into.data.eq(self.write_data),
                     into.en.eq(self.write_enable)]
        if self.shape.ports == 2:
            word = Signal(signed(self.shape.word_bits), reset_less=True, name="word")
            m.d.sync += word.eq(self.fetched)
            m.d.comb += [into.addr.eq(self.write_address), self.word.eq(word)]
        else:
            m.d.comb += [into.addr.eq(self.address), out_of.en.eq(~self.write_enable)]
        return m
