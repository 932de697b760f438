"""Figures as bytes: for pages SVG that takes the colour of the text around it, or PNG; for experiments SVG on white that stands
alone. Equal data give equal bytes.

Drawn with matplotlib's object interface: no window, no global state but the settings inside ``_drawing``. Its folder (a list of
fonts) is a part of our cache, unless ``MPLCONFIGDIR`` names one; a ``matplotlibrc`` of the user is then not read: figures are
the same everywhere. Where matplotlib is imported already, as in a notebook, it keeps what it has.
"""
from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import numpy.typing as npt
from cycler import cycler

from golden_model.errors import InputError
from golden_model.ranges import Ranges, Signal
from golden_model.storage import cache
from wuxing.training_record import CurvePoint

if "matplotlib" not in sys.modules and not os.environ.get("MPLCONFIGDIR"):     # it is read when matplotlib is imported
    with suppress(InputError):                            # then matplotlib finds a place by itself, and says so
        os.environ["MPLCONFIGDIR"] = str(cache.part("matplotlib"))

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import imsave
from matplotlib.patches import Rectangle
from matplotlib.ticker import AutoLocator

Panels = npt.NDArray[Any]                 # matplotlib's Axes, (rows, columns)

KINDS = ("svg", "png")
INK = "#010203"                           # in SVG replaced by the colour of the surrounding text
COLOURS = {"float": "#3b82c4", "fixed": "#d9622b"}
FAINT, RED = "#8f99a3", "#cc3311"
SHADES = LinearSegmentedColormap.from_list("wuxing", ["#dbe9f6", "#7fb2de", "#3b82c4", "#1d4e89"])
STYLE: Any = {"font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.spines.top": False,
              "axes.spines.right": False, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK, "ytick.color": INK,
              "axes.edgecolor": FAINT, "legend.frameon": False, "figure.dpi": 110, "svg.fonttype": "path"}
CYCLE = (COLOURS["float"], COLOURS["fixed"], "#4a9d5b", "#8d5fb0", "#b8860b", FAINT, RED, "#222222")     # of experiments


def learning_curves(curves: Mapping[str, Sequence[CurvePoint]], kind: str = "svg") -> bytes:
    """Accuracy over epochs, for each arithmetic."""
    with _drawing("curves"):
        figure, axes = _figure(6.4, 3.4)
        lowest = 100.0
        for name, epochs in curves.items():
            tested = [(point.epoch + 1, point.test_accuracy) for point in epochs if point.test_accuracy is not None]
            online = [(point.epoch + 1, point.online_accuracy) for point in epochs]
            for points, line, label in ((tested, "-", "test"), (online, ":", "training, before each image is learnt")):
                if points:
                    axes.plot(*zip(*points, strict=True), line, color=COLOURS[name], marker="o", markersize=3,
                              label=f"{name}: {label}")
                    lowest = min(lowest, points[min(1, len(points) - 1)][1])
        axes.set(xlabel="epoch", ylabel="accuracy (%)")
        axes.set_ylim(lowest - 0.1 * (100.1 - lowest) - 0.05, 100.1)
        axes.xaxis.set_major_locator(_whole_numbers())
        axes.grid(axis="y", color=FAINT, alpha=0.3)
        if axes.lines:
            axes.legend(loc="lower right", fontsize=8)
        return _bytes(figure, kind, "curves")


def confusion(matrix: npt.NDArray[np.int64], title: str, kind: str = "svg") -> bytes:
    """Counts (classes, classes), row the label, column the prediction; the diagonal is pale, so that colours show errors."""
    with _drawing(f"confusion {title}"):
        classes = len(matrix)
        figure, axes = _figure(4.2, 4.2)
        errors = matrix.astype(float)
        np.fill_diagonal(errors, np.nan)
        greatest = max(1.0, float(np.nanmax(errors, initial=0)))
        wrong = np.ma.masked_where(~(errors > 0), errors)
        axes.pcolormesh(wrong, cmap="Oranges", vmin=0, vmax=greatest * 1.5)
        for each in range(classes):
            axes.add_patch(Rectangle((each, each), 1, 1, facecolor="#7fb2de", alpha=0.35, linewidth=0))
        if classes <= 16:
            for row, column in np.ndindex(matrix.shape):
                if count := matrix[row, column]:
                    axes.text(column + 0.5, row + 0.5, f"{count}", ha="center", va="center",
                              fontsize=7, color=INK if row == column else "#1a1a1a")
            axes.set_xticks(np.arange(classes) + 0.5, [str(each) for each in range(classes)])
            axes.set_yticks(np.arange(classes) + 0.5, [str(each) for each in range(classes)])
        axes.set(xlabel="predicted", ylabel="label", title=title, aspect="equal", ylim=(classes, 0), xlim=(0, classes))
        axes.tick_params(length=0)
        return _bytes(figure, kind, "confusion-" + re.sub(r"\W+", "-", title.lower()))


