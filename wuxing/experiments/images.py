"""Experiment ``images``: two convolutions, trained by the local rule, beside a full network that sees the same images.

Both networks learn the same training images, moved at random by as much, in the same number of epochs. Each seed of each
network and arithmetic is one run.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from golden_model import parameters
from golden_model.network import Learning, Network, Wiring
from golden_model.wirings import Convolution
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "image": [int], "kernel": int,
                           "stride": int, "channels": [int], "hidden": int, "full": [int], "epochs": int, "halvings": int,
                           "shift": int, "arithmetics": [str]}
GOALS = {"mnist": 99.0, "digits": 90.0}  # per cent that the convolutions must reach, written down before they were tried
ARITHMETICS = {"fixed": "integers", "float": "reals"}


def tasks(settings: Plain) -> list[Plain]:
    """``hold_out`` 0 tests on the test images, ``train_images`` 0 learns all."""
    result = []
    for seed in settings["seeds"]:
        for arithmetic in settings["arithmetics"]:
            for kind in ("convolutions", "full"):
                layers, words = structure(settings, kind)
                network = Network(layers=layers, wiring=Wiring(layers=words), seed=seed,
                                  learning=Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=0.0))
                result.append({"seed": seed, "kind": kind} | learner.setting_of(
                    network, arithmetic, settings["dataset"], hold_out=settings["hold_out"] or None,
                    train_images=settings["train_images"] or None, shift=settings["shift"]))
    return result


def structure(settings: Plain, kind: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Sizes of all layers, and their wiring."""
    height, width = settings["image"]
    classes = learner.sizes(settings["dataset"])[-1]
    if kind == "full":
        return (height * width, *settings["full"], classes), ()
    sizes, words, depth = [height * width], [], 1
    for channels in settings["channels"]:
        side, stride = settings["kernel"], settings["stride"]
        words.append(f"convolution {side}x{side} stride {stride} of {height}x{width}x{depth}")
        convolution = Convolution((side, side), stride, height, width, depth)
        height, width, depth = convolution.rows, convolution.columns, channels
        sizes.append(convolution.positions * channels)
    behind = [size for size in (settings["hidden"], classes) if size]
    return (*sizes, *behind), (*words, *["full"] * len(behind))


run = learner.run


def summarise(runs: list[Run]) -> Summary:
    first = runs[0].setting
    values: Plain = {"dataset": first["dataset"]}
    rows: list[tuple[str, ...]] = []
    for (kind, arithmetic), group in grouped(runs, "kind", "arithmetic").items():
        network = Network.from_dict(group[0].setting["network"])
        reached = [run.result["accuracy"] for run in group]
        learnt = sum(int(np.prod(shape[name])) for shape in parameters.layer_shapes(network) for name in ("weights", "bias"))
        operations = products(network)
        values[f"{kind}, {arithmetic}"] = {"accuracy": mean(reached), "least": min(reached), "parameters": learnt,
                                           "products": operations}
        rows.append((f"{'-'.join(map(str, network.layers))}, {ARITHMETICS[arithmetic]}", spread(reached),
                     f"{min(reached):.2f}", spread([run.result["online"][-1] for run in group]), f"{learnt:,}",
                     f"{operations:,}"))
    tested = f"{first['hold_out']:,} held-out training images" if first["hold_out"] else "the test images"
    words = next(run.setting for run in runs if run.setting["kind"] == "convolutions")["network"]["wiring"]["layers"]
    table = Table(f"{first['dataset']}, training images moved by up to {first['shift']} pixel: accuracy on {tested}, its least "
                  f"over seeds, and on the images of the last epoch just before they were learnt; links and biases; products "
                  f"of a link and an input for one image. Convolutions: {'; '.join(words[:2])}",
                  ("network", "accuracy, %", "least", "last epoch, %", "parameters", "products"), rows)
    return Summary(values, [table], [Figure(
        "images", "Accuracy on the training images just before they were learnt, epoch by epoch, mean over seeds.",
        partial(_draw, runs))])


def products(network: Network) -> int:
    """Products of links and inputs to infer one image, none skipped."""
    return sum(neurons * wiring.fan_in(inputs) for wiring, inputs, neurons in zip(
        network.wirings, network.layers, network.layers[1:], strict=False))


def check(values: Plain) -> list[Claim]:
    result = {name: value for name, value in values.items() if name != "dataset"}
    claims = [Claim("Convolutions, trained by the local rule, beat the full network with fewer parameters", all(
        each["accuracy"] > result[name.replace("convolutions", "full")]["accuracy"]
        and each["parameters"] < result[name.replace("convolutions", "full")]["parameters"]
        for name, each in result.items() if name.startswith("convolutions")))]
    if goal := GOALS.get(values["dataset"]):
        claims.append(Claim(f"They reach {goal:.1f} % of {values['dataset']} in the mean over seeds", all(
            each["accuracy"] >= goal for name, each in result.items() if name.startswith("convolutions"))))
    return claims


def _draw(runs: list[Run]) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for (kind, arithmetic), group in grouped(runs, "kind", "arithmetic").items():
            online = np.mean([run.result["online"] for run in group], axis=0)
            axes[0, 0].plot(np.arange(1, len(online) + 1), 100 - online, marker=".",
                            label=f"{kind}, {ARITHMETICS[arithmetic]}")
        axes[0, 0].set_yscale("log")
        axes[0, 0].set(xlabel="epoch", ylabel="wrong before learnt (%)")
        axes[0, 0].legend()

    return picture("images", paint)
