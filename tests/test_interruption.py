"""Ctrl-C, SIGTERM, SIGHUP: what was learnt is kept, exit codes say which, and nobody's handlers are changed for good."""
from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path

import pytest

from golden_model.storage import model_file
from wuxing import comparison, interruption
from wuxing.cli import main
from wuxing.commands import train
from wuxing.experiments import neuron
from wuxing.reports.progress import TrainingProgress

CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}
QUICK = ["--dataset", "digits", "--layers", "64,8,10", "--epochs", "4", "--train-images", "200", "--test-images", "60"]
LONG = [sys.executable, "-u", "-m", "wuxing", "train", "--dataset", "digits", "--epochs", "1000000", "-o"]


def begun(command):
    """A process of which an epoch is complete."""
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch" in line:
            break
    return process


def at(monkeypatch, where, name, times, number):
    """The signal arrives just before the call of that number of this function."""
    calls, real = [], getattr(where, name)

    def called(*arguments, **options):
        calls.append(name)
        if len(calls) == times:
            signal.raise_signal(number)
        return real(*arguments, **options)

    monkeypatch.setattr(where, name, called)


# ---------------------------------------------------------------- a training


@pytest.mark.parametrize("name", CODES)
def test_a_signal_keeps_the_last_complete_epoch(tmp_path, name):
    path = tmp_path / "m.npz"
    with begun([*LONG, path]) as process:
        process.send_signal(signal.Signals[name])
        output = process.communicate()[1]
    assert process.returncode == CODES[name]
    record = model_file.load(path).record
    assert record["interrupted"]
    assert record["complete_epochs"] == len(record["epochs"]) >= 1
    assert output.endswith(f"interrupted: {path} holds the model after {record['complete_epochs']} of 1000000 epochs\n")
    assert [file.name for file in tmp_path.iterdir()] == ["m.npz"]


