"""Tasks: single runs described by plain JSON, named by the hash of that description, and never run twice.

A task is one seed of one setting. Its result is a file of the store, written aside and renamed, so a collection that was
interrupted resumes where it stood, whoever runs it next: this process, several processes, or a Dask cluster.
"""
from __future__ import annotations

import hashlib
import importlib
import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from golden_model.errors import InputError, ToolError
from golden_model.storage.atomic_write import write_atomically
from golden_model.versions import versions
from wuxing.experiments.summary import Plain

STORE = Path("build/experiments")         # where results are kept unless another folder is named
MOST_CRASHES = 3                          # worker processes in a row that may die without a result between them
CONNECT_SECONDS = 30                      # until a scheduler that does not answer is given up

OnFinished = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What the store keeps of a finished task: its description, its result (plain JSON) and the SHA-256 of that, the seconds
    that it took, and the versions of what computed it."""

    task: dict[str, object]
    result: Plain
    sha256: str
    seconds: float
    versions: dict[str, str]


def canonical(data: object) -> str:
    """The one JSON text of plain data: keys sorted, no spaces, ASCII. NaN and infinities raise a ``ValueError``."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, eq=False)
class Task:
    """One run: ``run(setting)`` of a module, whose ``VERSION`` was ``version`` when the task was made.

    Parameters
    ----------
    module : str
        Name of a module with an int ``VERSION`` and a function ``run(setting) -> dict`` of plain JSON. Whoever changes
        what ``run`` computes raises ``VERSION``: results of older versions are then no longer taken.
    version : int
    setting : dict
        All that the result depends on, as plain JSON (string keys, lists, no tuples).

    Raises
    ------
    InputError
        If ``setting`` is not plain JSON.
    """

    module: str
    version: int
    setting: Plain

    def __post_init__(self) -> None:
        try:
            same = json.loads(canonical(self.setting)) == self.setting
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"the setting of a task must be plain JSON, but: {error}; name data by text and numbers") from None
        if not same:
            raise InputError("the setting of a task must be plain JSON with text as keys and lists, not tuples, for sequences; "
                             "convert it before the task is made")

    @property
    def description(self) -> dict[str, object]:
        return {"function": f"{self.module}.run", "version": self.version, "setting": self.setting}

    @property
    def name(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the canonical JSON of function, version and setting."""
        return _digest(self.description)


def perform(task: Task) -> Record:
    """Run a task here and now; the record that the store keeps.

    Raises
    ------
    ToolError
        If the task is meant for another version of its function: two installations that differ share a cluster.
    """
    module = importlib.import_module(task.module)
    if task.version != module.VERSION:
        raise ToolError(f"{task.module} must have version {task.version} for this task, not {module.VERSION}; install the "
                        f"same wuxing on every machine")
    began = time.perf_counter()
    result = module.run(json.loads(canonical(task.setting)))              # a copy: nobody changes the description
    seconds = time.perf_counter() - began
    return Record(task=task.description, result=json.loads(canonical(result)), sha256=_digest(result), seconds=seconds,
                  versions=versions())


class Store:
    """A folder with one JSON file for each finished task, called after the task.

    Parameters
    ----------
    folder : path
        Made if it is not there. Deleting files in it only means that their tasks are run again.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """

    def __init__(self, folder: str | os.PathLike[str] = STORE) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:                              # now, not when the first hour is over
            raise InputError(f"the store of results must be a folder that can be made, but {self.folder}: {error.strerror}; "
                             f"choose another one") from None

    def path(self, task: Task) -> Path:
        return self.folder / f"{task.name}.json"

    def load(self, task: Task) -> Record | None:
        """The record of a finished task; None if there is none, or if it is damaged in whatever way."""
        try:
            record = Record(**json.loads(self.path(task).read_bytes()))
            whole = record.task == task.description and record.sha256 == _digest(record.result)
        except (FileNotFoundError, ValueError, RecursionError, TypeError):
            return None
        return record if whole else None

    def save(self, task: Task, record: Record) -> None:
        write_atomically(self.path(task), json.dumps(asdict(record), indent=1, sort_keys=True, allow_nan=False) + "\n")


def cores() -> int:
    """Those of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(tasks: list[Task], store: Store, *, workers: int = 1, scheduler: str | None = None,
        on_finished: OnFinished | None = None) -> list[Record]:
    """The records of tasks, in their order; what the store has is not run again, what is new is kept there at once.

    Parameters
    ----------
    tasks : list of Task
        Equal ones are run once.
    store : Store
    workers : int
        Processes on this machine; 1 runs in this process.
    scheduler : str, optional
        Address of a Dask scheduler (``tcp://host:8786``), whose workers run the tasks instead.
    on_finished : callable(finished, all), optional
        Called once before the first and after every task that is run.

    Raises
    ------
    InputError
        If there are no workers, or a task refuses its setting.
    ToolError
        If the scheduler does not answer, or workers keep dying or have another version of this package. Any other exception
        of a task comes through as it is. What was finished before stays in the store.
    """
    if workers < 1:
        raise InputError(f"workers must be 1 or more processes, not {workers}")
    unique = {task.name: task for task in tasks}
    records = {name: record for name, task in unique.items() if (record := store.load(task)) is not None}
    missing = [task for name, task in unique.items() if name not in records]
    if on_finished is not None:
        on_finished(len(records), len(unique))
    with closing(_performed(missing, workers, scheduler)) as finished:
        for task, record in finished:
            store.save(task, record)
            records[task.name] = record
            if on_finished is not None:
                on_finished(len(records), len(unique))
    return [records[task.name] for task in tasks]


Performed = Generator[tuple[Task, Record], None, None]


def _performed(tasks: list[Task], workers: int, scheduler: str | None) -> Performed:
    """Tasks with their records in whatever order they end. Closing it stops what still runs."""
    if not tasks:
        return
    if scheduler is not None:
        yield from _on_cluster(tasks, scheduler)
    elif workers > 1:
        yield from _in_processes(tasks, workers)
    else:
        for task in tasks:
            yield task, perform(task)


def _in_processes(tasks: list[Task], workers: int) -> Performed:
    left, crashes = {task.name: task for task in tasks}, 0
    while left:
        others = set(multiprocessing.active_children())
        # spawn: what a fork would copy, threads and compiled code, is not made for it
        pool = ProcessPoolExecutor(min(workers, len(left)), multiprocessing.get_context("spawn"), initializer=_become_worker)
        crashes += 1
        try:
            waiting = {pool.submit(perform, task): task for task in left.values()}
            for future in as_completed(waiting):
                if isinstance(future.exception(), BrokenProcessPool):
                    continue                                  # this task, too, is left for the next pool
                record = future.result()
                del left[waiting[future].name]
                crashes = 0
                yield waiting[future], record
        except BrokenProcessPool:
            pass                                              # a process died while tasks were still handed out
        except BaseException:                                 # Ctrl-C, an error of a task, or nobody wants the rest
            for process in set(multiprocessing.active_children()) - others:
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        if crashes >= MOST_CRASHES:
            raise ToolError(f"worker processes must live until their task is done, but {crashes} times in a row one was "
                            f"killed, perhaps for want of memory; give fewer --workers")


def _become_worker() -> None:
    """A worker leaves Ctrl-C to the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _on_cluster(tasks: list[Task], address: str) -> Performed:
    try:
        import distributed
    except ImportError:
        raise ToolError("--scheduler must find the package distributed, which is not installed; "
                        "pip install 'wuxing[cluster]'") from None
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ToolError(f"a Dask scheduler must answer at {address}, but: {error or type(error).__name__}; start one with "
                        f"dask scheduler, or mend the address") from None
    with client:
        waiting = {client.submit(perform, task, key=f"wuxing-{task.name}"): task for task in tasks}
        try:
            for future in distributed.as_completed(waiting, loop=client.loop):
                yield waiting[future], future.result()
        except distributed.KilledWorker as error:
            raise ToolError(f"workers must live until their task is done, but several were killed by the same one "
                            f"({error}), perhaps for want of memory; give them more") from None
        except ModuleNotFoundError as error:
            raise ToolError(f"every worker of {address} must have wuxing installed, but: {error}; install the same version "
                            f"everywhere") from None


def _digest(data: object) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()
