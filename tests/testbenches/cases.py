"""The cases of a testbench in the simulator's process: a cocotb test for each, with its instance and its settings."""
from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from functools import reduce
from pathlib import Path
from typing import Any

import cocotb

SETTINGS = "WUXING_BENCH"                 # environment variable with the file of them: a list of [instance, settings] in JSON


def each_case(test: Callable[[Any, Any], Awaitable[None]]) -> Any:
    """Makes ``test(dut, settings)`` a cocotb test of each case of ``testbenches.run``, one after the other.

    ``dut``: the instance of this case, which has a clock of its own, so that those of the others stand still.
    """
    cases: list[tuple[str, Any]] = json.loads(Path(os.environ[SETTINGS]).read_text("utf-8")) if SETTINGS in os.environ else []

    async def one(dut: Any, case: int) -> None:
        instance, settings = cases[case]
        await test(reduce(getattr, [instance] if instance else [], dut), settings)

    one.__name__ = one.__qualname__ = test.__name__
    one.__module__, one.__doc__ = test.__module__, test.__doc__
    return cocotb.test()(cocotb.parametrize(case=range(len(cases)))(one))
