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

from golden_model.network import POPULATIONS, Learning, Neuron
from hdl import activation_list
from hdl.adder_tree import EACH, levels
from hdl.array_design import ArrayDesign
from hdl.exchange import reverse_words
from hdl.half_step import PRODUCT
from hdl.layer_design import K_STATES, LayerDesign
from hdl.memory_ports import WORD_LATENCY
from hdl.operations import (
    PARALLEL,
    PARALLEL_BY_SIGN,
    TIME_SHARED,
    TIME_SHARED_BY_SIGN,
    TIME_SHARED_RECURRENT,
    WINDOWED,
    At,
    Datapath,
    Operation,
)

SUMMED = 5                                # clocks from a product of reverse links to its sum, without the tree's levels
VOICE_LATENCY = 2                                 # clocks of what a neuron says on its way to the others, and one to the latch
SUM_LATENCY = 2                                  # from a sum of reciprocal links to its neuron
GATE_CLOCKS = 4 * (POPULATIONS - 1) + 1   # every fourth word of a turning ring: five words in mirrored order
UPDATE_PERIOD = 2 * POPULATIONS + 1       # clocks of a population whose K learn: the ring then has turned by one place, too
RESTORED = POPULATIONS + PARALLEL["restore"].cycles      # clocks until all displacements are in the ring again
SCAN_REST = 2                             # clocks after a scan until the receiver's ``free`` tells of its outputs


class Count(Enum):
    """Clocks that differ from layer to layer."""

    SETTLING = auto()                     # of all half steps
    UNITS = auto()                        # neurons of this fold
    INPUTS = auto()                       # of this layer
    LOADING = auto()                      # until a convolution has all points of an image
    PARAMETERS = auto()                   # of a neuron, two clocks each
    BACK = auto()                         # of the errors that a time-shared array sends to the array before it
    LEAVING = auto()                      # from a unit's output to the receiver, and the rest after a scan
    STEPS = auto()                        # of all steps of a recurrent layer, four clocks each


@dataclass(frozen=True)
class Do:
    """A state of so many clocks. ``table``: the fields of the control word in its clocks, if it has any."""

    state: str
    clocks: int | Count = 1
    table: Operation | None = None


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
    """A loop over the folds of a layer, over its positions (``position back``: with errors), or over the layers of an array,
    which may be gone through ``backwards``; in a recurrent layer over instants, over both points of a step, over the words of a
    neuron (``row``)."""

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
    if array.design.signs:
        return TIME_SHARED_BY_SIGN if array.time_shared else PARALLEL_BY_SIGN
    if array.recurrent:
        return TIME_SHARED_RECURRENT
    if array.windowed:
        return WINDOWED
    return TIME_SHARED if array.time_shared else PARALLEL


def programs(array: ArrayDesign) -> dict[str, tuple[Node, ...]]:
    """The program of each machine, which it repeats for ever, by the machine's name."""
    if array.recurrent:
        return {"main": _recurrent(array)}
    played: tuple[Node, ...] = (Play("RUN", "inputs", "link"),)
    if not array.time_shared:
        played += (If("last fold", (If("learn", (), (Tell("release"),)),)),)     # the source may take the image after the next
    sums = Each("fold", (Tell("start"), *played, Do("DRAIN", datapath(array).drain), Wait("FULL", "latch", shows="full")))
    if array.time_shared:
        return {"links": (Wait("IDLE", "go"), _at_positions(array, "position", sums)), "main": _time_shared(array)}
    links = (Wait("IDLE", "image"), sums, If("learn", (Wait("LEARN", "learnt"), Tell("release"))))
    scan = (Each("fold", (Wait("IDLE", "scan", shows="scan free"), Do("SCAN", Count.UNITS), Do("LEAVE", Count.LEAVING))),)
    return {"links": links, "main": _parallel(array.first, datapath(array)), "scan": scan}


