"""``wuxing ranges``: what it prints, draws and writes, and what it refuses."""
from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import pytest

from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Learning, Network
from golden_model.storage import model_file
from wuxing.commands.ranges import ranges as ranges_command


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_ranges_command_prints_plots_and_writes_json(arithmetic, tmp_path, capsys):
    network = Network(layers=(64, 5, 10), learning=Learning(epochs=1))
    model_file.save(tmp_path / "m.npz", network, arithmetic, parameters.initial(network, arithmetic), {})
    ranges_command(tmp_path / "m.npz", dataset="digits", images=20, learn=5, json=tmp_path / "r.json", plot=tmp_path / "r.svg")
    out, err = capsys.readouterr()
    assert "20 images inferred and 5 learnt" in out
    assert ("rounded to the formats" in err) == (arithmetic == "float")
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["signals"]["input"]["count"] == 25 * 64
    assert content["worst_case"]["link_sum[0]"]["bits"] == 30
    assert content["proposed_formats"]["bracket"] == "exact"
    ElementTree.fromstring((tmp_path / "r.svg").read_bytes())


@pytest.mark.parametrize(("options", "text"), [
    ({"plot": "r.gif"}, "--plot must be a file that ends in .svg or .png, not {folder}/r.gif"),
])
def test_ranges_command_refuses(options, text, tmp_path):
    options = {key: tmp_path / value if key == "plot" else value for key, value in options.items()}
    with pytest.raises(InputError, match=re.escape(text.format(folder=tmp_path))):
        ranges_command(tmp_path / "m.npz", **options)
