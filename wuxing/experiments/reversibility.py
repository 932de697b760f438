"""Experiment ``reversibility``: the reverse signal of a network against the exact adjoint state.

Exact: every layer at its saturated equilibrium, unclamped, every reverse circuit at its own, the output error carried
back through the same links. Found: what a network settles to in its steps, in reals or in integers. Both start from the
output error that the network finds; ``total`` compares with the gradient, which starts from that of the exact outputs.
Compared is r_a, the signal that links learn from, over all images and neurons of a layer, by the cosine and by
the norm of the difference relative to the exact one's; tables are of the first layer, the farthest from the output.

One thing is varied at a time (``vary``), from ``BASE``; everything but words is varied in reals and in integers.
"""
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model import learning, parameters
from golden_model.data import datasets
from golden_model.data.datasets import Dataset
from golden_model.fixed_point import Format
from golden_model.model import Model
from golden_model.network import Formats, Initialisation, Integration, Learning, Network, Neuron
from golden_model.parameters import Parameters
from golden_model.theory.neuron import Ring, adjoint, equilibrium
from golden_model.training import train
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 2
ENTRIES: Entries = {"seeds": [int], "images": int, "width": int, "steps": [int], "dt": [float], "fractions": [int],
                           "depths": [int], "gains": [float], "epochs": [int], "floors": [float],
                           "scales": [float]}
BASE: Plain = {"steps": 8, "dt": 0.5, "fraction": 12, "depth": 1, "gain": 1.0, "epochs": 0,
                        "floor": 1 / 16, "scale": 1.0}
COLUMNS = ("cosine", "relative error", "last layer", "with gradient", "exact size", "silent, %", "extinct, %")
LONG = 64                                 # steps after which time is no longer what is missing
TITLES = {"steps": "steps of dt = 1/2", "dt": "dt, in time 4", "epochs": "epochs learnt before",
          "scale": "scale of all links, 64 steps", "floor": "gate floor, 8 steps",
          "long floor": "gate floor, 64 steps", "fraction": "word, 8 steps",
          "long fraction": "word, 64 steps, floor of one word", "depth": "hidden layers, 8 steps",
          "long depth": "hidden layers, 64 steps"}
KEYS = {"long floor": "floor", "long fraction": "fraction", "long depth": "depth"}

Reals = npt.NDArray[np.float64]


def tasks(settings: Plain) -> list[Plain]:
    result = []
    for seed in settings["seeds"]:
        same = {"seed": seed, "images": settings["images"], "width": settings["width"], **BASE}
        changes: list[Plain] = [{"vary": "steps", "steps": steps} for steps in settings["steps"]]
        changes += [{"vary": "dt", "dt": dt, "steps": round(4 / dt)} for dt in settings["dt"]]
        changes += [{"vary": "epochs", "epochs": epochs} for epochs in settings["epochs"]]
        changes += [{"vary": "scale", "scale": scale, "steps": LONG} for scale in settings["scales"]]
        for long, steps in (("", BASE["steps"]), ("long ", LONG)):
            changes += [{"vary": f"{long}floor", "floor": floor, "steps": steps} for floor in settings["floors"]]
            changes += [{"vary": f"{long}depth", "depth": depth, "gain": gain, "steps": steps}
                        for gain in settings["gains"] for depth in settings["depths"]]
        result += [same | change | {"arithmetic": arithmetic} for change in changes for arithmetic in ("float", "fixed")]
        for fraction in settings["fractions"]:
            result.append(same | {"vary": "fraction", "fraction": fraction, "arithmetic": "fixed"})
            result.append(same | {"vary": "long fraction", "fraction": fraction, "steps": LONG, "floor": 2.0**-fraction,
                                "arithmetic": "fixed"})
    return result


