"""Experiment ``neuron``: is one neuron what the theory says, in reals and in the integers of the hardware?

Parts, each a task for each seed: ``rest`` (return to the rest point, energy on the way), ``response`` (drive to output
against the exact piecewise linear one), ``drift`` (energy of an oscillator under three methods), ``oscillator`` (one that
a pulse starts, that runs alone, and that an opposing drive silences), ``portrait`` (one neuron, for the pictures).

Couplings are drawn at random for each neuron, on the grid of ``COUPLING``, so that reals and integers have the same ones.
"""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model import circuits
from golden_model.arithmetic import create_arithmetic
from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Network, Neuron
from golden_model.theory.integrators import EULER, IMPROVED_EULER, RK4, Tableau, integrate
from golden_model.theory.neuron import Ring, derivative, energy, equilibrium, response
from wuxing.experiments import neuron_figures
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

VERSION = 1
ENTRIES: Entries = {
    "seeds": [int], "neurons": int, "fractions": [int], "dt": float, "time": float, "drives": int,
    "drift_dt": [float], "drift_time": float, "oscillator_dt": [float], "oscillator_time": float, "window": float}
METHODS: dict[str, Tableau] = {"Euler": EULER, "improved Euler": IMPROVED_EULER, "RK4": RK4}
COUPLING = Format.parse("Q2.10")
PULSE, SILENCE, GAIN = 4.0, 128.0, 1.0    # time that a pulse lasts, time that a silencer has, its u = -GAIN s_a
ALIVE = 1 / 64                            # a swing that nobody takes for rounding
FINE = 1 / 16                             # dt of RK4, which stands for the exact solution

Reals = npt.NDArray[np.float64]


class Cells:
    """Neurons (5, N) that step one improved-Euler step at a time, in reals or in integers of ``Q1.fraction``."""

    def __init__(self, couplings: Reals, dt: float, fraction: int | None) -> None:
        words = Formats() if fraction is None else Formats(
            displacement=Format(fraction + 1, fraction), drive=Format(fraction + 4, fraction),
            error=Format(fraction + 1, fraction), coupling=COUPLING)
        network = Network(layers=(1, couplings.shape[2]), neuron=Neuron(K3=(0.0,) * 5), integration=Integration(dt=dt),
                          formats=words)
        self.fixed = fraction is not None
        self.arithmetic = create_arithmetic(network, "fixed" if self.fixed else "float")
        self.formats, self.input = words, network.neuron.input_population
        self.output = network.neuron.output_population
        self.coupling = COUPLING.quantise(couplings) if self.fixed else couplings
        self.state = self.of(np.zeros((5, couplings.shape[2])))

    def of(self, displacements: Reals) -> npt.NDArray[Any]:
        words = self.formats.displacement.quantise(displacements) if self.fixed else displacements
        return np.asarray(words)[:, None, :]

    def step(self, drive: Reals) -> None:
        u = self.formats.drive.quantise(drive) if self.fixed else drive
        self.state = circuits.improved_euler(self.arithmetic, self.state, None, u[None] * self.arithmetic.drive_scale,
                                             self.input, self.coupling, "displacement[0]")

    @property
    def displacement(self) -> Reals:
        """As reals, (5, N)."""
        real = self.formats.displacement.real(self.state) if self.fixed else self.state
        return np.asarray(real[:, 0], np.float64)

    def at_limit(self) -> npt.NDArray[np.bool_]:
        """Which neurons have a population that is extinct or at the upper end of its range."""
        low = self.arithmetic.low[:, None, None]
        return np.asarray(((self.state >= self.arithmetic.high) | (self.state <= low)).any(axis=(0, 1)))


def random_couplings(random: np.random.Generator, neurons: int, low: float, high: float, damping: tuple[float, float]) -> Reals:
    """(3, 5, neurons) on the grid of ``COUPLING``: K1, K2 in low..high, K3 in ``damping``."""
    couplings = np.stack([random.uniform(low, high, (5, neurons)), random.uniform(low, high, (5, neurons)),
                          random.uniform(*damping, (5, neurons))])
    return COUPLING.real(COUPLING.quantise(couplings))


def ring_of(couplings: Reals) -> Ring:
    return Ring(K1=couplings[0], K2=couplings[1], K3=couplings[2])


