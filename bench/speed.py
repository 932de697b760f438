"""Speed and memory of learning and inference, against PyTorch in the same run.

784-128-10 unless told otherwise. Every loop runs on one thread, on MNIST, after a warm-up that compiles. Learning is one
image at a time; its figure is that of the first images from fresh parameters, because later epochs are faster: a learner
that makes few mistakes leaves most updates out. PyTorch learns a plain MLP with ReLU by SGD on the cross entropy, one
image at a time, and infers in batches. The memory is the peak of a process that loads MNIST, learns all of it once and
infers the test images, without PyTorch.
"""
from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from golden_model.data import datasets
from golden_model.data.datasets import Dataset
from golden_model.engine import CompiledModel
from golden_model.errors import WuxingError
from golden_model.model import Model
from golden_model.network import Network

WARM_UP, INFERRED_AT_ONCE = 256, 1000


def per_second(images: int, work: Callable[[], Any], repeats: int = 1) -> float:
    """Images per second of ``work``, the best of ``repeats``: what else the machine does only ever slows it."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return images / best


def compiled(network: Network, data: Dataset, count: int) -> dict[str, float]:
    """Images per second of the compiled engine in integers: learning early, learning late, inference."""
    images, labels = data.train_images[:count], data.train_labels[:count]
    CompiledModel(network, "fixed", threads=1).learn(images[:WARM_UP], labels[:WARM_UP], 0)
    model = CompiledModel(network, "fixed", threads=1)
    figures = {"learn_first_epoch": per_second(count, lambda: model.learn(images, labels, 0))}
    model.learn(data.train_images[count:], data.train_labels[count:], 0)
    figures["learn_second_epoch"] = per_second(count, lambda: model.learn(images, labels, 1))
    model.predict(data.test_images[:WARM_UP])
    figures["infer"] = per_second(len(data.test_images), lambda: model.predict(data.test_images), repeats=3)
    return figures


def plain_numpy(network: Network, data: Dataset, count: int) -> dict[str, float]:
    """Images per second of the NumPy model, which is the definition, in integers."""
    images, labels = data.train_images[:count], data.train_labels[:count]
    model = Model(network, "fixed")
    model.learn(images[:20], labels[:20], 0)
    return {"learn_first_epoch": per_second(count, lambda: model.learn(images, labels, 0))}


def pytorch(torch: Any, network: Network, data: Dataset, count: int) -> dict[str, float]:
    """Images per second of an MLP of the same sizes: one-image SGD, and the forward pass in batches."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    parts: list[Any] = []
    for inputs, outputs in zip(network.layers, network.layers[1:], strict=False):
        parts += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
    model = torch.nn.Sequential(*parts[:-1])
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01)
    images = torch.from_numpy(data.train_images[:count].astype(np.float32) / 256)
    labels = torch.from_numpy(data.train_labels[:count])
    test = torch.from_numpy(data.test_images.astype(np.float32) / 256)

    def learn(last: int) -> None:
        for index in range(last):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(images[index:index + 1]), labels[index:index + 1]).backward()
            optimiser.step()

    def infer() -> None:
        with torch.no_grad():
            for start in range(0, len(test), INFERRED_AT_ONCE):
                model(test[start:start + INFERRED_AT_ONCE]).argmax(1)

    learn(WARM_UP)
    infer()
    return {"learn_first_epoch": per_second(count, lambda: learn(count)), "infer": per_second(len(test), infer, repeats=3)}


def peak_memory(layers: tuple[int, ...]) -> float:
    """MiB that a fresh process needs at most to learn MNIST for one epoch and infer its test images."""
    here = [sys.executable, __file__, "--memory-alone", "--layers", ",".join(map(str, layers))]
    return float(subprocess.run(here, check=True, stdout=subprocess.PIPE, text=True, timeout=3600).stdout)


def memory_alone(network: Network) -> float:
    data = datasets.load("mnist")
    model = CompiledModel(network, "fixed")
    model.learn(data.train_images, data.train_labels, 0)
    model.predict(data.test_images)
    unit = 1 if sys.platform == "darwin" else 1024                # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def processor() -> str:
    """The processor's name where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", default="784,128,10")
    parser.add_argument("--images", type=int, default=20_000, help="learnt by the compiled engine and by PyTorch")
    parser.add_argument("--numpy-images", type=int, default=500, help="learnt by the NumPy model")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    parser.add_argument("--memory-alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    network = Network(layers=tuple(int(size) for size in options.layers.split(",")))
    if options.memory_alone:
        print(memory_alone(network))
        return 0
    try:
        import torch
    except ImportError:
        print("PyTorch is the yardstick here and is not installed: pip install torch==2.13.0", file=sys.stderr)
        return 2
    data = datasets.load("mnist")
    datasets.check_fits(data, network)
    ours, theirs = compiled(network, data, options.images), pytorch(torch, network, data, options.images)
    definition = plain_numpy(network, data, options.numpy_images)
    report = {
        "layers": list(network.layers), "images": options.images, "threads": 1, "processor": processor(),
        "cores": os.cpu_count(), "numpy": np.__version__, "torch": torch.__version__,
        "images_per_second": {"compiled": ours, "pytorch": theirs, "numpy_model": definition},
        "learning_over_pytorch": ours["learn_first_epoch"] / theirs["learn_first_epoch"],
        "inference_over_pytorch": ours["infer"] / theirs["infer"],
        "compiled_over_numpy_model": ours["learn_first_epoch"] / definition["learn_first_epoch"],
        "peak_memory_mib": peak_memory(network.layers),
    }
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except WuxingError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
