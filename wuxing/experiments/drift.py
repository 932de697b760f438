"""Experiment ``drift``: what an integer learner sees changes while it keeps learning, one image at a time.

A network learns the images as they are. Then a stream of images it has not seen begins, in one of ``DRIFTS``, and it learns
each image once, right after it was asked; another one, with the same parameters, does not learn. The stream is drawn from
training images that were held out. The rate of learning on the stream is constant and chosen by the accuracy on the stream
itself, mean over drifts; the test images, changed in the same way, and as they were, report before and after.

"Recovered" is fixed as: within 5 points of the accuracy on unchanged images before the drift, in a window of the stream. The
claims were written before the full runs.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model.data import transforms
from golden_model.engine import CompiledModel
from golden_model.network import Learning, Network
from golden_model.training import accuracy, percentage
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "stream": int, "train_images": int, "hidden": int, "epochs": int,
                           "halvings": int, "dropout": float, "rate_shifts": [int], "window": int, "pixels": int,
                           "degrees": float}
DRIFTS = ("none", "inverted", "shifted", "rotated", "rotating")
NEAR = 5.0                                # points

Bytes = npt.NDArray[np.uint8]


def tasks(settings: Plain) -> list[Plain]:
    """``stream``: images held out for it. ``pixels``: of the shift, down and right. ``degrees``: of the rotation; ``rotating``
    turns evenly from 0 to twice as far, and its test images stand at the end."""
    result = []
    for seed in settings["seeds"]:
        network = Network(layers=(*learner.sizes(settings["dataset"], settings["hidden"]),), seed=seed, learning=Learning(
            epochs=settings["epochs"], halvings=settings["halvings"], dropout=settings["dropout"]))
        for rate_shift in settings["rate_shifts"]:
            result.append({"seed": seed, "rate_shift": rate_shift} | {
                key: settings[key] for key in ("window", "pixels", "degrees")} | learner.setting_of(
                network, "fixed", settings["dataset"], hold_out=settings["stream"],
                train_images=settings["train_images"] or None))
    return result


def run(setting: Plain) -> Plain:
    """For each drift ``online``, per cent of each window of the stream that was right just before it was learnt, ``frozen``,
    the same without learning, and per cent of the test images ``before``, ``after``, and ``plain``: unchanged ones after it.
    ``undrifted``: of unchanged test images before the stream."""
    network, training, data, model = learner.learnt(setting)
    test = learner.images(setting | {"hold_out": None})
    constant = network.with_learning(links=2.0**-setting["rate_shift"], bias=2.0**-setting["rate_shift"], epochs=1, halvings=0,
                                     dropout=0.0)
    result: Plain = {}
    for drift in DRIFTS:
        stream = changed(data.test_images, data.image_shape, drift, setting)
        tests = changed(test.test_images, data.image_shape, drift, setting, at_the_end=True)
        learning = CompiledModel(constant, "fixed", training.parameters, threads=1)
        right = {"online": learning.learn(stream, data.test_labels) == data.test_labels,
                 "frozen": model.predict(stream) == data.test_labels}
        result[drift] = {name: [percentage(each[start:start + setting["window"]])
                                for start in range(0, len(each), setting["window"])] for name, each in right.items()} | {
            "before": accuracy(model, tests, test.test_labels), "after": accuracy(learning, tests, test.test_labels),
            "plain": accuracy(learning, test.test_images, test.test_labels)}
    return {"drifts": result, "undrifted": accuracy(model, test.test_images, test.test_labels)}


def changed(images: Bytes, image_shape: tuple[int, int], drift: str, setting: Plain,
            at_the_end: bool = False) -> Bytes:
    """Images of a stream, or of its end, under a drift."""
    degrees = setting["degrees"]
    if drift == "inverted":
        return transforms.inverted(images)
    if drift == "shifted":
        return transforms.moved(images, image_shape, setting["pixels"], setting["pixels"])
    if drift == "rotated":
        return transforms.rotated(images, image_shape, degrees)
    if drift == "rotating":
        angles = np.floor(2 * degrees * np.arange(1, len(images) + 1) / len(images))      # in whole degrees
        return transforms.rotated(images, image_shape, 2 * degrees if at_the_end else angles)
    return images


def summarise(runs: list[Run]) -> Summary:
    by_rate_shift = {rate_shift: group for (rate_shift,), group in grouped(runs, "rate_shift").items()}
    streams = {rate_shift: mean(mean(run.result["drifts"][drift]["online"]) for run in group for drift in DRIFTS)
               for rate_shift, group in by_rate_shift.items()}
    best = max(streams, key=lambda rate_shift: streams[rate_shift])
    taken = by_rate_shift[best]
    window = taken[0].setting["window"]
    values: Plain = {"rate_shift": best, "streams": {str(rate_shift): value for rate_shift, value in streams.items()},
                              "undrifted": mean(run.result["undrifted"] for run in taken)}
    plain = [run.result["undrifted"] for run in taken]
    rows = []
    for drift in DRIFTS:
        results = [run.result["drifts"][drift] for run in taken]
        images = [recovered(each["online"], level - NEAR, window) for each, level in zip(results, plain, strict=True)]
        values[drift] = {key: mean(each[key] for each in results) for key in ("before", "after", "plain")} | {
            "recovered": None if None in images else mean(each for each in images if each is not None),
            "online": [mean(part) for part in zip(*(each["online"] for each in results), strict=True)],
            "frozen": [mean(part) for part in zip(*(each["frozen"] for each in results), strict=True)]}
        rows.append((drift, f"{values[drift]['online'][0]:.1f}", _images(images), f"{values[drift]['online'][-1]:.1f}",
                     f"{values[drift]['frozen'][-1]:.1f}",
                     *(spread(each[key] for each in results) for key in ("before", "after", "plain"))))
    first = taken[0].setting
    rest = ", ".join(f"2^-{rate_shift}: {value:.1f}" for rate_shift, value in streams.items())
    table = Table(
        f"{'-'.join(map(str, first['network']['layers']))} on {first['dataset']}, integers: {first['hold_out']:,} images, each "
        f"learnt once at rate 2^-{best} (mean accuracy on streams at each rate: {rest}); accuracy in the first window of "
        f"{window:,}, images until a window is within {NEAR:g} points of {spread(plain)} %, the last window, the last window "
        f"without learning; test images under the drift before and after, and unchanged after it, in %",
        ("drift", "first", "images to recover", "last", "not learning", "test before", "test after", "unchanged after"), rows)
    return Summary(values, [table], [Figure(
        "drift", "Accuracy in each window of the stream just before it is learnt, mean over seeds; dotted: without learning.",
        partial(_draw, values, window))])


def recovered(online: list[float], level: float, window: int) -> int | None:
    """Images seen until the end of the first window that reached ``level``; None: never."""
    return next((window * (index + 1) for index, reached in enumerate(online) if reached >= level), None)


def _images(result: list[int | None]) -> str:
    changes = [each for each in result if each is not None]
    if not changes:
        return "never"
    return f"{mean(changes):,.0f}" + ("" if len(changes) == len(result) else f" ({len(changes)} of {len(result)} seeds)")


def check(values: Plain) -> list[Claim]:
    drifts = {drift: values[drift] for drift in DRIFTS if drift != "none"}
    before = values["undrifted"]
    return [
        Claim("Each drift costs a network that does not learn 10 points of the test images at least",
              all(each["before"] < before - 10 for each in drifts.values())),
        Claim("Each time learning on the stream brings back at least half of what was lost",
              all(before - each["after"] < (before - each["before"]) / 2 for each in drifts.values())),
        Claim("Without drift, going on learning costs less than 3 points", values["none"]["after"] > before - 3),
        Claim("Every drift is recovered from within the stream, to 5 points, in every seed",
              all(each["recovered"] is not None for each in drifts.values()), full_only=True),
        Claim("A shift is recovered from, to 5 points, within 5,000 images",
              (drifts["shifted"]["recovered"] or float("inf")) <= 5000, full_only=True),
        Claim("What was learnt first is kept: unchanged images lose less than 10 points by learning shifted or rotated ones",
              min(drifts[drift]["plain"] for drift in ("shifted", "rotated")) > before - 10, full_only=True)]


def _draw(values: Plain, window: int) -> bytes:
    from wuxing.reports.plots import CYCLE, picture

    def paint(axes: Panels) -> None:
        place = axes[0, 0]
        for drift, colour in zip(DRIFTS, CYCLE, strict=False):
            online, frozen = values[drift]["online"], values[drift]["frozen"]
            images = window * np.arange(1, len(online) + 1)
            place.plot(images, online, color=colour, label=drift)
            place.plot(images, frozen, ":", color=colour, linewidth=0.9)
        place.set(xlabel="images of the stream", ylabel="right before it is learnt (%)", ylim=(0, 100))
        place.legend(loc="lower right")

    return picture("drift", paint)
