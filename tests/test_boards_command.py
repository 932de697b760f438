"""``wuxing boards``: the table and the JSON say what declarations and estimate say."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from boards import fit, kinds, platforms
from golden_model.network import Network
from hdl import estimate

ROOT = Path(__file__).parents[1]
PROGRAM = "import sys, wuxing.cli; sys.exit(wuxing.cli.main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """What the command writes as JSON, and what it prints."""
    output = tmp_path_factory.mktemp("boards") / "boards.json"
    ran = subprocess.run([sys.executable, "-c", PROGRAM, "boards", "--json", output], capture_output=True, text=True,
                         check=True, env=os.environ | {"COLUMNS": "80"})
    return json.loads(output.read_text("utf-8"))["boards"], ran.stdout


def test_every_board_is_listed_with_its_pins_and_serial_line(listing):
    entries, output = listing
    assert [entry["name"] for entry in entries] == list(platforms.PLATFORMS)
    for entry in entries:
        platform = platforms.by_name(entry["name"])
        assert entry["pins"]["rx"] == platform.pins["rx"].site
        assert entry["divisor"] == round(entry["MHz"] * 1e6 / entry["baud"])
        assert re.search(rf"^{entry['name']}: .*{re.escape(platform.serial)}", output, re.MULTILINE)


def test_the_table_is_whole_in_eighty_columns(listing):
    entries, output = listing
    table = output.split("\n\n")[0].splitlines()
    assert max(map(len, table)) <= 80
    rows = [line.split()[0] for line in table if line.startswith(tuple(platforms.PLATFORMS))]
    assert rows == list(platforms.PLATFORMS)
    for entry in entries:
        assert re.search(rf"^{entry['name']} +{re.escape(entry['device'])} +{entry['MHz']:g} +{entry['baud'] / 1e6:g} ", output,
                         re.MULTILINE)


@pytest.mark.parametrize("folded", [False, True])
def test_capacity_is_that_of_fit_and_estimate(listing, folded):
    entries, output = listing
    entry = next(entry for entry in entries if entry["name"] == "ulx3s-25f")
    design = fit.largest(platforms.by_name("ulx3s-25f"), folded=folded)
    result = entry["folded" if folded else "one_unit_per_neuron"]
    assert (result["layers"], result["units"]) == (list(design.network.layers), list(design.units))
    assert result["clocks"] == asdict(estimate.clocks(design, 149))
    assert result["us"]["learnt"] == result["clocks"]["learnt"] / 100
    cells = re.search(r"^ulx3s-25f +LFE5U-25F +(.*)$", output, re.MULTILINE)[1].split()
    assert cells[5 if folded else 2] == str(design.network.layers[1])


def test_a_chip_that_takes_no_such_network_says_none(listing):
    entries, output = listing
    entry = next(entry for entry in entries if entry["name"] == "icebreaker")
    missing = [way for way in ("one_unit_per_neuron", "folded") if entry[way] is None]
    line = re.search(r"^icebreaker .*$", output, re.MULTILINE)[0]
    assert line.count("none") == len(missing)


def test_the_table_of_the_documents_is_what_the_command_says(listing):
    entries, _ = listing
    text = (Path(__file__).parents[1] / "docs/boards.md").read_text("utf-8")
    for entry in entries:
        row = [f"`{entry['name']}`", entry["title"], entry["device"], f"{entry['MHz']:g}", f"{entry['baud'] / 1e6:g}",
               entry["memories"]]
        for way in ("one_unit_per_neuron", "folded"):
            result = entry[way]
            row += ["none", "", ""] if result is None else [
                str(result["layers"][1]), *(f"{result['us'][kind]:,.1f}" for kind in ("inferred", "learnt"))]
        assert f"| {' | '.join(row)} |" in text
        pins = ", ".join(entry["pins"][name] for name in ("oscillator", "rx", "tx"))
        line = f"{entry['line_images_per_second']:,.0f}"
        assert f"| `{entry['name']}` | {pins} | {entry['serial']} | {line} | {entry['note']} |" in text


def test_images_a_second_are_those_of_the_slower_of_line_and_core(listing):
    entries, output = listing
    slow = set()
    for entry in entries:
        line = entry["baud"] / 10 / 300
        assert entry["line_images_per_second"] == pytest.approx(line)
        assert f"for about {line:,.0f} images a second" in output
        for way in ("one_unit_per_neuron", "folded"):
            if entry[way] is not None:
                core = {kind: 1e6 / entry[way]["us"][kind] for kind in ("inferred", "learnt")}
                assert entry[way]["images_per_second"] == {kind: min(rate, line) for kind, rate in core.items()}
                slow |= {(entry["device"], way, kind) for kind, rate in core.items() if rate < line}
    assert slow == {(device, "folded", "learnt") for device in ("LFE5U-85F", "LFE5UM5G-85F")}         # as the document says


def test_the_document_says_in_words_what_the_ulx3s_25f_takes(listing):
    entries, _ = listing
    entry = next(entry for entry in entries if entry["name"] == "ulx3s-25f")
    plain, folded = (entry[way]["layers"][1] for way in ("one_unit_per_neuron", "folded"))
    text = " ".join((Path(__file__).parents[1] / "docs/boards.md").read_text("utf-8").split())
    assert f"The largest 784-H-10 of a ULX3S 25F has H = {plain} with a unit for each neuron" in text
    assert f"and H = {folded} folded" in text


def test_the_largest_of_each_kind_fits_and_one_more_does_not(listing):
    entries, output = listing
    document = (Path(__file__).parents[1] / "docs/networks.md").read_text("utf-8")
    for device, networks in {entry["device"]: entry["kinds"] for entry in entries}.items():
        sizes = ["none" if layers is None else str(kinds.KINDS[name].size(layers)) for name, layers in networks.items()]
        assert re.search(rf"^{device} +{' +'.join(sizes)}$", output, re.MULTILINE)
        assert f"| {device} | {' | '.join(sizes)} |" in document
    platform = platforms.by_name("ulx3s-25f")
    for name, kind in kinds.KINDS.items():
        size = kind.size(next(entry for entry in entries if entry["name"] == platform.name)["kinds"][name])
        for count, fits in ((size, True), (size + 1, False)):
            design = fit.chosen(platform, kind.network(platform.target, count), kind=kind.neurons)
            assert fit.fit(platform, design).fits == fits


@pytest.mark.parametrize(("name", "size", "file"), [
    ("convolutions", 16, "convolutions"), ("recurrent", 96, "recurrent"), ("K_alone", 256, "couplings")])
def test_kinds_have_the_words_of_the_examples(name, size, file):
    """So that what is stated for a size is what the example of that size takes."""
    example = Network.from_toml((ROOT / f"examples/{file}.toml").read_text("utf-8"))
    network = kinds.KINDS[name].network("ecp5", size)
    assert network.digest == example.digest
