"""Ports of a memory with names of their own: Amaranth would name them after the variables that they are assigned to, as far as
it can read the byte code of this Python, and the Verilog's text would depend on Python's version.
"""
from __future__ import annotations

from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.utils import ceil_log2

WORD_LATENCY = 2                          # clocks from an address to its word, of a memory of weights or K with two ports
BLOCK = {"ram_style": "block", "no_rw_check": 1}                         # of a memory in block RAM
DISTRIBUTED = {"ram_style": "distributed"}                               # of one in LUTs


def write_port(memory: Memory, name: str) -> WritePort:
    """A synchronous port whose signals are ``<name>__addr``, ``__data`` and ``__en``."""
    signature = WritePort.Signature(addr_width=ceil_log2(memory.depth), shape=memory.shape)
    return WritePort(signature, memory=memory, domain="sync", path=(name,))


def read_port(memory: Memory, name: str, domain: str = "sync") -> ReadPort:
    """A port of the same names: the word comes a clock after its address, with domain "comb" in the same clock."""
    signature = ReadPort.Signature(addr_width=ceil_log2(memory.depth), shape=memory.shape)
    return ReadPort(signature, memory=memory, domain=domain, path=(name,))
