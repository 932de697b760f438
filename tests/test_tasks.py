"""Tasks: names, the store, several processes, a Dask cluster; what is finished is never run again."""
from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from threading import Thread

import distributed
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden_model.errors import InputError, ToolError
from wuxing import tasks
from wuxing.tasks import Store, Task, canonical, perform, run

plain = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                     lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@pytest.fixture
def folder(tmp_path):
    """Where sample tasks leave one file for each attempt."""
    traces = tmp_path / "traces"
    traces.mkdir()
    return traces


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def sample(folder, value, **more):
    return Task("sample_task", 3, {"folder": str(folder), "value": value, **more})


def attempts(folder):
    """How often each value was begun."""
    counts: dict[int, int] = {}
    for path in folder.glob("*-*-*"):
        value = int(path.name.split("-")[0])
        counts[value] = counts.get(value, 0) + 1
    return counts


def squares(records):
    return [record.result["square"] for record in records]


def wait_for(condition):
    while not condition():
        time.sleep(0.005)


# ---------------------------------------------------------------- names


def test_the_name_is_the_hash_of_function_version_and_setting():
    """Computed apart: printf '{"function":"m.run","setting":{"a":[1,0.5],"b":"x"},"version":2}' | sha256sum"""
    task = Task("m", 2, {"b": "x", "a": [1, 0.5]})
    assert task.name == "90e3de8b3771c5151a906e19b56b27e4a420499138d1c92fab44d340d5f1a60c"


@settings(max_examples=40)
@given(st.dictionaries(st.text(), plain))
def test_names_do_not_depend_on_the_order_of_keys(setting):
    turned = dict(reversed(setting.items()))
    assert Task("m", 1, setting).name == Task("m", 1, turned).name


@settings(max_examples=40)
@given(st.dictionaries(st.text(), plain), st.dictionaries(st.text(), plain))
def test_tasks_that_differ_have_different_names(one, other):
    same = canonical(one) == canonical(other)
    assert (Task("m", 1, one).name == Task("m", 1, other).name) == same
    assert len({Task("m", 1, one).name, Task("m", 2, one).name, Task("n", 1, one).name}) == 3


NOT_JSON = "the setting of a task must be plain JSON, but: {}; name data by text and numbers"
NOT_PLAIN = ("the setting of a task must be plain JSON with text as keys and lists, not tuples, for sequences; convert it "
             "before the task is made")


@pytest.mark.parametrize(("setting", "text"), [
    ({"a": (1, 2)}, re.escape(NOT_PLAIN)), ({1: 2}, re.escape(NOT_PLAIN)),
    ({"a": float("nan")}, NOT_JSON.format("Out of range float values are not JSON compliant(: nan)?")),   # by Python's version
    ({"a": Path()}, NOT_JSON.format("Object of type PosixPath is not JSON serializable"))])
def test_a_setting_is_plain_json(setting, text):
    with pytest.raises(InputError, match=f"^{text}$"):
        Task("m", 1, setting)


def test_a_task_for_another_version_is_refused(folder):
    text = "sample_task must have version 2 for this task, not 3; install the same wuxing on every machine"
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        perform(Task("sample_task", 2, {"folder": str(folder), "value": 1}))
    assert attempts(folder) == {}


# ---------------------------------------------------------------- the store


def test_finished_tasks_are_never_run_again_and_results_come_in_order(folder, store):
    lines = []
    first = run([sample(folder, 1), sample(folder, 2)], store)
    samples = [sample(folder, value) for value in (3, 2, 1, 3)]
    records = run(samples, store, on_finished=lambda finished, total: lines.append((finished, total)))
    assert squares(records) == [9, 4, 1, 9]
    assert records[1:3] == first[::-1]
    assert attempts(folder) == {1: 1, 2: 1, 3: 1}
    assert lines == [(2, 3), (3, 3)]
    assert sorted(path.name for path in store.folder.iterdir()) == sorted(f"{task.name}.json" for task in samples[:3])


