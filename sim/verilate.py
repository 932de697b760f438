"""Verilog to a shared library: Verilator, then the C++ compiler; built once per configuration and kept in a cache.

In the folder of ``sim.library_cache`` ``<hash>`` holds a library, where the hash is that of everything the library depends on,
tool versions included; ``runtime-<hash>`` holds an object that is the same for all designs, ``wrapper-<hash>`` that of the
functions that we add, the same for all designs with the same ports, ``headers-<hash>`` the headers that all include, as GCC
keeps them once it has read them.

Folders may have any name: what Verilator and the compiler read names no folder of the user, but for files that the library
reads, whose names are written in octal.
"""
from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

from golden_model import programs
from golden_model.errors import InputError, ToolError
from sim import library_cache, simulators

WRAPPER = Path(__file__).with_name("verilated.cpp")
HEADER = Path(__file__).with_name("model.h")              # of every wrapper
LIBRARY = "core.so"
VERILATOR_OPTIONS = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert", "-Wno-fatal", "-Wno-lint", "-Wno-style",
                     "--output-split", "20000", "--output-split-cfuncs", "500")    # g++ takes long for long functions
COMPILER_OPTIONS = ("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-fno-math-errno", "-w", "-DVERILATOR=1",
                    "-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TIMING=0", "-DVM_TRACE_VCD=0", "-DVM_TRACE_SAIF=0",
                    "-DVL_USER_FATAL", "-DVL_USER_STOP", "-DVL_USER_FINISH", "-DVL_USER_WARN")
FAST, SLOW = "-O2", "-O0"                 # what runs every clock; what runs once
PORTS = {"clk": ("IN", 1), "rst": ("IN", 1),
         "s_axis_tdata": ("IN", 32), "s_axis_tvalid": ("IN", 1), "s_axis_tready": ("OUT", 1), "s_axis_tlast": ("IN", 1),
         "m_axis_tdata": ("OUT", 32), "m_axis_tvalid": ("OUT", 1), "m_axis_tready": ("IN", 1), "m_axis_tlast": ("OUT", 1)}
JOBS = 2                                  # compilers at a time
PLAIN = 4                                 # so many times as much is compiled at once without optimisation
HEADERS = ("verilated.h", "verilated_syms.h", "cstdint", "cstring", "memory", "stdexcept", "string", "vector")


def build(verilog: str, top: str, files: Mapping[str, str] | None = None, public: Sequence[tuple[str, str]] = (),
          trace: bool = False, *, wrapper: Path | None = None, ports: Mapping[str, tuple[str, int]] = PORTS) -> Path:
    """The shared library of a core, from the cache or new.

    Parameters
    ----------
    verilog : the text of all modules.
    top : name of the module with these ports.
    files : text of files that the Verilog reads (``$readmemh``), by the relative name that it gives them.
    public : (module, variable) names that probes may read; either may have the wildcards ``*`` and ``?``.
    trace : make the variant that can write FST traces, which is slower.
    wrapper : the C++ that makes functions of the model ``Vcore``, those of the library; by default ``WRAPPER``.
    ports : direction (IN or OUT) and bits of each port; the wrapper relies on them.

    Raises
    ------
    ToolError
        If a tool is missing, or refuses the Verilog.
    InputError
        If the ports are others, or the cache cannot be written.
    """
    verilator, compiler = simulators.verilator(), simulators.compiler()
    files, wrapper = dict(files or {}), wrapper or WRAPPER
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or '"' in name:
            raise InputError(f"files must have relative names within one folder, not {name!r}")
    cache = library_cache.folder()
    key = _hash(*(path.read_text("utf-8") for path in (wrapper, HEADER)), verilator.label, str(verilator.path), compiler.label,
                str(compiler.path), *_levels(), *VERILATOR_OPTIONS, *_compiler_options(), verilog, top,
                json.dumps(sorted(files.items())), json.dumps(sorted(set(public))), str(trace), str(cache) if files else "")

    def make(folder: Path) -> None:
        kept = cache / key                                        # its final place: the library reads the files there
        text = verilog
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, "utf-8")
            text = text.replace(f'"{name}"', f'"{_octal(kept / name)}"')
        work = folder / "work"
        work.mkdir()
        (work / "core.v").write_text(text, "utf-8")
        (work / "core.vlt").write_text(_public_file(public), "utf-8")
        _compile(verilator, compiler, work, folder / LIBRARY, top, trace, wrapper, ports)
        shutil.rmtree(work)

    return library_cache.kept(key, make) / LIBRARY


