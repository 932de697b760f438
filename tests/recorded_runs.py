"""Whole learning runs of many small networks as hashes, and the sentences that refuse wrong descriptions.

What a network computes must not change when its program is built anew. ``python tests/recorded_runs.py``
adds to recorded_runs.json what is not recorded yet and leaves alone what is: a run that was recorded is never recorded again.
"""
from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Network
from golden_model.robustness import faults

FILE = Path(__file__).with_name("recorded_runs.json")
IMAGES, EPOCHS, VARIANTS = 12, 3, 4
SHAPES: list[tuple[list[int], list[str]]] = [
    ([12, 9, 4], []),
    ([10, 18, 5, 3], []),
    ([6, 4], []),
    ([12, 9, 4], ["random 4", "full"]),
    ([11, 17, 6, 3], ["random 5", "random 3", "random 2"]),
    ([9, 9, 4], ["one-to-one", "full"]),
    ([8, 8, 8, 3], ["random 3", "one-to-one", "full"]),
    ([7 * 6 * 2, 3 * 2 * 5, 2 * 1 * 3, 4], ["convolution 3x3 stride 2 of 7x6x2", "convolution 2x2 stride 1 of 3x2x5", "full"]),
    ([5 * 5 * 1, 4 * 4 * 2, 3], ["convolution 2x2 stride 1 of 5x5x1", "full"]),
    ([16, 16, 18, 3], ["one-to-one", "convolution 2x2 stride 1 of 4x4x1", "random 7"]),
    ([9, 8, 6, 3], ["random 4", "convolution 1x3 stride 2 of 2x4x1", "full"]),
    ([6 * 3, 5, 3], ["recurrent 3 steps 2 K3 0.5", "full"]),
    ([4 * 5, 7, 6, 4], ["recurrent 4 steps 3 K3 1", "random 3", "full"]),
    ([6, 17, 17, 3], ["recurrent 1 steps 5 K3 1.5", "one-to-one", "full"]),
    ([2 * 4, 4], ["recurrent 2 steps 1 K3 0.5"]),
    ([8, 6, 5, 3], ["full", "recurrent 3 steps 2 K3 0.5", "full"]),
    ([12, 8, 6, 3], ["recurrent 3 steps 2 K3 1", "recurrent 2 steps 3 K3 0.5", "random 4"]),
    ([12, 12, 12, 3], ["recurrent 3 steps 2 K3 1", "convolution 2x2 stride 1 of 3x4x1", "full"]),
    ([18, 8, 5, 3], ["convolution 2x2 stride 1 of 3x3x2", "recurrent 4 steps 2 K3 0.5", "full"]),
    ([12, 15, 6, 3], ["recurrent 3 steps 2 K3 1 every frame", "recurrent 3 steps 2 K3 0.5", "random 4"]),
    ([8, 24, 15, 3], ["recurrent 4 steps 1 K3 0.5 every frame", "convolution 2x2 stride 1 of 4x6x1", "full"]),
]
FAULTS: list[dict[str, Any]] = [{"dead": 0.3, "seed": 3}, {"stuck": 0.05, "seed": 4}, {"upsets": 0.05, "seed": 5},
                                {"dead": 0.2, "stuck": 0.02, "upsets": 0.02, "seed": 6}]
