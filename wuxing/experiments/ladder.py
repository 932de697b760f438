"""Experiment ``ladder``: one size of network taught by five methods, from global to local, and by ours.

Peers are networks of rectified linear units in PyTorch (``peers``): backpropagation, feedback alignment, direct feedback
alignment, last layer only. Ours learns by local products, in integers, one image at a time; and the same with random hidden
links. All have the same epochs, halvings and order of images, no dropout, and as many candidate rates each; the rate with the
greatest mean accuracy on held-out training images is taken, and the test images report on it.

Costs are of one learnt image, counted by formula (``costs``). The claims were written before the full runs.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from golden_model.network import Learning, Network
from wuxing.experiments import learner
from wuxing.experiments.peers import METHODS, Peer
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "networks": [str],
                           "methods": [str], "epochs": int, "halvings": int, "every": int, "levels": [float],
                           "rate_shifts": [int], "rates": [float]}
OURS, OURS_LAST = "ours", "ours, last layer only"
LADDER = (*METHODS, OURS, OURS_LAST)
SAMPLE = 2000                               # training images, to see how many have an error at the end
USUAL_SHARE = 0.19                        # of the pixels of an MNIST image are not 0
KNOWS = {
    "backpropagation": "no: the links of the next layer, sent back another way, and the derivative",
    "feedback alignment": "no: a second, random set of links",
    "direct feedback alignment": "no: a random link from every output",
    "last layer only": "yes, but hidden links do not learn",
    OURS: "yes: what its two ends show, forward and in reverse",
    OURS_LAST: "yes, but hidden links do not learn"}


def tasks(settings: Plain) -> list[Plain]:
    """``networks``: sizes of hidden layers as ``256-128``. ``rate_shifts``: ours are 2**-n. ``rates``: of the peers."""
    result = []
    for seed in settings["seeds"]:
        for name in settings["networks"]:
            layers = (*learner.sizes(settings["dataset"], *map(int, name.split("-"))),)
            for method in settings["methods"]:
                ours = method in (OURS, OURS_LAST)
                for learning_rate in [2.0**-each for each in settings["rate_shifts"]] if ours else settings["rates"]:
                    learning = Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=0.0, average=1,
                                        **({"links": learning_rate, "bias": learning_rate} if ours else {}),
                                        frozen=len(layers) - 2 if method == OURS_LAST else 0)
                    result.append({"seed": seed, "name": name, "method": method, "rate": learning_rate,
                                   "levels": settings["levels"]}
                                | learner.setting_of(Network(layers=layers, seed=seed, learning=learning), "fixed",
                                                     settings["dataset"], hold_out=settings["hold_out"], both=True,
                                                     every=settings["every"], train_images=settings["train_images"] or None))
    return result


def run(setting: Plain) -> Plain:
    """``accuracy``, ``test`` and ``course`` as a learner's. ``erring``: share of training images with an error that is learnt,
    at the end; 1 for the cross entropy, which is never content."""
    network = Network.from_dict(setting["network"])
    if setting["method"] in METHODS:
        data, whole = learner.images(setting), learner.images(setting | {"hold_out": None, "train_images": None})
        peer = Peer(setting["method"], network.layers, setting["seed"])
        course = peer.learn(data, setting["rate"], network.learning, setting["every"])
        return {"accuracy": peer.accuracy(data.test_images, data.test_labels), "course": course, "erring": 1.0,
                "test": peer.accuracy(whole.test_images, whole.test_labels)}
    course = []
    _, _, data, model = learner.learnt(setting, course)
    outputs = model.outputs(data.train_images[:SAMPLE])
    labels, margin = data.train_labels[:SAMPLE], model.arithmetic.margin
    labelled = np.arange(outputs.shape[1]) == labels[:, None]
    content = np.where(labelled, outputs >= margin, outputs <= -margin).all(axis=1)
    return {"accuracy": learner.accuracy(model, data.test_images, data.test_labels), "course": course,
            "erring": 1 - float(content.mean()), "test": learner.test_accuracy(setting, model)}


def costs(method: str, layers: tuple[int, ...], nonzero: float, steps: int = 8) -> dict[str, float]:
    """Of one learnt image that errs: ``forward``, ``reverse``, ``update`` and ``neurons``, multiplications; ``traffic``, bits
    of links read and written one image at a time; ``extra``, bits of memory for feedback.

    ``nonzero`` inputs are not 0; the others are skipped by all methods alike. A Wuxing neuron multiplies once for each of five
    populations in each half step. Links have 16 bits in our integers and 32 in the peers' reals.
    """
    ours, last = method in (OURS, OURS_LAST), "last layer only" in method
    bits = 16 if ours else 32
    sizes = [size * (nonzero if index == 0 else layers[index]) for index, size in enumerate(layers[1:])]
    later = sum(sizes[1:])                                        # links behind the first layer
    direct = layers[-1] * sum(layers[1:-1])
    reverse = 0 if last else direct if method == "direct feedback alignment" else later
    update = sizes[-1] if last else sum(sizes)
    settled = sum(layers[1:]) + (layers[-1] if last else sum(layers[1:]))        # neurons forward and in reverse
    extra = {"feedback alignment": later, "direct feedback alignment": direct}.get(method, 0)
    return {"forward": sum(sizes), "reverse": reverse, "update": update, "neurons": 10 * steps * settled if ours else 0,
            "traffic": bits * (sum(sizes) + reverse + 2 * update), "extra": 32 * extra}


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {}
    tables, choice = [], {}
    for (name,), same in grouped(runs, "name").items():
        rows, spent = [], []
        first = same[0].setting
        layers = tuple(first["network"]["layers"])
        for (method,), group in grouped(same, "method").items():
            by_rate = grouped(group, "rate")
            best = max(by_rate.values(), key=lambda each: mean(run.result["accuracy"] for run in each))
            choice[name, method] = best
            epochs = {f"{level:g}": [learner.epochs_to(run.result["course"], level) for run in best]
                      for level in first["levels"]}
            erring = mean(run.result["erring"] for run in best)
            cost = costs(method, layers, USUAL_SHARE * layers[0], first["network"]["integration"]["steps"])
            values.setdefault(name, {})[method] = {
                "rate": best[0].setting["rate"], "accuracy": mean(run.result["accuracy"] for run in best),
                "test": mean(run.result["test"] for run in best), "erring": erring, "costs": cost}
            rows.append((method, f"{best[0].setting['rate']:g}", *map(_epochs, epochs.values()),
                         spread(run.result["accuracy"] for run in best), spread(run.result["test"] for run in best)))
            spent.append((method, *(f"{cost[key] / 1000:,.0f}" for key in ("forward", "reverse", "update", "neurons")),
                          f"{cost['traffic'] / 1000:,.0f}", f"{cost['extra'] / 1000:,.0f}", f"{100 * erring:.0f}",
                          KNOWS[method]))
        sizes = "-".join(map(str, layers))
        tables.append(Table(
            f"{sizes} on {first['dataset']}, {first['network']['learning']['epochs']} epochs: each method at its best rate of "
            f"those tried; epochs until held-out images reach an accuracy, accuracy at the end",
            ("method", "rate", *(f"epochs to {level:g} %" for level in first["levels"]), "held-out, %", "test, %"), rows))
        tables.append(Table(
            f"{sizes}: thousands of multiplications for a learnt image (links forward, in reverse, updates, neurons), kbit of "
            f"links read and written, kbit of feedback links stored, images of which anything is learnt at the end, and "
            f"whether what a link needs is at its ends",
            ("method", "forward", "reverse", "update", "neurons", "traffic, kbit", "feedback, kbit", "learnt at the end, %",
             "local"), spent))
    return Summary(values, tables, [Figure(
        "ladder", "Accuracy on held-out images over epochs, each method at its best rate, mean over seeds.",
        partial(_draw, choice))])


def _epochs(epochs: list[float | None]) -> str:
    reached = [each for each in epochs if each is not None]
    if not reached:
        return "never"
    return spread(reached, ".1f") + ("" if len(reached) == len(epochs) else f" ({len(reached)} of {len(epochs)} seeds)")


def check(values: Plain) -> list[Claim]:
    claims = [Claim("Teaching hidden links, too, beats the last layer alone, in each network of ours",
                    all(each[OURS]["accuracy"] > each[OURS_LAST]["accuracy"] + 1 for each in values.values()))]
    if any(method not in each for method in METHODS for each in values.values()):
        return claims
    return [
        *claims,
        Claim("Ours is within 1 point of backpropagation, in each network",
              all(each[OURS]["test"] > each["backpropagation"]["test"] - 1 for each in values.values())),
        Claim("Ours is no worse than feedback alignment, direct or not, but for 0.2 points that seeds may do", all(
            each[OURS]["test"] > max(each[method]["test"] for method in METHODS[1:3]) - 0.2 for each in values.values())),
        Claim("A random hidden layer of Wuxing neurons is at least as good as one of rectified linear units",
              all(each[OURS_LAST]["test"] >= each["last layer only"]["test"] for each in values.values()))]


def _draw(chosen: dict[tuple[str, str], list[Run]]) -> bytes:
    from wuxing.reports.plots import picture
    names = list(dict.fromkeys(name for name, _ in chosen))

    def paint(axes: Panels) -> None:
        for place, name in zip(axes[0], names, strict=True):
            for (each, method), runs in chosen.items():
                if each == name:
                    course = np.mean([run.result["course"] for run in runs], axis=0)
                    place.plot(course[:, 0], course[:, 1], label=method)
            place.set(xlabel="epochs", title=f"hidden layers {name}", ylim=(85, 100))
        axes[0, 0].set_ylabel("accuracy on held-out images (%)")
        axes[0, -1].legend(loc="lower right")

    return picture("ladder", paint, columns=len(names), size=(4.5 * len(names), 3.4))
