"""Experiment ``width-and-bits``: accuracy over word length, weight length, steps and hidden neurons, against what they cost.

The map from which the configuration of a board is chosen. Words are Q1.f (drives Q4.f), weights Q2.w. Accuracies are means over
seeds on held-out training images; the front is chosen by them and reported on the test images as well. Costs: bits of all
parameters; clocks of an image that is learnt by a core with one unit for each neuron (``hdl.estimate``), which the lengths
of words do not change, where 19 % of the pixels are not 0 as in MNIST. The claims were written before the full runs.
"""
from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network
from hdl import estimate
from wuxing.cost import design, memory_bits
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "hidden": [int],
                           "words": [int], "weights": [int], "steps": [int], "epochs": int, "halvings": int}
AXES = ("word", "weight", "steps", "hidden")
USUAL_SHARE = 0.19                        # of the pixels of an MNIST image are not 0


def tasks(settings: Plain) -> list[Plain]:
    result = []
    for seed in settings["seeds"]:
        for word in settings["words"]:
            for weight in settings["weights"]:
                for steps in settings["steps"]:
                    for hidden in settings["hidden"]:
                        network = Network(
                            layers=(*learner.sizes(settings["dataset"], hidden),), seed=seed,
                            formats=formats(word, weight), integration=Integration(steps=steps),
                            learning=Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=0.0, average=1))
                        network.check_fixed()
                        result.append({"seed": seed, "word": word, "weight": weight, "steps": steps, "hidden": hidden}
                                    | learner.setting_of(network, "fixed", settings["dataset"], hold_out=settings["hold_out"],
                                                         train_images=settings["train_images"], both=True))
    return result


def formats(word: int, weight: int) -> Formats:
    """Signals of ``word`` and weights of ``weight`` fraction bits."""
    return Formats(displacement=Format.parse(f"Q1.{word}"), drive=Format.parse(f"Q4.{word}"),
                   error=Format.parse(f"Q1.{word}"), weight=Format.parse(f"Q2.{weight}"))


run = learner.run


def cost(network: Network) -> Plain:
    """``memory_bits``, ``clocks``, and ``core``: whether there is a core that learns so, whose multipliers have 18 bits."""
    usual = design(replace(network, formats=Formats()))
    try:
        design(network)
    except InputError:
        core = False
    else:
        core = True
    return {"memory_bits": memory_bits(network), "core": core,
            "clocks": estimate.clocks(usual, round(USUAL_SHARE * network.layers[0])).learnt}


def summarise(runs: list[Run]) -> Summary:
    from wuxing.cost import pareto
    points: list[Plain] = []
    for key, group in grouped(runs, *AXES).items():
        network = Network.from_dict(group[0].setting["network"])
        points.append(dict(zip(AXES, key, strict=True)) | cost(network) | {
            "accuracies": [run.result["accuracy"] for run in group], "tests": [run.result["test"] for run in group],
            "accuracy": mean(run.result["accuracy"] for run in group)})
    for point, best in zip(points, pareto([[-point["accuracy"], point["memory_bits"], point["clocks"]] for point in points]),
                           strict=True):
        point["front"] = best
    first = runs[0].setting
    layers = first["network"]["layers"]
    title = (f"{first['dataset']}, {layers[0]}-N-{layers[-1]}, {first['train_images']:,} images, "
            f"{first['network']['learning']['epochs']} epochs")
    front = sorted((point for point in points if point["front"]), key=lambda point: point["memory_bits"])
    rows: list[tuple[str, ...]] = [(f"Q1.{point['word']}", f"Q2.{point['weight']}", str(point["steps"]), str(point["hidden"]),
             f"{point['memory_bits'] / 1000:,.0f}", f"{point['clocks']:,.0f}", "yes" if point["core"] else "no",
             spread(point["accuracies"]), spread(point["tests"])) for point in front]
    return Summary({"points": points}, [_map(points, title), Table(
        f"{title}: what no other combination beats in held-out accuracy, memory and clocks; core: whether one with "
        f"18-bit multipliers can learn so",
        ("word", "weight", "steps", "hidden", "memory, kbit", "clocks to learn an image", "core", "held-out, %",
         "test, %"), rows)], [Figure(
             "width-and-bits", "Accuracy on held-out images against memory and against clocks of a learnt image, all "
             "combinations, by word; the line is the front of the two.", partial(_draw, points))])


def _map(points: list[Plain], title: str) -> Table:
    """Rows: word and weight; columns: neurons and steps."""
    columns = list(dict.fromkeys((point["hidden"], point["steps"]) for point in sorted(
        points, key=lambda point: (point["hidden"], point["steps"]))))
    result = {tuple(point[axis] for axis in AXES): point["accuracy"] for point in points}
    pairs = list(dict.fromkeys((point["word"], point["weight"]) for point in points))
    return Table(f"{title}: the map, held-out accuracy in %, by hidden neurons N and steps", (
        "word, weight", *(f"N {hidden}, {steps}" for hidden, steps in columns)), [
            (f"Q1.{word}, Q2.{weight}", *(f"{result[word, weight, steps, hidden]:.1f}" for hidden, steps in columns))
            for word, weight in pairs])


def check(values: Plain) -> list[Claim]:
    points = values["points"]
    greatest = {axis: max(point[axis] for point in points) for axis in AXES}
    least = {axis: min(point[axis] for point in points) for axis in AXES}

    def at(**where: int) -> float:
        top = greatest | where
        return float(next(point["accuracy"] for point in points if all(point[axis] == top[axis] for axis in AXES)))

    word, steps = sorted({point["word"] for point in points}), sorted({point["steps"] for point in points})
    front = [point for point in points if point["front"]]
    return [
        Claim("More hidden neurons are better, with the longest words and most steps", at() > at(hidden=least["hidden"])),
        Claim("The longest word does without two of its bits: less than 1 point is lost", at(word=word[-2]) > at() - 1),
        Claim("The shortest weights lose more than the shortest words", at(weight=least["weight"]) < at(word=least["word"])),
        Claim("Half of the steps lose less than 3 points", at(steps=steps[-2]) > at() - 3),
        Claim("Short words are worth it: the front has more than one length of words and of weights",
              len({point["word"] for point in front}) > 1 and len({point["weight"] for point in front}) > 1, full_only=True)]


def _draw(points: list[Plain]) -> bytes:
    from wuxing.cost import pareto
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        labels = {"memory_bits": "memory (bits)", "clocks": "clocks of a learnt image"}
        for place, (key, label) in zip(axes[0], labels.items(), strict=True):
            for word in sorted({point["word"] for point in points}):
                here = [point for point in points if point["word"] == word]
                place.plot([point[key] for point in here], [point["accuracy"] for point in here], ".", label=f"Q1.{word}")
            front = sorted((point[key], point["accuracy"]) for point, best in zip(points, pareto(
                [[-point["accuracy"], point[key]] for point in points]), strict=True) if best)
            place.plot(*zip(*front, strict=True), drawstyle="steps-post", color="#222222", linewidth=0.8)
            place.set(xlabel=label, ylim=(80, 100))
            place.set_xscale("log")
        axes[0, 0].set_ylabel("accuracy on held-out images (%)")
        axes[0, 0].legend(loc="lower right")

    return picture("width-and-bits", paint, columns=2, size=(9, 3.4))
