"""Verilog to libraries: the cache keeps them, survives what happens to folders, and errors say what is wrong."""
from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from golden_model import programs
from golden_model.errors import InputError, ToolError
from sim import simulators, verilate

CORE = (Path(__file__).parent / "frame_core.v").read_text("utf-8")


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache."""
    monkeypatch.setenv("WUXING_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/rtl"


@pytest.fixture
def compiled(monkeypatch):
    """The texts that would have been compiled; each becomes a library of its own name and options."""
    texts = []

    def compile_(verilator, compiler, work, library, top, trace, wrapper, ports):
        texts.append((work / "core.v").read_text("utf-8"))
        library.write_text(f"{top} {trace} {(work / 'core.vlt').read_text('utf-8')}")

    monkeypatch.setattr(verilate, "_compile", compile_)
    return texts


def test_a_library_is_built_once(cache, compiled):
    first = verilate.build("module m;", "m")
    assert verilate.build("module m;", "m") == first
    assert compiled == ["module m;"]
    assert first.read_text() == "m False `verilator_config\n"
    assert sorted(path.name for path in first.parent.iterdir()) == ["core.so", "sums.json"]
    assert {path.name for path in cache.iterdir()} == {first.parent.name, f"core-{first.parent.name[:2]}.lock"}


def test_everything_that_the_library_depends_on_tells_it_apart(cache, compiled, monkeypatch, tmp_path):
    result = {verilate.build(*arguments) for arguments in [
        ("module m;", "m"), ("module n;", "m"), ("module m;", "n"), ("module m;", "m", {"a": "1"}),
        ("module m;", "m", {"a": "2"}), ("module m;", "m", {}, [("m", "x")]), ("module m;", "m", {}, [("m", "y")]),
        ("module m;", "m", {}, (), True)]}
    assert len(result) == len(compiled) == 8
    for name in ("WRAPPER", "HEADER"):
        variant = tmp_path / name
        variant.write_text("// other")
        with monkeypatch.context() as patch:
            patch.setattr(verilate, name, variant)
            result.add(verilate.build("module m;", "m"))
    assert len(result) == 10
    newer = simulators.Tool(name="Verilator", path=simulators.verilator().path, version="99.0")
    monkeypatch.setattr(simulators, "verilator", lambda: newer)
    assert verilate.build("module m;", "m") not in result


def test_names_that_are_public_go_into_verilators_configuration(cache, compiled):
    library = verilate.build("", "m", public=[("m", "x"), ("m.pe_*", "acc"), ("m", "x")])
    assert library.read_text() == ('m False `verilator_config\npublic_flat_rd -module "m" -var "x"\n'
                                   'public_flat_rd -module "m.pe_*" -var "acc"\n')


def test_files_of_the_verilog_are_kept_beside_the_library(cache, compiled):
    library = verilate.build('$readmemh("a.hex", x); "other"', "m", {"a.hex": "12\n"})
    assert compiled == [f'$readmemh("{library.parent}/a.hex", x); "other"']
    assert (library.parent / "a.hex").read_text() == "12\n"


@pytest.mark.parametrize("name", ["/etc/a.hex", "../a.hex", "a/../../b", 'a"b'])
def test_files_stay_within_one_folder(cache, name):
    message = f"files must have relative names within one folder, not {name!r}"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        verilate.build("module m;", "m", {name: ""})


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "no sums", "sums cut", "more", "folder gone"])
def test_what_is_damaged_is_built_again(cache, compiled, damage):
    library = verilate.build("module m;", "m", {"a.hex": "1"})
    content = library.read_bytes()
    match damage:
        case "cut":
            library.write_bytes(content[:-1])
        case "changed":
            library.write_bytes(content[:-1] + b"?")
        case "gone":
            (library.parent / "a.hex").unlink()
        case "no sums":
            (library.parent / "sums.json").unlink()
        case "sums cut":
            (library.parent / "sums.json").write_bytes(b'{"core')
        case "more":
            (library.parent / "b.hex").write_text("2")
        case _:
            library.parent.rename(library.parent.with_name("elsewhere"))
    assert verilate.build("module m;", "m", {"a.hex": "1"}) == library
    assert len(compiled) == 2
    assert library.read_bytes() == content
    assert sorted(path.name for path in library.parent.iterdir()) == ["a.hex", "core.so", "sums.json"]


def test_what_fails_leaves_nothing_and_what_a_killed_process_left_is_swept(cache, compiled, monkeypatch):
    library = verilate.build("module m;", "m")
    part = library.parent.with_name(f"{library.parent.name}.part")
    library.parent.rename(part)

    def interrupted(*arguments):
        assert [path.name for path in part.iterdir()] == ["work"]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(verilate, "_compile", interrupted)
        with pytest.raises(KeyboardInterrupt):
            verilate.build("module m;", "m")
    assert [path.name for path in cache.iterdir()] == [f"core-{library.parent.name[:2]}.lock"]
    assert verilate.build("module m;", "m") == library


def build_slowly(started, log):
    """In another process: what is compiled says so in a file, and takes a while."""
    def compile_(verilator, compiler, work, library, top, trace, wrapper, ports):
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        started.wait()
        library.write_text("library")

    verilate._compile = compile_
    verilate.build("module m;", "m")


def test_processes_that_need_the_same_library_wait_for_the_first(cache, tmp_path):
    context = multiprocessing.get_context("spawn")
    release, log = context.Event(), tmp_path / "log"
    workers = [context.Process(target=build_slowly, args=(release, log)) for _ in range(3)]
    for worker in workers:
        worker.start()
    release.set()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    assert len(log.read_text().splitlines()) == 1


def test_a_full_disk_is_told_and_leaves_nothing(cache, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(verilate, "_compile", full)
    message = (f"compiled cores must have a cache folder that can be written, but {cache} says: No space left on device; set "
               f"WUXING_CACHE to another folder")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        verilate.build("module m;", "m")
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == []


def test_without_a_name_the_cache_is_that_of_the_user(monkeypatch, tmp_path, compiled):
    monkeypatch.delenv("WUXING_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert verilate.build("module m;", "m").is_relative_to(tmp_path / "wuxing/rtl")


# ---------------------------------------------------------------- Verilator and compiler


def test_verilog_that_is_refused_is_told_in_verilators_words(cache):
    message = r"^the Verilog of frame_core must be accepted by Verilator [\d.]+, but: %Error: core\.v:\d+:\d+: .*syntax error"
    with pytest.raises(ToolError, match=message):
        verilate.build(CORE.replace("endmodule", "end", 1), "frame_core")
    assert [path.name for path in cache.iterdir() if not path.name.endswith(".lock")] == []


@pytest.mark.parametrize(("old", "new", "message"), [
    ("input [31:0] s_axis_tdata", "input [15:0] s_axis_tdata",
     "frame_core must have the input s_axis_tdata of 32 bits, not input of 16 bits; emit it again or name another top module"),
    ("output m_axis_tlast", "output m_axis_last",
     "frame_core must have the output m_axis_tlast of 1 bits, not no such port; emit it again or name another top module"),
    ("input clk, ", "input clk, input enable, ",
     "frame_core must have no inputs besides clk, rst, s_axis and m_axis, not enable"),
])
def test_a_core_with_other_ports_is_refused(cache, old, new, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        verilate.build(CORE.replace(old, new, 1), "frame_core")


def test_what_the_compiler_refuses_is_told_in_its_words(cache, monkeypatch, tmp_path):
    broken = tmp_path / "verilated.cpp"
    broken.write_text("int wrong = nothing;\n")
    monkeypatch.setattr(verilate, "WRAPPER", broken)
    monkeypatch.setattr(verilate, "_runtime", lambda common, source: source)
    monkeypatch.setattr(verilate, "_headers", lambda compiler, command: [])
    compiler = simulators.compiler().path
    message = rf"^verilated\.cpp must be accepted by {re.escape(str(compiler))}, but: .*verilated\.cpp:1:\d+: error: .*$"
    with pytest.raises(ToolError, match=message):
        verilate.build(CORE, "frame_core")


def test_missing_headers_of_the_trace_are_told_with_what_to_install(cache, monkeypatch, tmp_path):
    source = tmp_path / "verilated_fst_c.cpp"
    source.write_text("#include <no_such_header_of_lz4.h>\n")
    with pytest.raises(ToolError, match=r"no_such_header_of_lz4\.h: No such file or directory; install the headers of zlib "
                                        r"and LZ4, on Debian with `apt-get install zlib1g-dev liblz4-dev`$"):
        verilate._runtime([str(simulators.compiler().path)], source)


def test_headers_are_read_once_for_all_designs(cache, tmp_path):
    """GCC says with an exclamation mark which it took as they were kept: none that were read with other options."""
    compiler = simulators.compiler()
    headers = verilate._headers(compiler, [str(compiler.path), *_include(), verilate.FAST])
    assert headers == ["-include", str(next(cache.glob("headers-*/core.h")))]
    (tmp_path / "unit.cpp").write_text('#include "verilated.h"\n')
    for option, taken in (("-std=c++17", True), ("-std=c++20", False)):
        options = [*_include(), verilate.FAST, option, *headers, "-H"]
        ran = programs.run([compiler.path, *options, "-c", "unit.cpp", "-o", "unit.o"], "g++", folder=tmp_path)
        assert ran.code == 0, ran.complaints
        assert (f"! {headers[1]}.gch\n" in ran.complaints) is taken
    clang = simulators.Tool(name="g++", path=_program(tmp_path, "Apple clang version 17.0.0"), version="17.0.0")
    assert verilate._headers(clang, [str(clang.path)]) == []


def test_the_wrapper_is_compiled_once_for_all_designs_with_the_same_ports(cache, tmp_path):
    """It sees a design through Verilator's header alone, so that the text of the header decides, and its own text."""
    compiler, (wrapper, model) = simulators.compiler(), (tmp_path / name for name in ("wrapper.cpp", "Vcore.h"))
    model.write_text("const int ports = 4;\n")
    wrapper.write_text('#include "Vcore.h"\nint wrapped = ports;\n')

    def compiled():
        return verilate._wrapper(compiler, [str(compiler.path)], model, wrapper, [])
    first = compiled()
    assert first.is_relative_to(cache)
    assert b"wrapped" in first.read_bytes()
    stamp = first.stat().st_mtime_ns
    assert compiled() == first
    assert first.stat().st_mtime_ns == stamp
    model.write_text("const int ports = 5;\n")
    other = compiled()
    wrapper.write_text('#include "Vcore.h"\nint wrapped = 2 * ports;\n')
    assert len({first, other, compiled()}) == 3