def test_a_record_says_what_was_run_with_what(folder, store):
    task = sample(folder, 5)
    [record] = run([task], store)
    assert json.loads(store.path(task).read_text()) == asdict(record)
    assert record.task == {"function": "sample_task.run", "version": 3, "setting": {"folder": str(folder), "value": 5}}
    assert record.seconds > 0
    assert set(record.versions) == {"python", "wuxing", "numpy", "numba"}


@pytest.mark.parametrize("damage", [
    lambda text: "", lambda text: text[:-20], lambda text: "[" * 100_000, lambda text: "null", lambda text: "{}",
    lambda text: text.replace('"square": 49', '"square": 48'), lambda text: text.replace('"value": 7', '"value": 8'),
    lambda text: text.replace('"version": 3', '"version": 2'), lambda text: text.replace("49", "NaN"),
    lambda text: b"\xff" + text.encode()])
def test_a_damaged_result_is_run_again(folder, store, damage):
    task = sample(folder, 7)
    run([task], store)
    whole = store.path(task).read_text()
    hurt = damage(whole)
    assert hurt != whole
    store.path(task).write_bytes(hurt if isinstance(hurt, bytes) else hurt.encode())
    assert store.load(task) is None
    assert squares(run([task], store)) == [49]
    assert attempts(folder) == {7: 2}
    assert store.load(task) is not None


def test_what_was_finished_before_an_error_stays(folder, store):
    samples = [sample(folder, 1), sample(folder, 2, refuse=True), sample(folder, 3)]
    with pytest.raises(InputError, match="^the sample must not be refused, but it is; drop refuse$"):
        run(samples, store)
    assert [store.load(task) is not None for task in samples] == [True, False, False]


def test_a_store_is_a_folder(tmp_path):
    file = tmp_path / "file"
    file.touch()
    for name, reason in ((file, "File exists"), (file / "deep", "Not a directory")):
        text = f"the store of results must be a folder that can be made, but {name}: {reason}; choose another one"
        with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
            Store(name)


def test_results_that_are_not_json_are_refused_before_they_are_kept(folder, store, monkeypatch):
    import sample_task
    monkeypatch.setattr(sample_task, "run", lambda setting: {"value": float("inf")})
    with pytest.raises(ValueError, match="Out of range float"):
        run([sample(folder, 1)], store)
    assert list(store.folder.iterdir()) == []


# ---------------------------------------------------------------- several processes


def test_processes_give_the_same_results(folder, store):
    records = run([sample(folder, value) for value in range(6)], store, workers=2)
    assert squares(records) == [0, 1, 4, 9, 16, 25]
    pids = {record.result["pid"] for record in records}
    assert os.getpid() not in pids
    assert len(pids) <= 2


def test_a_killed_process_does_not_end_the_collection(folder, store):
    records = run([sample(folder, 1, die=2), sample(folder, 2)], store, workers=2)
    assert squares(records) == [1, 4]
    assert attempts(folder)[1] == 3


def test_a_task_that_always_kills_its_process_does(folder, store):
    text = ("worker processes must live until their task is done, but 3 times in a row one was killed, perhaps for want of "
            "memory; give fewer --workers")
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        run([sample(folder, 1, die=100)], store, workers=2)
    assert attempts(folder) == {1: 3}


