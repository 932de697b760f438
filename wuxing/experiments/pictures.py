"""Pictures of experiments: SVG files on white that stand alone. Equal data give equal bytes."""
from __future__ import annotations

import wuxing.matplotlib_folder  # noqa: F401  (before matplotlib)

# isort: split

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from wuxing.plots import COLOURS, FAINT, RED, STYLE

CYCLE = (COLOURS["float"], COLOURS["fixed"], "#4a9d5b", "#8d5fb0", "#b8860b", FAINT, RED, "#222222")


def picture(name: str, paint: Callable[[Any], None], *, rows: int = 1, columns: int = 1,
            size: tuple[float, float] = (6.4, 3.4)) -> bytes:
    """An SVG of ``rows`` by ``columns`` panels.

    Parameters
    ----------
    name : str
        Decides the names inside the SVG.
    paint : callable
        Is handed the array (rows, columns) of matplotlib's axes; the user's settings of matplotlib do not matter.
    size : width and height in inches
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": name, "axes.prop_cycle": cycler(color=list(CYCLE)),
                             "legend.fontsize": 7.5, "lines.linewidth": 1.3})
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure.subplots(rows, columns, squeeze=False))
        file = io.BytesIO()
        unsaid: Any = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(file, format="svg", facecolor="white", metadata=unsaid)
    svg = file.getvalue().decode()
    return re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.DOTALL).encode()