def _parallel(layer: LayerDesign, path: Datapath) -> tuple[Node, ...]:
    """Of an array that serves one layer."""
    kept: tuple[Node, ...] = (If("learn", (Do("SAVE", POPULATIONS, save(layer)),)),) if layer.saves_state else ()
    forward = Each("fold", (Wait("IDLE", "full"), Tell("latch"), Do("SETTLE", Count.SETTLING), Wait("SETTLED", "receiver"),
                            Tell("scan"), *kept))
    if not layer.learns:
        return (forward,)
    gates = () if layer.saves_state else (Do("GATES", GATE_CLOCKS, with_states(layer, GATES)),)
    restore = (Do("RESTORE", RESTORED, restored(layer)), Do("RESTORE_GATES", POPULATIONS, RESTORE_GATES))
    tree = (Do("TREE", Count.INPUTS),) if layer.reverses else ()
    back = Each("fold", _back(path, layer, restore=restore if layer.saves_state else (), written=path.update_to_read,
                              every=1, tree=tree))
    return forward, If("learn", (*gates, Wait("VERDICT", "verdict"), If("error", (back,)), Tell("learnt")))


def _time_shared(array: ArrayDesign) -> tuple[Node, ...]:
    """Of an array that does one layer after the other."""
    table = with_states(array.first, KEEP_GATES)
    kept: tuple[Node, ...] = (If("learn", (Do("SAVE", POPULATIONS, table),)),) if array.learns else ()
    fold = (Wait("LINKS", "full"), Tell("latch"), Do("SETTLE", Count.SETTLING),
            Wait("SETTLED", "receiver"), Do("SCAN", Count.UNITS), *kept)
    forward = Each("layer", (Do("START"), Tell("go"), _at_positions(array, "position", Each("fold", fold))))
    load = (Tell("load"), Do("LOAD", Count.LOADING)) if array.first.window is not None else ()
    if not array.learns:
        return Wait("IDLE", "image"), *load, forward, Tell("release")
    tree: tuple[Node, ...] = (Do("TREE", Count.INPUTS),)
    if array.windowed:
        tree = (If("window", (Tell("start"), Play("WINDOW_TREE", "inputs", "tree")), tree),)
    tree = (If("reverses", (Do("TREE_START"), *tree)),) if array.reverses else ()
    folds = Each("fold", (*_back(datapath(array), array.first, restore=(), tree=tree, every=2, written=datapath(array).updated,
                                 gathers=array.gathers), *_summed(array)))
    back = Each("layer", (Tell("ask"), *_cleared(array), _at_positions(array, "position back", folds), *_applied(array)),
                backwards=True)
    send = (Tell("ask back"), Do("BACK", Count.BACK)) if array.first.reverses else ()
    return (Wait("IDLE", "image"), *load, forward, If("learn", (Wait("VERDICT", "verdict"), If("error", (back, *send)))),
            Tell("release"))


def _recurrent(array: ArrayDesign) -> tuple[Node, ...]:
    """Of an array that serves a recurrent layer: all that happens in one machine, instant by instant."""
    path, neuron = datapath(array), array.network.neuron
    frame = (Tell("start"), Play("FRAME", "inputs", "link"), Do("FRAME_DRAIN", path.drain + 1), Tell("latch frame"))
    step = Each("point", (*_exchange(array, ""), Do("HALF", array.phases)))
    rest = Do("REST", POPULATIONS, KEEP_GATES) if array.learns else Do("REST")
    keep = (If("learn", (Do("KEEP", POPULATIONS, KEEP_GATES),)),) if array.learns else ()
    forward = Each("layer", (Tell("latch"), rest, Each("instant", (If("new frame", frame), step, *keep)),
                             Wait("SETTLED", "receiver"), Do("SCAN", Count.UNITS)))
    back: tuple[Node, ...] = ()
    if array.learns:
        turned = Each("point back", (*_exchange(array, "_BACK"), Do("HALF_BACK", array.phases)))
        kick = (Play("ERRORS", "errors", "error"), Do("ERRORS_DRAIN"), Do("KICK", array.phases))
        instants = Each("instant back", (Do("KEEP_BACK", POPULATIONS, kept_back(neuron)), If("goes on", (turned,))))
        rows = Each("row", (Do("PRODUCTS", Count.STEPS), Do("PRODUCTS_DRAIN"), Do("APPLY", 2), Do("APPLIED", path.updated)))
        back = (If("learn", (Wait("VERDICT", "verdict"), If("error", (
            Tell("latch back"), *kick, instants, Tell("sum"), rows)))),)
    return (Wait("IDLE", "image"), Tell("load"), Do("LOAD", Count.LOADING), forward, *back, Tell("release"))