def tasks(settings: Plain) -> list[Plain]:
    neurons, result = settings["neurons"], []
    for seed in settings["seeds"]:
        same = {"seed": seed, "neurons": neurons}
        for fraction in (None, *settings["fractions"]):
            word = same | {"fraction": fraction}
            result.append(word | {"part": "rest", "dt": settings["dt"], "time": settings["time"]})
            result.append(word | {"part": "response", "dt": settings["dt"], "time": settings["time"],
                                "drives": settings["drives"]})
            result += [word | {"part": "oscillator", "dt": dt, "time": settings["oscillator_time"],
                               "window": settings["window"]}
                       for dt in settings["oscillator_dt"]]
        result += [same | {"part": "drift", "method": method, "dt": dt, "time": settings["drift_time"]}
                 for method in METHODS for dt in settings["drift_dt"]]
        result.append({"seed": seed, "part": "portrait", "fraction": 12})
    return result


def run(setting: Plain) -> Plain:
    return PARTS[setting["part"]](setting)


def rest(setting: Plain) -> Plain:
    """Propagators with K1, K2 of any sign return from random starts, without drive; their energy V on the way.

    ``left``: the greatest |s| at the end. ``rose``: the greatest V, relative to the start's, from which a step led to a
    greater one. Reals are followed by RK4, integers by their own circuit.
    """
    random = np.random.default_rng([setting["seed"], 0])
    couplings = random_couplings(random, setting["neurons"], -1, 1, (0.5, 1.5))
    start, ring = random.uniform(-0.5, 0.5, (5, setting["neurons"])), ring_of(couplings)
    idle = np.zeros((5, setting["neurons"]))
    if setting["fraction"] is None:
        path = _orbit(ring, start, setting["time"])
    else:
        cells = Cells(couplings, setting["dt"], setting["fraction"])
        cells.state = cells.of(start)
        states = [cells.displacement]
        for _ in range(round(setting["time"] / setting["dt"])):
            cells.step(idle[0])
            states.append(cells.displacement)
        path = np.stack(states)
    V = np.stack([energy(ring, s) for s in path])
    rises = np.where(V[1:] > V[:-1], V[:-1] / V[0], 0)
    return {"left": float(np.abs(path[-1]).max()), "rose": float(rises.max()), "rising_steps": float((rises > 0).mean())}


def drive_grid(count: int) -> Reals:
    return np.linspace(-2, 2, count)


def response_of(setting: Plain) -> Plain:
    """Settled outputs s_b over drives -2..2 against the exact response, for neurons with K1, K2 of any sign.

    Errors are taken where the equilibrium lies in the words' range [-1, 1) in all populations (``compared``: the share of
    such cases); beyond it words saturate. Next to a threshold settling takes for ever, so the median stands beside the
    greatest. ``thresholds``: how many a neuron has at all, on average.
    """
    random = np.random.default_rng([setting["seed"], 1])
    count, drives = setting["neurons"], drive_grid(setting["drives"])
    couplings = random_couplings(random, count, -1, 1, (0.5, 1.5))
    ring, wide = ring_of(couplings), np.repeat(couplings, len(drives), axis=2)
    u = np.tile(drives, count)
    exact = equilibrium(ring_of(wide), ring.drive(u))
    steps = round(setting["time"] / setting["dt"])
    if setting["fraction"] is None:
        all_cells = ring_of(wide)
        result = integrate(lambda s: derivative(all_cells, s, all_cells.drive(u)), np.zeros_like(exact), setting["dt"], steps)
    else:
        cells = Cells(wide, setting["dt"], setting["fraction"])
        for _ in range(steps):
            cells.step(u)
        result = cells.displacement
    inside = ((exact >= -1) & (exact < 1 - 2**-12)).all(axis=0)
    errors = np.abs(result - exact)[1][inside]
    thresholds = [len(response(ring_of(couplings[:, :, neuron])).thresholds) for neuron in range(count)]
    return {"median": float(np.median(errors)), "greatest": float(errors.max()), "compared": float(inside.mean()),
            "thresholds": float(np.mean(thresholds)), "most_thresholds": max(thresholds)}


