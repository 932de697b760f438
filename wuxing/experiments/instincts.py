"""Experiment ``instincts``: proportional, sign and PID, for links and for K: how soon and how well they learn.

The tuning rule. Every instinct is tried at each rate of a list, pid with each of its gains besides (P is 1; I, D and rate are
varied); of these candidates that with the greatest mean accuracy on held-out training images after the last epoch is taken, of
equals the first. All have the same number of candidates in the full runs. The test images only report on what was taken.
Anti-windup is the clamp of ``formats.integral`` and the leak. ``SUBJECTS`` says what learns by the instinct:

    C             links and biases, in integers with weights of 20 bits, so that a sign instinct may take small steps (biases,
                  whose words are shorter, then learn proportionally at their usual rate)
    K             K1, K2 and K3 alone, links staying random: reals
    K beside C    K1, K2 and K3, while links and biases learn proportionally at their usual rate: reals

The claims were written before the full runs. "Helps" is what the papers claim of PID control, beyond what seeds may do.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from golden_model.fixed_point import Format
from golden_model.network import Learning, Network
from golden_model.sections import Formats
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {
    "seeds": [int], "dataset": str, "hold_out": int, "hidden": int, "halvings": int, "every": int, "levels": [float],
    "train_images": int, "epochs": int, "rate_shifts": [int], "sign_rate_shifts": [int], "pid_rate_shifts": [int],
    "K_train_images": int, "K_epochs": int, "K_rate_shifts": [int], "K_sign_rate_shifts": [int], "K_pid_rate_shifts": [int],
    "integral_gains": [float], "derivative_gains": [float], "leak": float}
SUBJECTS = {"C": "fixed", "K": "float", "K beside C": "float"}
INSTINCTS = ("proportional", "sign", "pid")
USUAL = 2.0**-4                           # rate of links and biases by default
WORDS = Formats(weight=Format.parse("Q2.18"))
BEYOND_SEEDS, SOONER = 0.15, 0.9          # points of accuracy, share of epochs


def tasks(settings: Plain) -> list[Plain]:
    """``train_images`` and ``K_train_images`` 0 learn all that are not held out."""
    result = []
    for seed in settings["seeds"]:
        for subject, arithmetic in SUBJECTS.items():
            own = "" if subject == "C" else "K_"
            for name, rate_shift, gains in candidates(settings, own):
                learning = {"epochs": settings[f"{own}epochs"], "halvings": settings["halvings"], "dropout": 0.0, "average": 1}
                network = Network(layers=(*learner.sizes(settings["dataset"], settings["hidden"]),), seed=seed,
                                  formats=WORDS,
                                  learning=Learning(**learning | rules(subject, name, rate_shift, gains, settings["leak"])))
                result.append({"seed": seed, "subject": subject, "instinct": name, "rate_shift": rate_shift,
                             "gains": list(gains), "levels": settings["levels"]} | learner.setting_of(
                    network, arithmetic, settings["dataset"], hold_out=settings["hold_out"], both=True,
                    every=settings["every"], train_images=settings[f"{own}train_images"] or None))
    return result


def candidates(settings: Plain, own: str) -> list[tuple[str, int, tuple[float, float, float]]]:
    """Instinct, rate_shift of the rate 2**-n, and gains. ``own`` begins the names of the subject's lists."""
    plain = (1.0, 0.0, 0.0)
    gains = [(1.0, i, d) for i in settings["integral_gains"] for d in settings["derivative_gains"] if i or d]
    return [*(("proportional", n, plain) for n in settings[f"{own}rate_shifts"]),
            *(("sign", n, plain) for n in settings[f"{own}sign_rate_shifts"]),
            *(("pid", n, each) for n in settings[f"{own}pid_rate_shifts"] for each in gains)]


def rules(subject: str, instinct: str, rate_shift: int, gains: tuple[float, float, float], leak: float) -> Plain:
    """The entries of ``learning`` that say what learns how."""
    learning_rate = 2.0**-rate_shift
    groups: tuple[str, ...]
    if subject == "C":                    # a bias has too few bits for small steps of a sign instinct
        groups = ("links",) if instinct == "sign" else ("links", "bias")
        learning_rates = {"links": learning_rate, "bias": learning_rate if "bias" in groups else USUAL}
    else:
        usual = USUAL if subject == "K beside C" else 0.0
        groups, learning_rates = ("K",), {"links": usual, "bias": usual, **dict.fromkeys(("K1", "K2", "K3"), learning_rate)}
    result = {f"{group}_instinct": instinct for group in groups} | {f"{group}_gains": gains for group in groups}
    return learning_rates | result | ({"leak": leak} if instinct == "pid" else {})