def _exchange(array: ArrayDesign, suffix: str) -> tuple[Node, ...]:
    """What neurons gain and lose over their reciprocal links, at one point of evaluation: first their products with their own
    states go to the tree, then they hear the others."""
    path = datapath(array)
    waits = path.product + levels(array.units) + SUM_LATENCY - array.units        # clocks until the last sum is at its neuron
    return (Do(f"TELL{suffix}", Count.UNITS), Do(f"HEAR{suffix}", Count.UNITS),
            Do(f"HEARD{suffix}", max(path.drain + VOICE_LATENCY, waits)), Tell("latch gain"), Do(f"ENTER{suffix}"))


def _at_positions(array: ArrayDesign, over: str, node: Node) -> Node:
    """For every position of a layer, where some layer has more than one."""
    return Each(over, (node,)) if array.windowed else node


def _cleared(array: ArrayDesign) -> tuple[Node, ...]:
    """Sums of reverse links to zero, where positions that see an input add to its sum."""
    if not (array.windowed and array.reverses):
        return ()
    # the layer is known a clock after it was chosen, sums of the one behind it are on their way through the tree
    return Do("ASKED", datapath(array).product + levels(array.units) + SUMMED), If("clears", (Do("TREE_CLEAR", Count.INPUTS),))


def _summed(array: ArrayDesign) -> tuple[Node, ...]:
    """Until the last sum of reverse links is kept. Fold and layer go to the tree without delay, and where a layer heard nothing
    at all, its update of biases alone is over before the sums of many units are."""
    if not array.reverses or array.learns_K:                  # updates of K last longer
        return ()
    path = datapath(array)
    kept = path.product + levels(array.units) + (EACH if array.windowed else 1)          # clocks from the last reverse link
    updated = 1 + activation_list.LATENCY + path.updated                                 # likewise, of a bias alone
    return (Do("SUMMED", kept - updated),) if kept > updated else ()


def _applied(array: ArrayDesign) -> tuple[Node, ...]:
    """The sums of all positions change the words of every fold."""
    apply = Each("fold", (Do("APPLY", Count.PARAMETERS), Do("APPLIED", datapath(array).updated)))
    return (If("window", (apply,)),) if array.gathers else ()


def _back(path: Datapath, layer: LayerDesign, *, restore: tuple[Node, ...], tree: tuple[Node, ...], every: int, written: int,
          gathers: bool = False) -> tuple[Node, ...]:
    """Errors, reverse circuit, reverse links and updates of one fold, or its products at a position of a convolution. What
    ``layer`` learns all of its array do."""
    update: tuple[Node, ...] = (Play("UPDATE", "inputs", "update", every=every),       # a single port reads or writes
                                Do("UPDATED", written))
    if gathers:
        gather = (Play("GATHER", "inputs", "gather"), Do("GATHERED", path["gather"].cycles))
        update = (If("window", gather, update),)
    learning: tuple[Node, ...] = (Do("UPDATE_START"), Tell("start"), *update)
    if layer.design.learns_K:
        table = update_of_K(layer.network.learning)
        K = Do("UPDATE_K", table.cycles + 1, table)
        still = path["tree"].cycles - path.lead - 1                        # the last reverse link is not at the multiplier yet
        drain = (Do("TREE_DRAIN", still),) if tree and still else ()
        learning = (*learning, K) if layer.design.learns_words else (*drain, K)
    return (*restore, Tell("token"), Play("ERRORS", "errors", "error"), Do("ERRORS_DRAIN", path.drain_of_errors),
            Tell("latch back"), Do("SETTLE_BACK", Count.SETTLING), Do("SETTLED_BACK"), *tree, *learning)


# ----------------------------------------------------------------- what units do in states that are counted

MIRRORED = [-turn % POPULATIONS for turn in range(POPULATIONS)]          # populations in the order of the reverse circuit
RESTORE_GATES = Operation("restored gates", tuple(
    at for turn, population in enumerate(MIRRORED) for at in (
        At(turn, "state_shift"), At(turn, "gate_shift"), At(turn, "gate_new"), At(turn, "gate_floor"),
        At(turn, "population_gate", population))))
