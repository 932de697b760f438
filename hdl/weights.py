"""Weight memories: a module of its own in Verilog for each kind, because each instance has its own initial contents, read from
a file.

With two ports, one word is read and one written a clock, of different addresses; two clocks from address to word, one to the
register before it. With one port, a memory reads or writes in a clock, and an address gives its word a clock later. That is
what the single-port RAM of an iCE40UP5K can do (16,384 words of 16 bits a block, no contents at power-up), so a core whose
memories are these must be given its parameters over the link before it is of use.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Signal

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


def instance(ports: int, *, width: int, depth: int, init: str, address: Signal, fetched: Signal, write_data: Any,
             write_enable: Any, word: Signal | None = None, write_address: Any = None) -> Instance:
    """An instance of the memory. ``init``: name of a file of hexadecimal words, or empty for zeros. ``word`` and
    ``write_address`` are of a memory with two ports."""
    second = {"o_word": word, "i_write_address": write_address} if ports == 2 else {}
    return Instance(MODULES[ports], p_WIDTH=width, p_DEPTH=depth, p_ADDRESS=len(address), p_INIT=init, i_clk=ClockSignal(),
                    i_address=address, o_fetched=fetched, **second, i_write_data=write_data, i_write_enable=write_enable)
