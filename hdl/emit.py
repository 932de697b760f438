"""A core as files: Verilog, the contents of its memories, a manifest that says what they are, and what helps to use them."""
from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from golden_model.errors import InputError
from golden_model.network import POPULATIONS, Network
from golden_model.parameters import Parameters
from hdl import frames, memory_contents, templates, weights, yosys
from hdl.array import branch_module, control_module, output_latency, unit_module
from hdl.array_design import ArrayDesign
from hdl.choices import COUPLINGS
from hdl.control import ControlBranch, ControlRegister, branches, control_latency
from hdl.core import Core
from hdl.design import Design
from hdl.layer_design import K_STATES, LayerDesign
from hdl.lint import agreeing
from hdl.memory_ports import WORD_LATENCY
from hdl.multiplier import LATENCY as MULTIPLIER_LATENCY
from hdl.parts import RESET_VERILOG, Modules
from hdl.unit import Unit
from hdl.verilog_text import keep_hierarchy, readable

PREFIX = "wuxing"                         # of the names of modules
TOP = f"{PREFIX}_core"
VERILOG, MANIFEST, INSTANCE, REGISTERS, WAIVERS = f"{TOP}.v", "manifest.json", "instance.v", "registers.md", "lint.vlt"
CELLS = {"ecp5": ("MULT18X18D.v",)}       # models of the blocks that a target's cores instantiate
FORMAT = "wuxing manifest 1"
CONTENTS = re.compile(r'\.INIT\("(weights|couplings)_\d+(_\d+)?\.hex"\)')      # of a memory, by the name of its file
SOURCES = Path(__file__).parent


# ----------------------------------------------------------------- Verilog

@functools.lru_cache(maxsize=64)                          # a design is emitted by several commands and tests of one process
def to_verilog(design: Design, initialised: bool = False) -> str:
    """All modules of the core in one text, the core itself first; the top module is ``TOP``.

    ``initialised``: the weight memories read their contents from the files of ``memory_files``, which must lie where the
    simulator or the synthesis is started; without it they begin with zeros. Equal designs give equal texts.
    """
    if not initialised:                                   # of both texts, one is made in seconds and the other from it
        return CONTENTS.sub(".INIT()", to_verilog(design, initialised=True))
    return all_to_verilog([design], initialised)[0]


def all_to_verilog(designs: Sequence[Design], initialised: bool = False) -> list[str]:
    """``to_verilog`` of each design, by one start of Yosys."""
    parts = [_parts(design, initialised) for design in designs]
    texts = iter(yosys.all_converted([component for components, _ in parts for component in components]))
    order = [port["name"] for port in ports()]
    result = []
    for design, (components, memory) in zip(designs, parts, strict=True):
        modules, generated = [], ""
        for component, name in components:
            text, banner = next(texts)
            modules.append(keep_hierarchy(text, name) if isinstance(component, ControlRegister | ControlBranch) else text)
            generated = generated or banner
        body = agreeing(readable("\n".join(modules), order))
        result.append(f"{_heading(design, generated)}\n{body}\n{memory}")
    return result


def _parts(design: Design, initialised: bool) -> tuple[list[tuple[wiring.Component, str]], str]:
    """The modules that are made from Amaranth, each with its name, and the Verilog of the others."""
    components: list[tuple[wiring.Component, str]] = [(Core(design, Modules(initialised)), TOP)]
    for array in design.arrays:
        if not array.time_shared:
            components.append((ControlRegister(array), control_module(array)))
            if branches(array):
                components.append((ControlBranch(array), branch_module(array)))
        components.append((Unit(array), unit_module(array)))
    memory = "\n".join(weights.verilog(ports, design.target) for ports in sorted({
        shape.ports for array in design.arrays for shape in array.memories.values()}))
    if design.spread:
        memory = f"{RESET_VERILOG}\n{memory}"
    return components, memory


