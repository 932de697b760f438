"""``wuxing verilog``: a folder with the Verilog of a core, its memories' contents, a manifest and what helps to use them."""
from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

import typer

from golden_model.errors import InputError
from wuxing import designs, options
from wuxing.designs import Choices
from wuxing.reports import console

PREFIX = "Begin the names of modules and memory files with this, so that several cores can live in one design."


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes: where the core is, and of its manifest what one looks up; bytes and SHA-256 of its files."""

    folder: Path
    manifest: Path
    digest: str
    top: str
    kind: str
    target: str
    learns: bool
    units: Sequence[int]
    multipliers: int
    memory_bits: int
    files: Mapping[str, Mapping[str, object]]


def verilog(model: designs.NetworkArgument, choices: Choices,
            output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", show_default=False,
                                                 help="The folder to write; an old one of this command is replaced.")],
            prefix: Annotated[str, typer.Option(metavar="NAME", help=PREFIX)] = "wuxing",
            json: options.JsonOption = None, quiet: options.QuietOption = False) -> None:
    """Write a core for a network: Verilog, contents of its memories, manifest, instance, frames."""
    from hdl import emit
    console.check_writable(json)
    check_replaceable(output)
    source = designs.read(model, quiet)
    network = source.network
    design = designs.core(source, choices)
    files = emit.core_files(design, source.values, source.manifest_encoding, prefix)
    write_folder(output, files)
    manifest = emit.read_manifest(output)
    entries = [entry.name for entry in fields(Result) if entry.name not in ("folder", "manifest")]
    console.write_json(json, Result(folder=output, manifest=output / emit.MANIFEST,
                                    **{name: manifest[name] for name in entries}))
    screen = console.out(json)
    does = "infers and learns" if design.learns else "infers"
    screen.print(f"[bold]{console.literal(output)}[/bold]: {'-'.join(map(str, network.layers))} that {does}, {design.kind}, "
                 f"{design.target}\ndigest {network.digest}", soft_wrap=True)
    table = console.table("Layers; each unit has a memory of so many words of so many bits",
                          right=("layer", "inputs", "neurons", "units", "folds", "words", "bits", "memory bits"))
    for layer in design.layers:
        table.add_row(*(f"{count:,}" for count in (layer.index, layer.inputs, layer.neurons, layer.units, layer.folds,
                                                   layer.depth, layer.word_bits,
                                                   layer.units * layer.depth * layer.word_bits)))
    screen.print("", table, "", f"{len(files)} files: {emit.renamed(emit.VERILOG, prefix)} and {emit.INSTANCE} for the design, "
                 f"{emit.WAIVERS} for its lint, {emit.REGISTERS} for its frames, {emit.MANIFEST} for programs, "
                 f"{emit.renamed('weights_0_0.hex', prefix)} and others for its memories",
                 sep="\n", soft_wrap=True)


# ----------------------------------------------------------------- the folder

def check_replaceable(folder: Path) -> None:
    """Raise an ``InputError`` unless ``folder`` is new, empty, or holds exactly what this command wrote, unchanged."""
    from hdl import emit
    other = "choose another folder or remove this one"
    parent = Path(os.path.realpath(folder)).parent
    if not parent.is_dir():
        raise InputError(f"{folder} must be a folder that can be made, but there is no folder {parent}; make it first")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"{folder} must be a folder that can be made, but {parent} is read-only; choose another place")
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InputError(f"{folder} must be a folder, but is a file; choose another name")
    present = sorted(path.name for path in folder.iterdir())
    if not present:
        return
    if emit.MANIFEST not in present:
        raise InputError(f"{folder} must be new, empty or of this command, but holds {present[0]!r} and no {emit.MANIFEST}; "
                         f"{other}")
    try:
        listing = emit.read_manifest(folder)["files"]
    except InputError as error:
        raise InputError(f"{folder} must be as this command wrote it, or it is not replaced, but: {error}; {other}") from None
    foreign = [name for name in present if name not in listing and name != emit.MANIFEST]
    if foreign:
        raise InputError(f"{folder} must hold only what this command wrote, or it is not replaced, but holds {foreign[0]!r}; "
                         f"{other}")


def write_folder(folder: Path, files: dict[str, str]) -> None:
    """Make ``folder`` hold these files and nothing else: written aside, then renamed, so that it is never half there.

    An old folder, which ``check_replaceable`` must allow, is there until the new one is complete.
    """
    target = Path(os.path.realpath(folder))
    aside, old = (target.with_name(f".wuxing-{secrets.token_hex(8)}.{end}") for end in ("part", "old"))
    try:
        aside.mkdir()
        for name, text in files.items():
            (aside / name).write_text(text, "utf-8", newline="\n")
        if target.exists():
            check_replaceable(target)                     # again: much can happen while Verilog is made
        _exchange(aside, target, old)
    except OSError as error:
        raise InputError(f"{folder} must be a folder that can be written, but: {error.strerror or error}; what was there "
                         f"before is unchanged, choose another place or mend this one") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def _exchange(aside: Path, target: Path, old: Path) -> None:
    """The new folder takes the place of the old one; if it cannot, the old one has it again."""
    try:
        if target.exists():
            target.rename(old)
        aside.rename(target)
    except BaseException:                                 # Ctrl-C too
        if old.exists() and not target.exists():
            old.rename(target)
        raise