def test_flags_of_the_user_come_last_and_optimisation_is_as_they_say(cache, compiled, monkeypatch):
    """``CXXFLAGS`` as make and others know it. Cores that were compiled otherwise are others."""
    assert verilate._levels() == ("-O0", "-O0")                       # tests/conftest.py
    libraries = {verilate.build("module m;", "m") for _ in range(2)}
    monkeypatch.setenv("CXXFLAGS", "-O1 -DSOMETHING='a b'")
    assert verilate._levels() == ("-O1", "-O1")
    assert verilate._compiler_options() == [*verilate.COMPILER_OPTIONS, "-DSOMETHING=a b"]
    libraries.add(verilate.build("module m;", "m"))
    monkeypatch.delenv("CXXFLAGS")
    assert verilate._levels() == (verilate.FAST, verilate.SLOW) == ("-O2", "-O0")
    assert len(libraries | {verilate.build("module m;", "m")}) == 3


def _include():
    return [*verilate.COMPILER_OPTIONS, "-I", str(simulators.verilator().path.parent.parent / "include")]


def _program(folder, says):
    path = folder / "g++"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_small_sources_share_a_unit_and_great_ones_do_not(tmp_path):
    sizes = {"a": 10, "b": 200, "c": 10, "d": 10, "e": 300, "f": 850, "g": 10}
    units = []
    for name, size in sizes.items():
        (tmp_path / name).write_text(" " * size)
        units.append((tmp_path / name, "-O0" if name in "cfg" else "-O2"))
    joined = verilate._gathered(tmp_path, units, most=215)
    assert [(re.findall(r'"(\w)"', path.read_text()), option) for path, option in joined] == [
        (["a", "b"], "-O2"), (["d"], "-O2"), (["e"], "-O2"), (["c", "f"], "-O0"), (["g"], "-O0")]


