"""``wuxing cache``: where what is compiled is kept, how much there is, and how to be rid of it."""
from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from golden_model.storage.cache import PARTS, root
from sim import library_cache
from wuxing.reports import console

MIB = 1 << 20


def cache(clear: Annotated[bool, typer.Option("--clear", help="Remove all of it but what a running program uses; it will be "
                                                               "compiled again when it is needed.")] = False) -> None:
    """Show where compiled code is kept and how much there is; with --clear, remove it first."""
    folder = root()
    if clear:
        cleared(folder)
    screen = console.out()
    screen.print(console.literal(folder), soft_wrap=True)
    table = console.table("", left=("folder", "what it holds"), right=("MiB",))
    for name, what in PARTS.items():
        table.add_row(name, what, f"{size(folder / name) / MIB:,.1f}")
    screen.print(table)


def cleared(folder: Path) -> None:
    """Remove all parts, and of the compiled cores those that no process uses."""
    for name in PARTS:
        if name == library_cache.PART:
            library_cache.trim(folder / name, 0)
        else:
            shutil.rmtree(folder / name, ignore_errors=True)


def size(folder: Path) -> int:
    """Bytes of all files in it; 0 if it is not there."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