def run(setting: Plain) -> Plain:
    """Cosine and relative error of each layer's r_a, the first layer (the farthest from the output) first.

    ``total``: the cosine with the gradient. ``size``: root mean square of the exact r_a. ``silent``: share of the found
    r_a that are exactly 0. ``extinct``: share of neurons and images with an extinct population at the exact equilibrium.
    """
    data = _digits()
    network = _network(setting, data)
    learnt = parameters.initial(network, "float")
    if setting["epochs"]:
        learnt = train(network, "float", data, values=learnt).parameters
    choice = np.random.default_rng([setting["seed"], 20]).choice(len(data.train_labels), setting["images"], replace=False)
    images, labels = data.train_images[choice], data.train_labels[choice]
    settled = equilibria(network, learnt, images)
    gradient = carried_back(network, learnt, settled, exact_error(network, settled, labels))
    result, error = found_signals(network, setting["arithmetic"], learnt, images, labels)
    exact = carried_back(network, learnt, settled, error)
    extinct = [float((s <= -np.array(network.neuron.rest)[:, None, None]).any(axis=0).mean()) for s in settled]
    return {"cosine": [_cosine(a, b) for a, b in zip(result, exact, strict=True)],
            "relative": [_distance(a, b) for a, b in zip(result, exact, strict=True)],
            "total": [_cosine(a, b) for a, b in zip(result, gradient, strict=True)],
            "size": [float(np.sqrt(np.mean(each**2))) for each in exact],
            "silent": [float((each == 0).mean()) for each in result], "extinct": extinct}


def equilibria(network: Network, learnt: Parameters, images: npt.NDArray[np.uint8]) -> list[Reals]:
    """The exact equilibrium (5, images, neurons) of every layer."""
    ring, x, settled = Ring.of(network.neuron), images / 256, []
    for layer in learnt:
        settled.append(equilibrium(ring, ring.drive(x @ layer.weights.T + layer.bias)))
        x = settled[-1][ring.output_population]
    return settled


def exact_error(network: Network, settled: list[Reals], labels: npt.NDArray[np.int64]) -> Reals:
    """The hinge error (images, classes) of the exact outputs."""
    outputs, margin, image = settled[-1][network.neuron.output_population], network.learning.margin, np.arange(len(labels))
    error = np.minimum(0, -margin - outputs)
    error[image, labels] = np.maximum(0, margin - outputs[image, labels])
    return np.asarray(error)


def carried_back(network: Network, learnt: Parameters, settled: list[Reals], error: Reals) -> list[Reals]:
    """The exact r_a (images, neurons) of every layer for an output error (images, classes)."""
    ring, signals = Ring.of(network.neuron), []
    for layer, s in zip(reversed(learnt), reversed(settled), strict=True):
        signals.append(adjoint(ring, s, ring.error(error))[ring.input_population])
        error = signals[-1] @ layer.weights
    return signals[::-1]


def found_signals(network: Network, arithmetic: str, learnt: Parameters, images: npt.NDArray[np.uint8],
                  labels: npt.NDArray[np.int64]) -> tuple[list[Reals], Reals]:
    """r_a (images, neurons) of every layer as a network finds it when it learns, and its output error, as reals."""
    values = parameters.quantised(network, learnt) if arithmetic == "fixed" else learnt
    unit = network.formats.displacement.one if arithmetic == "fixed" else 1
    model = Model(network, arithmetic, values)
    states, words = model.forward(images), model.arithmetic
    neuron, last = network.neuron, len(learnt) - 1
    output_error = error = learning.output_error(words, states[-1].displacement[neuron.output_population], labels, last)
    signals = []
    for index in range(last, -1, -1):
        wiring, layer = network.wirings[index], model.layers[index]
        r = wiring.settle_reverse(words, states[index], error, layer, index)
        signals.append(r[neuron.input_population] / unit)
        if index:
            error = wiring.error_before(words, r, layer, index)
    return signals[::-1], output_error / unit


def _network(setting: Plain, data: Dataset) -> Network:
    fraction = setting["fraction"]
    layers = (data.train_images.shape[1], *[setting["width"]] * setting["depth"], data.classes)
    return Network(layers=layers, seed=setting["seed"], neuron=Neuron(gate_floor=setting["floor"]),
                   integration=Integration(dt=setting["dt"], steps=setting["steps"]),
                   formats=Formats(displacement=Format(fraction + 1, fraction), drive=Format(fraction + 4, fraction),
                                   error=Format(fraction + 1, fraction)),
                   initialisation=Initialisation(input_gain=2.2 * setting["scale"], gain=setting["gain"] * setting["scale"]),
                   learning=Learning(epochs=max(setting["epochs"], 1), halvings=0, average=1, dropout=0.0))


@cache
def _digits() -> Dataset:
    return datasets.load("digits")


def _cosine(a: Reals, b: Reals) -> float:
    """0 where a signal has died out: it points nowhere."""
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.sum(a * b)) / size if size else 0.0


