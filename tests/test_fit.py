"""What fits a board: against the estimate, at the edge, and the sentences that say what to shrink."""
from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import pytest

from boards import fit, platforms, synthesis, tools
from boards.link import HostLink
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Network, Wiring
from hdl.cells import core_cells
from hdl.design import Design
from hdl.yosys import converted

ROOT = Path(__file__).parent.parent
SMALL = platforms.by_name("ulx3s-12f")
LARGE = platforms.by_name("ulx3s-85f")


def test_needs_are_the_estimate_and_the_link():
    design = Design(network=Network(layers=(100, 10, 5)), target="ecp5")
    result = fit.fit(SMALL, design)
    needs = asdict(core_cells(design) + fit.LINK["ecp5"])
    needs["block_rams"] += 2                              # buffers of the link
    assert {name: count for name, (count, _) in result.parts.items()} == needs
    assert {name: has for name, (_, has) in result.parts.items()} == dict(SMALL.device.has)
    assert result.fits
    assert fit.check(SMALL, design) == result


def test_the_buffers_of_the_link_are_block_rams_beside_it():
    platform, network = platforms.by_name("icebreaker"), fit.network_for("ice40", (784, 32, 10))
    result = fit.fit(platform, Design(network=network, target="ice40", arrangement="time-shared"))
    core = core_cells(result.design)
    assert result.parts["block_rams"] == (core.block_rams + 4 + 1, 30)          # 2,048 bytes for requests, 512 for replies
    assert result.parts["cells"] == (core.cells + fit.LINK["ice40"].cells, 5280)


def test_the_link_of_ice40_takes_what_is_said(tmp_path):
    """Its cells, as packed with the buffers of a network of digits; PLL and reset, a dozen cells, come to them."""
    (tmp_path / "link.v").write_text(converted(HostLink(15, 2048, 2), "link")[0], "utf-8")
    synthesis.synthesise("ice40", ["link.v"], "link", tmp_path)
    tools.run("nextpnr-ice40", ["--up5k", "--package", "sg48", "--json", synthesis.NETLIST, "--pack-only"], tmp_path, "log")
    text = (tmp_path / "log").read_text("utf-8")
    used = {name: int(count) for name, count in re.findall(r"(ICESTORM_LC|ICESTORM_RAM):\s+(\d+)/", text)}
    assert used["ICESTORM_RAM"] == 5
    match = re.search(r"takes (\d+) logic cells and (\d+) block RAMs", (ROOT / "docs/link.md").read_text("utf-8"))
    assert (used["ICESTORM_LC"], used["ICESTORM_RAM"]) == (int(match[1]), int(match[2]))
    assert used["ICESTORM_LC"] + 12 == pytest.approx(fit.LINK["ice40"].cells, rel=0.03)


def test_a_design_of_another_family_is_refused():
    text = "the design must be of target ecp5 for ulx3s-12f, not portable; generate it for this board"
    with pytest.raises(InputError, match=re.escape(text)):
        fit.fit(SMALL, Design(network=Network(layers=(9, 4, 3))))


def test_what_does_not_fit_is_refused_with_the_units_that_do():
    design = Design(network=Network(layers=(100, 60, 10)), target="ecp5")
    needs = {name: count for name, (count, _) in fit.fit(SMALL, design).parts.items()}
    smaller = fit.chosen(SMALL, design.network)
    text = (f"100-60-10 on 60, 10 processing units must fit the LFE5U-12F of ULX3S 12F, but needs {needs['cells']:,} of "
            f"12,000 logic cells and {needs['flip_flops']:,} of 12,000 flip-flops and 70 of 28 multipliers and "
            f"{needs['block_rams']} of 32 block RAMs; give --most-units {max(smaller.units)}")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        fit.check(SMALL, design)
    assert fit.check(SMALL, smaller).fits


def test_what_no_number_of_units_makes_fit_is_refused_with_the_layer_that_does():
    design = fit.chosen(SMALL, Network(layers=(784, 128, 10)))
    assert design.units == (1, 1)
    most = fit.largest(SMALL).network.layers[1]
    text = f"; of 784-H-10 the largest that fits has H = {most}, or take a larger board"
    with pytest.raises(InputError, match=re.escape(text)):
        fit.check(SMALL, design)


