"""Text beside the Verilog of a core: a module with an instance of it, and its frames with its own numbers."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from golden_model.network import POPULATIONS
from hdl import frames
from hdl.design import Design
from hdl.frames import Opcode, Status
from hdl.layer_design import LayerDesign

# What a request carries after its header, and what its reply does; {image}, {outputs}: words of this core
REQUESTS = {
    Opcode.STATUS: ("none", f"{frames.STATUS_WORDS}: magic number, digest, counters, rate shifts, capabilities"),
    Opcode.WRITE: ("address; count parameters", "none"),
    Opcode.READ: ("address", "count parameters"),
    Opcode.INFER: ("{image}: the image", "none, or {outputs} outputs if bit 8 of the header was set"),
    Opcode.LEARN: ("{image}: the image", "none, or {outputs} outputs if bit 8 of the header was set"),
    Opcode.RATE: ("1: rate shifts, links [7:0], bias [15:8]", "none"),
    Opcode.RESET: ("none", "none"),
}
REASONS = {
    Status.OK: "nothing is wrong", Status.UNKNOWN: "no such opcode", Status.SHORT: "tlast before the last word",
    Status.LONG: "words after the last one", Status.ADDRESS: "no such layer, neuron or parameter, or a count of 0 or above "
                                                             f"{frames.MOST_COUNT}",
    Status.LABEL: "no such output", Status.NO_IMAGE: "LEARN without an image", Status.RATE: "a rate shift out of range",
    Status.NO_LEARNING: "LEARN or RATE on a core without learning",
}


def instance(top: str, ports: Sequence[Mapping[str, Any]], generator: str) -> str:
    """A module whose only content is an instance of the core, with every port by name."""
    widest = max(len(port["name"]) for port in ports)
    declared, connected = [], []
    for port in ports:
        mark = "" if port is ports[-1] else ","
        bits = f"[{port['bits'] - 1}:0]" if port["bits"] > 1 else ""
        declared.append(f"  {port['direction']:<6} wire {bits:<6} {port['name'] + mark:<{widest + 1}}  // {port['meaning']}")
        connected.append(f"    .{port['name']:<{widest}} ({port['name']}){mark}")
    return (f"// How to put the core into a design: copy the instance. Written by {generator}; registers.md has the frames.\n"
            f"module {top}_instance (\n" + "\n".join(declared) + f"\n);\n  {top} core (\n" + "\n".join(connected)
            + "\n  );\nendmodule\n")


def registers(design: Design, generator: str) -> str:
    """Opcodes, parameters, rate shifts and status codes of this core, in Markdown."""
    network = design.network
    outputs, image = network.layers[-1], -(-network.layers[0] // 4)
    if design.learns_K:
        carried = REQUESTS | {Opcode.RATE: (f"{REQUESTS[Opcode.RATE][0]}, K [23:16]", REQUESTS[Opcode.RATE][1])}
    else:
        carried = REQUESTS
    requests = [(f"0x{opcode:02x}", opcode.name, *(text.format(image=image, outputs=outputs) for text in carried[opcode]))
                for opcode in Opcode if design.learns or opcode not in (Opcode.LEARN, Opcode.RATE)]
    title = f"""\
# Frames of this core

Written by {generator} for the network {'-'.join(map(str, network.layers))}, digest
`{network.digest}`.
The whole protocol is `docs/registers.md` of that version.

A frame is 32-bit words, the last one with `tlast`; each request gets one reply, in order. A header has the opcode in [7:0]; of
a request the layer or option in [15:8] and the count or label in [31:16]; of a reply, bit 7 set, the status in [15:8] and the
class or count in [31:16]. An address has the parameter in [15:0] and the neuron in [31:16]. An image is {network.layers[0]}
bytes, four a word, the first in [7:0]."""
    parts = [
        title,
        _table(("opcode", "name", "words after the header", "words after the reply's header"), requests),
        _table(("layer", "neurons", "parameters", "what", "format"),
               (row for layer in design.layers for row in _parameters(layer)))]
    if design.learns:
        ranges = {"links": design.links_rate_shifts(), "bias": design.bias_rate_shifts()}
        if design.learns_K:
            ranges["K"] = design.K_rate_shifts()
        parts.append(_table(("learning rate 2**-n", "least n", "greatest n", "n after reset"), (
            (name, *map(str, (allowed.start, allowed.stop - 1, allowed.start) if allowed else
                        (f"{frames.NO_RATE_SHIFT}: a rate of 0", *2 * [frames.NO_RATE_SHIFT])))
            for name, allowed in ranges.items())))
    parts.append(_table(("status", "name", "what was wrong"), ((str(int(status)), status.name, REASONS[status])
                                                              for status in Status)))
    return "\n\n".join(parts) + "\n"


def _parameters(layer: LayerDesign) -> list[tuple[str, ...]]:
    """Rows of the address map of a layer."""
    formats = layer.formats
    entries = [(f"0 to {layer.links - 1}", "links", formats.weight), (str(layer.bias_row), "bias", formats.drive)]
    if layer.design.kind == "programmable":
        for place, name in enumerate(("K1", "K2", "K3")):
            first = layer.coupling_row + POPULATIONS * place
            entries.append((f"{first} to {first + POPULATIONS - 1}", name, formats.coupling))
    return [(str(layer.index), f"0 to {layer.channels - 1}", place, what, str(word)) for place, what, word in entries]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