run = learner.run


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {}
    tables, choice = [], {}
    levels = runs[0].setting["levels"]
    for (subject,), group in grouped(runs, "subject").items():
        rows = []
        for (instinct,), same in grouped(group, "instinct").items():
            attempts = _candidates(same)
            best = max(attempts, key=lambda each: mean(run.result["accuracy"] for run in each))
            choice[subject, instinct] = best
            accuracies = [run.result["accuracy"] for run in best]
            epochs = {f"{level:g}": [learner.epochs_to(run.result["course"], level) for run in best] for level in levels}
            values.setdefault(subject, {})[instinct] = {
                "setting": _text(best[0]), "accuracy": mean(accuracies), "test": mean(run.result["test"] for run in best),
                "epochs": {level: _mean_if_all(result) for level, result in epochs.items()},
                "fall": mean(_fall(run) for run in best),
                "candidates": {_text(each[0]): mean(run.result["accuracy"] for run in each) for each in attempts}}
            rows.append((instinct, _text(best[0]), *map(_epochs, epochs.values()), spread(accuracies),
                         spread(run.result["test"] for run in best), f"{values[subject][instinct]['fall']:.1f}"))
        first = group[0].setting
        arithmetic = "integers" if first["arithmetic"] == "fixed" else "reals"
        tables.append(Table(
            f"{subject}, {arithmetic}, {'-'.join(map(str, first['network']['layers']))} on {first['dataset']}: the best "
            f"candidate of each instinct; epochs of {first['train_images'] or 'all'} images until held-out images reach an "
            f"accuracy, accuracy at the end, greatest loss from one test to a later one",
            ("instinct", "rate and gains", *(f"epochs to {level:g} %" for level in levels), "held-out, %", "test, %",
             "fall, points"), rows))
    tables.append(_tried(values))
    return Summary(values, tables, [Figure(
        "instincts", "Accuracy on held-out images over epochs, the best candidate of each instinct, mean over seeds.",
        partial(_draw, choice))])


def check(values: Plain) -> list[Claim]:
    def sooner(level: str) -> bool:
        pid, plain = (values["C"][name]["epochs"][level] for name in ("pid", "proportional"))
        return pid is not None and (plain is None or pid <= SOONER * plain)

    links, alone, beside = (values[subject] for subject in SUBJECTS)
    levels = list(links["pid"]["epochs"])
    return [
        Claim("Every instinct teaches links: none is more than 10 points below another, each at its best candidate",
              max(each["accuracy"] for each in links.values()) < min(each["accuracy"] for each in links.values()) + 10),
        Claim("K alone learns less than links by whatever instinct: at least 10 points less",
              max(each["accuracy"] for each in alone.values()) < min(each["accuracy"] for each in links.values()) - 10),
        Claim(f"PID makes links learn sooner: it reaches {levels[-1]} % in at most nine tenths of the epochs",
              sooner(levels[-1]), full_only=True),
        Claim(f"PID makes links learn better: {BEYOND_SEEDS:g} points at the end, beyond what seeds may do",
              links["pid"]["accuracy"] > links["proportional"]["accuracy"] + BEYOND_SEEDS, full_only=True),
        Claim("PID makes K alone learn better: 1 point at the end",
              alone["pid"]["accuracy"] > alone["proportional"]["accuracy"] + 1, full_only=True),
        Claim("PID of K helps beside links that learn: 0.15 points at the end",
              beside["pid"]["accuracy"] > beside["proportional"]["accuracy"] + BEYOND_SEEDS, full_only=True)]


def _candidates(runs: list[Run]) -> list[list[Run]]:
    """Runs of one instinct by rate and gains."""
    result: dict[str, list[Run]] = {}
    for each in runs:
        result.setdefault(_text(each), []).append(each)
    return list(result.values())


def _text(run: Run) -> str:
    learning_rate, (_, integral, derivative) = f"2^-{run.setting['rate_shift']}", run.setting["gains"]
    return learning_rate + (f", I {integral:g}, D {derivative:g}" if run.setting["instinct"] == "pid" else "")


def _fall(run: Run) -> float:
    tested = [accuracy for _, accuracy in run.result["course"]]
    return float(max(np.maximum.accumulate(tested) - np.array(tested)))


def _mean_if_all(epochs: list[float | None]) -> float | None:
    reached = [each for each in epochs if each is not None]
    return mean(reached) if len(reached) == len(epochs) else None


def _epochs(epochs: list[float | None]) -> str:
    reached = [each for each in epochs if each is not None]
    if not reached:
        return "never"
    return spread(reached, ".1f") + ("" if len(reached) == len(epochs) else f" ({len(reached)} of {len(epochs)} seeds)")


def _tried(values: Plain) -> Table:
    """Held-out accuracies of all candidates."""
    return Table("All candidates: mean accuracy on held-out images, in %", ("what, instinct", "rate and gains: accuracy"), [
        (f"{subject}, {instinct}", "; ".join(f"{name}: {accuracy:.1f}" for name, accuracy in each["candidates"].items()))
        for subject, instincts in values.items() for instinct, each in instincts.items()])


def _draw(chosen: dict[tuple[str, str], list[Run]]) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for place, subject in zip(axes[0], SUBJECTS, strict=True):
            for instinct in INSTINCTS:
                courses = np.mean([run.result["course"] for run in chosen[subject, instinct]], axis=0)
                place.plot(courses[:, 0], courses[:, 1], label=instinct)
            place.set(xlabel="epochs", title=subject)
            last = courses[:, 1].max()
            place.set_ylim(min(last - 8, 90) if last > 90 else 0, min(100, last + 10))
        axes[0, 0].set_ylabel("accuracy on held-out images (%)")
        axes[0, 0].legend(loc="lower right")

    return picture("instincts", paint, columns=len(SUBJECTS), size=(9, 3))
