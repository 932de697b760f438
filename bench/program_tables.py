"""Tables of docs/hardware.md that say what happens in which clock, from the tables and programs of hdl, and what
arrangements cost."""
from __future__ import annotations

from collections.abc import Iterator

from markdown_table import table

from golden_model.network import POPULATIONS, Formats, Integration, Learning, Network, Wiring
from hdl import emit, estimate
from hdl.array_design import ArrayDesign
from hdl.cells import core_cells
from hdl.design import Design, units_within
from hdl.half_step import GATE_TO_MULTIPLIER, SHIFT, issue_phases
from hdl.operations import PARALLEL, TIME_SHARED, WINDOWED, Datapath
from hdl.program import Count, Do, Each, If, Node, Play, Tell, Wait, programs

LASTING = {Count.SETTLING: "all half steps", Count.UNITS: "a clock for each neuron of the fold",
           Count.INPUTS: "a clock for each input of the layer", Count.LOADING: "a clock for each point of the image, and 2",
           Count.PARAMETERS: "two clocks for each parameter of a neuron", Count.LEAVING: "until the outputs have left",
           Count.STEPS: "four clocks for each step"}
PLAYED = {"inputs": "until the last one of the list of inputs is issued",
          "errors": "until the last error of the fold is issued"}
WHILE = {"fold": "for each fold", "layer": "for each layer", "position": "for each position",
         "position back": "for each position", "instant": "for each step", "instant back": "for each step, the last one first",
         "point": "for predictor and corrector", "point back": "for predictor and corrector",
         "row": "for each link of a neuron, and its bias",
         "layer backwards": "for each layer that learns, the last one first"}
IF = {"learn": "if the image is learnt", "error": "if it has an error", "last fold": "if it is the last fold",
      "reverses": "if the layer sends errors back", "window": "if the layer is a convolution",
      "clears": "if a convolution sends errors back", "new frame": "if a frame begins",
      "goes on": "if it is not the first step"}
CONVOLUTIONS = Network(layers=(784, 2304, 512, 128, 10), learning=Learning(epochs=16, halvings=4, dropout=0.0), wiring=Wiring(
    layers=("convolution 5x5 stride 2 of 28x28x1", "convolution 5x5 stride 2 of 12x12x16", "full", "full")))
RECURRENT = Network(
    layers=(784, 96, 64, 10), integration=Integration(dt=0.25), formats=Formats(coupling="Q2.3", bracket="Q4.14"),
    wiring=Wiring(layers=("recurrent 28 steps 1 K3 0.125", "full", "full")),
    learning=Learning(epochs=6, halvings=3, dropout=0.0))


def array(arrangement: str) -> ArrayDesign:
    """The second layer of a network, or the array of all; of one with ``convolutions``, or a ``recurrent`` layer."""
    if arrangement == "recurrent":
        return Design(network=RECURRENT).arrays[0]
    if arrangement == "convolutions":
        return Design(network=CONVOLUTIONS).arrays[0]
    return Design(network=Network(layers=(9, 5, 3)), arrangement=arrangement).arrays[-1]


def rows(nodes: tuple[Node, ...], under: str = "") -> Iterator[list[str]]:
    """State, how long it lasts, what is told in its last clock; what a loop or a branch holds is set in."""
    previous: list[str] | None = None
    for node in nodes:
        if isinstance(node, Tell):
            if previous is None:
                previous = [under, "", ""]
            previous[2] = f"{previous[2]}, {node.event}".strip(", ")
            continue
        if previous is not None:
            yield previous
            previous = None
        if isinstance(node, If):
            yield [f"{under}*{IF[node.flag]}*", "", ""]
            yield from rows(node.then, f"{under}&emsp;")
            if node.otherwise:
                yield [f"{under}*else*", "", ""]
                yield from rows(node.otherwise, f"{under}&emsp;")
        elif isinstance(node, Each):
            yield [f"{under}*{WHILE[node.over + ' backwards' * node.backwards]}*", "", ""]
            yield from rows(node.body, f"{under}&emsp;")
        else:
            previous = [f"{under}`{node.state}`", lasts(node), ""]
    if previous is not None:
        yield previous


def lasts(node: Do | Wait | Play) -> str:
    if isinstance(node, Wait):
        return f"until {node.event}" + (f"; shows *{node.shows}*" if node.shows else "")
    if isinstance(node, Play):
        return PLAYED[node.stream] + (f", one in {node.every} clocks" if node.every > 1 else "")
    if isinstance(node.clocks, Count):
        return LASTING[node.clocks]
    return f"{node.clocks} clock{'s' * (node.clocks != 1)}"


