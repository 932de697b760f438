"""Verilog of a core: the modules that exist once, the core that has instances of them, and the contents of memories."""
from __future__ import annotations

from amaranth.back import verilog

from golden_model.parameters import Parameters
from hdl import weights
from hdl.array import control_module, element_module, initial_file
from hdl.control import ControlRegister
from hdl.core import Core
from hdl.design import Design
from hdl.element import Element

TOP = "wuxing_core"


def to_verilog(design: Design, initialised: bool = False) -> str:
    """All modules of the core in one text; the top module is ``TOP``."""
    texts = [weights.VERILOG]
    for layer in design.layers:
        register = verilog.convert(ControlRegister(layer), name=control_module(layer), emit_src=False)
        texts += [_kept_apart(register, control_module(layer)),
                  verilog.convert(Element(layer), name=element_module(layer), emit_src=False)]
    texts.append(verilog.convert(Core(design, initialised), name=TOP, emit_src=False))
    return "\n".join(texts)


def _kept_apart(text: str, module: str) -> str:
    """Copies of one register are what synthesis would merge again, were they not in modules that it keeps."""
    return text.replace(f"module {module}(", f"(* keep_hierarchy *)\nmodule {module}(", 1)


def memory_files(design: Design, parameters: Parameters) -> dict[str, str]:
    """Initial contents of every weight memory by file name: hexadecimal words for ``$readmemh``."""
    files = {}
    for layer, values in zip(design.layers, parameters, strict=True):
        mask = (1 << layer.word_bits) - 1
        for element in range(layer.elements):
            words = [0] * layer.depth
            for fold in range(layer.folds):
                neuron = fold * layer.elements + element
                if neuron < layer.neurons:
                    base = fold * layer.rows
                    words[base:base + layer.inputs] = [int(word) & mask for word in values.weights[neuron]]
                    words[base + layer.bias_row] = int(values.bias[neuron]) & mask
            files[initial_file(layer, element)] = "".join(f"{word:0{-(-layer.word_bits // 4)}x}\n" for word in words)
    return files
