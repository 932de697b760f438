"""What was tried before the defaults were chosen: accuracy on 10,000 training images that were held out.

    python bench/alternatives.py [--only TEXT] [--json FILE]

The test images are never looked at. Each line of ``ALTERNATIVES`` is one run of the integer learner, one image at a time,
unless it says float; seed 0, 50,000 images to learn, held out by seed 7. docs/learning.md shows the table.
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from golden_model.data import datasets
from golden_model.engine import CompiledModel
from golden_model.fixed_point import Format
from golden_model.network import Formats, Initialisation, Learning, Network
from golden_model.training import accuracy, train

BASE: dict[str, Any] = {"epochs": 15, "halvings": 3, "dropout": 0.0, "average": 5}
LONG: dict[str, Any] = {"epochs": 30, "halvings": 4, "dropout": 0.0, "average": 5}
ROUNDED = Format.parse("Q6.13")           # operand B, where K has many bits

ALTERNATIVES: list[tuple[str, dict[str, Any]]] = [
    ("15 epochs, 3 halvings: the reference's setting", {}),
    ("the same in float", {"arithmetic": "float"}),
    ("15 epochs, input dropout 0.2, mean of the last two", {"dropout": 0.2, "average": 2}),
    ("batches of 8", {"batch": 8}),
    ("batches of 8 in float", {"arithmetic": "float", "batch": 8}),
    ("last epoch alone, not the mean of five", {"average": 1}),
    ("margin 0.375", {"margin": 0.375}),
    ("margin 0.5625", {"margin": 0.5625}),
    ("first links from +-1.5 instead of 2.2 sqrt(3/M)", {"initial": {"input_gain": 1.5}}),
    ("first links from +-3.5 sqrt(3/M)", {"initial": {"input_gain": 3.5}}),
    ("first bias -1/2 instead of -1", {"initial": {"bias": -0.5}}),
    ("first bias 0", {"initial": {"bias": 0.0}}),
    ("rate of the bias 1/64 instead of 1/16", {"bias": 2**-6}),
    *[(f"K trained too, all at rate 2**-12, {word}", {
        "K1": 2**-12, "K2": 2**-12, "K3": 2**-12, "formats": Formats(coupling=Format.parse(word), bracket=ROUNDED)})
      for word in ("Q2.14", "Q2.22")],
    ("K trained too, all at rate 2**-8, Q2.14", {
        "K1": 2**-8, "K2": 2**-8, "K3": 2**-8, "formats": Formats(coupling=Format.parse("Q2.14"), bracket=ROUNDED)}),
    ("K trained too, all at rate 2**-12, in float", {"K1": 2**-12, "K2": 2**-12, "K3": 2**-12, "arithmetic": "float",
                                                     "formats": Formats(coupling=Format.parse("Q2.14"))}),
    ("30 epochs, 2 halvings", {**LONG, "halvings": 2}),
    ("30 epochs, 5 halvings", {**LONG, "halvings": 5}),
    ("30 epochs, 7 halvings", {**LONG, "halvings": 7}),
    ("30 epochs, rate from 1/8, 5 halvings", {**LONG, "links": 2**-3, "bias": 2**-3, "halvings": 5}),
    ("30 epochs, rate from 1/32, 3 halvings", {**LONG, "links": 2**-5, "bias": 2**-5, "halvings": 3}),
    ("30 epochs, input dropout 0.1", {**LONG, "dropout": 0.1}),
    ("30 epochs, input dropout 0.2", {**LONG, "dropout": 0.2}),
    ("60 epochs, input dropout 0.2: the default", {"epochs": 60, "halvings": 5, "dropout": 0.2, "average": 10}),
    ("60 epochs, input dropout 0.3", {"epochs": 60, "halvings": 5, "dropout": 0.3, "average": 10}),
    ("40 epochs, input dropout 0.4", {"epochs": 40, "halvings": 4, "dropout": 0.4, "average": 8}),
    ("40 epochs, input dropout 0.2, margin 0.59375",
     {"epochs": 40, "halvings": 4, "dropout": 0.2, "average": 8, "margin": 0.59375}),
    ("784-32-10, 30 epochs", {**LONG, "layers": (784, 32, 10)}),
    ("784-32-10, 30 epochs, input dropout 0.1", {**LONG, "layers": (784, 32, 10), "dropout": 0.1}),
    ("784-512-10, 50 epochs, input dropout 0.2",
     {"layers": (784, 512, 10), "epochs": 50, "halvings": 5, "dropout": 0.2, "average": 8}),
    ("784-256-128-10, 20 epochs, input dropout 0.2",
     {"layers": (784, 256, 128, 10), "epochs": 20, "halvings": 4, "dropout": 0.2, "average": 5}),
    ("784-256-128-10, 50 epochs, input dropout 0.25",
     {"layers": (784, 256, 128, 10), "epochs": 50, "halvings": 5, "dropout": 0.25, "average": 8}),
    ("784-128-10, 30 epochs, shifted by up to one pixel", {**LONG, "shift": 1}),
    ("784-512-10, 30 epochs, shifted by up to one pixel", {**LONG, "layers": (784, 512, 10), "halvings": 5, "shift": 1}),
    ("784-256-128-10, 40 epochs, shifted by up to one pixel",
     {"layers": (784, 256, 128, 10), "epochs": 40, "halvings": 5, "dropout": 0.0, "average": 7, "shift": 1}),
]


def run(data: datasets.Dataset, changes: dict[str, Any]) -> float:
    """Accuracy in per cent on the held-out images."""
    settings = BASE | changes
    arithmetic, shift = settings.pop("arithmetic", "fixed"), settings.pop("shift", 0)
    network = Network(layers=settings.pop("layers", (784, 128, 10)), formats=settings.pop("formats", Formats()),
                      initialisation=Initialisation(**settings.pop("initial", {})), learning=Learning(**settings))
    training = train(network, arithmetic, data, shift=shift)
    return accuracy(CompiledModel(network, arithmetic, training.parameters), data.test_images, data.test_labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="run the lines that contain this text")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    data = datasets.load("mnist").hold_out(10_000, 7)
    results = {}
    for name, changes in ALTERNATIVES:
        if arguments.only in name:
            results[name] = run(data, changes)
            print(f"{results[name]:6.2f} %  {name}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"held_out_accuracy": results}, indent=2), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