def program(arrangement: str) -> str:
    """The programs of all machines of an array."""
    parts = []
    for name, nodes in programs(array(arrangement)).items():
        parts.append(f"Machine *{name}*:")
        parts.append(table(("state", "lasts", "then tells"), rows(nodes)))
    return "\n\n".join(parts)


def phases() -> str:
    """What a half step of kind shift does in each phase."""
    count = SHIFT.phases
    operands = {phase + GATE_TO_MULTIPLIER for phase in SHIFT.when("coupling_enable")}
    named = {"ring is tapped for population": SHIFT.when("self_enable"),
             "operands of population enter the multiplier": operands,
             "new word of population": SHIFT.when("state_new")}
    lines = [[what, *(str(sorted(when).index(phase)) if phase in when else "" for phase in range(count))]
             for what, when in named.items()]
    assert all(len(when) == POPULATIONS for when in named.values())
    for text, path in (("an item may be issued", PARALLEL), ("the same in a time-shared array", TIME_SHARED),
                       ("in one that serves convolutions", WINDOWED)):
        lines.append([text, *("x" if phase in issue_phases(path, SHIFT) else "" for phase in range(count))])
    return table(("phase", *map(str, range(count))), lines)


def operations(path: Datapath) -> str:
    """The reservation tables: which fields of the control word an item sets, by clocks since its issue."""
    clocks = range(1, max(operation.cycles for operation in path.operations.values()) + 1)
    lines = [[f"`{name}`", *(", ".join(f"`{at.field}`" for at in operation.fields if at.clock == clock) for clock in clocks)]
             for name, operation in path.operations.items()]
    return table(("item", *map(str, clocks)), lines)


def convolutions(units: tuple[int, ...], nonzero: int) -> str:
    """What a network with convolutions takes, by the units of its array."""
    rows = []
    for most in units:
        design = Design(network=CONVOLUTIONS, units=units_within(CONVOLUTIONS, most, "time-shared"), target="ecp5")
        clocks, cells = estimate.clocks(design, nonzero), core_cells(design)
        assert clocks.learnt is not None
        assert clocks.learnt_without_error is not None
        rows.append([str(most), f"{clocks.inferred:,.0f}", f"{clocks.learnt:,.0f}", f"{clocks.learnt_without_error:,.0f}",
                     f"{cells.cells:,}", str(cells.block_rams)])
    return table(("units", "clocks, inferred", "learnt, with an error", "learnt, without an error", "cells (estimate)",
                  "block RAMs"), rows)


def recurrent(units: tuple[int, ...], nonzero: int) -> str:
    """What a network with a recurrent layer takes, by the units of the array behind it."""
    rows = []
    for most in units:
        design = Design(network=RECURRENT, target="ecp5", units=units_within(
            RECURRENT, most, Design(network=RECURRENT).arrangement))
        clocks, cells = estimate.clocks(design, nonzero), core_cells(design)
        assert clocks.learnt is not None
        assert clocks.learnt_without_error is not None
        rows.append([", ".join(map(str, design.units)), f"{clocks.inferred:,.0f}", f"{clocks.learnt:,.0f}",
                     f"{clocks.learnt_without_error:,.0f}", str(cells.multipliers), str(cells.block_rams)])
    return table(("units", "clocks, inferred", "learnt, with an error", "learnt, without an error", "multipliers",
                  "block RAMs"), rows)


def arrangements(layers: tuple[int, ...], most: int, nonzero: int) -> str:
    """One network in the arrangements that it can have; a time-shared array with at most ``most`` units."""
    def row(arrangement: str) -> list[str]:
        network = Network(layers=layers)
        units = () if arrangement == "parallel" else tuple(
            min(most, size) if layer.time_shared else size
            for layer, size in zip(Design(network=network, arrangement=arrangement).layers, layers[1:], strict=True))
        design = Design(network=network, arrangement=arrangement, units=units, target="ecp5")
        clocks = estimate.clocks(design, nonzero)
        assert clocks.learnt is not None
        return [f"`{arrangement}`", ", ".join(map(str, design.units)), str(emit.multipliers(design)),
                f"{core_cells(design).cells:,}", f"{clocks.inferred:,.0f}", f"{clocks.learnt:,.0f}"]
    spans = (f"time-shared {first}-{len(layers) - 2}" for first in range(len(layers) - 3, 0, -1))
    return table(("arrangement", "units", "multipliers", "cells (estimate)", "clocks, inferred", "learnt, with an error"),
                 map(row, ("parallel", *spans, "time-shared")))
