"""The page of ``wuxing compare``: it stands alone, says everything and takes no commands from what it is handed."""
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from jinja2 import UndefinedError
from markupsafe import escape

import wuxing.reports.page
from golden_model import parameters
from golden_model.data.datasets import Dataset, encoded
from golden_model.data.samples import Samples
from golden_model.errors import InputError
from golden_model.network import Learning, Network
from golden_model.training import confusion
from test_comparison import RUN
from wuxing.comparison import Details, Result, Summary
from wuxing.reports import comparison_page
from wuxing.reports.comparison_page import page, write_report
from wuxing.training_record import Images

NETWORK = Network(layers=(6, 4), learning=Learning(epochs=2), seed=1)
RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (30, 6)).astype(np.uint8)
LABELS = RANDOM.integers(0, 4, 30)
WRONG = np.where(np.arange(30) < 3, (LABELS + 1) % 4, LABELS)
COUNTS = {name: confusion(LABELS, classes, 4) for name, classes in (("float", LABELS), ("fixed", WRONG))}
SPREAD = [f"{name}_accuracy" for name in comparison_page.ACCURACIES] + ["gap_points", "quantised_gap_points", "agreement"]
HOSTILE = "</h1><script>alert('1')</script>"
DATA = Dataset(name=HOSTILE, source="drawn", train_images=IMAGES, train_labels=LABELS, test_images=IMAGES, test_labels=LABELS,
               classes=4, image_shape=(2, 3))


def result(name=HOSTILE, seeds=3):
    means = replace(RUN, confusion=COUNTS)
    return Result(summary=Summary(first=means, seeds=seeds, runs=[means], spread=dict.fromkeys(SPREAD, 0.04)), dataset=name,
                  dataset_sha256="ab" * 32, classes_without_images=[], train_images=30, test_images=30, network=NETWORK,
                  digest=NETWORK.digest, options=Images(shift=1, hold_out=None, train_images=None, test_images=None),
                  board=None, versions={"numpy": "2.2.0"})


def details():
    return Details(network=NETWORK, learnt=parameters.initial(NETWORK, "fixed"), data=DATA,
                   predictions={"float": LABELS, "fixed": WRONG}, command="wuxing compare --dataset 'a & b'")


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
    text = page(result(), details())
    outcome = Page(text)
    assert outcome.tags.count("svg") == 4                       # curves, two confusions, ranges
    assert outcome.tags.count("img") == 3                       # misclassified by fixed
    assert len(set(outcome.names)) == len(outcome.names)
    assert all(each.startswith("data:image/png;base64,") or each.removeprefix("#") in outcome.names
               for each in outcome.references)
    for part in ("98.01 ± 0.04 %", "97.93 ± 0.04 %", "97.50 ± 0.04 %", "91.00 ± 0.04 %", "92.55 ± 0.04 %", "0.08 ± 0.04 points",
                 "p = 0.0312", "99.10 ± 0.04 %", "61,234", "ab" * 32, "2.2.0", NETWORK.digest, "layers = [", "options shift",
                 "wuxing compare --dataset &#39;a &amp; b&#39;", "3 of 30 test images", "width=device-width"):
        assert part in text, part


def test_the_page_of_a_table_speaks_of_samples_and_names_their_classes():
    names = np.array(["ant", "bee", "cat", "dog"])
    rows = Samples(name="pets", kind="table", train_values=IMAGES, train_labels=names[LABELS], test_values=IMAGES,
                   test_labels=names[LABELS], source="drawn", features=tuple("abcdef"))
    text = page(result("pets"), replace(details(), data=encoded(rows)))
    outcome = Page(text)
    assert "img" not in outcome.tags, "a row of a table is no picture"
    assert "images" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    for part in ("Accuracy on the test samples", "Samples per second", "test samples</td>", "taken for",
                 f'<td>0</td>\n<td class="wide">{names[LABELS[0]]}</td>\n<td class="wide">{names[WRONG[0]]}</td>'):
        assert re.sub(r"\s", "", part) in re.sub(r"\s", "", text), part


def test_a_page_takes_no_commands_from_the_name_of_a_data_set():
    """A folder may be called anything, and its name stands in the title, the heading and a table."""
    text = page(result(), details())
    assert "script" not in Page(text).tags
    assert text.count(escape(HOSTILE)) == 3
    assert HOSTILE not in text
    assert page(result("digits"), details()) == text.replace(str(escape(HOSTILE)), "digits")


def test_every_template_escapes_what_it_is_handed(tmp_path, monkeypatch):
    """Whatever its name is: Jinja2 by itself escapes nothing."""
    (tmp_path / "t.txt").write_text("<p>{{ text }}</p>{{ figure }}")
    monkeypatch.setattr(wuxing.reports.page, "TEMPLATES", tmp_path)
    wuxing.reports.page._environment.cache_clear()
    try:
        assert wuxing.reports.page.rendered("t.txt", text="<b>",
                                            figure=wuxing.reports.page.drawn(b"<svg/>")) == "<p>&lt;b&gt;</p><svg/>"
        with pytest.raises(UndefinedError, match="'figure' is undefined"):
            wuxing.reports.page.rendered("t.txt", text="")
    finally:
        wuxing.reports.page._environment.cache_clear()


def test_one_seed_has_no_deviations():
    text = page(result(seeds=1), details())
    assert "98.01 %" in text
    assert "±" not in text


def test_equal_contents_give_an_equal_page():
    assert page(result(), details()) == page(result(), details())


def test_write_report_makes_its_folder(tmp_path):
    path = write_report(tmp_path / "a" / "b", result(), details())
    assert path == tmp_path / "a" / "b" / "index.html"
    assert path.read_text("utf-8") == page(result(), details())
    assert [each.name for each in path.parent.iterdir()] == ["index.html"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    text = (f"{tmp_path / 'file' / 'x'} must be a folder that can be made, but: Not a directory; choose another place for the "
            "report")
    with pytest.raises(InputError, match=re.escape(text)):
        write_report(tmp_path / "file" / "x", result(), details())