def test_a_process_that_dies_while_tasks_are_handed_out_does_not_end_the_collection(folder, store, monkeypatch):
    real, calls = tasks.ProcessPoolExecutor.submit, []

    def submit(pool, *arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise BrokenProcessPool("a child process terminated abruptly")
        return real(pool, *arguments)

    monkeypatch.setattr(tasks.ProcessPoolExecutor, "submit", submit)
    assert squares(run([sample(folder, 1), sample(folder, 2)], store, workers=2)) == [1, 4]
    assert len(calls) == 4


def test_an_error_of_a_task_comes_through_the_processes(folder, store):
    with pytest.raises(InputError, match="^the sample must not be refused, but it is; drop refuse$"):
        run([sample(folder, 1, refuse=True)], store, workers=2)


def test_workers_must_be_one_or_more(store):
    with pytest.raises(InputError, match="^workers must be 1 or more processes, not 0$"):
        run([], store, workers=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_collection_resumes(folder, store, workers):
    """Ctrl-C reaches the first process while one task is done and others are held; it ends and keeps what was finished."""
    samples = [sample(folder, value, wait=value > 0) for value in range(4)]
    script = folder.parent / "collect.py"
    script.write_text(f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from wuxing.tasks import Store, Task, run
if __name__ == "__main__":
    run([Task("sample_task", 3, setting) for setting in {[task.setting for task in samples]!r}], Store({str(store.folder)!r}),
        workers={workers})
""")
    (folder / "hold").touch()
    process = subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    wait_for(lambda: store.load(samples[0]) is not None and sum(attempts(folder).values()) > 1)
    process.send_signal(signal.SIGINT)
    assert b"KeyboardInterrupt" in process.communicate()[1]
    assert [store.load(task) is not None for task in samples] == [True, False, False, False]
    (folder / "hold").unlink()
    assert squares(run(samples, store)) == [0, 1, 4, 9]
    assert attempts(folder)[0] == 1


# ---------------------------------------------------------------- a Dask cluster


@pytest.fixture
def cluster():
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as local:
        yield local
        with distributed.Client(local) as client:              # a nanny that is starting a worker anew cannot be closed
            client.wait_for_workers(2, timeout=120)


def test_a_cluster_survives_the_death_of_a_worker_in_the_middle(folder, store, cluster):
    """Both processes are in the middle of a task; one of them is killed; all results come, finished tasks ran once."""
    (folder / "hold").touch()
    samples = [sample(folder, value, wait=True) for value in range(6)]
    killed = []

    def kill_one(finished, total):
        if finished == 0:
            return
        assert killed, "tasks finished although they were held"

    def executioner():
        wait_for(lambda: len(list(folder.glob("*-0-*"))) >= 2)
        victim = int(min(folder.glob("*-0-*")).name.split("-")[2])
        os.kill(victim, signal.SIGKILL)
        killed.append(victim)
        (folder / "hold").unlink()

    thread = Thread(target=executioner, daemon=True)
    thread.start()
    records = run(samples, store, scheduler=cluster.scheduler_address, on_finished=kill_one)
    thread.join()
    assert squares(records) == [0, 1, 4, 9, 16, 25]
    assert killed[0] not in {record.result["pid"] for record in records}
    counts = attempts(folder)
    assert sorted(counts) == [0, 1, 2, 3, 4, 5]
    assert 1 <= sum(counts.values()) - 6 <= 2                 # what was killed in the middle, and nothing else
    again = sum(counts.values())
    assert run(samples, store, scheduler=cluster.scheduler_address) == records
    assert sum(attempts(folder).values()) == again


def test_errors_of_a_task_come_through_the_cluster(folder, store, cluster):
    with pytest.raises(InputError, match="^the sample must not be refused, but it is; drop refuse$"):
        run([sample(folder, 1, refuse=True)], store, scheduler=cluster.scheduler_address)
    text = r"^workers must live until their task is done, but several were killed by the same one \(.*\), perhaps for want of "
    with pytest.raises(ToolError, match=text):
        run([sample(folder, 2, die=100)], store, scheduler=cluster.scheduler_address)


def test_a_scheduler_that_is_not_there(folder, store, monkeypatch):
    monkeypatch.setattr(tasks, "CONNECT_SECONDS", 0.2)
    text = r"^a Dask scheduler must answer at tcp://127\.0\.0\.1:9, but: .*; start one with dask scheduler, or mend the "
    with pytest.raises(ToolError, match=text):
        run([sample(folder, 1)], store, scheduler="tcp://127.0.0.1:9")
    assert attempts(folder) == {}


def test_a_missing_extra_is_named(folder, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    text = "--scheduler must find the package distributed, which is not installed; pip install 'wuxing[cluster]'"
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        run([sample(folder, 1)], store, scheduler="tcp://127.0.0.1:9")
