"""A module with one of its lines changed, to see that a check notices."""
import importlib
import sys
import types
from pathlib import Path


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