GATES = Operation("gates", tuple(
    at for clock in range(GATE_CLOCKS) for at in (
        At(clock, "state_shift"), At(clock, "gate_new"), At(clock, "gate_floor"),
        At(clock, "population_gate", MIRRORED[clock // 4]), *((At(clock, "gate_shift"),) if clock % 4 == 0 else ()))))
KEEP_GATES = Operation("kept gates", tuple(
    at for turn, population in enumerate(MIRRORED) for at in (
        At(turn, "gate_write"), At(turn, "state_shift"), At(turn, "gate_place", population))))


def kept_back(neuron: Neuron) -> Operation:
    """The reverse signals of two populations into their words of a slot; the ring is in the order of the reverse circuit."""
    fields = [At(turn, "state_shift") for turn in range(POPULATIONS)]
    for word, population in zip(reverse_words(neuron), (neuron.input_population, neuron.output_population), strict=True):
        fields += [At(-population % POPULATIONS, "gate_write"), At(-population % POPULATIONS, "gate_place", word)]
    return Operation("kept back", tuple(fields))


def save(layer: LayerDesign) -> Operation:
    """The displacements of a fold, the output population first, into their rows of weight memory."""
    return Operation("save", tuple(
        at for turn in range(POPULATIONS) for at in (
            At(turn, "state_shift"), At(turn, "load"), At(turn, "write"),
            At(turn, "row", layer.state_row + (layer.network.neuron.output_population + turn) % POPULATIONS),
            *(_kept(turn) if layer.learns_K else ()))))


def _kept(population: int) -> tuple[At, ...]:
    """The displacement of the population that is at the head of the ring into its row of the memory of K."""
    return At(population, "K_keep"), At(population, "K_written", K_STATES + population)


def with_states(layer: LayerDesign, table: Operation) -> Operation:
    """A table in which the ring turns from its first clock on, where K learn with the displacements kept."""
    kept = tuple(at for population in range(POPULATIONS) for at in _kept(population)) if layer.design.learns_K else ()
    return Operation(table.name, (*table.fields, *kept))


def update_of_K(learning: Learning) -> Operation:
    """All K of a neuron, those that belong to a population in ``UPDATE_PERIOD`` clocks. The ring, in the order of the reverse
    circuit, turns in every clock, so that in clock ``clock`` of population i its head is r[i - clock].

    ::

        K1_i: r_i s_{i-1} - r_{i-1} s_i        K2_i: r_i s_{i+2} - r_{i+2} s_i        K3_i: -r_i s_i
    """
    fields: list[At] = []
    for turn in range(POPULATIONS):
        i, begins = -turn % POPULATIONS, UPDATE_PERIOD * turn
        fields += [At(begins + clock, "state_shift") for clock in range(UPDATE_PERIOD)]
        for kind, name, products in (                         # of each its clock, population of s, and whether it is taken off
                (0, "K1", ((0, i - 1, False), (1, i, True))), (1, "K2", ((3, i, True), (5, i + 2, False))),
                (2, "K3", ((10, i, True),))):
            if not getattr(learning, name):
                continue
            for number, (clock, population, off) in enumerate(products):
                issue = begins + clock
                fields += [At(issue, "self_enable"), At(issue, "K_row", K_STATES + population % POPULATIONS),
                           At(issue + 1, "K_state"), At(issue + 1, "K_kind", kind), At(issue + PRODUCT, "bracket_add"),
                           *([At(issue + PRODUCT, "bracket_subtract")] if off else []),
                           *([At(issue + PRODUCT, "bracket_first")] if number == 0 else [])]
            summed, row = begins + products[-1][0] + PRODUCT + 1, POPULATIONS * kind + i
            fields += [At(summed - WORD_LATENCY, "K_row", row), At(summed, "K_update"), At(summed + 1, "K_judge"),
                       At(summed + 1, "K_written", row), *([At(summed + 1, "K_third")] if name == "K3" else [])]
    return Operation("update of K", tuple(fields))


def restored(layer: LayerDesign) -> Operation:
    """And from there into the ring, in the order of the reverse circuit."""
    return Operation("restored", tuple(at for turn, population in enumerate(MIRRORED) for at in (
        At(turn, "restore"), At(turn, "row", layer.state_row + population))))
