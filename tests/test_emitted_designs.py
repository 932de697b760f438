# amaranth: UnusedElaboratable=no
"""The Verilog of a fixed set of designs is what it was, byte for byte: who changes a circuit says so by recording it anew."""
import pytest

from emitted_designs import designs, digest, recorded

QUICK = ("64-8-4 ecp5 parallel 128", "64-8-4 ice40 time-shared 2", "20-70-9-5 programmable learns in folds")


def test_the_record_has_every_design():
    assert list(recorded()) == list(designs())
    assert len(recorded()) >= 30


@pytest.mark.parametrize("name", QUICK)
def test_a_design_has_its_verilog(name):
    assert digest(designs()[name]) == recorded()[name]


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in designs() if name not in QUICK])
def test_every_other_design_has_its_verilog(name):
    assert digest(designs()[name]) == recorded()[name]
