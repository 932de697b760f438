"""Which kernels a network needs, compiled for the types of its tables: the addresses by which the engine's loops call them."""
from __future__ import annotations

from typing import Any

from numba import typeof, types

from golden_model.kernels import change, circuit, exchange, taps
from golden_model.kernels.calls import address, declare
from golden_model.kernels.plan import Calls, Instincts, Room, Store, Work


def addresses(plan: Any, const: Any, store: Store, work: Work, learning: tuple[Instincts, Room] | None = None, *,
              adders: bool, rounds: bool) -> Calls:
    """What inferring calls, and with ``learning`` what learning calls; see ``circuit.settle`` for ``adders`` and ``rounds``."""
    frames, windowed, strikes = plan["frames"] > 0, bool(plan["windowed"].any()), len(store.upsets) > 0
    choice = {"settle": (circuit.settle(adders, rounds, False, strikes), not frames.all()),
              "drives": (taps.drives, windowed),
              "half": (circuit.half_step_of_all(adders, rounds, False), frames.any()),
              "run": (exchange.run, frames.any())}
    signatures = _forward(plan, const, store, work)
    if learning is not None:
        signatures |= _back(plan, const, store, work, *learning)
        choice |= {"settle_back": (circuit.settle(adders, rounds, True, strikes), not frames.all()),
                   "sums_back": (taps.reverse_sums, windowed or plan["spread"].any()),
                   "update": (taps.update, windowed),
                   "coupling": (change.update_coupling, learning[0].K["trains"].any()),
                   "half_back": (circuit.half_step_of_all(adders, rounds, True), frames.any()),
                   "learn": (exchange.learn, frames.any())}
    for signature in signatures.values():
        declare(signature)
    return Calls(**{name: address(kernel, signatures[name]) for name, (kernel, needed) in choice.items() if needed})


def _forward(plan: Any, const: Any, store: Store, work: Work) -> dict[str, tuple[Any, ...]]:
    """Types of the arguments of what inferring calls."""
    here, constants, stored, at_work = typeof(plan).dtype, typeof(const), typeof(store), typeof(work)
    words, coupling = typeof(work.drives), typeof(store.coupling)
    return {"settle": (words, words, words, here, constants, coupling, typeof(work.hit)),
            "drives": (words, here, constants, stored, at_work),
            "half": (words, words, words, words, words, words, words, words.dtype, here, constants, coupling),
            "run": (words, words, here, constants, stored, at_work, types.int64)}


def _back(plan: Any, const: Any, store: Store, work: Work, instincts: Instincts, room: Room) -> dict[str, tuple[Any, ...]]:
    """Types of the arguments of what learning calls besides."""
    forward = _forward(plan, const, store, work)
    layers, constants, stored = typeof(plan), typeof(const), typeof(store)
    here, rows, sums, count = layers.dtype, typeof(room.r), typeof(room.sums), types.int64
    return {"settle_back": forward["settle"], "half_back": forward["half"],
            "sums_back": (typeof(work.drives), here, stored, sums),
            "update": (rows, rows, typeof(room.erring), here, stored, typeof(instincts.links).dtype, constants,
                       typeof(work.narrow), sums),
            "coupling": (rows, rows, count, here, stored, typeof(instincts.K), constants, sums),
            "learn": (count, count, layers, constants, stored, typeof(instincts), typeof(work), typeof(room), count)}
