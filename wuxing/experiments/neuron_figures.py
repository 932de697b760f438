"""Pictures of experiment ``neuron``."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wuxing.experiments.summary import Run, grouped

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels


def phase(runs: list[Run]) -> bytes:
    """Orbits of ``portrait`` runs: propagator, oscillator, the oscillator in integers."""
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for place, (key, title) in zip(axes[0], (("propagator", "propagator"), ("oscillator", "oscillator, reals"),
                                                 ("oscillator_integers", "oscillator, integers")), strict=True):
            for run in runs:
                path = run.result[key]
                style = {"linestyle": "none", "marker": ".", "markersize": 1.8} if "integers" in key else {"linewidth": 0.9}
                line = place.plot(*path, **style)[0]
                place.plot(path[0][0], path[1][0], "o", color=line.get_color(), markersize=4)
            place.set(title=title, xlabel="$s_a$", ylabel="$s_b$", xlim=(-0.6, 0.6), ylim=(-0.6, 0.6), aspect="equal")

    return picture("neuron-phase", paint, columns=3, size=(8.4, 3.1))


def responses(runs: list[Run]) -> bytes:
    """Exact and settled response of ``portrait`` runs."""
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for place, run in zip(axes[0], runs, strict=False):
            place.plot(run.result["drives"], run.result["exact"], label="exact equilibrium")
            place.plot(run.result["drives"], run.result["settled"], "--", label="integers, 8 steps")
            place.axhspan(-1, 1, color="#8f99a3", alpha=0.12, linewidth=0)
            place.set(xlabel="drive $u$", ylabel="output $s_b$", title=f"random rates, seed {run.setting['seed']}")
        axes[0, 0].legend(loc="upper left")

    return picture("neuron-response", paint, columns=3, size=(8.4, 2.8))


def drifts(runs: list[Run]) -> bytes:
    """Drift over dt of each method, one dot for each seed."""
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        place = axes[0, 0]
        for (method,), group in grouped(runs, "method").items():
            finite = [run for run in group if run.result["change"] is not None]
            steps = sorted({run.setting["dt"] for run in finite})
            means = [np.mean([run.result["change"] for run in finite if run.setting["dt"] == dt]) for dt in steps]
            line = place.plot(steps, means, label=method)[0]
            place.plot([run.setting["dt"] for run in finite], [run.result["change"] for run in finite], ".",
                       color=line.get_color())
        place.set_xscale("log", base=2)
        place.set_yscale("log")
        place.set(xlabel="step dt", ylabel="$|\\ln(V / V_0)|$")
        place.legend()

    return picture("neuron-drift", paint, size=(5.6, 3.2))


def swings(runs: list[Run], word: Callable[[int | None], str]) -> bytes:
    """Swing over time, one panel for each dt, one line for each word."""
    from wuxing.reports.plots import picture
    steps = sorted({run.setting["dt"] for run in runs}, reverse=True)

    def paint(axes: Panels) -> None:
        for place, dt in zip(axes[0], steps, strict=True):
            for (fraction,), group in grouped([run for run in runs if run.setting["dt"] == dt], "fraction").items():
                swing = np.mean([run.result["swing"] for run in group], axis=0)
                time = (np.arange(len(swing)) + 1) * group[0].setting["window"]
                place.plot(time, swing, label=word(fraction), linestyle="--" if fraction is None else "-")
            place.set(xlabel="time", title=f"dt = {dt:g}", ylim=(0, 1))
            place.set_xscale("log", base=2)
        axes[0, 0].set_ylabel("half the range of $s_b$")
        axes[0, 0].legend(loc="lower left")

    return picture("neuron-oscillator", paint, columns=len(steps), size=(8.4, 2.8))
