"""Experiment ``depth``: 1 to 8 hidden layers; accuracy, size of the signals in every layer both ways, dead neurons.

A neuron passes on 27/61 of its drive, so signals shrink from layer to layer with links of the usual gain of 1, forward and
in reverse. ``gains`` are compared at every depth on held-out training images; the test images report. That 4 hidden layers are
to reach 98.0 % was fixed before the full runs. The greater gain was found on held-out images, with seed 0: gains of 2 and 3.5,
first biases of -1/2 and 0, rates of 1/8 and 1/32, dropout of 0 and 0.1 were not better.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model import parameters
from golden_model.model import Model
from golden_model.network import Initialisation, Learning, Network
from golden_model.parameters import Parameters
from golden_model.training import accuracy
from wuxing.experiments import learner
from wuxing.experiments.reversibility import found_signals
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 2
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "depths": [int],
                           "usual_depths": [int], "width": int, "gains": [float], "bias": float, "epochs": int,
                           "halvings": int, "dropout": float, "arithmetic": str, "images": int}
TARGET = 98.0                             # per cent, of four hidden layers


def tasks(settings: Plain) -> list[Plain]:
    """``train_images`` 0 learns all that are not held out. ``usual_depths`` are those of the least gain: deeper ones are
    silent, learn nothing, and take longest."""
    result = []
    for seed in settings["seeds"]:
        for gain in settings["gains"]:
            for depth in settings["usual_depths" if gain == min(settings["gains"]) else "depths"]:
                network = Network(
                    layers=(*learner.sizes(settings["dataset"], *[settings["width"]] * depth),), seed=seed,
                    initialisation=Initialisation(gain=gain, bias=settings["bias"]),
                    learning=Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=settings["dropout"]))
                result.append({"seed": seed, "depth": depth, "gain": gain, "images": settings["images"]} | learner.setting_of(
                    network, settings["arithmetic"], settings["dataset"], hold_out=settings["hold_out"],
                    train_images=settings["train_images"] or None, both=True))
    return result


def run(setting: Plain) -> Plain:
    """``accuracy``, ``test`` and ``online`` as a learner's; of training images ``before`` and ``after`` learning, for every
    layer: ``forward`` (root mean square of s_b about each neuron's mean over images), ``reverse`` (root mean square of r_a),
    ``dead`` (share of neurons with the same s_b for all images)."""
    network, training, data, model = learner.learnt(setting)
    images, labels = data.train_images[:setting["images"]], data.train_labels[:setting["images"]]
    arithmetic = setting["arithmetic"]
    start = parameters.initial(network, arithmetic)
    return {"accuracy": accuracy(model, data.test_images, data.test_labels), "test": learner.test_accuracy(setting, model),
            "online": [epoch.online_accuracy for epoch in training.epochs],
            "before": signals(network, arithmetic, start, images, labels),
            "after": signals(network, arithmetic, training.parameters, images, labels)}


def signals(network: Network, arithmetic: str, values: Parameters, images: npt.NDArray[np.uint8],
            labels: npt.NDArray[np.int64]) -> dict[str, list[float]]:
    """The three lists of ``run``, one entry for each layer of neurons, the output layer last."""
    unit = network.formats.displacement.one if arithmetic == "fixed" else 1
    outputs = [state.displacement[network.neuron.output_population] / unit
               for state in Model(network, arithmetic, values).forward(images)]
    real = parameters.to_real(network, values) if arithmetic == "fixed" else values
    return {"forward": [_size(each - each.mean(axis=0)) for each in outputs],
            "reverse": [_size(each) for each in found_signals(network, arithmetic, real, images, labels)[0]],
            "dead": [float((each == each[0]).all(axis=0).mean()) for each in outputs]}


def _size(signal: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {}
    rows: list[tuple[str, ...]] = []
    for (gain, depth), group in grouped(runs, "gain", "depth").items():
        results = [run.result for run in group]
        accuracies = [each["accuracy"] for each in results]
        values.setdefault(f"{gain:g}", {})[str(depth)] = {
            "accuracy": mean(accuracies), "test": mean(each["test"] for each in results),
            **{f"{when}_{kind}": [mean(layer) for layer in zip(*(each[when][kind] for each in results), strict=True)]
               for when in ("before", "after") for kind in ("forward", "reverse", "dead")}}
        here = values[f"{gain:g}"][str(depth)]
        rows.append((f"{depth}, gain {gain:g}", spread(accuracies), spread([each["test"] for each in results]),
                     f"{here['before_forward'][-2]:.3f}",
                     f"{here['before_reverse'][0]:.1e}", f"{here['after_forward'][-2]:.3f}",
                     f"{here['after_reverse'][0]:.1e}", f"{100 * mean(here['after_dead'][:-1]):.1f}"))
    first = runs[0].setting
    arithmetic = "integers" if first["arithmetic"] == "fixed" else "reals"
    columns = ("hidden layers", "held-out, %", "test, %", "forward before", "reverse before", "forward after", "reverse after",
               "dead, %")
    title = (f"{first['dataset']}, {arithmetic}, hidden layers of {first['network']['layers'][1]}: accuracy on "
             f"{first['hold_out']:,} held-out training images and on the test images; sizes of the forward signal of the last "
             f"hidden layer and of the reverse signal of the first, before and after learning, and dead hidden neurons")
    return Summary(values, [Table(title, columns, rows), _by_layer(values)], [
        Figure("depth", "Accuracy over the number of hidden layers; forward and reverse signals before learning, layer by "
               "layer, of the deepest network.", partial(_draw, runs))])


def _by_layer(values: Plain) -> Table:
    """The deepest networks, layer by layer."""
    kinds = ("before_forward", "before_reverse", "after_forward", "after_reverse")
    rows = []
    for gain, depths in values.items():
        here = depths[max(depths, key=int)]
        for layer, dead in enumerate(here["after_dead"], start=1):
            rows.append((f"{layer}, gain {gain}", *(f"{here[kind][layer - 1]:.1e}" for kind in kinds), f"{100 * dead:.1f}"))
    columns = ("layer", "forward before", "reverse before", "forward after", "reverse after", "dead, %")
    return Table("The deepest network of each gain, layer by layer, the outputs last", columns, rows)


def check(values: Plain) -> list[Claim]:
    usual, wide = (values[gain] for gain in (min(values, key=float), max(values, key=float)))
    deepest = max(usual.keys() & wide.keys(), key=int)
    return [
        Claim("With links of the usual gain signals shrink from layer to layer, forward and in reverse",
              usual[deepest]["before_forward"][-2] < usual[deepest]["before_forward"][0] / 2
              and usual[deepest]["before_reverse"][0] < usual[deepest]["before_reverse"][-1] / 2),
        Claim("A greater gain keeps the reverse signal of a deep network greater",
              wide[deepest]["before_reverse"][0] > usual[deepest]["before_reverse"][0]),
        Claim("With the greater gain every depth learns: each is within 15 points of the best",
              min(each["accuracy"] for each in wide.values()) > max(each["accuracy"] for each in wide.values()) - 15),
        Claim("In the deepest network that both gains have, the greater one is the better",
              wide[deepest]["accuracy"] > usual[deepest]["accuracy"]),
        Claim(f"Four hidden layers reach {TARGET:g} % of the test images, with the gain that is better on held-out ones",
              "4" in usual and max((usual["4"], wide["4"]), key=lambda each: each["accuracy"])["test"] >= TARGET,
              full_only=True)]


def _draw(runs: list[Run]) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for (gain,), group in grouped(runs, "gain").items():
            depths = grouped(group, "depth")
            results = [[run.result["accuracy"] for run in each] for each in depths.values()]
            axes[0, 0].errorbar([depth for (depth,) in depths], [np.mean(each) for each in results],
                                [np.std(each, ddof=1) for each in results], marker=".", capsize=2, label=f"gain {gain:g}")
            deepest = depths[max(depths)]
            for place, kind in zip(axes[0, 1:], ("forward", "reverse"), strict=True):
                sizes = np.mean([run.result["before"][kind] for run in deepest], axis=0)
                place.plot(np.arange(1, len(sizes) + 1), np.maximum(sizes, 1e-9), marker=".", label=f"gain {gain:g}")
                place.set_yscale("log")
                place.set(xlabel="layer", title=f"{kind} signal before learning")
        axes[0, 0].set(xlabel="hidden layers", ylabel="accuracy on held-out images (%)")
        axes[0, 0].legend(loc="lower left")

    return picture("depth", paint, columns=3, size=(9, 3))
