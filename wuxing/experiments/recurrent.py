"""Experiment ``recurrent``: reciprocal links. Energy of nets with any links, images read row by row, patterns from half.

Three kinds of runs. ``stability``: a net of random links runs free from random states; the step is short enough for its links,
see docs/model.md, and once more that of a network. ``rows``: a network whose first layer reads an image in frames, learnt
whole, or but for that layer. ``memory``: random patterns are stored and restored from their first halves; a Hopfield net of as
many visible neurons beside it.
"""
from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from golden_model import reciprocal
from golden_model.arithmetic import Array, create_arithmetic
from golden_model.fixed_point import Format
from golden_model.network import POPULATIONS, Formats, Initialisation, Integration, Learning, Network, Wiring
from golden_model.theory.association import AssociativeMemory, description
from golden_model.theory.neuron import Ring, coupling_matrix, energy
from wuxing.experiments import learner
from wuxing.experiments.summary import Claim, Entries, Figure, Plain, Run, Summary, Table, grouped, mean, spread

if TYPE_CHECKING:
    from wuxing.reports.plots import Panels

VERSION = 1
ENTRIES: Entries = {
    "seeds": [int], "neurons": int, "scales": [float], "fractions": [int], "time": float, "dataset": str, "hold_out": int,
    "train_images": int, "frames": int, "points": int, "recurrent": int, "hidden": int, "steps": int, "dt": float,
    "K3": float, "gain": float, "epochs": int, "halvings": int, "arithmetics": [str], "visible": int, "unseen": int,
    "patterns": [int], "sweeps": int, "rounds": int}
GOALS = {"mnist": 96.0}                  # per cent, written down before it was tried
STARTS = 8                                # random states from which a net runs free
USUAL_DT = 0.5                            # the step of a network
BATCH = 4                                 # patterns between two updates of a memory
REALS = "reals"


def tasks(settings: Plain) -> list[Plain]:
    """``hold_out`` 0 tests on the test images, ``train_images`` 0 learns all."""
    result: list[Plain] = []
    for seed in settings["seeds"]:
        for scale in settings["scales"]:
            for fraction in (None, *settings["fractions"]):
                for short in (True, False):
                    result.append({"kind": "stability", "seed": seed, "scale": scale, "fraction": fraction, "short": short,
                                 "neurons": settings["neurons"], "time": settings["time"]})
        for arithmetic in settings["arithmetics"]:
            for frozen in (0, 1):
                result.append({"kind": "rows", "seed": seed, "frozen": frozen} | learner.setting_of(
                    reader(settings, seed, frozen), arithmetic, settings["dataset"], hold_out=settings["hold_out"] or None,
                    train_images=settings["train_images"] or None))
        for arithmetic in ("float", "fixed"):
            for count in settings["patterns"]:
                result.append({"kind": "memory", "seed": seed, "arithmetic": arithmetic, "count": count} | {
                    key: settings[key] for key in ("visible", "unseen", "sweeps", "rounds")})
    return result


def reader(settings: Plain, seed: int, frozen: int) -> Network:
    """The network that reads an image in frames."""
    behind = learner.sizes(settings["dataset"], settings["recurrent"], settings["hidden"])[1:]
    layers = (settings["frames"] * settings["points"], *behind)
    words = (f"recurrent {settings['frames']} steps {settings['steps']} K3 {settings['K3']}", *["full"] * (len(layers) - 2))
    return Network(layers=layers, seed=seed, wiring=Wiring(layers=words), integration=Integration(dt=settings["dt"]),
                   formats=Formats(coupling=Format.parse("Q2.4")),
                   initialisation=Initialisation(input_gain=1.0, gain=settings["gain"], bias=0.0),
                   learning=Learning(epochs=settings["epochs"], halvings=settings["halvings"], dropout=0.0, frozen=frozen))


def run(setting: Plain) -> Plain:
    """What ``stability``, ``memory``, or a learner returns."""
    kinds = {"stability": stability, "memory": memory, "rows": learner.run}
    return kinds[setting["kind"]](setting)


# ---------------------------------------------------------------- energy