def _heading(design: Design, generated: str) -> str:
    network = design.network
    does = "infers and learns" if design.learns else "infers"
    return (f"// {TOP}: a network {'-'.join(map(str, network.layers))} that {does}; kind {design.kind}, target "
            f"{design.target}, processing units {'-'.join(map(str, design.units))}"
            f"{_arranged(design)}.\n"
            f"// Digest of the network: {network.digest}\n"
            f"// Written by {generator()} through Amaranth {metadata.version('amaranth')}.\n"
            f"// {generated}\n"
            f"// Do not edit. To write it again, from a model or a description of that network:\n"
            f"//   {command(design)}\n")


def _arranged(design: Design) -> str:
    """Which layers share an array, as the end of a sentence."""
    spans = [f"{array.first.index} to {array.last.index}" for array in design.arrays if array.time_shared]
    if not spans:
        return ""
    named = f"layers {', '.join(spans)}" if design.spread else "all layers"
    return f" of one array for {named}"


def multipliers(design: Design) -> int:
    """As many as there are processing units."""
    return sum(array.units for array in design.arrays)


def generator() -> str:
    """Name and version of what writes the files."""
    return f"wuxing {metadata.version('wuxing')}"


def command(design: Design) -> str:
    """The command line that writes this design."""
    return (f"wuxing verilog MODEL -o DIR --units {','.join(map(str, design.units))} --kind {design.kind} "
            f"--target {design.target}{'' if design.learns else ' --no-learning'}"
            f"{'' if design.arrangement == 'parallel' else f' --arrangement {shlex.quote(design.arrangement)}'}")


def ports() -> list[dict[str, Any]]:
    """Name, direction as seen from the core, bits and meaning of each port, in the order of the Verilog."""
    listed = [("clk", "input", 1, "clock of everything"), ("rst", "input", 1, "synchronous reset; one clock is enough")]
    for stream, sent, taken, what in (("s_axis", "input", "output", "requests"), ("m_axis", "output", "input", "replies")):
        listed += [(f"{stream}_tdata", sent, 32, f"{what}: a word"), (f"{stream}_tvalid", sent, 1, f"{what}: a word is there"),
                   (f"{stream}_tready", taken, 1, f"{what}: it is taken in this clock"),
                   (f"{stream}_tlast", sent, 1, f"{what}: it is the last one of its frame")]
    return [{"name": name, "direction": direction, "bits": bits, "meaning": meaning}
            for name, direction, bits, meaning in listed]


# ----------------------------------------------------------------- memories

def memory_files(design: Design, parameters: Parameters) -> dict[str, str]:
    """``memory_contents.words`` as hexadecimal words for ``$readmemh``, one a line."""
    bits = {name: bits for array in design.arrays for unit in range(array.units)
            for name, bits in ((array.memory_file(unit), array.word_bits), (array.K_file(unit), array.first.K_bits))}
    return {name: _hexadecimal(words, bits[name]) for name, words in memory_contents.words(design, parameters).items()}