def drift(setting: Plain) -> Plain:
    """``change``: mean of |ln(V(end) / V(start))| of oscillators in reals; None if a population or V left its range."""
    random = np.random.default_rng([setting["seed"], 2])
    couplings = random_couplings(random, setting["neurons"], 0.3, 0.7, (0, 0))
    start, ring = random.uniform(-0.3, 0.3, (5, setting["neurons"])), ring_of(couplings)
    idle = np.zeros((5, setting["neurons"]))
    try:
        end = integrate(lambda s: derivative(ring, s, idle), start, setting["dt"], round(setting["time"] / setting["dt"]),
                        METHODS[setting["method"]])
        change = np.abs(np.log(energy(ring, end) / energy(ring, start)))
    except InputError:                                        # what the golden model says of a step that is too long
        return {"change": None}
    return {"change": float(change.mean()) if np.isfinite(change).all() else None}


def oscillator(setting: Plain) -> Plain:
    """A pulse starts oscillators at rest; they run alone for ``time``; a drive u = -s_a silences them for ``SILENCE``.

    ``swing``: for each window of the free run the mean over neurons of half the range of s_b. ``alive``: the share of
    neurons that still swing by ``ALIVE`` or more in the last window. ``at_limit``: the share that is extinct or saturated
    in some population at some time in it. ``silenced``: mean swing in a window of its own after the silencer. ``cycles``: the
    share of integer neurons of which a state is known to have returned: what they do now they do for ever.
    """
    random = np.random.default_rng([setting["seed"], 3])
    count, dt = setting["neurons"], setting["dt"]
    cells = Cells(random_couplings(random, count, 0.3, 0.7, (0, 0)), dt, setting["fraction"])
    idle, pulse = np.zeros(count), np.asarray(random.uniform(0.05, 0.15, count))
    for _ in range(round(PULSE / dt)):
        cells.step(pulse)
    swings, returned, at_limit = [], np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    kept, renewal, steps = cells.state, 1, 0                  # Brent's search for cycles, all neurons at once
    windows = round(setting["time"] / setting["window"])
    for window in range(windows + 1):
        if window == windows:                                 # the run is over: silence, and look once more
            for _ in range(round(SILENCE / dt)):
                cells.step(-GAIN * cells.displacement[cells.input])
        low, high = np.full(count, np.inf), np.full(count, -np.inf)
        for _ in range(round(setting["window"] / dt)):
            cells.step(idle)
            output = cells.displacement[cells.output]
            low, high = np.minimum(low, output), np.maximum(high, output)
            if window < windows:
                steps += 1
                returned |= (cells.state == kept).all(axis=(0, 1))
                if steps == renewal:
                    kept, renewal = cells.state, 2 * renewal
            if window == windows - 1:
                at_limit |= cells.at_limit()
        swings.append((high - low) / 2)
    return {"swing": [float(each.mean()) for each in swings[:-1]], "alive": float((swings[-2] >= ALIVE).mean()),
            "at_limit": float(at_limit.mean()), "silenced": float(swings[-1].mean()),
            "cycles": float(returned.mean()) if cells.fixed else None, "steps": steps}


def portrait(setting: Plain) -> Plain:
    """Orbits in the plane of s_a and s_b, of one neuron from one start, and one response; random couplings and starts.

    ``propagator``, ``oscillator``, ``oscillator_integers``: [[s_a, ...], [s_b, ...]]. ``drives``, ``exact`` (the
    equilibrium), ``settled`` (integers in the steps of a network, 8 of dt = 1/2).
    """
    random = np.random.default_rng([setting["seed"], 4])
    couplings = random_couplings(random, 1, 0.3, 0.7, (0.5, 1.5))
    start, idle = random.uniform(-0.4, 0.4, (5, 1)), np.zeros(1)
    result: Plain = {}
    free = np.stack([couplings[0], couplings[1], 0 * couplings[2]])
    for name, used, time in (("propagator", couplings, 16.0), ("oscillator", free, 48.0)):
        result[name] = _rounded(_orbit(ring_of(used), start, time)[::4, :2, 0].T)
    cells, points = Cells(free, 1 / 8, setting["fraction"]), []
    cells.state = cells.of(start)
    for _ in range(256):
        points.append(cells.displacement[:2, 0])
        cells.step(idle)
    result["oscillator_integers"] = _rounded(np.array(points).T)
    drives = np.linspace(-7.5, 7.5, 151)
    settled = Cells(np.repeat(couplings, len(drives), axis=2), 1 / 2, setting["fraction"])
    for _ in range(8):
        settled.step(drives)
    return result | {"drives": _rounded(drives), "exact": _rounded(response(ring_of(couplings[:, :, 0]))(drives)),
                     "settled": _rounded(settled.displacement[1])}


