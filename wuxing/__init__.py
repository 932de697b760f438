"""The public names of the toolkit: ``from wuxing import Network, CompiledModel, Design, train``.

``docs/api.md`` has all of them, with their arguments. Modules are imported when one of their names is first used, so that
``import wuxing`` costs nothing and those who train need no hardware tools. The commands are in ``wuxing.commands``; they, and
the page and picture makers beside this file, are no library for others.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from boards.connection import Connection
    from boards.fit import network_for
    from boards.platforms import PLATFORMS
    from boards.virtual import VirtualBoard
    from golden_model.data.datasets import Dataset
    from golden_model.data.datasets import encoded as encoded_dataset
    from golden_model.data.datasets import load as load_dataset
    from golden_model.data.encoding import Encoding
    from golden_model.data.reading import Reading
    from golden_model.data.recipe import Recipe
    from golden_model.data.samples import Samples
    from golden_model.data.splits import Split
    from golden_model.engine import CompiledModel
    from golden_model.errors import DeviceError, InputError, InternalError, ToolError, WuxingError
    from golden_model.fixed_point import Format
    from golden_model.learner import Learner
    from golden_model.model import Model
    from golden_model.network import Network
    from golden_model.parameters import Layer, Parameters
    from golden_model.parameters import initial as initial_parameters
    from golden_model.sections import Formats, Initialisation, Integration, Learning, Neuron, Wiring
    from golden_model.storage.model_file import ModelFile
    from golden_model.storage.model_file import load as load_model
    from golden_model.storage.model_file import save as save_model
    from golden_model.training import Epoch, Training, accuracy, train
    from hdl.cells import core_cells as estimate_cells
    from hdl.design import Design
    from hdl.emit import core_files, to_verilog
    from hdl.estimate import clocks as estimate_clocks
    from sim.cosim import cosim
    from sim.rtl_model import RtlModel
    from wuxing.classifier import WuxingClassifier

# Public name: module, and name there where it is another one. In the order of docs/api.md.
_PLACES = {
    "Network": "golden_model.network", "Neuron": "golden_model.sections", "Integration": "golden_model.sections",
    "Formats": "golden_model.sections", "Format": "golden_model.fixed_point", "Initialisation": "golden_model.sections",
    "Learning": "golden_model.sections", "Wiring": "golden_model.sections",
    "Learner": "golden_model.learner", "Model": "golden_model.model", "CompiledModel": "golden_model.engine",
    "Layer": "golden_model.parameters", "Parameters": "golden_model.parameters",
    "initial_parameters": "golden_model.parameters:initial",
    "Dataset": "golden_model.data.datasets", "load_dataset": "golden_model.data.datasets:load",
    "Reading": "golden_model.data.reading", "Split": "golden_model.data.splits", "Samples": "golden_model.data.samples",
    "encoded_dataset": "golden_model.data.datasets:encoded",
    "Encoding": "golden_model.data.encoding", "Recipe": "golden_model.data.recipe",
    "train": "golden_model.training", "Training": "golden_model.training", "Epoch": "golden_model.training",
    "accuracy": "golden_model.training",
    "WuxingClassifier": "wuxing.classifier",
    "ModelFile": "golden_model.storage.model_file", "load_model": "golden_model.storage.model_file:load",
    "save_model": "golden_model.storage.model_file:save",
    "Design": "hdl.design", "to_verilog": "hdl.emit", "core_files": "hdl.emit",
    "estimate_clocks": "hdl.estimate:clocks", "estimate_cells": "hdl.cells:core_cells",
    "RtlModel": "sim.rtl_model", "cosim": "sim.cosim",
    "PLATFORMS": "boards.platforms", "network_for": "boards.fit", "VirtualBoard": "boards.virtual",
    "Connection": "boards.connection",
    "WuxingError": "golden_model.errors", "InputError": "golden_model.errors", "ToolError": "golden_model.errors",
    "DeviceError": "golden_model.errors", "InternalError": "golden_model.errors",
}

__all__ = [
    "PLATFORMS", "CompiledModel", "Connection", "Dataset", "Design", "DeviceError", "Encoding", "Epoch", "Format", "Formats",
    "Initialisation", "InputError", "Integration", "InternalError", "Layer", "Learner", "Learning", "Model", "ModelFile",
    "Network", "Neuron", "Parameters", "Reading", "Recipe", "RtlModel", "Samples", "Split", "ToolError", "Training",
    "VirtualBoard", "Wiring", "WuxingClassifier", "WuxingError", "accuracy", "core_files", "cosim", "encoded_dataset",
    "estimate_cells", "estimate_clocks", "initial_parameters", "load_dataset", "load_model", "network_for", "save_model",
    "to_verilog", "train",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, there = place.partition(":")
    value = globals()[name] = getattr(import_module(module), there or name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