WRONG: list[dict[str, Any]] = [
    {"layers": [4]}, {"layers": [4, 0]}, {"seed": 0}, {"layers": [4, 2], "wirings": {}}, {"layers": [4, 2], "wiring": []},
    {"layers": [4, 2], "wiring": {"words": []}}, {"layers": [4, 2], "seed": -1},
    {"layers": [4, 2], "wiring": {"layers": "full"}}, {"layers": [4, 2], "wiring": {"layers": ["full", "full", "random 1"]}},
    *({"layers": [4, 2], "wiring": {"layers": [word]}} for word in (
        "sparse", "random", "random 0", "random 5", "random 1.5", " full", "Full", "one-to-one", "convolution",
        "convolution 2x2 of 2x2x1", "convolution 3x2 stride 1 of 2x2x1", "convolution 2x2 stride 0 of 2x2x1",
        "convolution 2x2 stride 1 of 3x2x1", "convolution 1x1 stride 1 of 2x2x1", "recurrent 2 steps 2",
        "recurrent 0 steps 2 K3 1", "recurrent 2 steps 2 K3 0",
        "recurrent 3 steps 2 K3 1", "recurrent 2 steps 2 K3 0.3", "recurrent 2 steps 2 K3 2", 7, None)),
    {"layers": [4, 2, 2], "wiring": {"layers": ["recurrent 4 steps 2 K3 1 every frame", "full"]}},
    {"layers": [4, 2], "wiring": {"layers": ["recurrent 2 steps 2 K3 1 every frame"]}},
    {"layers": [4, 2], "wiring": {"layers": ["recurrent 2 steps 2 K3 1"]}, "learning": {"K1": 0.5}},
    {"layers": [4, 2], "wiring": {"layers": ["recurrent 2 steps 2 K3 1"]}, "formats": {"input": "UQ0.14"}},
    {"layers": [4, 2], "learning": {"links": 0.3}}, {"layers": [4, 2], "learning": {"links_instinct": "none"}},
    {"layers": [4, 2], "learning": {"leak": 0.5}}, {"layers": [4, 2], "learning": {"batch": 0}},
    {"layers": [4, 2], "neuron": {"K1": [1, 2]}}, {"layers": [4, 2], "neuron": {"K1": [0.3] * 5}},
    {"layers": [4, 2], "formats": {"weight": "Q2.2"}}, {"layers": [4, 2], "formats": {"weight": "Q2.40"}},
    {"layers": [4, 2], "formats": {"drive": "Q4.13"}}, {"layers": [4, 2], "integration": {"dt": 0.3}},
    {"layers": [4, 2], "learning": {"links_instinct": "sign", "links": 2**-14}},
    {"layers": [4, 2], "learning": {"batch": 65536, "halvings": 30}, "formats": {"weight": "Q20.24", "drive": "Q30.12"}},
    {"layers": [25, 32, 2], "wiring": {"layers": ["convolution 2x2 stride 1 of 5x5x1", "convolution 2x2 stride 1 of 4x4x1"]}},
]


def names() -> list[str]:
    """What is recorded: ``shape.variant`` of healthy networks, ``faults.variant.shape`` of broken ones."""
    healthy = [f"{shape}.{variant}" for shape in range(len(SHAPES)) for variant in range(VARIANTS + 1)]
    return healthy + [f"faults.{broken}.{shape}" for broken in range(len(FAULTS)) for shape in (1, 4, 6)]


def description(name: str) -> dict[str, Any]:
    """The network of a run, drawn by its name: plain data of ``Network.from_dict``, only what is not a default."""
    shape = int(name.split(".")[-1 if name.startswith("faults") else 0])
    for attempt in range(100):
        random = np.random.default_rng([*hashlib.sha256(name.encode()).digest()[:8], attempt])
        data = _drawn(random, *SHAPES[shape], usual=name.endswith(".0"))
        try:
            Network.from_dict(data).check_fixed()
        except InputError:
            continue
        return data
    raise AssertionError(f"no description for {name}")


