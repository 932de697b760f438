"""The report of ``wuxing compare``: one HTML page that needs nothing beside itself.

Figures are inline SVG, images inline PNG, styles inline CSS; there are no scripts and nothing is fetched.
"""
from __future__ import annotations

import base64
import html
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.ranges import Ranges
from golden_model.storage.atomic_write import write_atomically
from wuxing.reports import plots

PAGE = "index.html"
GALLERY = 40                              # misclassified images that are shown
ACCURACIES = (("float_accuracy", "float"), ("quantised_accuracy", "float, quantised after training"),
              ("fixed_accuracy", "fixed: learnt in the integers of the hardware"),
              ("last_layer_only_accuracy", "last layer alone, hidden links frozen"),
              ("logistic_accuracy", "logistic regression (scikit-learn)"))
GAPS = (("gap_points", "gap of fixed to float"), ("quantised_gap_points", "gap of quantised to float"))
FACTS = ("seed", "seeds", "dataset", "dataset_sha256", "train_images", "test_images", "options", "versions")

STYLE = """
:root { color-scheme: light dark; --line: #8f99a355; --faint: #6b7680; --soft: #8f99a31f; --accent: #d9622b; }
@media (prefers-color-scheme: dark) { :root { --faint: #a3adb7; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .7rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
p { margin: .5rem 0; } .faint, caption, figcaption { color: var(--faint); font-size: .88rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; padding-bottom: .3rem; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.wide { overflow-wrap: anywhere; }
figure { margin: 0; } figure svg { max-width: 100%; height: auto; display: block; margin: 0 auto; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 19rem), 1fr)); gap: 1rem; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(5.2rem, 1fr)); gap: .7rem; }
.gallery img { width: 100%; image-rendering: pixelated; border-radius: 4px; display: block; }
pre { background: var(--soft); border-radius: 6px; padding: .8rem; overflow-x: auto; font-size: .82rem; line-height: 1.4; }
""".strip()


def write_report(folder: Path, result: Mapping[str, Any], details: Mapping[str, Any]) -> Path:
    """Write ``index.html`` into ``folder``, which is made if it is not there, all of it or none.

    Parameters
    ----------
    folder : Path
    result : dict
        The JSON of ``compare``. Read here, each of them optional: ``float_accuracy``, ``quantised_accuracy``,
        ``fixed_accuracy``, ``last_layer_only_accuracy``, ``logistic_accuracy`` and ``agreement`` (per cent), ``spread`` (a
        table of their standard deviations), ``gap_points`` and ``quantised_gap_points`` (float minus the other, in points),
        ``mcnemar`` (a table by pair of tables with ``p_value``), ``images_per_second`` (a table of numbers or of tables),
        and of how it was made ``seed``, ``seeds``, ``dataset``, ``dataset_sha256``, ``train_images``, ``test_images``,
        ``options`` and ``versions`` (tables).
    details : dict
        What is drawn, each of it optional:

        - ``"curves"``: ``{"float": [{"epoch": 0, "online": 0.91, "test": 0.95}, ...], "fixed": [...]}``, fractions; of an
          epoch ``online`` or ``test`` may be lacking or None; others than float and fixed are not drawn.
        - ``"labels"``: int array (n,) of the test images.
        - ``"predictions"``: ``{"float": int array (n,), "fixed": ..., "quantised": ...}``.
        - ``"ranges"``: ``golden_model.ranges.Ranges``, a function that makes it, or None.
        - ``"network"``: ``Network``.
        - ``"images"``: uint8 array (n, pixels) of test images, and ``"image_shape"``: (height, width), for the gallery.
        - ``"command"``: str, the command line that made it.

    Returns
    -------
    The path of the page.

    Raises
    ------
    InputError
        If the folder cannot be made or the page cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder} must be a folder that can be made, but: {getattr(error, 'strerror', None) or error}; "
                         "choose another place for the report") from error
    path = folder / PAGE
    write_atomically(path, page(result, details))
    return path


def page(result: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The HTML of ``write_report``. Equal arguments give an equal page."""
    network: Network | None = details.get("network")
    layers = "-".join(map(str, network.layers)) if network is not None else ""
    title = " ".join(filter(None, ["Wuxing", layers, f"on {result['dataset']}" if result.get("dataset") else ""]))
    sections = [_headline(result), _speed(result), _curves(details), _confusions(details), _ranges(details),
                _gallery(details), _provenance(result, details), _description(network)]
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{_text(title)}</title>\n'
            f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
            f'<p class="faint">A network of predator-prey neurons that learns by local products, trained in float and in the '
            f"exact integers of the hardware from the same initial parameters.</p>\n"
            + "\n".join(filter(None, sections)) + "\n</body>\n</html>\n")


# ----------------------------------------------------------------- sections

def _headline(result: Mapping[str, Any]) -> str:
    spread = result.get("spread") or {}
    several = _is_number(result.get("seeds")) and result["seeds"] > 1

    def number(key: str, unit: str) -> str:
        return f"{result[key]:.2f}" + (f" ± {spread[key]:.2f}" if several and _is_number(spread.get(key)) else "") + unit

    rows = [(name, number(key, " %")) for key, name in ACCURACIES if _is_number(result.get(key))]
    rows += [(name, number(key, " points")) for key, name in GAPS if _is_number(result.get(key))]
    for pair, test in (result.get("mcnemar") or {}).items():
        if isinstance(test, Mapping) and _is_number(test.get("p_value")):
            rows.append((f"McNemar's paired test, {' and '.join(pair.split('_'))}"
                         + (f", seed {result.get('seed')}" if several else ""), f"p = {test['p_value']:.3g}"))
    if _is_number(result.get("agreement")):
        rows.append(("predictions of float and fixed that agree", number("agreement", " %")))
    if several:
        rows.append(("seeds: means ± sample standard deviations", str(result["seeds"])))
    return _section("Accuracy on the test images", _numbers(rows)) if rows else ""


