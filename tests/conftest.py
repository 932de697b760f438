"""Settings of Hypothesis for all tests: no time limits, and the same examples in every CI run."""
import contextlib
import gc
import itertools
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from golden_model.errors import ToolError
from sim import simulators

pytest_plugins = ["letters"]

settings.register_profile("wuxing", deadline=None, derandomize="CI" in os.environ,
                          suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("wuxing")

# Tests call programs that were installed beside Python, whether or not its environment is activated
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
with contextlib.suppress(ToolError):     # the tests that need Verilator say that it is not there
    os.environ["PATH"] = simulators.environment(simulators.verilator())["PATH"]

# Cores of tests run for a few thousand clocks: compiling them well takes longer than they run
os.environ["CXXFLAGS"] = "-O0"

# Elaboration and Numba make millions of small objects that stay; looking through all of them for cycles takes a tenth of their
# time
gc.freeze()
gc.set_threshold(100_000, 50, 50)

# Hundreds of processes import the same modules: the first keeps what it compiled
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

os.environ.setdefault("WUXING_TRACEBACK", "1")          # a test that fails by a fault of ours shows where it is

# A shell starts a background job with Ctrl-C ignored, and nohup any job with hang-ups ignored; children inherit that, and
# those that tests interrupt would run for ever
for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
    if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is signal.SIG_IGN:
        signal.signal(getattr(signal, name), handler)


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the full figures (make test-long) instead of the other tests")


def pytest_collection_modifyitems(config, items):
    """Tests marked ``long`` take half an hour or more together; they run with ``--long`` and nothing else does."""
    long = config.getoption("--long")
    choice = [item for item in items if (item.get_closest_marker("long") is not None) == long]
    config.hook.pytest_deselected(items=[item for item in items if item not in choice])
    items[:] = begun_early(choice, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)))


def begun_early(items, workers):
    """Tests marked ``early`` come first in the share of each worker, so that none is left with such a test at the end.

    The shares are those with which xdist begins (``--dist worksteal``): one after the other, of equal size.
    """
    early = [item for item in items if item.get_closest_marker("early") is not None]
    others = iter([item for item in items if item.get_closest_marker("early") is None])
    ordered = []
    for worker in range(workers):
        first = early[worker::workers]
        size = (len(items) - len(ordered)) // (workers - worker)
        ordered += [*first, *itertools.islice(others, max(0, size - len(first)))]
    return [*ordered, *others]


@pytest.fixture(scope="module")
def optimised_cores():
    """Cores of a module whose tests run them for hundreds of thousands of clocks, or as boards, are compiled better."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXXFLAGS", "-O1")
        yield


@pytest.fixture(scope="session")
def blobs():
    """600 noisy images of 30 bytes in four classes, most of them zero: learnable within an epoch. Images and labels."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 4, 600)
    prototypes = random.integers(0, 256, (4, 30)) * (random.random((4, 30)) < 0.5)
    noise = random.integers(-60, 60, (600, 30))
    images = np.clip(prototypes[labels] + noise, 0, 255) * (random.random((600, 30)) < 0.8)
    return images.astype(np.uint8), labels