def stability(setting: Plain) -> Plain:
    """``rise``: the greatest rise of the energy in a step; ``left``: the greatest at the end, both as shares of the start's.
    ``reach``: the greatest displacement; ``dt``."""
    random = np.random.default_rng([setting["seed"], 10])
    count, fraction = setting["neurons"], setting["fraction"]
    formats = formats_of(16 if fraction is None else fraction)
    links = formats.weight.quantise(random.uniform(-setting["scale"], setting["scale"], (count, count)))
    real_links, start = formats.weight.real(links), random.uniform(-0.9, 0.9, (POPULATIONS, STARTS, count))
    dt = short_step(real_links) if setting["short"] else USUAL_DT
    network = Network(layers=(1, count), formats=formats, integration=Integration(dt=dt),
                      wiring=Wiring(layers=("recurrent 1 steps 1 K3 1",)))
    neuron, ring = network.neuron, Ring.of(network.neuron)
    coupling = np.repeat(np.array([neuron.K1, neuron.K2, neuron.K3])[:, :, None], count, axis=2)
    words = create_arithmetic(network, "float" if fraction is None else "fixed")
    unit = 1
    state: tuple[Array, ...] = (start, np.zeros((STARTS, count)), coupling, real_links)
    if fraction is not None:
        unit = formats.displacement.one
        state = (formats.displacement.quantise(start), np.zeros((STARTS, count), np.int64),
                 formats.coupling.quantise(coupling), links)
    s, drive, coupling, wires = state
    energies, reach = [], 0.0
    for _ in range(round(setting["time"] / dt)):
        energies.append(energy(ring, (s / unit).reshape(POPULATIONS, -1)).reshape(STARTS, count).sum(axis=1))
        s = reciprocal.step(words, s, None, drive, neuron.input_population, neuron.output_population, coupling, wires,
                            "displacement[0]")
        reach = max(reach, float(np.abs(s).max()) / unit)
    share = np.array(energies) / energies[0]
    return {"rise": float(max(np.diff(share, axis=0).max(), 0)), "left": float(share[-1].max()), "reach": reach, "dt": dt}


def formats_of(fraction: int) -> Formats:
    return Formats(displacement=Format(1 + fraction, fraction), drive=Format(9 + fraction, fraction),
                   error=Format(1 + fraction, fraction), coupling=Format.parse("Q2.1"))


def short_step(links: npt.NDArray[np.float64]) -> float:
    """The longest power of two in whose steps the energy of a propagating net (K3 = 1) falls, near enough: (w dt)^3 w < 8 K3.

    w: the greatest frequency, that of the links and of the rings at twice the rest populations.
    """
    ring = float(np.linalg.norm(coupling_matrix(np.full(POPULATIONS, 0.5), np.full(POPULATIONS, 0.5)), 2))
    frequency = 2 * (float(np.linalg.norm(links, 2)) + ring)
    return float(2.0 ** np.floor(np.log2((8 / frequency**4) ** (1 / 3))))


# ---------------------------------------------------------------- memory


def memory(setting: Plain) -> Plain:
    """Per cent of the unknown signs that are restored, and of the patterns that are restored whole: ``first`` round, after
    all ``rounds``, and by a ``hopfield`` net."""
    visible, half = setting["visible"], setting["visible"] // 2
    patterns = np.random.default_rng([setting["seed"], 11]).choice([-1, 1], (setting["count"], visible))
    cues = patterns.copy()
    cues[:, half:] = 0
    network = description(visible, setting["unseen"], batch=BATCH, seed=setting["seed"])
    held = AssociativeMemory(network, setting["arithmetic"])
    held.learn(patterns, setting["sweeps"])

    def restored(result: npt.NDArray[np.int64]) -> dict[str, float]:
        right = result[:, half:] == patterns[:, half:]
        return {"signs": 100 * float(right.mean()), "patterns": 100 * float(right.all(axis=1).mean())}

    return {"first": restored(held.recall(cues)), "rounds": restored(held.recall(cues, setting["rounds"])),
            "hopfield": restored(hopfield(patterns, cues))}


def hopfield(patterns: npt.NDArray[np.int64], cues: npt.NDArray[np.int64], sweeps: int = 20) -> npt.NDArray[np.int64]:
    """What the symmetric net of J. J. Hopfield (PNAS 79, 1982) settles to, one neuron after the other, known ones held."""
    weights = patterns.T @ patterns
    np.fill_diagonal(weights, 0)
    states = cues.copy()
    for _ in range(sweeps):
        for neuron in np.flatnonzero((cues == 0).all(axis=0)):
            states[:, neuron] = np.where(states @ weights[neuron] < 0, -1, 1)
    return states


# ---------------------------------------------------------------- what they say


def name(fraction: int | None) -> str:
    return REALS if fraction is None else f"Q1.{fraction}"