def _speed(result: Mapping[str, Any]) -> str:
    rows = [(name.replace("_", " "), f"{value:,.0f}") for name, value in _flat(result.get("images_per_second"), "")
            if _is_number(value)]
    return _section("Images per second", _numbers(rows)) if rows else ""


def _curves(details: Mapping[str, Any]) -> str:
    curves = {name: list(epochs) for name, epochs in (details.get("curves") or {}).items()
              if epochs and name in ("float", "fixed")}
    if not curves:
        return ""
    return _section("Learning curves", _figure(plots.learning_curves(curves)))


def _confusions(details: Mapping[str, Any]) -> str:
    labels, predictions = _predictions(details)
    if not predictions:
        return ""
    network: Network | None = details.get("network")
    classes = 1 + int(max(labels.max(initial=0), *(each.max(initial=0) for each in predictions.values())))
    if network is not None:
        classes = max(classes, network.layers[-1])
    figures = [_figure(plots.confusion(plots.confusion_matrix(labels, predictions[name], classes), name))
               for name in ("float", "fixed") if name in predictions]
    return _section("Confusion matrices", f'<div class="pair">{"".join(figures)}</div>')


def _ranges(details: Mapping[str, Any]) -> str:
    ranges = details.get("ranges")
    if callable(ranges) and not isinstance(ranges, Ranges):
        ranges = ranges()
    if ranges is None or not ranges.signals:
        return ""
    said = (f"Integers of {ranges.inferred:,} inferred and {ranges.learnt:,} learnt images. The darker, the more values have "
            "their leading bit there; no images and no parameters can take an exact sum beyond its red tick.")
    return _section("Ranges of the signals", f'{_figure(plots.ranges_plot(ranges))}<p class="faint">{_text(said)}</p>')


def _gallery(details: Mapping[str, Any]) -> str:
    labels, predictions = _predictions(details)
    images, shape = details.get("images"), details.get("image_shape")
    name = next((each for each in ("fixed", "float") if each in predictions), None)
    if name is None or images is None or shape is None or len(images) != len(labels):
        return ""
    wrong = np.flatnonzero(predictions[name] != labels)
    shown = []
    for index in wrong[:GALLERY]:
        picture = base64.b64encode(plots.image_png(images[index], tuple(shape))).decode()
        said = f"{labels[index]}, taken for {predictions[name][index]}"
        shown.append(f'<figure><img src="data:image/png;base64,{picture}" alt="test image {index}: {said}">'
                     f"<figcaption>{said}</figcaption></figure>")
    said = (f"{len(wrong):,} of {len(labels):,} test images are misclassified by the {name} model"
            + (f"; the first {GALLERY}." if len(wrong) > GALLERY else "."))
    return _section("Misclassified", f'<p class="faint">{said}</p><div class="gallery">{"".join(shown)}</div>')


def _provenance(result: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    rows = [("command", details["command"])] if details.get("command") else []
    rows += [(name.replace("_", " "), value) for key in FACTS for name, value in _flat(result.get(key), key)]
    network: Network | None = details.get("network")
    if network is not None:
        rows.append(("network digest", network.digest))
    if not rows:
        return ""
    body = "".join(f'<tr><td>{_text(name)}</td><td class="wide">{_text(value)}</td></tr>' for name, value in rows)
    return _section("How it was made", f'<div class="scroll"><table>{body}</table></div>')


def _description(network: Network | None) -> str:
    return "" if network is None else _section("Network", f"<pre>{_text(network.to_toml())}</pre>")


# ----------------------------------------------------------------- pieces

def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{body}\n</section>"


def _figure(svg: bytes) -> str:
    return f"<figure>{svg.decode()}</figure>"


def _numbers(rows: list[tuple[str, str]]) -> str:
    body = "".join(f'<tr><td>{_text(name)}</td><td class="number">{_text(value)}</td></tr>' for name, value in rows)
    return f"<table>{body}</table>"


def _predictions(details: Mapping[str, Any]) -> tuple[npt.NDArray[Any], dict[str, npt.NDArray[Any]]]:
    """Labels, and the predictions that have one for each of them."""
    labels = np.asarray([] if details.get("labels") is None else details["labels"], np.int64)
    found = {name: np.asarray(each, np.int64) for name, each in (details.get("predictions") or {}).items() if each is not None}
    return labels, {name: each for name, each in found.items() if len(labels) and each.shape == labels.shape}


def _flat(value: Any, name: str) -> list[tuple[str, Any]]:
    """``value`` and what is inside it, if it is a table, each with the names that lead there."""
    if isinstance(value, Mapping):
        return [pair for key, inner in value.items() for pair in _flat(inner, str(key) if not name else f"{name} {key}")]
    return [] if value is None else [(name, value)]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return html.escape(os.fspath(value) if isinstance(value, os.PathLike) else str(value))
