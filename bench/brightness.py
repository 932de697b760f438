"""What becomes of MNIST at a quarter of its brightness, and of its negatives, with the encoding that is fitted and without one.

``python bench/brightness.py`` prints a table; ``--epochs`` and ``--dataset`` are those of ``wuxing train``. A row is one seed.
"""
from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from golden_model.data import datasets
from golden_model.data.recipe import Recipe
from golden_model.engine import CompiledModel
from golden_model.network import Learning, Network
from golden_model.training import accuracy, train

Values = npt.NDArray[np.uint8]
CHANGES: dict[str, Callable[[Values], Values]] = {
    "as they are": lambda images: images, "at a quarter of their brightness": lambda images: images // 4,
    "negatives": np.bitwise_not, "negatives at a quarter": lambda images: np.bitwise_not(images) // 4}
RECIPES = {"bytes as they are": "bytes", "encoding `range polarity`, the default": "range polarity"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", default="mnist")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    samples = datasets.read(arguments.dataset)
    rows = []
    print("| images | encoding | float | integers |\n| --- | --- | --- | --- |", flush=True)
    for name, change in CHANGES.items():
        changed = replace(samples, train_values=change(samples.train_values), test_values=change(samples.test_values))
        for title, words in RECIPES.items():
            data = datasets.encoded(changed, Recipe.parse(words))
            pixels = data.train_images.shape[1]
            network = Network(layers=(pixels, 128 if pixels > 100 else 32, data.classes), seed=arguments.seed,
                              learning=Learning(epochs=arguments.epochs))
            reached = []
            for arithmetic in ("float", "fixed"):
                model = CompiledModel(network, arithmetic, train(network, arithmetic, data).parameters)
                reached.append(accuracy(model, data.test_images, data.test_labels))
            rows.append({"images": name, "encoding": title, "float_accuracy": reached[0], "fixed_accuracy": reached[1]})
            print(f"| {name} | {title} | {reached[0]:.2f} % | {reached[1]:.2f} % |", flush=True)
    if arguments.json:
        figures = {"epochs": arguments.epochs, "seed": arguments.seed, "rows": rows}
        arguments.json.write_text(json.dumps(figures, indent=2), "utf-8")


if __name__ == "__main__":
    main()
