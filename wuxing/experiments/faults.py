"""Experiment ``faults``: accuracy on broken hardware, right after it broke, and after it has learnt on a few images in place.

A network that has learnt in integers is put on hardware with faults (``golden_model.robustness.faults``): dead hidden
neurons, stuck bits of weights, bits of state words that flip, K that differ from neuron to neuron. Then it learns ``repair``
images it has not seen, one at a time, on that hardware. The constant rate of doing so is chosen by the mean accuracy on
held-out training images over all faults; the test images report.

Beside it stands a network of rectified linear units of the same size that backpropagation has taught (scikit-learn's
``MLPClassifier``), with weights of as many bits, and no way to learn in place (``Peer``). The claims were written before the
full runs.
"""
from __future__ import annotations

import math
import warnings
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model.data.datasets import Dataset
from golden_model.fixed_point import Array, Format
from golden_model.network import Learning, Network
from golden_model.parameters import Parameters
from golden_model.robustness.faults import Faults, FaultyCompiledModel, dead, held, mismatched
from golden_model.training import accuracy, percentage
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
KINDS = ("dead", "stuck", "upsets", "mismatch")
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "hidden": int, "epochs": int,
                           "halvings": int, "dropout": float, "rate_shifts": [int], "repair": int, "peer_epochs": int,
                           **{kind: [float] for kind in KINDS}}
FINE = Format.parse("Q2.10")              # of K that are off
TITLES = {"dead": "dead hidden neurons", "stuck": "stuck bits of weights", "upsets": "flips, per state word and step",
        "mismatch": "mismatch of K"}
LINES = {"before": "ours, right after", "after": "ours, after learning", "peer": "peer, right after"}



def tasks(settings: Plain) -> list[Plain]:
    result = []
    for seed in settings["seeds"]:
        network = Network(layers=(*learner.sizes(settings["dataset"], settings["hidden"]),), seed=seed, learning=Learning(
            epochs=settings["epochs"], halvings=settings["halvings"], dropout=settings["dropout"]))
        for rate_shift in settings["rate_shifts"]:
            result.append({"seed": seed, "rate_shift": rate_shift, "repair": settings["repair"],
                         "peer_epochs": settings["peer_epochs"], "rates": {kind: settings[kind] for kind in KINDS}}
                        | learner.setting_of(network, "fixed", settings["dataset"], hold_out=settings["hold_out"],
                                             train_images=settings["train_images"]))
    return result


def run(setting: Plain) -> Plain:
    """``sound``: per cent of the test images without faults, ``ours`` and ``peer``. For each kind and rate ``before`` and
    ``after`` learning in place, ``held`` of held-out images after it, and the ``peer``."""
    network, training, data, model = learner.learnt(setting)
    whole = learner.images(setting | {"hold_out": None, "train_images": None})
    fresh = learner.images(setting | {"train_images": setting["train_images"] + setting["repair"]})
    images, labels = (part[setting["train_images"]:] for part in (fresh.train_images, fresh.train_labels))
    learning_rate = 2.0**-setting["rate_shift"]
    constant = network.with_learning(links=learning_rate, bias=learning_rate, epochs=1, halvings=0, dropout=0.0)
    peer = Peer(network, data, setting["peer_epochs"], setting["seed"])
    result: Plain = {}
    for kind, shares in setting["rates"].items():
        for share in shares:
            faults = Faults(**{kind: share}, seed=setting["seed"])
            broken = broken_model(constant, training.parameters, faults)
            before = accuracy(broken, whole.test_images, whole.test_labels)
            broken.learn(images, labels)
            result.setdefault(kind, []).append({
                "rate": share, "before": before, "after": accuracy(broken, whole.test_images, whole.test_labels),
                "held": accuracy(broken, data.test_images, data.test_labels),
                "peer": percentage(peer.predict(whole.test_images, faults) == whole.test_labels)})
    return {"faults": result, "sound": {"ours": accuracy(model, whole.test_images, whole.test_labels),
                                        "peer": percentage(peer.predict(whole.test_images, Faults()) == whole.test_labels)}}


def broken_model(network: Network, values: Parameters, faults: Faults) -> FaultyCompiledModel:
    """The compiled model on hardware with faults, K that are off among them."""
    if faults.mismatch:
        network, values = mismatched(network, values, faults, FINE)
    return FaultyCompiledModel(network, values, replace(faults, mismatch=0.0))


