"""Weight memory with one port: it reads or writes in a clock, and an address gives its word a clock later.

That is what the single-port RAM of an iCE40UP5K can do (16,384 words of 16 bits a block, no contents at power-up), so a core
whose memories are these must be given its parameters over the link before it is of use.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Signal

MODULE = "wuxing_single_port_weights"

# huge: Yosys takes a single-port RAM of an iCE40UP5K; such a RAM has no initial contents, so synthesis does not see them.
VERILOG = f"""\
module {MODULE} #(
  parameter WIDTH = 16,
  parameter DEPTH = 1024,
  parameter ADDRESS = 10,
  parameter INIT = ""
) (
  input clk,
  input [ADDRESS-1:0] address,
  output reg signed [WIDTH-1:0] fetched,
  input signed [WIDTH-1:0] write_data,
  input write_enable
);
%(style)s  reg signed [WIDTH-1:0] memory [0:DEPTH-1];
%(initial)s  always @(posedge clk) begin
    if (write_enable) memory[address] <= write_data;
    else fetched <= memory[address];
  end
endmodule
"""
INITIAL = """\
  integer row;
  initial begin
    for (row = 0; row < DEPTH; row = row + 1) memory[row] = 0;
    if (INIT != "") $readmemh(INIT, memory);
  end
"""


def verilog(target: str) -> str:
    """The module's text. Only for ``ice40`` the initial contents are for simulators alone."""
    if target == "ice40":
        return VERILOG % {"style": '  (* ram_style = "huge" *)\n', "initial": f"`ifndef SYNTHESIS\n{INITIAL}`endif\n"}
    return VERILOG % {"style": '  (* ram_style = "block" *)\n', "initial": INITIAL}


def instance(*, width: int, depth: int, init: str, address: Signal, fetched: Signal, write_data: Any,
             write_enable: Any) -> Instance:
    """An instance of the memory. ``init``: name of a file of hexadecimal words, or empty for zeros."""
    return Instance(MODULE, p_WIDTH=width, p_DEPTH=depth, p_ADDRESS=len(address), p_INIT=init, i_clk=ClockSignal(),
                    i_address=address, o_fetched=fetched, i_write_data=write_data, i_write_enable=write_enable)
