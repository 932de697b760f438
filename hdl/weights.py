"""Weight memory: one word read and one written a clock, of different addresses; two clocks from address to word.

A module of its own in Verilog, because each instance has its own initial contents, read from a file.
"""
from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockSignal, Instance, Signal

MODULE = "wuxing_weights"

# no_rw_check: an address is never read and written in the same clock; without it Yosys wraps the memory in comparisons.
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
  output reg signed [WIDTH-1:0] word,
  input [ADDRESS-1:0] write_address,
  input signed [WIDTH-1:0] write_data,
  input write_enable
);
  (* no_rw_check, ram_style = "block" *)
  reg signed [WIDTH-1:0] memory [0:DEPTH-1];
  integer row;
  initial begin
    for (row = 0; row < DEPTH; row = row + 1) memory[row] = 0;
    if (INIT != "") $readmemh(INIT, memory);
  end
  always @(posedge clk) begin
    fetched <= memory[address];
    word <= fetched;
    if (write_enable) memory[write_address] <= write_data;
  end
endmodule
"""


def instance(*, width: int, depth: int, init: str, address: Signal, fetched: Signal, word: Signal, write_address: Any,
             write_data: Any, write_enable: Any) -> Instance:
    """An instance of the memory. ``init``: name of a file of hexadecimal words, or empty for zeros."""
    return Instance(MODULE, p_WIDTH=width, p_DEPTH=depth, p_ADDRESS=len(address), p_INIT=init, i_clk=ClockSignal(),
                    i_address=address, o_fetched=fetched, o_word=word, i_write_address=write_address, i_write_data=write_data,
                    i_write_enable=write_enable)