def ranges_plot(ranges: Ranges, kind: str = "svg") -> bytes:
    """One row for each signal, along the powers of two: where its values lie, its word, and its worst case.

    A cell is the share of values with that leading bit (darker: more), the frame the bits of the word, the tick the bits
    that an exact sum could need, and the red mark the share of values at an end of the word.
    """
    signals, bounds = list(ranges.signals.values()), ranges.worst_case()
    with _drawing("ranges"):
        figure, axes = _figure(8.4, 1.3 + 0.24 * len(signals))
        low = min([0, *(-signal.format.fraction for signal in signals if signal.format),
                   *(int(bits) - signal.fraction for signal in signals for bits in np.flatnonzero(signal.histogram[1:])[:1])])
        for row, signal in enumerate(signals):
            _cells(axes, row, signal)
            if signal.format is not None:
                axes.add_patch(Rectangle((-signal.fraction, row - 0.4), signal.format.bits - signal.format.signed, 0.8,
                                         fill=False, edgecolor=INK, linewidth=0.9))
                if signal.at_ends and signal.name != "input":              # a byte of 255 was not cut
                    axes.text(signal.format.bits - signal.format.signed - signal.fraction + 0.25, row,
                              f"{100 * signal.at_ends:.2g} % at an end", va="center", fontsize=7, color=RED)
            elif signal.name in bounds:
                end = bounds[signal.name].bits - 1 - signal.fraction
                axes.plot([end, end], [row - 0.4, row + 0.4], color=RED, linewidth=1.8)
        axes.axvline(0, color=FAINT, linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(signals)), [signal.name for signal in signals], fontsize=8)
        ends = [bounds[signal.name].bits - signal.fraction for signal in signals if signal.name in bounds]
        most = max([4, *ends, *((signal.format.bits - signal.fraction + 4) for signal in signals if signal.format)])
        axes.set(ylim=(len(signals) - 0.4, -0.6), xlim=(low - 0.5, most + 0.5), xlabel="magnitude, as a power of two")
        axes.xaxis.set_major_locator(_whole_numbers(nbins=14))
        axes.xaxis.set_major_formatter(lambda power, position: f"$2^{{{power:.0f}}}$")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_title("shaded: values seen    framed: bits of the word    red tick: worst case of an exact sum",
                       fontsize=8, loc="left")
        return _bytes(figure, kind, "ranges")


def _cells(axes: Axes, row: int, signal: Signal) -> None:
    for bits in np.flatnonzero(signal.histogram).tolist():
        share = signal.histogram[bits] / signal.count
        shade = SHADES(1 + np.log10(max(share, 1e-6)) / 6)                   # six decades
        if bits:                                                           # 0 (and -1) have no leading bit
            axes.add_patch(Rectangle((bits - 1 - signal.fraction, row - 0.32), 1, 0.64, facecolor=shade, linewidth=0))


def image_png(image: npt.NDArray[np.uint8], shape: tuple[int, int], scale: int = 2) -> bytes:
    """One image of bytes, white on black, each pixel ``scale`` by ``scale``."""
    pixels = np.kron(np.asarray(image, np.uint8).reshape(shape), np.ones((scale, scale), np.uint8))
    file = io.BytesIO()
    unsaid: Any = {"Software": None}
    imsave(file, pixels, cmap="gray", vmin=0, vmax=255, format="png", metadata=unsaid)
    return file.getvalue()


def picture(name: str, paint: Callable[[Panels], None], *, rows: int = 1, columns: int = 1,
            size: tuple[float, float] = (6.4, 3.4)) -> bytes:
    """An SVG of ``rows`` by ``columns`` panels, on white, which stands alone.

    Parameters
    ----------
    name : str
        Decides the names inside the SVG.
    paint : callable
        Is handed the array (rows, columns) of matplotlib's axes; the user's settings of matplotlib do not matter.
    size : width and height in inches
    """
    with _drawing(name, {"axes.prop_cycle": cycler(color=list(CYCLE)), "legend.fontsize": 7.5, "lines.linewidth": 1.3}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        paint(figure.subplots(rows, columns, squeeze=False))
        return _svg(figure, facecolor="white").encode()


@contextmanager
def _drawing(salt: str, more: Any = None) -> Iterator[None]:
    """Our style alone, whatever the user's matplotlib settings; ``salt`` decides the names inside an SVG."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update({**STYLE, "svg.hashsalt": salt, **(more or {})})
        yield


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _whole_numbers(**more: int) -> AutoLocator:
    locator = AutoLocator()
    locator.set_params(integer=True, **more)
    return locator


def _bytes(figure: Figure, kind: str, name: str) -> bytes:
    if kind == "svg":
        return _tidy(_svg(figure, transparent=True), name).encode()
    file, unsaid = io.BytesIO(), dict.fromkeys(["Software"])
    figure.savefig(file, format="png", facecolor="white", metadata=unsaid)
    return file.getvalue()


def _svg(figure: Figure, **options: Any) -> str:
    """From ``<svg`` on, without date and maker."""
    file, unsaid = io.BytesIO(), dict.fromkeys(["Date", "Creator", "Format", "Type"])
    figure.savefig(file, format="svg", metadata=unsaid, **options)
    svg = file.getvalue().decode()
    return re.sub(r"\s*<metadata>.*?</metadata>", "", svg[svg.index("<svg"):], flags=re.DOTALL)


def _tidy(svg: str, name: str) -> str:
    """In the colour of the text, and with names that stay apart from those of other figures on a page."""
    svg = svg.replace(INK, "currentColor")
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: match[0] if match[1] in used else "", svg)
    return re.sub(r'(url\(#|href="#| id=")([^)"]+)', rf"\g<1>{name}-\g<2>", svg)
