"""The public names: what ``from wuxing import ...`` has, and that its page is what the docstrings say."""
import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import wuxing
from test_house import ROOT

sys.path.insert(0, str(ROOT / "bench"))
import reference  # noqa: E402


def test_every_public_name_is_there_under_its_own_module():
    assert sorted(wuxing.__all__) == sorted(wuxing._PLACES)
    assert set(wuxing.__all__) <= set(dir(wuxing))
    for name, place in wuxing._PLACES.items():
        value, (module, _, there) = getattr(wuxing, name), place.partition(":")
        if hasattr(value, "__module__") and inspect.isclass(value) or inspect.isfunction(value):
            assert (value.__module__, value.__name__) == (module, there or name)
    with pytest.raises(AttributeError, match="^module 'wuxing' has no attribute 'Netwrok'$"):
        wuxing.Netwrok  # noqa: B018


def test_what_type_checkers_see_is_what_programs_get():
    """The names are written twice, because imports at run time are lazy: for mypy and editors, and in a table."""
    tree = ast.parse((ROOT / "wuxing/__init__.py").read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = {alias.asname or alias.name: (f"{node.module}:{alias.name}" if alias.asname else str(node.module))
            for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert imports == wuxing._PLACES


def test_importing_the_package_imports_nothing_and_training_needs_no_hardware_tools():
    program = ("import sys, wuxing\nbefore = {'numpy', 'numba', 'amaranth', 'serial', 'sklearn'} & set(sys.modules)\n"
               "wuxing.Network, wuxing.Model, wuxing.CompiledModel, wuxing.train, wuxing.load_model\n"
               "print(sorted(before), sorted({'numba', 'amaranth', 'serial', 'matplotlib', 'sklearn'} "
               "& set(sys.modules)))\nwuxing.WuxingClassifier\n"
               "print(sorted({'amaranth', 'serial', 'matplotlib'} & set(sys.modules)))")
    output = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert output == "[] ['numba']\n[]\n"


def test_commands_are_no_libraries_of_one_another():
    folder = ROOT / "wuxing/commands"
    for path in sorted(folder.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith("wuxing.commands"), path.name
    others = [path for path in (ROOT / "wuxing").rglob("*.py") if folder not in path.parents and path.name != "cli.py"]
    assert len(others) > 20
    for path in others:
        assert "wuxing.commands" not in path.read_text("utf-8").partition('"""\n')[2], path.name


def test_the_reference_is_what_the_docstrings_say():
    assert (ROOT / "docs/api.md").read_text("utf-8") == reference.page(), "run make documents"


def test_a_name_without_a_place_in_the_reference_is_found(monkeypatch):
    monkeypatch.setattr(wuxing, "__all__", [*wuxing.__all__, "extra"])
    with pytest.raises(ValueError, match="^every public name must be in one group of the reference, but \\['extra'\\] is not$"):
        reference.page()


def test_signatures_and_sections_become_markdown():
    class Sum:
        """Adds ``a``.

        Parameters
        ----------
        a : int
            The first number,
            of two.
        b, c
            Others.

        Raises
        ------
        ValueError
            If ``a`` is odd.
        """

        def __init__(self, a: int, *, b: "str" = "x") -> None: ...

        def total(self) -> "int":
            """Their sum."""

    assert reference.described("Sum", Sum) == """### Sum

```text
Sum(a: int, *, b: str = "x")
```

Adds `a`.

**Parameters**

- `a` (int): The first number, of two.
- `b, c`: Others.

**Raises**

- `ValueError`: If `a` is odd.

#### `Sum.total`

```text
total() -> int
```

Their sum."""
    with pytest.raises(ValueError, match="^nothing must have a docstring$"):
        reference.described("nothing", lambda: None)
    assert Path(reference.__file__).name == "reference.py"
