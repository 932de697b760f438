"""A module with one of its lines changed, to see that a check notices."""
from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from hdl.array_design import ArrayDesign
from hdl.program import Each, If, Node
from hdl.unit import Unit


def planted(module: str, right: str, wrong: str) -> types.ModuleType:
    """``module`` executed anew with ``right``, which must occur exactly once in its source, replaced by ``wrong``."""
    original = importlib.import_module(module)
    source = Path(str(original.__file__)).read_text("utf-8")
    assert source.count(right) == 1, f"{module} has {source.count(right)} times: {right}"
    changed = types.ModuleType(module)
    changed.__file__ = original.__file__
    sys.modules[module] = changed                     # where classes look for the names of their annotations
    try:
        exec(compile(source.replace(right, wrong), str(original.__file__), "exec"), changed.__dict__)
    finally:
        sys.modules[module] = original
    return changed


def planted_sequencer(module: str, right: str, wrong: str) -> Any:
    """The class ``hdl.sequencer.Sequencer`` with a bug in its own source, or in that of a module that it imports from."""
    if module == "hdl.sequencer":
        return planted(module, right, wrong).Sequencer
    original, changed = importlib.import_module(module), planted(module, right, wrong)
    sequencer = planted("hdl.sequencer", '"""Control of one array.', '"""Control of one array.')
    for name, value in list(vars(sequencer).items()):
        if getattr(original, name, None) is value and value is not None:
            setattr(sequencer, name, getattr(changed, name))
    return sequencer.Sequencer


def altered(nodes: tuple[Node, ...], change: Callable[[Node], tuple[Node, ...]]) -> tuple[Node, ...]:
    """A program with ``change(node)`` in place of each node, in branches and loops as well."""
    result: list[Node] = []
    for node in nodes:
        inner = node
        if isinstance(node, If):
            inner = replace(node, then=altered(node.then, change), otherwise=altered(node.otherwise, change))
        elif isinstance(node, Each):
            inner = replace(node, body=altered(node.body, change))
        result += change(inner)
    return tuple(result)


def with_programs_altered(sequencer: Any, change: Callable[[Node], tuple[Node, ...]] | None) -> Any:
    """The sequencer, its programs ``altered`` if there is a change."""
    if change is not None:
        sequencer.texts = {name: altered(text, change) for name, text in sequencer.texts.items()}
    return sequencer


def without(node: Node) -> Callable[[Node], tuple[Node, ...]]:
    """For ``altered``: this node is left out."""
    return lambda other: () if other == node else (other,)


def planted_unit(module: str, right: str, wrong: str) -> type[Unit]:
    """The processing unit with a bug in its own module, or in that of a part that is handed to it."""
    original, changed = importlib.import_module(module), planted(module, right, wrong)
    if module == Unit.__module__:
        return changed.Unit  # type: ignore[no-any-return]
    unit = planted(Unit.__module__, "The processing unit: one neuron", "The processing unit: one neuron")
    for name, value in list(vars(unit).items()):
        if getattr(original, name, None) is value and value is not None:
            setattr(unit, name, getattr(changed, name))

    class Wrong(unit.Unit):  # type: ignore[name-defined, misc]
        def __init__(self, array: ArrayDesign) -> None:
            super().__init__(array)
            for part in ("selection", "rings", "bracket", "word_update"):
                right = getattr(self, part)
                setattr(self, part, getattr(changed, right.__name__, right))
    return Wrong
