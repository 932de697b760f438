"""Experiment ``what-learns``: which parameters must be trained, and what one rate for all of them does.

Each set of parameters is trained alone, the others staying as they were drawn, at every rate of a list. Rates are compared on
held-out training images; the test images only say how the chosen one does. The claims were written before the full runs.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from golden_model.network import Learning, Network
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {"seeds": [int], "dataset": str, "hold_out": int, "train_images": int, "hidden": [int],
                           "rate_shifts": [int], "epochs": int, "halvings": int}
USUAL = 2.0**-4                           # rate of links and biases by default
SETS: dict[str, tuple[str, ...]] = {
    "K3": ("K3",), "K1, K2, K3": ("K1", "K2", "K3"), "bias": ("bias",), "K and bias": ("K1", "K2", "K3", "bias"),
    "C": ("links",), "everything, one rate": ("links", "bias", "K1", "K2", "K3"),
    "everything, own rates": ("K1", "K2", "K3")}          # and links and biases at their usual rate
FALL = 5.0                                # points between two epochs that no noise explains, and of a collapse


def tasks(settings: Plain) -> list[Plain]:
    result = []
    for seed in settings["seeds"]:
        for hidden in settings["hidden"]:
            for name, trained in SETS.items():
                for rate_shift in settings["rate_shifts"]:
                    usual = USUAL if name.endswith("own rates") else 0.0
                    learning_rates = {"links": usual, "bias": usual} | dict.fromkeys(trained, 2.0**-rate_shift)
                    network = Network(
                        layers=(*learner.sizes(settings["dataset"], hidden),), seed=seed,
                        learning=Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=0.0, average=1),
                    ).with_learning(**learning_rates)
                    result.append({"seed": seed, "hidden": hidden, "set": name, "rate_shift": rate_shift} | learner.setting_of(
                        network, "float", settings["dataset"], hold_out=settings["hold_out"],
                        train_images=settings["train_images"], each_epoch=True, both=True))
    return result


run = learner.run


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {}
    tables = []
    for (hidden,), size in grouped(runs, "hidden").items():
        rows = []
        for (name,), same in grouped(size, "set").items():
            by_rate_shift = grouped(same, "rate_shift")
            means = {rate_shift: mean(run.result["accuracy"] for run in group)
                     for (rate_shift,), group in by_rate_shift.items()}
            fell = {rate_shift: mean(fall(run.result["tested"]) > FALL for run in group)
                    for (rate_shift,), group in by_rate_shift.items()}
            best = max(means, key=lambda rate_shift: means[rate_shift])
            values.setdefault(str(hidden), {})[name] = {"best": best, "accuracy": means, "fell": fell}
            rows.append((name, f"2^-{best}", spread([run.result["accuracy"] for run in by_rate_shift[best,]]),
                         spread([run.result["test"] for run in by_rate_shift[best,]]),
                         *(f"{means[rate_shift]:.1f}{' !' if fell[rate_shift] else ''}" for rate_shift in means)))
        rate_shifts = [rate_shift for (rate_shift,) in grouped(size, "rate_shift")]
        tables.append(Table(
            f"{'-'.join(map(str, size[0].setting['network']['layers']))} on {size[0].setting['dataset']}: held-out accuracy "
            f"in % at the best rate, there of the test images as well, and held-out at each rate (! fell by more than {FALL:g} "
            f"points between two epochs in some seed)",
            ("trained", "best rate", "accuracy", "of the test images",
             *(f"2^-{rate_shift}" for rate_shift in rate_shifts)), rows))
    return Summary(values, tables, [Figure(
        "what-learns", "Held-out accuracy over the rate, by what is trained; bars are standard deviations over seeds.",
        partial(_draw, runs))])


def fall(tested: list[float]) -> float:
    """The greatest loss of accuracy from any epoch to a later one, in points."""
    return float(max(np.maximum.accumulate(tested) - np.array(tested)))


def check(values: Plain) -> list[Claim]:
    def best(hidden: str, name: str) -> float:
        result = values[hidden][name]
        return float(max(result["accuracy"].values()))

    deep = max(values, key=int)
    own, alone = (values[deep][name]["accuracy"] for name in ("everything, own rates", "C"))
    usual, least = round(-np.log2(USUAL)), max(own)
    collapse, rate_shift = values[deep]["everything, one rate"], values[deep]["C"]["best"]
    return [
        Claim("Links matter most: trained alone they beat K and biases together by 20 points", all(
            best(hidden, "C") > best(hidden, "K and bias") + 20 for hidden in values)),
        Claim("K1, K2 and K3 together learn more than K3 alone, and more than chance, with a hidden layer",
              best(deep, "K1, K2, K3") > max(best(deep, "K3"), 15)),
        Claim("Training K as well brings less than 3 points over links alone, each at its best rate",
              best(deep, "everything, one rate") < best(deep, "C") + 3),
        Claim("Own rates: with K at the least rate everything together does as well as links alone, to 3 points",
              own[least] > alone[usual] - 3),
        Claim("One rate for all is unstable, as the papers say: with a hidden layer, at the best rate of links alone, "
              f"everything at that rate ends {FALL:g} points lower or falls by as much on the way",
              collapse["accuracy"][rate_shift] < best(deep, "C") - FALL or collapse["fell"][rate_shift] > 0.5, full_only=True)]


def _draw(runs: list[Run]) -> bytes:
    from wuxing.reports.plots import picture
    sizes = grouped(runs, "hidden")

    def paint(axes: Panels) -> None:
        for place, group in zip(axes[0], sizes.values(), strict=True):
            for (name,), same in grouped(group, "set").items():
                by_rate_shift = grouped(same, "rate_shift")
                results = [[run.result["accuracy"] for run in each] for each in by_rate_shift.values()]
                place.errorbar([2.0**-rate_shift for (rate_shift,) in by_rate_shift], [np.mean(each) for each in results],
                               [np.std(each, ddof=1) for each in results], marker=".", capsize=2, label=name)
            place.set_xscale("log", base=2)
            place.set(xlabel="rate (own rates: of K)", ylim=(0, 100), title="-".join(
                map(str, group[0].setting["network"]["layers"])))
        axes[0, 0].set_ylabel("held-out accuracy (%)")
        axes[0, -1].legend(loc="center left", bbox_to_anchor=(1, 0.5))

    return picture("what-learns", paint, columns=len(sizes), size=(9, 3.4))
