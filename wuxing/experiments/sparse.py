"""Experiment ``sparse``: accuracy against the number of links, from all of them down to 1 %.

One hidden layer. ``WIRINGS`` are the ways to have fewer links; ``share`` is of the links of the full network:

    both           each neuron of both layers has that share of its inputs, drawn at random (one at least)
    first          outputs hear all hidden neurons, hidden neurons as many random inputs as the share leaves (one at least)
    narrow         no link is missing, but there are fewer hidden neurons
    one-to-one     a hidden neuron for each pixel, which hears no other; outputs hear all

Accuracies are of held-out training images, and of the test images for the report; there is nothing to choose. The claims were
written before the full runs.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from golden_model.network import Learning, Network, Wiring
from golden_model.wirings import masks
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "hidden": int,
                           "shares": [float], "epochs": int, "halvings": int, "dropout": float}
WIRINGS = ("both", "first", "narrow", "one-to-one")


def tasks(settings: Plain) -> list[Plain]:
    inputs, classes = learner.sizes(settings["dataset"])
    result = []
    for seed in settings["seeds"]:
        for way in WIRINGS:
            for share in settings["shares"] if way != "one-to-one" else [None]:
                layers, words = wired(way, share, inputs, settings["hidden"], classes)
                network = Network(layers=layers, wiring=Wiring(layers=words), seed=seed, learning=Learning(
                    epochs=settings["epochs"], halvings=settings["halvings"], dropout=settings["dropout"]))
                result.append({"seed": seed, "way": way, "share": share, "links": links(network)} | learner.setting_of(
                    network, "fixed", settings["dataset"], hold_out=settings["hold_out"], both=True,
                    train_images=settings["train_images"] or None))
    return result


def wired(way: str, share: float | None, inputs: int, hidden: int, classes: int) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Sizes and words of ``Wiring`` of one way to have that share of the links."""
    if way == "one-to-one" or share is None:
        return (inputs, inputs, classes), ("one-to-one", "full")
    links = share * hidden * (inputs + classes)
    if way == "narrow":
        return (inputs, max(1, round(links / (inputs + classes))), classes), ()
    if way == "both":
        words = tuple(f"random {max(1, round(share * size))}" for size in (inputs, hidden))
    else:
        words = f"random {max(1, round((links - hidden * classes) / hidden))}", "full"
    return (inputs, hidden, classes), words if share < 1 else ()


def links(network: Network) -> int:
    """Links that exist."""
    return sum(int(mask.sum()) if mask is not None else inputs * neurons for mask, inputs, neurons in zip(
        masks(network), network.layers, network.layers[1:], strict=False))


run = learner.run


def summarise(runs: list[Run]) -> Summary:
    full = max(run.setting["links"] for run in runs if run.setting["share"] == 1)
    values: Plain = {}
    rows = []
    for (way, share), group in grouped(runs, "way", "share").items():
        accuracies, count = [run.result["accuracy"] for run in group], group[0].setting["links"]
        if way == "one-to-one":
            values[way] = {"links": count, "accuracy": mean(accuracies)}
        else:
            values.setdefault(way, {})[f"{share:g}"] = {"links": count, "accuracy": mean(accuracies)}
        rows.append((f"{way}{'' if share is None else f', {100 * share:g} %'}", f"{count:,}", f"{100 * count / full:.1f}",
                     group[0].setting["network"]["layers"][1], _fan_in(group[0]), spread(accuracies),
                     spread(run.result["test"] for run in group)))
    first = runs[0].setting
    title = (f"{'-'.join(map(str, first['network']['layers']))} on {first['dataset']}, integers, "
             f"{first['network']['learning']['epochs']} epochs: accuracy on {first['hold_out']:,} held-out training images and "
             f"on the test images")
    columns = ("wiring", "links", "% of all", "hidden", "inputs of a hidden neuron", "held-out, %", "test, %")
    return Summary(values, [Table(title, columns, [tuple(map(str, row)) for row in rows])], [
        Figure("sparse", "Accuracy on held-out images over the number of links; bars are standard deviations over seeds.",
               partial(_draw, runs))])


def _fan_in(run: Run) -> int:
    network = Network.from_dict(run.setting["network"])
    return network.wirings[0].fan_in(network.layers[0])


def check(values: Plain) -> list[Claim]:
    both, first, narrow = (values[way] for way in WIRINGS[:3])
    whole, least = first["1"]["accuracy"], min(both, key=float)
    return [
        Claim("With a quarter of the links, outputs hearing all hidden neurons, less than 3 points are lost",
              first["0.25"]["accuracy"] > whole - 3),
        Claim("At a tenth of the links they are better spared before the hidden layer than before both",
              first["0.1"]["accuracy"] > both["0.1"]["accuracy"]),
        Claim("One-to-one links from the pixels teach the outputs more than 80 % of the images",
              values["one-to-one"]["accuracy"] > 80),
        Claim("With a tenth of the links random links beat a full network of fewer neurons",
              first["0.1"]["accuracy"] > narrow["0.1"]["accuracy"], full_only=True),
        Claim("With a tenth of the links less than 1.5 points are lost",
              first["0.1"]["accuracy"] > whole - 1.5, full_only=True),
        Claim("With the fewest links at random in both layers (1 % of all) more than half of the images are still told",
              both[least]["accuracy"] > 50, full_only=True)]


def _draw(runs: list[Run]) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        place = axes[0, 0]
        for (way,), group in grouped(runs, "way").items():
            counts = grouped(group, "links")
            results = [[run.result["accuracy"] for run in each] for each in counts.values()]
            place.errorbar([count for (count,) in counts], [np.mean(each) for each in results],
                           [np.std(each, ddof=1) for each in results], marker=".", capsize=2, label=way)
        place.set_xscale("log")
        place.set(xlabel="links", ylabel="accuracy on held-out images (%)")
        place.legend(loc="lower right")

    return picture("sparse", paint)
