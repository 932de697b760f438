"""``Home``: the parameters of one network, and what works with them: this machine, the emitted Verilog, or a board."""
from __future__ import annotations

import weakref
from contextlib import ExitStack
from typing import Any

import numpy.typing as npt

from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.learner import Array, Learner
from golden_model.network import Network
from golden_model.parameters import Parameters, quantised, to_real
from golden_model.sections import brief

BACKENDS = ("float", "fixed", "rtl", "virtual")
UNITS = 4                                 # most processing units of a layer: fewer are compiled sooner
PATIENCE = 60.0                           # seconds of silence from a virtual board, while other programs need the machine

# Who has its parameters in a core: two estimators may be handed the same connection.
_tenants: weakref.WeakKeyDictionary[Learner, weakref.ref[Home]] = weakref.WeakKeyDictionary()


def arithmetic_of(backend: Any) -> str:
    """In what a backend computes, "float" or "fixed".

    Raises
    ------
    InputError
        If it is neither one of ``BACKENDS`` nor a core.
    """
    if isinstance(backend, str) and backend in BACKENDS:
        return "float" if backend == "float" else "fixed"
    if not isinstance(backend, str):
        from sim.core_learner import CoreLearner
        if isinstance(backend, CoreLearner):
            return "fixed"
    raise InputError(f"backend must be {', '.join(BACKENDS)}, a Connection or an RtlModel, not {brief(backend)}")


class Home:
    """The parameters of one network, and the learner that works with them, which is opened when it is first needed.

    A core takes them when this home comes to use it, whoever used it before, whose parameters are read back first. Copies and
    pickles have the parameters without the learner.

    Parameters
    ----------
    network : Network
    arithmetic : "float" or "fixed"
    parameters : Parameters
    """

    def __init__(self, network: Network, arithmetic: str, parameters: Parameters) -> None:
        self.network, self.arithmetic = network, arithmetic
        self._parameters = parameters
        self._forget()

    def _forget(self) -> None:
        self._backend: Any = None
        self._learner: Learner | None = None
        self._ahead = False               # whether the learner has learnt what is not here yet
        self._close = ExitStack().close

    @property
    def parameters(self) -> Parameters:
        """A copy of what has been learnt; a core is asked for it if it learnt since it was last asked."""
        if self._ahead:
            assert self._learner is not None
            self._parameters, self._ahead = self._learner.parameters, False
        return [layer.copy() for layer in self._parameters]

    def learner(self, backend: Any) -> Learner:
        """What works with these parameters, and has them.

        With another backend than before they move. From float to integers they are rounded to the formats.

        Raises
        ------
        InputError
            If there is no such backend, the network has no integers or no hardware, or a core is of another network.
        ToolError, DeviceError
            If the Verilog cannot be compiled, or a board does not answer.
        """
        arithmetic = arithmetic_of(backend)
        if self._learner is None or backend is not self._backend and backend != self._backend:
            kept = self.parameters
            if arithmetic != self.arithmetic:
                if arithmetic == "fixed":
                    self.network.check_fixed()
                kept = (quantised if arithmetic == "fixed" else to_real)(self.network, kept)
            self.close()
            self._parameters, self.arithmetic = kept, arithmetic
            self._learner, self._backend = self._opened(backend), backend
        if not isinstance(self._learner, CompiledModel):
            self._move_in(self._learner)
        assert self._learner is not None
        return self._learner

    def learn(self, backend: Any, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int) -> Array:
        """As ``Learner.learn``; these parameters follow."""
        learner = self.learner(backend)
        self._ahead = True
        return learner.learn(images, labels, epoch)

    def replace(self, parameters: Parameters) -> None:
        """Other parameters of the same network take the place of these, wherever they are."""
        self._parameters, self._ahead = parameters, False
        if isinstance(self._learner, CompiledModel):
            self._learner = None
        elif self._learner is not None:
            _tenants.pop(self._learner, None)

    def close(self) -> None:
        """End what was opened for this home alone, which keeps its parameters; a connection stays open."""
        self._parameters = self.parameters
        close = self._close
        self._forget()
        close()

    def _opened(self, backend: Any) -> Learner:
        if backend in ("float", "fixed"):
            return CompiledModel(self.network, self.arithmetic, self._parameters)
        if not isinstance(backend, str):
            if backend.network.digest != self.network.digest:
                raise InputError(f"estimator and core must be of the same network, but that of the core has the layers "
                                 f"{list(backend.network.layers)} and the digest {backend.network.digest[:16]}, not "
                                 f"{list(self.network.layers)} and {self.network.digest[:16]}; give hidden and description "
                                 "those of the core, or build this network")
            return backend
        from hdl.design import Design, units_within
        design = Design(network=self.network, units=units_within(self.network, UNITS))
        if backend == "rtl":
            from hdl.emit import to_verilog
            from sim.rtl_model import RtlModel
            return RtlModel(self.network, to_verilog(design))
        from boards.connection import Connection
        from boards.virtual import VirtualBoard
        with ExitStack() as stack:
            board = stack.enter_context(VirtualBoard.of(design))
            connection = stack.enter_context(Connection(self.network, board.port, patience=PATIENCE))
            self._close = weakref.finalize(self, stack.pop_all().close)
        return connection

    def _move_in(self, core: Any) -> None:
        before = _tenants.get(core)
        previous = None if before is None else before()
        if previous is self:
            return
        if previous is not None:
            previous.parameters           # noqa: B018 (reads them back, for they are overwritten)
        core.network = self.network       # of the same digest; the rates of the epochs may be others
        core.load_parameters(self._parameters)
        _tenants[core] = weakref.ref(self)

    def __getstate__(self) -> dict[str, Any]:
        return {"network": self.network, "arithmetic": self.arithmetic, "_parameters": self.parameters}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()