def test_sums_are_of_all_files(cache, compiled):
    library = verilate.build("module m;", "m", {"data/a.hex": "1"})
    assert set(json.loads((library.parent / "sums.json").read_text())) == {"core.so", "data/a.hex"}
    assert stat.S_ISDIR((library.parent / "data").stat().st_mode)


def test_a_top_module_with_other_ports_and_its_own_wrapper(cache, tmp_path):
    wrapper = tmp_path / "half.cpp"
    wrapper.write_text('#include "Vcore.h"\n')
    ports = {"a": ("IN", 1), "b": ("OUT", 1)}
    message = "m must have no inputs besides a, not c"
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        verilate.build("module m(input a, input c, output b); assign b = a & c; endmodule", "m", wrapper=wrapper, ports=ports)
    with pytest.raises(InputError, match=re.escape("m must have the output b of 1 bits, not no such port")):
        verilate.build("module m(input a); endmodule", "m", wrapper=wrapper, ports=ports)


def test_verilator_runs_from_any_folder(tmp_path):
    """Its driver gives the name of the program to a shell; ``make`` installs it wherever this project lies."""
    package = simulators.verilator().path.parent.parent
    installed, work = tmp_path / "été, Wǔ Xíng; 'x'" / "verilator", tmp_path / "work"
    shutil.copytree(package, installed)
    work.mkdir()
    (work / "m.v").write_text("module m; endmodule\n", "utf-8")
    verilate._run([installed / "bin/verilator", "--cc", "--prefix", "Vm", "--Mdir", "cpp", "m.v"], work, "m must be accepted")
    assert (work / "cpp/Vm.h").is_file()
