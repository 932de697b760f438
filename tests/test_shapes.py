"""Shapes of arrays stand in the docstrings of the golden model: whoever hands it an array must not have to guess.

jaxtyping with beartype would check them. But to import the model takes 0.18 s of processor time without them, 0.24 s with
jaxtyping and 0.30 s with both, and annotations that tests check must be imported by everybody.
"""
from __future__ import annotations

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted(".".join(path.relative_to(ROOT).with_suffix("").parts) for path in (ROOT / "golden_model").rglob("*.py")
                 if path.name not in ("__init__.py", "compiling.py"))
ARRAY = re.compile(r"\b(NDArray|ndarray|Array|ArrayLike|Bytes|Labels|Reals)\b")
DIMENSION = r"(?:\d+|[A-Za-z]\w*|\.\.\.)(?: ?[*+-] ?\w+)*"
SHAPE = re.compile(rf"\({DIMENSION}(?:,|(?:, {DIMENSION})+)\)|\b[Aa]ny shapes?\b")


def functions(module):
    """Public functions of a module, and methods of its public classes that are written there, by name."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(value):
            yield name, value
        elif inspect.isclass(value):
            for method, function in vars(value).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", getattr(value, method)


def arrays(function):
    """Names of its parameters that are arrays."""
    return [each.name for each in inspect.signature(function).parameters.values() if ARRAY.search(str(each.annotation))]


def words(module, name, function):
    """The docstring of a function, of a method also that which it overrides, or that of its class."""
    owner = name.rpartition(".")[0]
    return "\n".join(filter(None, [inspect.getdoc(function), inspect.getdoc(getattr(module, owner)) if owner else ""]))


@pytest.mark.parametrize("name", MODULES)
def test_every_public_function_that_takes_arrays_says_their_shapes(name):
    module = import_module(name)
    silent = [each for each, function in functions(module)
              if arrays(function) and not SHAPE.search(words(module, each, function))]
    assert silent == []


@pytest.mark.parametrize("path", sorted((ROOT / "golden_model/kernels").glob("*.py")), ids=lambda path: path.stem)
def test_every_kernel_says_the_shapes_of_its_arrays(path):
    """Numba infers their types, so that they have no annotations; in ``words`` all but two have to do with single words."""
    tree = ast.parse(path.read_text("utf-8"))
    kernels = [node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
               and any(argument.annotation is None for argument in node.args.args)]
    of_arrays = [node for node in kernels
                 if path.stem != "words" or {"array", "values"} & {each.arg for each in node.args.args}]
    words = re.compile(rf"{SHAPE.pattern}|\b[Ss]calars?\b")
    silent = [node.name for node in of_arrays if not words.search(ast.get_docstring(node) or "")]
    assert silent == []
