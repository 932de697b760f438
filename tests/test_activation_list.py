# amaranth: UnusedElaboratable=no
"""List between layers: every play is the list of its image, in the first clock that can be; planted bugs are found."""
import re

import pytest

from hdl.activation_list import ActivationList
from planted_bugs import planted
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, verdicts

SHAPES = {"usual": (12, 13), "one input": (1, 5), "two inputs": (2, 3), "power of two": (8, 2), "one more": (9, 6)}
STALLS = [0, 0.3, 0.8]


def case(shape, stalls, list_class=ActivationList, images=60):
    inputs, bits = SHAPES[shape]
    return Case(component=FlatPorts(list_class(inputs, bits)), settings={
        "inputs": inputs, "bits": bits, "images": images, "stalls": stalls, "seed": 4})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {(shape, stalls): case(shape, stalls) for shape in SHAPES for stalls in STALLS}
    wrong = {name: case("usual", 0 if name == TOO_LATE else 0.3, planted("hdl.activation_list", *bug).ActivationList)
             for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "activation_list_bench")


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_play_is_the_list_of_its_image(findings, shape, stalls):
    assert not findings[shape, stalls], findings[shape, stalls]


TOO_LATE = "bubble"
BUGS = {
    "item changes while it waits": ("move.eq(~valid | self.items.ready)", "move.eq(1)"),
    "zeros are kept": ("self.written_valid & self.written.value.any()", "self.written_valid"),
    "always free": ("self.free.eq(~begun.bit_select(writing, 1))", "self.free.eq(1)"),
    "ends before it is written": ("with m.Elif(active & closed.bit_select(playing, 1)):", "with m.Elif(active):"),
    "one bank": ("m.d.sync += [writing.eq(~writing),", "m.d.sync += ["),
    "offer stays after a restart": ("fetched.eq(0), valid.eq(0), last.eq(0)", "fetched.eq(0), last.eq(0)"),
    "what was fetched stays after a restart": ("active.eq(1), fetched.eq(0),", "active.eq(1),"),
    "restart goes on": ("last.eq(0), fetch.eq(0)]", "last.eq(0)]"),
    "count is not forgotten": ("m.d.sync += held.eq(0)", "pass"),
    "flag of the other bank": ("self.learn.eq(learns.bit_select(playing, 1))", "self.learn.eq(learns[0])"),
    TOO_LATE: ("advance.eq(~fetched | move)", "advance.eq(~fetched)"),
    "end has a value": ("Mux(last, 0, item.value)", "item.value"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*must", findings[name])
