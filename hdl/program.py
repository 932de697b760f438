"""What the machines of an array do with an image, as programs: the one text that controllers and timing are made of.

An array has three machines. *links* plays the list of a fold's inputs into the accumulators of all units; *main* latches
complete accumulators as drives and settles, and when an image is learnt goes all the way back; *scan* sends settled outputs on.
Where an array serves one layer, links work ahead by one fold, also of the next image, and scan works while the next fold
settles. A time-shared array does one layer after the other, one image at a time: main starts links, and does what scan does.

Each node but ``Tell``, ``If`` and ``Each`` is a state of a machine. Programs are no language: no expressions, and a node that
only one place needs is Python.
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from golden_model.network import POPULATIONS
from hdl.array_design import ArrayDesign
from hdl.layer_design import LayerDesign
from hdl.operations import PARALLEL, TIME_SHARED, Datapath

GATE_CLOCKS = 4 * (POPULATIONS - 1) + 1   # every fourth word of a turning ring: five words in mirrored order
RESTORED = POPULATIONS + PARALLEL["restore"].cycles      # clocks until all displacements are in the ring again
SCAN_REST = 2                             # clocks after a scan until the receiver's ``free`` tells of its outputs
UPDATED = TIME_SHARED["update"].clock("judge") + TIME_SHARED.written    # clocks from the last update to the next read


class Count(Enum):
    """Clocks that differ from layer to layer."""

    SETTLING = auto()                     # of all half steps
    UNITS = auto()                        # neurons of this fold
    INPUTS = auto()                       # of this layer
    LEAVING = auto()                      # from a unit's output to the receiver, and the rest after a scan


@dataclass(frozen=True)
class Do:
    """A state of so many clocks."""

    state: str
    clocks: int | Count = 1


@dataclass(frozen=True)
class Wait:
    """A state that ends in the first clock in which there is ``event``. While it lasts, ``shows`` tells the others."""

    state: str
    event: str
    shows: str = ""


@dataclass(frozen=True)
class Play:
    """A state in which what ``stream`` offers is issued as ``operation``, one in ``every`` clocks at most, to the last one."""

    state: str
    stream: str
    operation: str
    every: int = 1


@dataclass(frozen=True)
class Tell:
    """In the last clock of the state before: others are told, or units do something once."""

    event: str


@dataclass(frozen=True)
class If:
    """Decided in the last clock of the state before."""

    flag: str
    then: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True)
class Each:
    """A loop over the folds of a layer, or over the layers of an array, which may be gone through ``backwards``."""

    over: str
    body: tuple[Node, ...]
    backwards: bool = False


Node = Do | Wait | Play | Tell | If | Each


def nodes_of(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """All nodes of a program, those of branches and loops too."""
    for node in nodes:
        yield node
        if isinstance(node, If):
            yield from nodes_of((*node.then, *node.otherwise))
        elif isinstance(node, Each):
            yield from nodes_of(node.body)


def datapath(array: ArrayDesign) -> Datapath:
    """Of the array's units."""
    return TIME_SHARED if array.time_shared else PARALLEL


def programs(array: ArrayDesign) -> dict[str, tuple[Node, ...]]:
    """The program of each machine, which it repeats for ever, by the machine's name."""
    ahead = not array.time_shared
    if not ahead:
        return {"links": (Wait("IDLE", "go"), Tell("start"), *_links(array)), "main": _time_shared(array)}
    links = (Wait("IDLE", "image"), Each("fold", (Tell("start"), *_links(array))),
             If("learn", (Wait("LEARN", "learnt"), Tell("release"))))
    scan = (Each("fold", (Wait("IDLE", "scan", shows="scan free"), Do("SCAN", Count.UNITS), Do("LEAVE", Count.LEAVING))),)
    return {"links": links, "main": _parallel(array.first), "scan": scan}


def _links(array: ArrayDesign) -> tuple[Node, ...]:
    """The sums of one fold."""
    played: tuple[Node, ...] = (Play("RUN", "inputs", "link"),)
    if not array.time_shared:
        played += (If("last fold", (If("learn", (), (Tell("release"),)),)),)     # the source may take the image after the next
    return (*played, Do("DRAIN", datapath(array).drain), Wait("FULL", "latch", shows="full"))


def _parallel(layer: LayerDesign) -> tuple[Node, ...]:
    """Of an array that serves one layer."""
    kept: tuple[Node, ...] = (If("learn", (Do("SAVE", POPULATIONS),)),) if layer.saves_state else ()
    forward = Each("fold", (Wait("IDLE", "full"), Tell("latch"), Do("SETTLE", Count.SETTLING), Wait("SETTLED", "receiver"),
                            Tell("scan"), *kept))
    if not layer.learns:
        return (forward,)
    gates = () if layer.saves_state else (Do("GATES", GATE_CLOCKS),)
    back = Each("fold", _back(PARALLEL, restored=layer.saves_state, tree=(Do("TREE", Count.INPUTS),) if layer.reverses else (),
                              written=PARALLEL.update_to_read))
    return forward, If("learn", (*gates, Wait("VERDICT", "verdict"), If("error", (back,)), Tell("learnt")))


def _time_shared(array: ArrayDesign) -> tuple[Node, ...]:
    """Of an array that does one layer after the other."""
    kept: tuple[Node, ...] = (If("learn", (Do("SAVE", POPULATIONS),)),) if array.learns else ()
    fold = (Wait("LINKS", "full"), Tell("latch"), If("last fold", (), (Tell("go"),)), Do("SETTLE", Count.SETTLING),
            Wait("SETTLED", "receiver"), Do("SCAN", Count.UNITS), *kept)
    forward = Each("layer", (Do("START"), Tell("go"), Each("fold", fold)))
    if not array.learns:
        return Wait("IDLE", "image"), forward, Tell("release")
    tree: tuple[Node, ...] = (If("reverses", (Do("TREE_START"), Do("TREE", Count.INPUTS))),) if array.reverses else ()
    back = Each("layer", (Tell("ask"), Each("fold", _back(TIME_SHARED, restored=False, tree=tree, written=UPDATED))),
                backwards=True)
    return (Wait("IDLE", "image"), forward, If("learn", (Wait("VERDICT", "verdict"), If("error", (back,)))), Tell("release"))


def _back(path: Datapath, *, restored: bool, tree: tuple[Node, ...], written: int) -> tuple[Node, ...]:
    """Errors, reverse circuit, reverse links and updates of one fold."""
    restore = (Do("RESTORE", RESTORED), Do("RESTORE_GATES", POPULATIONS)) if restored else ()
    update = Play("UPDATE", "inputs", "update", every=2 if path is TIME_SHARED else 1)      # a port reads or writes
    return (*restore, Tell("token"), Play("ERRORS", "errors", "error"), Do("ERRORS_DRAIN", path.drain + 1), Tell("latch back"),
            Do("SETTLE_BACK", Count.SETTLING), Do("SETTLED_BACK"), *tree, Do("UPDATE_START"), Tell("start"), update,
            Do("UPDATED", written))
