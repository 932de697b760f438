"""The report: one page that stands alone, whatever of its contents is there; figures are reproducible; `ranges` runs."""
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from golden_model import parameters
from golden_model.errors import InputError
from golden_model.network import Learning, Network
from golden_model.ranges import record
from golden_model.storage import model_file
from wuxing.commands.ranges import ranges as ranges_command
from wuxing.reports import plots
from wuxing.reports.comparison_page import page, write_report

NETWORK = Network(layers=(6, 4), learning=Learning(epochs=2), seed=1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 6)).astype(np.uint8)
LABELS = RANDOM.integers(0, 4, 30)
WRONG = np.where(np.arange(30) < 3, (LABELS + 1) % 4, LABELS)
EPOCHS = [{"epoch": 0, "online": 0.5, "test": 0.7}, {"epoch": 1, "online": 0.6, "test": None}]
RESULT = {"float_accuracy": 98.01, "quantised_accuracy": 97.5, "fixed_accuracy": 97.93, "last_layer_only_accuracy": 91.0,
          "logistic_accuracy": 92.55, "gap_points": 0.08, "agreement": 99.1, "seed": 1, "seeds": 3,
          "spread": {"float_accuracy": 0.04}, "mcnemar": {"float_fixed": {"p_value": 0.0312}},
          "images_per_second": {"float": {"learning": 61234.5}}, "dataset": "<script>alert(1)</script>",
          "dataset_sha256": "ab" * 32, "versions": {"numpy": "2.2.0"}}


def details():
    return {"curves": {"float": EPOCHS, "fixed": EPOCHS}, "labels": LABELS, "predictions": {"float": LABELS, "fixed": WRONG},
            "ranges": record(NETWORK, parameters.initial(NETWORK, "fixed"), IMAGES, LABELS), "network": NETWORK,
            "images": IMAGES, "image_shape": (2, 3), "command": "wuxing compare --dataset 'a & b'"}


class Page(HTMLParser):
    """Tags must close in order; names must be unique; all that is referred to must be in the page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.names, self.references = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self._look(attributes)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self._look(attributes)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def _look(self, attributes):
        for name, value in attributes:
            self.names += [value] * (name == "id")
            self.references += [value] * (name in ("src", "href", "xlink:href"))
            self.references += re.findall(r"url\(([^)]*)\)", value or "")


def test_the_page_stands_alone_and_says_everything():
    text = page(RESULT, details())
    found = Page(text)
    assert found.tags.count("svg") == 4                         # curves, two confusions, ranges
    assert found.tags.count("img") == 3                         # misclassified by fixed
    assert "script" not in found.tags
    assert len(set(found.names)) == len(found.names)
    assert all(each.startswith("data:image/png;base64,") or each.removeprefix("#") in found.names for each in found.references)
    for said in ("98.01 ± 0.04 %", "97.93 %", "97.50 %", "91.00 %", "92.55 %", "0.08 points", "p = 0.0312", "99.10 %", "61,234",
                 "ab" * 32, "2.2.0", NETWORK.digest, "layers = [", "wuxing compare --dataset &#x27;a &amp; b&#x27;",
                 "&lt;script&gt;alert(1)&lt;/script&gt;", "3 of 30 test images", "width=device-width"):
        assert said in text, said


def test_equal_contents_give_an_equal_page():
    assert page(RESULT, details()) == page(RESULT, details())


@pytest.mark.parametrize("missing", [*details(), None])
def test_any_entry_may_be_missing(missing):
    """None: all of them."""
    drop = {missing} if missing in ("network", "ranges") else {missing, "ranges"}       # the slowest figure
    given = {} if missing is None else {key: value for key, value in details().items() if key not in drop}
    Page(page({} if missing is None else RESULT, given))


def test_ranges_may_be_made_when_they_are_drawn():
    given = details()
    made = given["ranges"]
    assert page(RESULT, given) == page(RESULT, given | {"ranges": lambda: made})


def test_write_report_makes_its_folder(tmp_path):
    path = write_report(tmp_path / "a" / "b", RESULT, details())
    assert path == tmp_path / "a" / "b" / "index.html"
    assert path.read_text("utf-8") == page(RESULT, details())
    assert [each.name for each in path.parent.iterdir()] == ["index.html"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    text = (f"{tmp_path / 'file' / 'x'} must be a folder that can be made, but: Not a directory; choose another place for the "
            "report")
    with pytest.raises(InputError, match=re.escape(text)):
        write_report(tmp_path / "file" / "x", RESULT, {})


def test_confusion_matrix_counts_rows_of_labels():
    assert plots.confusion_matrix([0, 0, 1, 2], [0, 2, 1, 1], 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]


@pytest.mark.parametrize("kind", plots.KINDS)
@pytest.mark.parametrize("draw", [lambda kind: plots.learning_curves({"float": EPOCHS}, kind),
                                  lambda kind: plots.confusion(plots.confusion_matrix(LABELS, WRONG, 4), "fixed", kind),
                                  lambda kind: plots.ranges_plot(details()["ranges"], kind)],
                         ids=["curves", "confusion", "ranges"])
def test_figures_are_images_and_reproducible(draw, kind):
    content = draw(kind)
    assert content == draw(kind)
    if kind == "svg":
        assert ElementTree.fromstring(content).tag.endswith("svg")
        assert plots.INK.encode() not in content
        assert b"currentColor" in content
    else:
        assert content.startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("arithmetic", ["fixed", "float"])
def test_ranges_command_prints_plots_and_writes_json(arithmetic, tmp_path, capsys):
    network = Network(layers=(64, 5, 10), learning=Learning(epochs=1))
    model_file.save(tmp_path / "m.npz", network, arithmetic, parameters.initial(network, arithmetic), {})
    ranges_command(tmp_path / "m.npz", dataset="digits", images=20, learn=5, json=tmp_path / "r.json", plot=tmp_path / "r.svg")
    out, err = capsys.readouterr()
    assert "20 images inferred and 5 learnt" in out
    assert ("rounded to the formats" in err) == (arithmetic == "float")
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["signals"]["input"]["count"] == 25 * 64
    assert written["worst_case"]["link_sum[0]"]["bits"] == 30
    assert written["proposed_formats"]["bracket"] == "exact"
    ElementTree.fromstring((tmp_path / "r.svg").read_bytes())


@pytest.mark.parametrize(("options", "text"), [
    ({"plot": "r.gif"}, "--plot must be a file that ends in .svg or .png, not {folder}/r.gif"),
])
def test_ranges_command_refuses(options, text, tmp_path):
    options = {key: tmp_path / value if key == "plot" else value for key, value in options.items()}
    with pytest.raises(InputError, match=re.escape(text.format(folder=tmp_path))):
        ranges_command(tmp_path / "m.npz", **options)