def test_a_deep_network_that_does_not_fit_is_told_to_shrink():
    design = fit.chosen(SMALL, Network(layers=(784, 100, 100, 10)))
    text = "; choose fewer inputs or smaller layers, or take a larger board"
    with pytest.raises(InputError, match=re.escape(text)):
        fit.check(SMALL, design)


@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("platform", [SMALL, platforms.by_name("ulx3s-25f")], ids=lambda platform: platform.name)
def test_the_largest_fits_and_one_more_neuron_does_not(platform, folded):
    result = fit.largest(platform, 200, 10, folded=folded)
    assert fit.fit(platform, result).fits
    layers = result.network.layers
    more = Network(layers=(layers[0], layers[1] + 1, layers[2]))
    if folded:
        assert not fit.fit(platform, fit.chosen(platform, more)).fits
    else:
        assert result.units == layers[1:]
        assert not fit.fit(platform, Design(network=more, target="ecp5")).fits


def test_the_design_that_is_chosen_has_the_most_units_that_fit():
    network = Network(layers=(100, 60, 10))
    result = fit.chosen(SMALL, network)
    assert fit.fit(SMALL, result).fits
    folds = -(-60 // result.units[0])
    more = Design(network=network, units=(-(-60 // (folds - 1)), 10), target="ecp5")
    assert not fit.fit(SMALL, more).fits
    assert fit.chosen(LARGE, network).units == (60, 10)


def test_a_time_shared_array_has_no_unit_that_spares_no_fold():
    """17 units of 32 channels and of 128 neurons do in 2 and 8 folds what 16 do, too."""
    network = Network(layers=(784, 2304, 512, 128, 10), wiring=Wiring(layers=(
        "convolution 5x5 stride 2 of 28x28x1", "convolution 5x5 stride 2 of 12x12x16", "full", "full")))
    assert fit.chosen(LARGE, network).units == (16, 16, 16, 10)


def test_arrays_of_two_units_give_way_to_a_time_shared_one():
    """Links of 13 bits and long K: memories with two ports leave room for two units, those with one port for 13."""
    network = Network.from_toml((ROOT / "examples" / "couplings.toml").read_text("utf-8"))
    parallel = fit.chosen(LARGE, network, kind="programmable", arrangement="parallel")
    result = fit.chosen(LARGE, network, kind="programmable")
    assert (parallel.arrangement, [layer.folds for layer in parallel.layers]) == ("parallel", [128, 5])
    assert (result.arrangement, result.units, [layer.folds for layer in result.layers]) == ("time-shared", (13, 10), [20, 1])
    assert fit.fit(LARGE, result).fits
    assert fit.chosen(LARGE, Network(layers=(784, 240, 10))).arrangement == "parallel"       # 27 units, 9 folds


def test_arrays_that_no_time_shared_one_can_replace_stay():
    """Programmable neurons that learn no K, in some folds: a time-shared array of them is refused."""
    network = Network(layers=(784, 24, 10), formats=Formats(bracket=Format(18, 12)))
    result = fit.chosen(SMALL, network, kind="programmable")
    assert result.arrangement == "parallel"
    assert result.layers[0].folds >= fit.FOLDED
    assert fit.fit(SMALL, result).fits


def test_the_headline_fits_its_board_without_folding():
    result = fit.chosen(LARGE, Network(layers=(784, 128, 10)))
    assert result.units == (128, 10)


def test_networks_for_ice40_have_operands_of_its_multiplier():
    design = Design(network=fit.network_for("ice40", (16, 4, 4)), units=(2, 2), target="ice40")
    assert max(design.layers[0].operand_bits_needed.values()) <= 16
    assert fit.network_for("ecp5", (16, 4, 4)) == Network(layers=(16, 4, 4))


def test_a_network_without_room_for_one_neuron_has_no_largest():
    assert fit.largest(SMALL, 60_000, 10, folded=False) is None