def _orbit(ring: Ring, start: Reals, time: float) -> Reals:
    """Every state (steps + 1, 5, N) of a free run from ``start`` in steps of ``FINE``."""
    idle = np.zeros(start.shape)
    return integrate(lambda s: derivative(ring, s, idle), start, FINE, round(time / FINE), RK4, record=True)


def _rounded(values: Reals) -> Any:
    return np.round(values, 5).tolist()


PARTS = {"rest": rest, "response": response_of, "drift": drift, "oscillator": oscillator, "portrait": portrait}


Rows = list[tuple[str, ...]]


def summarise(runs: list[Run]) -> Summary:
    parts = {name: [run for run in runs if run.setting["part"] == name] for name in PARTS}
    steps: list[float] = sorted({run.setting["dt"] for run in parts["drift"]}, reverse=True)
    rests, rest_rows = _rests(parts["rest"])
    responses, response_rows = _responses(parts["response"])
    drifts, orders, drift_rows = _drifts(parts["drift"], steps)
    swings, oscillator_rows = _oscillators(parts["oscillator"])
    time = max(run.setting["time"] for run in parts["oscillator"])
    tables = [
        Table("Return to rest without drive, K1 and K2 of any sign: the greatest displacement left, the greatest energy (of "
              "the start's) at which a step raised it, and what is left in steps of the word",
              ("arithmetic", "left", "energy rose at", "left, in words"), rest_rows),
        Table("Settled output against the exact piecewise linear response, drives from -2 to 2",
              ("arithmetic", "median error", "greatest error", "compared, %", "thresholds", "most"), response_rows),
        Table(f"Energy of oscillators in reals after time {parts['drift'][0].setting['time']:g}: |ln(V / V at the start)|, and "
              f"the order in dt from the two smallest", ("method", *(f"dt = {dt:g}" for dt in steps), "order"), drift_rows),
        Table(f"Oscillators that a pulse started, alone for time {time:g}: half the range of the output at first and at last, "
              f"shares of neurons that still swing, that touch an end of their range, whose state is known to have returned; "
              f"and the swing after a drive u = -s_a silenced them for time {SILENCE:g}",
              ("arithmetic", "swing at first", "at last", "alive, %", "at an end, %", "returned, %", "silenced"),
              oscillator_rows)]
    values = {"rest": rests, "response": responses, "drift": drifts, "order": orders, "oscillator": swings}
    return Summary(values, tables, _figures(parts))


def _rests(runs: list[Run]) -> tuple[Plain, Rows]:
    values, rows = {}, []
    for (fraction,), group in grouped(runs, "fraction").items():
        item = [run.result for run in group]
        words = [each["left"] * 2**fraction for each in item] if fraction else None
        values[word(fraction)] = {key: max(each[key] for each in item) for key in ("left", "rose")} | {
            "left_words": max(words) if words else None}
        rows.append((word(fraction), *(spread([each[key] for each in item], ".1e") for key in ("left", "rose")),
                     spread(words, ".1f") if words else ""))
    return values, rows


def _responses(runs: list[Run]) -> tuple[Plain, Rows]:
    values, rows = {}, []
    for (fraction,), group in grouped(runs, "fraction").items():
        item = [run.result for run in group]
        values[word(fraction)] = {key: mean(each[key] for each in item) for key in item[0]}
        rows.append((word(fraction), *(spread([each[key] for each in item], ".1e") for key in ("median", "greatest")),
                     f"{100 * mean(each['compared'] for each in item):.0f}", f"{mean(each['thresholds'] for each in item):.2f}",
                     str(max(each["most_thresholds"] for each in item))))
    return values, rows


def _drifts(runs: list[Run], steps: list[float]) -> tuple[Plain, Plain, Rows]:
    """By method: the mean change for each step, and the order."""
    values: Plain = {}
    orders: Plain = {}
    rows: Rows = []
    for (method,), group in grouped(runs, "method").items():
        changes = {dt: [run.result["change"] for run in group if run.setting["dt"] == dt] for dt in steps}
        means = [float("nan") if None in item else mean(item) for item in changes.values()]
        values[method] = [None if np.isnan(each) else each for each in means]
        order = None if np.isnan(means[-2:]).any() else float(np.log2(means[-2] / means[-1]))
        orders[method] = order
        rows.append((method, *("left its range" if None in item else spread(item, ".1e") for item in changes.values()),
                     "" if order is None else f"{order:.2f}"))
    return values, orders, rows