def _compile(verilator: simulators.Tool, compiler: simulators.Tool, work: Path, library: Path, top: str, trace: bool,
             wrapper: Path, ports: Mapping[str, tuple[str, int]]) -> None:
    options = [*VERILATOR_OPTIONS, *(["--trace-fst"] if trace else [])]
    _run([verilator.path, "--cc", "--make", "json", "--prefix", "Vcore", "--top-module", top, "--Mdir", "cpp", *options,
          "core.vlt", "core.v"], work, f"the Verilog of {top} must be accepted by {verilator.label}")
    _check_ports(top, (work / "cpp/Vcore.h").read_text("utf-8"), ports)
    plan = json.loads(_without_octal((work / "cpp/Vcore.json").read_text("utf-8")))
    sources, include = plan["sources"], Path(plan["system"]["verilator_root"]) / "include"
    fast, slow = _levels()
    common = [str(compiler.path), *_compiler_options(), "-I", str(include), "-I", str(include / "vltstd")]
    variant = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_FST={int(trace)}"]
    with ThreadPoolExecutor(JOBS) as pool:
        headers = pool.submit(_headers, compiler, [*common, *variant, fast])
        runtime = list(pool.map(lambda source: _runtime(common, Path(source)), sources["global"]))
    units = [(path, fast) for path in (Path(name) for name in sources.get("classes_fast", []))]
    units += [(Path(name), slow) for kind in ("classes_slow", "support_fast", "support_slow") for name in sources.get(kind, [])]
    wrapped = _wrapper(compiler, [*common, *variant], work / "cpp/Vcore.h", wrapper, headers.result())
    units = _gathered(work / "cpp", units)
    objects = [wrapped, *_objects([*common, *variant, "-I", "cpp"], units, work, headers.result())]
    lz4 = ["-llz4"] if trace and (include / "fstcpp").is_dir() else []       # which Verilator forgets to name
    libraries = [*plan["options"].get("ldflags", []), *lz4, "-pthread"]
    _run([compiler.path, "-shared", "-Wl,-Bsymbolic", "-o", library, *objects, *runtime, *libraries], work,
         "the library of the core must link")


def _compiler_options() -> list[str]:
    """Those of ``CXXFLAGS`` come last, so that they win."""
    return [*COMPILER_OPTIONS, *(flag for flag in shlex.split(os.environ.get("CXXFLAGS", "")) if not flag.startswith("-O"))]


def _levels() -> tuple[str, str]:
    """Optimisation of what runs every clock and of what runs once; one in ``CXXFLAGS`` is that of both."""
    named = [flag for flag in shlex.split(os.environ.get("CXXFLAGS", "")) if flag.startswith("-O")]
    return (named[-1], named[-1]) if named else (FAST, SLOW)


def _gathered(folder: Path, units: Sequence[tuple[Path, str]], most: int = 1_000_000) -> list[tuple[Path, str]]:
    """Small sources joined by #include, for each option at least one unit: reading the headers is most of the work.

    ``units``: sources in ``folder``, relative to its parent, where the compiler is started; and the option of each. ``most``:
    bytes of a unit that is optimised; one that is not has ``PLAIN`` times as many.
    """
    joined: list[tuple[Path, str]] = []
    for option in dict.fromkeys(option for _, option in units):
        batch: list[Path] = []
        size, limit = 0, most * (PLAIN if option == "-O0" else 1)
        for path in [path for path, needed in units if needed == option]:
            if batch and size + (folder.parent / path).stat().st_size > limit:
                joined.append((_including(folder, batch, len(joined)), option))
                batch, size = [], 0
            batch.append(path)
            size += (folder.parent / path).stat().st_size
        joined.append((_including(folder, batch, len(joined)), option))
    return joined


def _including(folder: Path, paths: Sequence[Path], number: int) -> Path:
    unit = folder / f"unit_{number}.cpp"
    unit.write_text("".join(f'#include "{path.name}"\n' for path in paths), "utf-8")     # they lie beside it
    return unit


def _runtime(common: Sequence[str], source: Path) -> Path:
    """One of Verilator's own sources, which are the same for every core, as an object from the cache or new."""
    fast, _ = _levels()
    key = _hash(*common, fast, str(source), source.read_text("utf-8"))
    folder = library_cache.kept(f"runtime-{key}", lambda aside: _objects(common, [(source, fast)], aside))
    return folder / f"{source.stem}.o"


def _wrapper(compiler: simulators.Tool, command: Sequence[str], model: Path, wrapper: Path, headers: Sequence[str]) -> Path:
    """The object of a wrapper, from the cache or new. It knows a design by ``model`` alone, Verilator's header, which is the
    same for all designs with the same ports."""
    fast, _ = _levels()
    texts = [path.read_text("utf-8") for path in (wrapper, HEADER, model)]

    def make(folder: Path) -> None:
        for path in (wrapper, HEADER, model):
            shutil.copyfile(path, folder / path.name)
        _objects([*command, "-I", "."], [(Path(wrapper.name), fast)], folder, headers)

    key = _hash(compiler.label, *command, fast, wrapper.name, *texts)
    return library_cache.kept(f"wrapper-{key}", make) / f"{wrapper.stem}.o"