class Peer:
    """A network of rectified linear units, taught by backpropagation, in words: weights of as many bits as ours, signals too.

    The places of the binary point are chosen so that the greatest weight and, on the images learnt, the greatest signal fit.
    Faults: dead neurons and stuck bits as in ours, drawn alike; each signal word of a layer is hit once with the probability
    that ours are hit in each step; mismatch is that of the slopes of the neurons.
    """

    def __init__(self, network: Network, data: Dataset, epochs: int, seed: int) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        classifier = MLPClassifier(hidden_layer_sizes=network.layers[1:-1], max_iter=epochs, random_state=seed,
                                   n_iter_no_change=epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)       # it stops after so many epochs, which is meant
            classifier.fit(data.train_images / 256, data.train_labels)
        greatest = max(float(np.abs(each).max()) for each in classifier.coefs_)
        self.weight = word_for(greatest, network.formats.weight.bits)
        self.network = replace(network, formats=replace(network.formats, weight=self.weight))
        self.weights = [self.weight.quantise(each.T) for each in classifier.coefs_]
        self.biases = [np.array(each) for each in classifier.intercepts_]
        self.classes = classifier.classes_
        signals = self._signals(data.train_images, Faults())
        self.signal = word_for(max(float(np.abs(each).max()) for each in signals), network.formats.displacement.bits)

    def predict(self, images: npt.NDArray[np.uint8], faults: Faults) -> Array:
        """Classes (images,)."""
        result: Array = self.classes[self._signals(images, faults)[-1].argmax(axis=1)]
        return result

    def _signals(self, images: npt.NDArray[np.uint8], faults: Faults) -> list[Array]:
        silent, random = dead(self.network, faults), np.random.default_rng([faults.seed, 14])
        x, signals = images / 256, []
        for layer, (weights, memory) in enumerate(zip(self.weights, held(self.network, faults), strict=True)):
            read = weights if memory is None else memory.of(weights)
            x = x @ self.weight.real(read).T + self.biases[layer]
            if layer < len(self.weights) - 1:
                x = np.maximum(x, 0) * (1 + faults.mismatch * random.standard_normal(x.shape[1]))
                x[:, silent.get(layer + 1, [])] = 0
            if faults.upsets:
                x = self.signal.real(flipped(self.signal.quantise(x), self.signal, faults.upsets, random))
            signals.append(x)
        return signals


def word_for(greatest: float, bits: int) -> Format:
    """The signed format of so many bits that is finest and holds ``greatest``."""
    fraction = bits - 1 - max(0, math.ceil(math.log2(greatest + 1e-12)))
    return Format(bits, fraction)


def flipped(words: Array, to: Format, share: float, random: np.random.Generator) -> Array:
    """One bit, any, flipped in each word with that probability."""
    bit = random.integers(0, to.bits, words.shape)
    mask = np.where(bit == to.bits - 1, -1 << to.bits - 1, np.int64(1) << bit)
    return np.where(random.random(words.shape) < share, words ^ mask, words)


def summarise(runs: list[Run]) -> Summary:
    by_rate_shift = {rate_shift: group for (rate_shift,), group in grouped(runs, "rate_shift").items()}
    held_out = {rate_shift: mean(each["held"] for run in group for kind in KINDS for each in run.result["faults"][kind])
                for rate_shift, group in by_rate_shift.items()}
    best = max(held_out, key=lambda rate_shift: held_out[rate_shift])
    taken = [run.result for run in by_rate_shift[best]]
    values: Plain = {"rate_shift": best, "held": {str(rate_shift): value for rate_shift, value in held_out.items()},
                              "sound": {who: mean(each["sound"][who] for each in taken) for who in ("ours", "peer")}}
    rows: list[tuple[str, ...]] = [("none", spread(each["sound"]["ours"] for each in taken), "",
                                    spread(each["sound"]["peer"] for each in taken))]
    for kind in KINDS:
        for group in zip(*(each["faults"][kind] for each in taken), strict=True):
            figures = {key: [each[key] for each in group] for key in ("before", "after", "peer")}
            values.setdefault(kind, []).append({"rate": group[0]["rate"]} | {key: mean(each) for key, each in figures.items()})
            rows.append((f"{TITLES[kind]}: {group[0]['rate']:g}", *(spread(each) for each in figures.values())))
    first = by_rate_shift[best][0].setting
    attempts = ", ".join(f"2^-{rate_shift}: {value:.1f}" for rate_shift, value in held_out.items())
    table = Table(
        f"{'-'.join(map(str, first['network']['layers']))} on {first['dataset']}, integers: per cent of the test images right "
        f"after the faults, and after learning {first['repair']:,} images in place at rate 2^-{best} (mean held-out accuracy "
        f"after it at each rate: {attempts}); and the peer taught by backpropagation, right after", (
            "faults", *LINES.values()), rows)
    return Summary(values, [table], [Figure(
        "faults", "Accuracy on the test images over the rate of each kind of fault: right after, after learning in place, and "
        "the peer.", partial(_draw, values))])


def check(values: Plain) -> list[Claim]:
    lasting = [values[kind][-1] for kind in ("dead", "stuck", "mismatch")]
    ours, peer = values["sound"]["ours"], values["sound"]["peer"]
    return [
        Claim("Faults that last (dead, stuck, mismatch), at their greatest rates: learning in place brings back at least a "
              "third of what was lost", all(each["after"] - each["before"] > (ours - each["before"]) / 3 for each in lasting)),
        Claim("At those rates ours, after learning, is better than the peer that cannot learn in place",
              all(each["after"] > each["peer"] for each in lasting)),
        Claim("The least rate of flips costs less than 1 point: neurons return from where a flip throws them",
              values["upsets"][0]["before"] > ours - 1),
        Claim("Without learning ours is no more fragile than the peer: at the greatest rate of each kind it loses less",
              all(ours - values[kind][-1]["before"] < peer - values[kind][-1]["peer"] for kind in KINDS), full_only=True),
        Claim("At the least rate of each kind less than 1 point is lost after learning in place",
              all(values[kind][0]["after"] > ours - 1 for kind in KINDS), full_only=True)]


def _draw(values: Plain) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for place, kind in zip(axes[0], KINDS, strict=True):
            x = [each["rate"] for each in values[kind]]
            for key, label in LINES.items():
                place.plot(x, [each[key] for each in values[kind]], marker=".", label=label)
            place.set_xscale("log")
            place.set(xlabel=TITLES[kind], ylim=(0, 100))
        axes[0, 0].set_ylabel("accuracy (%)")
        axes[0, 0].legend(loc="lower left")

    return picture("faults", paint, columns=len(KINDS), size=(10, 2.8))
