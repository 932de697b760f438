"""Figures: SVG in the colour of the text, or PNG; equal data give equal bytes."""
from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from test_comparison import RUN
from test_comparison_page import COUNTS, details
from wuxing.reports import plots


@pytest.mark.parametrize("kind", plots.KINDS)
@pytest.mark.parametrize("draw", [lambda kind: plots.learning_curves(RUN.curves, kind),
                                  lambda kind: plots.confusion(np.array(COUNTS["fixed"]), "fixed", kind),
                                  lambda kind: plots.ranges_plot(details().ranges(), kind)],
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


def test_a_picture_of_an_experiment_stands_alone():
    """On white, without the user's settings of matplotlib, the same bytes twice."""
    def paint(axes):
        for column, place in enumerate(axes[0]):
            place.plot([0, 1], [column, 2], label="x")
    content = plots.picture("two", paint, columns=2, size=(4, 2))
    assert content == plots.picture("two", paint, columns=2, size=(4, 2))
    assert ElementTree.fromstring(content).get("width") == "288pt"
    assert b"currentColor" not in content
    assert b"<metadata" not in content