def _headers(compiler: simulators.Tool, command: Sequence[str]) -> list[str]:
    """Options with which ``command`` need not read the headers of every design again; GCC alone finds them where they were
    moved to. They save half a second of each unit; what runs once is too little for a second set of 70 MB."""
    if not simulators.is_gcc(compiler):
        return []
    text = "".join(f"#include <{name}>\n" for name in HEADERS)

    def make(folder: Path) -> None:
        (folder / "core.h").write_text(text, "utf-8")
        _run([*command, "-x", "c++-header", "core.h", "-o", "core.h.gch"], folder, f"Verilator's headers must be accepted by "
             f"{compiler.label}")
    return ["-include", str(library_cache.kept(f"headers-{_hash(compiler.label, *command, text)}", make) / "core.h")]


def _objects(command: Sequence[str], units: Sequence[tuple[Path, str]], folder: Path,
             headers: Sequence[str] = ()) -> list[Path]:
    """``headers``: further options for units of what runs every clock."""
    def compiled(unit: tuple[Path, str]) -> Path:
        source, option = unit
        target = folder / f"{source.stem}.o"
        more = headers if option == _levels()[0] else ()
        remedy = "; install the headers of zlib and LZ4, on Debian with `apt-get install zlib1g-dev liblz4-dev`"
        _run([*command, option, *more, "-c", source, "-o", target], folder, f"{source.name} must be accepted by {command[0]}",
             remedy if "fst" in source.name else "")
        return target

    with ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(compiled, units))


def _check_ports(top: str, header: str, ports: Mapping[str, tuple[str, int]]) -> None:
    """Compare the ports in Verilator's header, ``VL_IN8(&clk,0,0);``, with those that must be there."""
    there = {name: (direction, int(high) - int(low) + 1) for direction, name, high, low
                in re.findall(r"VL_(IN|OUT)\w*\(&(\w+),(\d+),(\d+)\)", header)}
    for name, (direction, bits) in ports.items():
        if there.get(name) != (direction, bits):
            what = f"{there[name][0].lower()}put of {there[name][1]} bits" if name in there else "no such port"
            raise InputError(f"{top} must have the {direction.lower()}put {name} of {bits} bits, not {what}; "
                             f"emit it again or name another top module")
    if more := [name for name, (direction, _) in there.items() if direction == "IN" and name not in ports]:
        usual = "clk, rst, s_axis and m_axis" if ports is PORTS else ", ".join(
            name for name, (direction, _) in ports.items() if direction == "IN")
        raise InputError(f"{top} must have no inputs besides {usual}, not {', '.join(more)}")


def _public_file(public: Sequence[tuple[str, str]]) -> str:
    lines = [f'public_flat_rd -module "{module}" -var "{variable}"\n' for module, variable in sorted(set(public))]
    return "`verilator_config\n" + "".join(lines)


def _hash(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:32]


def _run(command: Sequence[str | Path], folder: Path, must: str, remedy: str = "") -> None:
    """Run a tool; what it complains of first is the reason in the error."""
    environment = {name: value for name, value in os.environ.items() if name != "VERILATOR_ROOT"}     # each has its own
    if (binary := Path(command[0]).parent / "verilator_bin").is_file():
        environment["VERILATOR_BIN"] = shlex.quote(str(binary))      # its driver gives the name to a shell as it is
    ran = programs.run(command, Path(command[0]).name, folder=folder, environment=environment)
    if ran.code:
        lines = [line.strip() for line in (ran.complaints + ran.output).splitlines() if line.strip()]
        reason = next((line for line in lines if "error" in line.lower()), lines[0] if lines else f"exit code {ran.code}")
        raise ToolError(f"{must}, but: {reason}{remedy}")


def _octal(path: Path) -> str:
    """The name of a file for a Verilog string: what is no letter, digit or one of ``/._-`` as octal numbers of its bytes."""
    return "".join(chr(byte) if chr(byte).isascii() and (chr(byte).isalnum() or chr(byte) in "/._-") else f"\\{byte:03o}"
                   for byte in os.fsencode(path))


def _without_octal(text: str) -> str:
    """JSON of Verilator, which writes the bytes of other letters than ASCII as octal numbers, against the rules."""
    def decoded(match: re.Match[str]) -> str:
        return match[1] + os.fsdecode(bytes(int(number, 8) for number in re.findall(r"\\(\d+)", match[2])))
    return re.sub(r"(?<!\\)((?:\\\\)*)((?:\\[0-3][0-7]{2})+)", decoded, text)