def _hexadecimal(words: Any, bits: int) -> str:
    mask, digits = (1 << bits) - 1, -(-bits // 4)
    return "".join(f"{int(word) & mask:0{digits}x}\n" for word in words)


# ----------------------------------------------------------------- all files, and what they are

def core_files(design: Design, parameters: Parameters, encoding: Mapping[str, Any] | None = None,
               prefix: str = PREFIX) -> dict[str, str]:
    """Every file that belongs to a core by its name, ``MANIFEST`` last. Equal arguments give equal texts.

    ``encoding``: for the manifest, how what is measured becomes the bytes of an image, as ``Encoding.to_dict`` says it; None:
    bytes are sent as they are. ``prefix``: what the names of modules, and if it is another one than usual of memory files,
    begin with, so that several cores can live in one design; the models of ``cells`` are the same for all.

    Raises
    ------
    InputError
        If parameters are not those of the design, or a prefix is no name in Verilog.
    """
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", prefix) is None:
        raise InputError(f"prefix must be letters, digits and _, a letter first, not {prefix!r}; choose another one")
    files = {VERILOG: to_verilog(design, initialised=True), **memory_files(design, parameters),
             INSTANCE: templates.instance(TOP, ports(), generator()),
             REGISTERS: templates.registers(design, generator()),
             WAIVERS: (SOURCES / WAIVERS).read_text("utf-8")}
    files = {name: renamed(text, prefix) for name, text in files.items()} | cells(design)
    content = json.loads(renamed(json.dumps(manifest(design, files)), prefix))
    content["encoding"] = None if encoding is None else dict(encoding)        # whose names are not ours to change
    return {renamed(name, prefix): text for name, text in files.items()} | {MANIFEST: json.dumps(content, indent=2) + "\n"}


def renamed(text: str, prefix: str) -> str:
    """A text in which modules and memory files have another prefix."""
    if prefix == PREFIX:
        return text
    text = re.sub(rf"\b{PREFIX}_(?=\w)", f"{prefix}_", text)
    text = re.sub(r"\b(?=(weights|couplings)_\d+_\d+\.hex)", f"{prefix}_", text)
    return text.replace("wuxing verilog MODEL -o DIR", f"wuxing verilog MODEL -o DIR --prefix {prefix}")


def is_name_of_core(name: str) -> bool:
    """Whether some core has a file of this name."""
    fixed = {VERILOG, INSTANCE, REGISTERS, WAIVERS, MANIFEST, *(each for target in CELLS.values() for each in target)}
    return name in fixed or re.fullmatch(r"(weights|couplings)_\d+(_\d+)?\.hex", name) is not None


def cells(design: Design) -> dict[str, str]:
    """By file name what a simulator, but not synthesis, needs beside the Verilog: models of the target's DSP block."""
    return {name: (SOURCES / name).read_text("utf-8") for name in CELLS.get(design.target, ())}


def for_simulators(design: Design) -> str:
    """The core's Verilog with the models of ``cells``, as one text."""
    return "\n".join((to_verilog(design), *cells(design).values()))


def manifest(design: Design, files: Mapping[str, str], encoding: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What a program must know to use the files, as plain data for JSON; described in ``docs/verilog.md``."""
    network = design.network
    words = network.formats
    rate_shifts = {"links": design.links_rate_shifts(), "bias": design.bias_rate_shifts()}
    if design.learns_K:
        rate_shifts["K"] = design.K_rate_shifts()
    phases = design.layers[0].phases
    return {
        "format": FORMAT, "generator": generator(), "command": command(design), "top": TOP,
        "digest": network.digest, "network": network.to_dict(),
        "kind": design.kind, "arrangement": design.arrangement, "target": design.target, "learns": design.learns,
        "units": list(design.units), "multipliers": multipliers(design), "operand_bits": design.operand_bits,
        "memory_bits": sum(array.units * shape.depth * shape.word_bits for array in design.arrays
                           for shape in array.memories.values()),
        "ports": ports(),
        "frames": {"magic": f"0x{frames.MAGIC:08x}", "digest": f"0x{frames.digest_word(network.digest):016x}", "word_bits": 32,
                   "image_bytes": network.layers[0], "image_words": -(-network.layers[0] // 4),
                   "classes": network.layers[-1], "most_count": frames.MOST_COUNT},
        "encoding": None if encoding is None else dict(encoding),
        "formats": {entry.name: None if (word := getattr(words, entry.name)) is None else
                    {"format": str(word), "bits": word.bits, "fraction": word.fraction, "signed": word.signed}
                    for entry in fields(words)},
        "rate_shifts": {name: {"least_rate_shift": allowed.start, "greatest_rate_shift": allowed.stop - 1,
                               "initial_rate_shift": allowed.start} if design.learns and allowed else None
                        for name, allowed in rate_shifts.items()},
        "latencies": {"multiplier": MULTIPLIER_LATENCY,
                      "weight_memory": [1 if layer.time_shared else WORD_LATENCY for layer in design.layers],
                      "control": [1 if layer.time_shared else control_latency(layer) for layer in design.layers],
                      "half_step": phases, "settling": 2 * network.integration.steps * phases,
                      "output": [0 if layer.time_shared else output_latency(layer) for layer in design.layers]},
        "layers": [_layer_entry(array, layer, base) for array in design.arrays
                   for layer, base in zip(array.layers, array.bases, strict=True)],
        "files": {name: {"bytes": len(data := text.encode()), "sha256": hashlib.sha256(data).hexdigest()}
                  for name, text in sorted(files.items())}}


def _layer_entry(array: ArrayDesign, layer: LayerDesign, base: int) -> dict[str, Any]:
    """Sizes and addresses of a layer. Rows are counted within one neuron, first and last; see ``docs/verilog.md``."""
    rows = {"links": [0, layer.links - 1], "bias": [layer.bias_row, layer.bias_row]}
    if layer.design.kind == "programmable":
        rows |= {name: [layer.coupling_row + POPULATIONS * place, layer.coupling_row + POPULATIONS * (place + 1) - 1]
                 for place, name in enumerate(("K1", "K2", "K3"))}
    parameters = dict(rows)
    own_K = {}
    if layer.own_K:
        K_rows = {name: [first - layer.coupling_row, last - layer.coupling_row] for name in COUPLINGS
                  for first, last in (rows.pop(name),)}
        if layer.design.learns_K:
            K_rows["state"] = [K_STATES, K_STATES + POPULATIONS - 1]
        own_K = {"K_memory": {
            "word_bits": layer.K_bits, "base": array.slots[layer.index - array.first.index] * layer.K_rows,
            "depth": array.K_depth, "rows_per_neuron": layer.K_rows, "rows": K_rows,
            "files": [array.K_file(unit) for unit in range(layer.units)]}}
    if layer.saves_state:
        rows["state"] = [layer.state_row, layer.state_row + POPULATIONS - 1]
    memory = {"word_bits": array.word_bits, "base": base, "depth": array.depth, "rows_per_neuron": layer.rows, "rows": rows,
              "files": [array.memory_file(unit) for unit in range(layer.units)]}
    return {"inputs": layer.inputs, "neurons": layer.neurons, "channels": layer.channels, "units": layer.units,
            "folds": layer.folds, "learns": layer.learns, "input_format": str(layer.input_word), "parameters": parameters,
            "memory": memory, **own_K}


# ----------------------------------------------------------------- reading a manifest back

def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a folder that ``wuxing verilog`` wrote, after comparing it with the files that it names.

    Raises
    ------
    InputError
        If there is no manifest, it is of another kind or version, or a file of it is missing or was changed.
    """
    path = Path(folder) / MANIFEST
    again = "write the folder again with wuxing verilog"
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} must be the manifest of a core, but: {error.strerror}; {again}") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path} must be the manifest of a core, but is not valid JSON; {again}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        version = content.get("format") if isinstance(content, dict) else None
        raise InputError(f"{path} must have the format {FORMAT!r}, not {str(version)[:80]!r}; {again}")
    listed = content.get("files")
    if not isinstance(listed, dict) or not all(isinstance(entry, dict) and Path(name).name == name
                                               for name, entry in listed.items()):
        raise InputError(f"{path} must list its files by name, but does not; {again}")
    for name, entry in listed.items():
        file = Path(folder) / name
        try:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise InputError(f"{file} must be there as its manifest says, but: {error.strerror}; {again}") from None
        if digest != entry.get("sha256"):
            raise InputError(f"{file} must be as its manifest says, but was changed; {again}")
    return content


def check_manifest(content: Mapping[str, Any], network: Network) -> None:
    """Raise an ``InputError`` if a manifest is not of this network: model and Verilog then compute different things."""
    digest = content.get("digest")
    if digest != network.digest:
        raise InputError(f"model and Verilog must be of the same network, but the digest of the model begins with "
                         f"{network.digest[:16]} and that of the Verilog with {str(digest)[:16]}; emit the Verilog of this "
                         f"model again")