def _distance(a: Reals, b: Reals) -> float:
    """Relative to ``b``; 1 where that is nothing."""
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(a - b)) / size if size else 1.0


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {}
    tables = []
    for (vary,), group in grouped(runs, "vary").items():
        key = KEYS.get(vary, vary)
        rows = []
        for (at, gain, arithmetic), same in grouped(group, key, "gain", "arithmetic").items():
            results = [run.result for run in same]
            name = f"Q1.{at}" if key == "fraction" else f"{at:g}"
            name += f", gain {gain:g}" if key == "depth" else ""
            values.setdefault(vary, []).append({
                "at": at, "gain": gain, "arithmetic": arithmetic,
                **{f"{what}_{end}": mean(each[what][place] for each in results) for end, place in (("first", 0), ("last", -1))
                   for what in ("cosine", "relative", "total", "silent", "extinct", "size")}})
            here = values[vary][-1]
            rows.append((f"{name}, {'reals' if arithmetic == 'float' else 'integers'}",
                         *(spread([each[what][0] for each in results], ".3f") for what in ("cosine", "relative")),
                         spread([each["cosine"][-1] for each in results], ".3f"),
                         spread([each["total"][0] for each in results], ".3f"), f"{here['size_first']:.1e}",
                         *(f"{100 * here[f'{what}_first']:.0f}" for what in ("silent", "extinct"))))
        tables.append(Table(f"Over {TITLES[vary]}", (key, *COLUMNS), rows))
    return Summary(values, tables, [
        Figure("reversibility", "Cosine between the reverse signal of the first layer and the exact adjoint; bars are "
               "standard deviations over seeds.", lambda: _draw(runs))])


def check(values: Plain) -> list[Claim]:
    def of(vary: str, arithmetic: str) -> list[Plain]:
        return sorted((each for each in values[vary] if each["arithmetic"] == arithmetic), key=lambda each: each["at"])

    usual = [each for each in values["steps"] if each["at"] == BASE["steps"]]
    words, floors, depths = of("long fraction", "fixed"), of("long floor", "float"), of("depth", "float")
    return [
        Claim("Where no neuron is extinct or saturated (least links), 64 steps give the adjoint: in reals to 1 %, in integers "
              "its direction", of("scale", "float")[0]["relative_first"] < 0.01
              and of("scale", "fixed")[0]["cosine_first"] > 0.98),
        Claim("In the 8 steps of a network the direction is right (cosine above 0.85), in reals and in integers",
              min(each["cosine_first"] for each in usual) > 0.85),
        Claim("Where neurons are extinct the gate floor leads long settling away from the adjoint: the least floor is the best",
              floors[0]["relative_first"] == min(each["relative_first"] for each in floors)
              and floors[0]["relative_first"] < floors[-1]["relative_first"]),
        Claim("The longest word is closer than the shortest", words[-1]["relative_first"] < words[0]["relative_first"]),
        Claim("Depth costs: the relative error of the deepest network is greater than that of the shallowest",
              depths[-1]["relative_first"] > depths[0]["relative_first"])]


def _draw(runs: list[Run]) -> bytes:
    from wuxing.reports.plots import picture
    panels = [vary for vary in TITLES if any(run.setting["vary"] == vary for run in runs)]

    def paint(axes: Panels) -> None:
        for place, vary in zip(axes.flat, panels, strict=False):
            key = KEYS.get(vary, vary)
            here = [run for run in runs if run.setting["vary"] == vary]
            for (arithmetic, gain), group in grouped(here, "arithmetic", "gain").items():
                at = list(grouped(group, key))
                results = [[run.result["cosine"][0] for run in each] for each in grouped(group, key).values()]
                label = ("reals" if arithmetic == "float" else "integers") + (f", gain {gain:g}" if key == "depth" else "")
                place.errorbar([each for (each,) in at], [np.mean(each) for each in results],
                               [np.std(each) for each in results], marker=".", capsize=2, label=label)
            place.set(xlabel=TITLES[vary], ylim=(-0.05, 1.05))
            if key in ("steps", "dt", "floor", "scale"):
                place.set_xscale("log", base=2)
            place.legend(loc="lower left")
        for place in axes.flat[len(panels):]:
            place.set_axis_off()
        for row in axes:
            row[0].set_ylabel("cosine")

    return picture("reversibility", paint, rows=2, columns=5, size=(12, 5))
