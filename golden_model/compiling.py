"""``entry`` and ``kernel``: functions of the engine, compiled by Numba when first called, their machine code in the cache.

Numba's own cache looks at the file that defines a function, and not at what is inlined from other files: with a change there
it would go on with machine code of the old text. Here each state of the sources has a folder of its own. It is named by a hash
of all modules of this package that a kernel's module imports, directly or not, and of the versions of the compiler. Wherever
a copy of these sources is installed, it takes the same machine code; and what one process compiles, others wait for.
"""
from __future__ import annotations

import ast
import hashlib
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import llvmlite
import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache, NullCache, _CacheLocator
from numba.core.compiler_lock import global_compiler_lock

from golden_model.errors import InputError, InternalError
from golden_model.storage.cache import part
from golden_model.storage.file_lock import locked

settings: Any = numba.config
COMPILES = not settings.DISABLE_JIT       # NUMBA_DISABLE_JIT=1 is for those who look for a fault or measure coverage
STATES = 8                                # of the sources whose machine code is kept: those used last
PACKAGE = __name__.partition(".")[0]
_modules: set[str] = set()                # in which kernels were defined
_names: set[str] = set()                  # of kernels


def entry(function: Callable[..., Any]) -> Any:
    """A decorator for what Python calls: compile without Python's interpreter and its lock, and keep the machine code.

    With ``NUMBA_DISABLE_JIT`` it is the function itself.
    """
    return _compiled(function, no_cfunc_wrapper=True)


def kernel(function: Callable[..., Any]) -> Any:
    """As ``entry``, for what only compiled functions call: without what brings Python's objects in and out, half the code."""
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """The function, compiled.

    Machine code is found by name and types. Numba numbers the functions of each process, so that of two with one name, one
    out of the cache and one that is compiled, either may be found: kernels that a function makes are named by what differs.
    """
    name = f"{function.__module__}.{function.__qualname__}"
    if name in _names:
        raise InternalError(f"each kernel must have a name of its own, but there are two {name}")
    _names.add(name)
    njit: Any = numba.njit                        # its stubs do not know of all options
    # Kernels allocate nothing, so no array that they see needs its references counted, which takes time at every call; and no
    # divisor is zero, so none needs a test
    compiled = njit(nogil=True, error_model="numpy", _nrt=False, **options)(function)
    if COMPILES:
        _modules.add(function.__module__)
        compiled._cache = kept = _Kept(function)
        compiled.compile = kept.alone(compiled.compile)
    return compiled


class _Place(_CacheLocator):
    """The folder of the present sources, for a function in one of them. Its name says all that there is to say of them."""

    def __init__(self, folder: Path, line: int) -> None:
        self._folder, self._line = folder, line

    def get_cache_path(self) -> str:
        return str(self._folder)

    def get_source_stamp(self) -> str:
        return self._folder.name

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Place | None:
        folder = machine_code()
        return None if folder is None else cls(folder, py_func.__code__.co_firstlineno)


class _Results(CompileResultCacheImpl):
    _locator_classes = [_Place]


class _Numbas(FunctionCache):
    _impl_class = _Results


