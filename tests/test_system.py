# amaranth: UnusedElaboratable=no
"""Core and link together: sizes of the buffers, what is refused, and the text that is simulated and synthesised."""
import re

import pytest

from boards import system
from boards.fit import network_for
from boards.system import System, buffer_bytes, system_verilog
from golden_model.errors import InputError
from golden_model.network import Network
from hdl import emit
from hdl.design import Design

DESIGN = Design(network=Network(layers=(6, 3)))


@pytest.mark.parametrize(("inputs", "size"), [(1, 512), (64, 512), (200, 512), (784, 2048), (3072, 8192), (65_000, 32_768)])
def test_the_buffer_holds_two_images(inputs, size):
    assert buffer_bytes(Network(layers=(inputs, 2))) == size
    if inputs < 10_000:
        assert size >= 2 * (4 * (1 + -(-inputs // 4)) + 4)


def test_slots_are_what_a_block_ram_holds():
    assert System(DESIGN, 4).slots == 8
    assert System(Design(network=network_for("ice40", (6, 3)), target="ice40"), 4).slots == 2
    assert System(DESIGN, 4, slots=4).slots == 4


def test_what_cannot_be_is_refused():
    with pytest.raises(InputError, match="^divisor must be a whole number of clocks from 2 to 65536"):
        System(DESIGN, 1)
    with pytest.raises(InputError, match=re.escape("slots for replies must be a power of two from 2 to 64, not 5")):
        System(DESIGN, 4, slots=5)


def test_the_core_is_in_it_as_it_is_emitted():
    text = system_verilog(DESIGN, 4)
    assert text.startswith(f"module {system.TOP}(\n  clk,\n  rst,\n  rx,\n  tx\n);")
    assert text.endswith(emit.to_verilog(DESIGN))
    assert len(re.findall(rf"^ *{emit.TOP} \S+ \($", text, re.MULTILINE)) == 1
    assert system_verilog(DESIGN, 4, "module wuxing_core; endmodule").endswith("\nmodule wuxing_core; endmodule")
    assert system_verilog(DESIGN, 4) == text