def test_a_terminal_that_closes_keeps_the_last_complete_epoch(tmp_path):
    """The terminal hangs up, which ends what is written to it too."""
    ours, terminal = pty.openpty()
    path = tmp_path / "m.npz"
    process = subprocess.Popen([*LONG, path], stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
    os.close(terminal)
    output = b""
    while b"epoch 2/" not in output:
        output += os.read(ours, 4096)
    os.close(ours)
    assert process.wait() == 129
    assert model_file.load(path).record["complete_epochs"] >= 1


def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup."""
    path = tmp_path / "m.npz"
    with begun(["sh", "-c", "trap '' HUP; exec \"$@\"", "sh", *LONG, path]) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143


def test_before_an_epoch_is_complete_nothing_is_written(tmp_path, capsys, monkeypatch):
    at(monkeypatch, TrainingProgress, "on_progress", 1, signal.SIGTERM)
    assert main(["train", *QUICK, "-o", str(tmp_path / "m.npz")]) == 143
    assert capsys.readouterr().err.splitlines()[-1] == "wuxing: interrupted: the result was not written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late", [(train, "CompiledModel"), (train, "accuracy"), (model_file, "save")],
                         ids=lambda late: late[1])
def test_a_second_signal_finds_the_model_being_written(tmp_path, capsys, monkeypatch, late):
    """A terminal that closes and a system that shuts down send more than one."""
    at(monkeypatch, TrainingProgress, "on_epoch", 3, signal.SIGTERM)
    module, name = late
    at(monkeypatch, module, name, 1, signal.SIGHUP)
    path = tmp_path / "m.npz"
    assert main(["train", *QUICK, "-o", str(path)]) == 143
    assert model_file.load(path).record["complete_epochs"] == 3
    assert capsys.readouterr().err.splitlines()[-1] == f"interrupted: {path} holds the model after 3 of 4 epochs"


def test_a_signal_after_the_last_epoch_changes_nothing(tmp_path, monkeypatch):
    plain, disturbed = tmp_path / "a.npz", tmp_path / "b.npz"
    assert main(["train", *QUICK, "-q", "-o", str(plain)]) == 0
    at(monkeypatch, train, "accuracy", 1, signal.SIGTERM)
    assert main(["train", *QUICK, "-q", "-o", str(disturbed)]) == 0
    assert plain.read_bytes() == disturbed.read_bytes()


# ---------------------------------------------------------------- other commands

def test_a_signal_within_a_finaliser_interrupts_all_the_same(tmp_path):
    """Python drops what is raised there."""
    program = ("import os, signal, sys, time\nfrom wuxing import interruption, cli\n"
               "class Dying:\n    def __del__(self):\n        os.kill(os.getpid(), signal.SIGTERM)\n        time.sleep(0.01)\n"
               "def command():\n    Dying()\n    for _ in range(100):\n        time.sleep(0.1)\n    print('went on')\n"
               "cli.app.command('die')(command)\nsys.exit(cli.main(['die']))\n")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (143, "", "wuxing: interrupted: the result was not written\n")


@pytest.mark.parametrize(("module", "arguments", "sentence"), [
    ("numpy", ["--version"], "nothing was done"), ("numba", ["train", "--dataset", "digits"], "the result was not written")])
def test_ctrl_c_while_the_program_is_imported_is_one_sentence(tmp_path, module, arguments, sentence):
    """An import that is interrupted stands for all: of the program, and of a command."""
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", "utf-8")
    done = subprocess.run([sys.executable, "-m", "wuxing", *arguments], capture_output=True, text=True, check=False,
                          env=os.environ | {"PYTHONPATH": str(tmp_path)})
    assert (done.returncode, done.stdout, done.stderr) == (130, "", f"wuxing: interrupted: {sentence}\n")


def test_a_comparison_keeps_the_seeds_that_are_complete(tmp_path, capsys, monkeypatch):
    at(monkeypatch, TrainingProgress, "begin", 5, signal.SIGTERM)     # three trainings a seed: within the second one
    at(monkeypatch, comparison, "summary", 1, signal.SIGHUP)
    file = tmp_path / "r.json"
    assert main(["compare", *QUICK, "--seeds", "3", "--json", str(file)]) == 143
    assert [run["seed"] for run in json.loads(file.read_text())["runs"]] == [0]
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted: this is of 1 of 3 seeds"


def test_a_comparison_without_a_complete_seed_compares_nothing(tmp_path, capsys, monkeypatch):
    at(monkeypatch, TrainingProgress, "begin", 3, signal.SIGINT)
    assert main(["compare", *QUICK, "-q", "--json", str(tmp_path / "r.json")]) == 130
    assert capsys.readouterr().err == "wuxing: interrupted: the result was not written\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", CODES)
def test_an_experiment_keeps_its_finished_runs(tmp_path, capsys, monkeypatch, name):
    at(monkeypatch, neuron, "run", 3, signal.Signals[name])
    store = tmp_path / "store"
    assert main(["experiment", "neuron", "--quick", "--store", str(store)]) == CODES[name]
    assert f" runs of neuron are kept in {store}; the same command goes on from there" in capsys.readouterr().err
    assert len(list(store.iterdir())) == 2


WORKERS = """
import sys
from wuxing import interruption, tasks
from wuxing.tasks import Store, Task
if __name__ == "__main__":
    with interruption.watched():
        try:
            tasks.run([Task("sample_task", 3, {"folder": sys.argv[1], "value": k, "wait": True}) for k in range(4)],
                      Store(sys.argv[2]), workers=2, on_finished=lambda done, of: print("begun", flush=True))
        except KeyboardInterrupt:
            sys.exit(interruption.exit_code())
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_workers_end_with_the_process_that_started_them(tmp_path, name):
    """SIGTERM reaches the first one alone, a hang-up all of them."""
    script, folder = tmp_path / "workers.py", tmp_path / "traces"
    script.write_text(WORKERS)
    folder.mkdir()
    (folder / "hold").touch()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])}
    process = subprocess.Popen([sys.executable, script, folder, tmp_path / "store"], stderr=subprocess.PIPE,
                               stdout=subprocess.PIPE, env=environment, start_new_session=True)
    while len(list(folder.glob("*-0-*"))) < 2:
        assert process.poll() is None
    if name == "SIGHUP":
        os.killpg(process.pid, signal.SIGHUP)
    else:
        process.send_signal(signal.SIGTERM)
    process.communicate()                                     # which ends when no worker has the pipes open any more
    assert process.returncode == CODES[name]


# ---------------------------------------------------------------- handlers


def test_handlers_are_as_before_when_main_returns(monkeypatch):
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    signals = []
    monkeypatch.setattr("wuxing.cli._run", lambda arguments: signals.append(signal.getsignal(signal.SIGTERM)) or 0)
    assert main([]) == 0
    assert signals != [signal.getsignal(signal.SIGTERM)]
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == before


def test_handlers_of_the_caller_are_left_alone(monkeypatch):
    came = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: came.append(number))
    try:
        monkeypatch.setattr("wuxing.cli._run", lambda arguments: signal.raise_signal(signal.SIGTERM) or 0)
        assert main([]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert came == [signal.SIGTERM]


def test_main_runs_in_any_thread():
    codes = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_systems_without_a_hang_up_are_served():
    program = ("import signal, sys\ndel signal.SIGHUP\nsignal.SIGBREAK = signal.SIGUSR1\nfrom wuxing import interruption, cli\n"
               "assert [number.name for number in interruption.SIGNALS] == ['SIGINT', 'SIGTERM', 'SIGUSR1']\n"
               "sys.exit(cli.main(['--version']))")
    assert subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False).returncode == 0