def _oscillators(runs: list[Run]) -> tuple[Plain, Rows]:
    values, rows = {}, []
    for (fraction, dt), group in grouped(runs, "fraction", "dt").items():
        item = [run.result for run in group]
        row = {"first": mean(each["swing"][0] for each in item), "last": mean(each["swing"][-1] for each in item),
               **{key: mean(each[key] for each in item) for key in ("alive", "at_limit", "silenced")}}
        values[f"{word(fraction)}, dt {dt:g}"] = row
        rows.append((
            f"{word(fraction)}, dt = {dt:g}", spread([each["swing"][0] for each in item], ".3f"),
            spread([each["swing"][-1] for each in item], ".3f"),
            *(f"{100 * row[key]:.0f}" for key in ("alive", "at_limit")), "" if fraction is None else
            f"{100 * mean(each['cycles'] for each in item):.0f}", spread([each["silenced"] for each in item], ".4f")))
    return values, rows


def _figures(parts: dict[str, list[Run]]) -> list[Figure]:
    return [
        Figure("neuron-phase", "Orbits of one neuron from three random starts: a propagator spirals to rest, an oscillator "
               "keeps going, and so do the integers.", lambda: neuron_figures.phase(parts["portrait"])),
        Figure("neuron-response", "Response of three random neurons: exact equilibrium, and what integers settle to in the 8 "
               "steps of a network.", lambda: neuron_figures.responses(parts["portrait"])),
        Figure("neuron-drift", "Change of an oscillator's energy against the step, by method.",
               lambda: neuron_figures.drifts(parts["drift"])),
        Figure("neuron-oscillator", "Swing of free oscillators over time, mean over neurons and seeds, by step and word.",
               lambda: neuron_figures.swings(parts["oscillator"], word))]


def word(fraction: int | None) -> str:
    return "reals" if fraction is None else f"Q1.{fraction}"


def check(values: Plain) -> list[Claim]:
    integers = [each for name, each in values["rest"].items() if name != "reals"]
    response_errors = [each["median"] for name, each in values["response"].items() if name != "reals"]
    drifts, orders, oscillators = values["drift"], values["order"], values["oscillator"]
    finest = min(float(name.split("dt ")[1]) for name in oscillators)
    fine = {name: each for name, each in oscillators.items() if name.endswith(f"dt {finest:g}")}
    longest = [each for name, each in fine.items() if not name.startswith("reals")][-1]
    return [
        Claim("Neurons of any K return to rest from any start; in reals to within 1e-9",
              values["rest"]["reals"]["left"] < 1e-9),
        Claim("Integer neurons return to within 16 steps of their word, whatever the word", all(
            each["left_words"] <= 16 for each in integers)),
        Claim("The energy of a propagator falls with every step, in reals and, but for the last hundredth, in integers",
              values["rest"]["reals"]["rose"] < 1e-12 and all(each["rose"] < 1e-2 for each in integers)),
        Claim("Settled outputs are the exact piecewise linear response; longer words come closer",
              values["response"]["reals"]["median"] < 1e-9
              and all(later < earlier for earlier, later in zip(response_errors, response_errors[1:], strict=False))),
        Claim("At the smallest step RK4 keeps an oscillator's energy better than improved Euler, and that better than Euler",
              drifts["RK4"][-1] < drifts["improved Euler"][-1] < drifts["Euler"][-1]),
        Claim("The drift of improved Euler falls about 8 times for each halving of dt (order 3)",
              abs(orders["improved Euler"] - 3) < 0.5),
        Claim("A pulse starts an oscillator in every arithmetic", min(each["first"] for each in oscillators.values()) > 0.02),
        Claim("An opposing drive silences it to less than a tenth at the smallest step, in the longest word and in reals", all(
            each["silenced"] < each["last"] / 10 for each in (fine[f"reals, dt {finest:g}"], longest))),
        Claim("The integer oscillator keeps going: nine of ten still swing at the end, at the smallest step, in the longest "
              "word", longest["alive"] >= 0.9)]