def _drawn(random: np.random.Generator, layers: list[int], words: list[str], usual: bool) -> dict[str, Any]:
    def one(*values: Any) -> Any:
        return values[random.integers(len(values))]

    recurrent = any(word.startswith("recurrent") for word in words)
    learning = {"links": one(2**-2, 2**-3, 2**-4), "bias": one(2**-3, 2**-4, 0), "batch": one(1, 1, 5), "epochs": EPOCHS,
                "halvings": one(0, 2)}
    data: dict[str, Any] = {"layers": layers, "seed": int(random.integers(1000)), "wiring": {"layers": words},
                            "learning": learning, "initialisation": {"bias": one(0.0, -0.5, 0.25)}}
    if usual:
        return data
    for name in ("links", "bias", "K"):
        learning[f"{name}_instinct"] = one("proportional", "sign", "pid")
        if learning[f"{name}_instinct"] == "pid":
            learning[f"{name}_gains"] = [one(0.25, 1.0), one(0.0, 2**-4), one(0.0, 0.5)]
            learning["leak"] = one(0.0, 2**-3)
    learning["frozen"] = one(0, 0, 1) if len(layers) > 2 else 0
    data["integration"] = {"dt": one(0.25, 0.5, 1.0), "steps": int(random.integers(1, 9))}
    data["formats"] = one({}, {"drive": "Q22.12"}, {"bracket": "Q6.12"}, {"input": "UQ0.4"}, {"local_product": "Q4.10",
                                                                                          "integral": "Q6.10"})
    trains = not recurrent and one(False, True)
    if trains or one(False, True):
        data["formats"]["coupling"] = "Q2.6"
        steps = random.integers(16, 96, (3, 5)) / 64
        data["neuron"] = {**dict(zip(("K1", "K2", "K3"), steps.tolist(), strict=True)), "input_population": one(0, 2),
                          "output_population": one(1, 4), "rest": [one(0.75, 1.0) for _ in range(5)]}
    if trains:
        learning |= {"K1": one(2**-4, 0), "K2": 2**-4, "K3": one(2**-5, 0), "K3_minimum": 0.25}
    return data


def lesson(network: Network, name: str) -> tuple[Any, Any]:
    """Images and labels of a run."""
    random = np.random.default_rng([*hashlib.sha256(name.encode()).digest()[8:16]])
    images = random.integers(0, 256, (IMAGES, network.layers[0])) * (random.random((IMAGES, network.layers[0])) < 0.6)
    return images.astype(np.uint8), random.integers(0, network.layers[-1], IMAGES)


def learnt(model: Any, name: str) -> dict[str, str]:
    """Hashes of a whole run: the answers while it learns, then parameters, memory and outputs."""
    images, labels = lesson(model.network, name)
    answers = [model.learn(images, labels, epoch) for epoch in range(EPOCHS)]
    parameters = [array for layer in model.parameters for array in (layer.weights, layer.bias, layer.coupling)]
    memory = [array for layer in model.memory for key in sorted(layer)
              for array in (layer[key].integral, layer[key].previous)]
    return {"answers": _hash(answers), "parameters": _hash(parameters), "memory": _hash(memory),
            "outputs": _hash([model.outputs(images)])}


def _hash(arrays: list[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.shape} ".encode() + np.ascontiguousarray(array, "<i8").tobytes())
    return digest.hexdigest()


def broken(name: str) -> faults.Faults | None:
    """What is broken in a run; None if nothing is."""
    return faults.Faults(**FAULTS[int(name.split(".")[1])]) if name.startswith("faults") else None


def refusal(data: dict[str, Any]) -> str:
    """The sentence that refuses a description."""
    try:
        Network.from_dict(data).check_fixed()
    except InputError as error:
        return str(error)
    raise AssertionError(f"{data} is not refused")


def recorded() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8")) if FILE.is_file() else {"runs": {}, "refusals": []}
    return data


def main() -> None:
    data = recorded()
    for name in names():
        if name not in data["runs"]:
            network = Network.from_dict(description(name))
            what = broken(name)
            model = Model(network, "fixed") if what is None else faults.FaultyModel(network, None, what)
            data["runs"][name] = {"network": description(name), "digest": network.digest, "widths": network.widths(),
                                  **learnt(model, name)}
    known = [each["network"] for each in data["refusals"]]
    data["refusals"] += [{"network": wrong, "sentence": refusal(wrong)} for wrong in WRONG if wrong not in known]
    rows = ",\n".join(f"{json.dumps(name)}: {json.dumps(run)}" for name, run in data["runs"].items())
    sentences = ",\n".join(json.dumps(each) for each in data["refusals"])
    FILE.write_text(f'{{"runs": {{\n{rows}\n}}, "refusals": [\n{sentences}\n]}}\n', encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