def summarise(runs: list[Run]) -> Summary:
    values: Plain = {"stability": [], "rows": {}, "memory": {"float": {}, "fixed": {}, "hopfield": {}}}
    kinds = {kind: group for (kind,), group in grouped(runs, "kind").items()}
    energies: list[tuple[str, ...]] = []
    for (scale, fraction, short), group in grouped(kinds["stability"], "scale", "fraction", "short").items():
        worst = {key: max(run.result[key] for run in group) for key in ("rise", "left", "reach")}
        values["stability"].append({"scale": scale, "fraction": fraction, "short": short, **worst})
        sizes = dict.fromkeys(f"2^{np.log2(dt):.0f}" for dt in sorted(run.result["dt"] for run in group))
        energies.append((f"±{scale:g}, {name(fraction)}", ", ".join(sizes), f"{worst['rise']:.1e}", f"{worst['left']:.1e}",
                         f"{worst['reach']:.3f}"))
    accuracies: list[tuple[str, ...]] = []
    for (arithmetic, frozen), group in grouped(kinds["rows"], "arithmetic", "frozen").items():
        reached = [run.result["accuracy"] for run in group]
        values["rows"].setdefault(arithmetic, {})["frozen" if frozen else "learnt"] = mean(reached)
        accuracies.append((f"{'left as drawn' if frozen else 'learnt'}, {'integers' if arithmetic == 'fixed' else 'reals'}",
                           spread(reached), f"{min(reached):.2f}", spread([run.result["online"][-1] for run in group])))
    values["dataset"] = kinds["rows"][0].setting["dataset"]
    recalls: list[tuple[str, ...]] = []
    for (count,), group in grouped(kinds["memory"], "count").items():
        cells = [str(count)]
        for arithmetic in ("float", "fixed"):
            same = [run.result for run in group if run.setting["arithmetic"] == arithmetic]
            values["memory"][arithmetic][str(count)] = mean(each["rounds"]["signs"] for each in same)
            cells += [spread([each["first"]["signs"] for each in same], ".1f"),
                      spread([each["rounds"]["signs"] for each in same], ".1f"),
                      f"{mean(each['rounds']['patterns'] for each in same):.0f}"]
        values["memory"]["hopfield"][str(count)] = mean(each["hopfield"]["signs"] for each in same)
        recalls.append((*cells, spread([each["hopfield"]["signs"] for each in same], ".1f"),
                        f"{mean(each['hopfield']['patterns'] for each in same):.0f}"))
    held = kinds["memory"][0].setting
    return Summary(values, [
        Table(f"Nets of {kinds['stability'][0].setting['neurons']} neurons with random links, running free: greatest rise of "
              f"the energy in a step and greatest energy at the end, as shares of the start's, and greatest displacement, of "
              f"all seeds; the step is short for the links, or that of a network",
              ("links", "dt", "rise", "left", "reach"), energies),
        _rows_table(kinds["rows"][0].setting, accuracies),
        Table(f"Signs restored from half, %, and whole patterns; random patterns of {held['visible']} signs, {held['unseen']} "
              f"hidden neurons, 1 and {held['rounds']} rounds",
              ("patterns", "reals, 1 round", "reals", "whole, %", "integers, 1 round", "integers", "whole, %", "Hopfield",
               "whole, %"), recalls)],
        [Figure("recurrent", "Signs restored from half over the number of stored patterns, mean over seeds.",
                partial(_draw, values["memory"]))])


def _rows_table(first: Plain, rows: list[tuple[str, ...]]) -> Table:
    tested = f"{first['hold_out']:,} held-out training images" if first["hold_out"] else "the test images"
    return Table(f"{first['dataset']}, frame by frame, {'-'.join(map(str, first['network']['layers']))}, first layer "
                 f"{first['network']['wiring']['layers'][0]}: accuracy on {tested}, with the first layer learnt or not",
                 ("first layer", "accuracy, %", "least", "last epoch, %"), rows)


def check(values: Plain) -> list[Claim]:
    short = [each for each in values["stability"] if each["short"]]
    integers, recalled = [each for each in short if each["fraction"] is not None], values["memory"]
    counts = sorted(recalled["float"], key=int)
    claims = [
        Claim("In short steps the energy of a net never grows, whatever its links, in reals", all(
            each["rise"] <= 1e-12 for each in short if each["fraction"] is None)),
        Claim("In integers it does not grow by more than 1 % of what it was at the start, and ends below 1 % of it", all(
            each["rise"] <= 0.01 and each["left"] <= 0.01 for each in integers)),
        Claim("States stay in their range at any step", all(each["reach"] <= 1 for each in values["stability"])),
        Claim("Learning the recurrent layer by its own reverse dynamics beats leaving it as it was drawn", all(
            each["learnt"] > each["frozen"] for each in values["rows"].values())),
        Claim("Patterns are restored from half: 95 % of the signs at the least number of patterns, in reals and integers",
              min(recalled[each][counts[0]] for each in ("float", "fixed")) >= 95),
        Claim("More patterns are restored less well", recalled["fixed"][counts[-1]] <= recalled["fixed"][counts[0]])]
    if goal := GOALS.get(values["dataset"]):
        claims.append(Claim(f"Row by row {goal:.1f} % of {values['dataset']} are reached in the mean over seeds", all(
            each["learnt"] >= goal for each in values["rows"].values())))
    return claims


def _draw(recalled: dict[str, dict[str, float]]) -> bytes:
    from wuxing.reports.plots import picture

    def paint(axes: Panels) -> None:
        for key, label in (("float", "reciprocal, reals"), ("fixed", "reciprocal, integers"), ("hopfield", "Hopfield")):
            axes[0, 0].plot([int(count) for count in recalled[key]], list(recalled[key].values()), marker=".", label=label)
        axes[0, 0].set(xlabel="patterns stored", ylabel="signs restored (%)", ylim=(50, 101))
        axes[0, 0].legend()

    return picture("recurrent", paint)