class _Kept(NullCache):
    """Numba's cache of one function, in our folder, one process at a time.

    Two processes that saved at once could take the same file for different types of arguments. What cannot be read or written
    is as if it were not there: then the function is compiled, and that is all.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._cache_of_folder: tuple[Path, FunctionCache] | None = None

    @property
    def cache_path(self) -> str | None:
        return None if self._cache_of_folder is None else str(self._cache_of_folder[1].cache_path)

    def alone(self, compile_: Callable[..., Any]) -> Callable[..., Any]:
        """``compile_``, which loads, else compiles and saves, while no other process does it for the same types.

        No two processes wait for each other: those locks that one takes meanwhile are of functions that this one calls.
        """
        def compiled(types: Any) -> Any:
            with global_compiler_lock, ExitStack() as held:       # in this order, for another thread may compile a caller
                _numba_ready()
                if (cache := self._cache()) is not None:
                    name = f"{self._function.__module__}.{self._function.__qualname__} {types}"
                    with suppress(OSError):
                        held.enter_context(locked(cache[0] / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.lock"))
                return compile_(types)
        return compiled

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        return self._locked("load_overload", sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        self._locked("save_overload", sig, data)

    def _locked(self, what: str, *arguments: Any) -> Any:
        cache = self._cache()
        if cache is None:
            return None
        folder, numbas = cache
        with suppress(OSError), locked(folder / "lock"):
            try:
                return getattr(numbas, what)(*arguments)
            except Exception:             # of whatever kind damaged files lead to
                numbas.flush()
        return None

    def _cache(self) -> tuple[Path, FunctionCache] | None:
        if self._cache_of_folder is None and (folder := machine_code()) is not None:
            try:
                cache = _Numbas(self._function)
            except (OSError, RuntimeError):               # RuntimeError: Numba found no place for it
                return None
            if Path(cache.cache_path).is_relative_to(folder):      # it is elsewhere if NUMBA_CACHE_LOCATOR_CLASSES says so
                self._cache_of_folder = folder, cache
        return self._cache_of_folder


@cache
def _numba_ready() -> None:
    """Import what Numba imports before it first compiles or loads, but not SciPy, of which it would see whether it is there.

    That is a fifth of the time of a short command. It is there, for this package needs it; kernels that call BLAS import it.
    """
    scipys = "scipy.linalg.cython_blas"
    if scipys in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[scipys] = cast(ModuleType, None)                  # as if it were not there
    try:
        numbas = importlib.import_module("numba.np.arraymath")
    finally:
        del sys.modules[scipys]
    vars(numbas)["_HAVE_BLAS"] = True


@cache
def machine_code() -> Path | None:
    """The folder for machine code of the present sources; None if there can be none. Others than the last used are removed."""
    try:
        place = part("numba")
        folder = place / sources_hash()
        folder.mkdir(0o700, exist_ok=True)
        (folder / "lock").touch()
        states = sorted((each for each in place.iterdir() if (each / "lock").is_file()),
                        key=lambda each: (each / "lock").stat().st_mtime_ns, reverse=True)
    except (InputError, OSError):
        return None
    for old in states[STATES:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def sources_hash() -> str:
    """Of all that machine code is made from: the texts of ``sources``, Python, Numba and LLVM."""
    digest = hashlib.sha256(f"{sys.version} {numba.__version__} {llvmlite.__version__}".encode())
    for path in sources(_modules):
        text = path.read_bytes()
        name = path.relative_to(Path(__file__).parent).as_posix()
        digest.update(f" {name} {len(text)} ".encode() + text)
    return digest.hexdigest()[:32]


def sources(modules: set[str]) -> list[Path]:
    """The files of these modules and of all of this package that they import, in the order of their names.

    A package is its ``__init__``, which runs before any of its modules does.
    """
    folder, left, texts = Path(__file__).parent, set(modules), {}
    while left:
        name = left.pop()
        inside = folder.joinpath(*name.split(".")[1:])
        path = inside / "__init__.py" if inside.is_dir() else inside.with_suffix(".py")
        if name in texts or name.partition(".")[0] != PACKAGE or not path.is_file():
            continue
        texts[name] = path
        left.add(name.rpartition(".")[0])
        for node in _statements(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                left |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom):
                if node.level:
                    raise InternalError(f"{path} must import by whole names, not relative to itself; the key of machine code "
                                        "would miss what it imports")
                left |= {str(node.module), *(f"{node.module}.{each.name}" for each in node.names)}
    return [texts[name] for name in sorted(texts)]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements within a node. There are a tenth as many of them as nodes."""
    for block in ("body", "handlers", "orelse", "finalbody", "cases"):
        for each in getattr(node, block, ()):
            yield each
            yield from _statements(each)
