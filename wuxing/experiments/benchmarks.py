"""Networks in integers on a data set, beside what somebody would use instead: what ``pictures`` and ``recordings`` share.

A run is one method on one fold of one data set, for one seed. Methods that draw nothing are run once, with the first seed.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping

from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.training import percentage
from wuxing.experiments import learner, torch_networks, yardsticks
from wuxing.experiments.description import check_entries
from wuxing.experiments.summary import Claim, Entries, Plain, Run, Summary, Table, grouped, mean, spread

OURS = "integers"
MLP, BACKPROPAGATION, GRU = "scikit-learn's MLPClassifier", "PyTorch, backpropagation", "PyTorch, GRU"
DRAWN = (OURS, MLP, BACKPROPAGATION, GRU)

ENTRIES: Entries = {"seeds": [int], "hold_out": int, "train_images": int, "data": [dict]}
DATA_ENTRIES: Entries = {"dataset": str, "encoding": str, "frames": str, "split": str, "folds": int, "once": [str],
                         "networks": [dict]}
NETWORK_ENTRIES: Entries = {"name": str, "beside": [str], "passes": int, "units": int, "shift": int, "flip": bool,
                            "erase": int, "network": dict}
USUAL_DATA: Plain = {"encoding": "", "frames": "", "split": "", "folds": 1}
USUAL_NETWORK: Plain = {"passes": 20, "units": 64, "shift": 0, "flip": False, "erase": 0}


def tasks(settings: Plain) -> list[Plain]:
    """``hold_out`` 0 tests on the test samples, ``train_images`` 0 learns all.

    Of each of ``data``: ``encoding``, ``frames`` and ``split`` as of ``wuxing train``; ``folds``: how many folds of that split
    are tested on, one after the other; ``once``: methods that draw nothing. Of each of its ``networks``: ``network``, its
    description; ``shift``, ``flip`` and ``erase`` of the images as they are learnt; ``beside``: methods with as many neurons,
    that go through the training samples ``passes`` times; ``units`` of a GRU.

    Raises
    ------
    InputError
        If a table has other entries, or there is no such method.
    """
    result: list[Plain] = []
    for table in settings["data"]:
        check_entries(table, DATA_ENTRIES, optional=USUAL_DATA)
        data = USUAL_DATA | table
        _check_methods(data["once"], yardsticks.ONCE)
        for fold in range(1, data["folds"] + 1):
            reading = _reading(data, fold)
            result += [_setting(settings, data, reading, "", method, settings["seeds"][0], fold)
                       for method in data["once"]]
            for entry in data["networks"]:
                check_entries(entry, NETWORK_ENTRIES, optional=USUAL_NETWORK)
                described = USUAL_NETWORK | entry
                _check_methods(described["beside"], DRAWN[1:])
                for method in (OURS, *described["beside"]):
                    for seed in settings["seeds"]:
                        network = Network.from_dict(described["network"] | {"seed": seed})
                        result.append(_of_network(settings, data, reading, described, network, method, seed, fold))
    return result


def run(setting: Plain) -> Plain:
    """``accuracy``: per cent of the samples tested on, of which there are ``tested``."""
    data, method = learner.images(setting), setting["method"]
    if method == OURS:
        outcome = learner.run(setting)
        return {"accuracy": outcome["accuracy"], "online": outcome["online"], "tested": len(data.test_labels)}
    if method in yardsticks.ONCE:
        classes = yardsticks.ONCE[method](data)
    elif method == GRU:
        classes = torch_networks.gru(data, setting["units"], setting["passes"], setting["seed"])
    else:
        network = Network.from_dict(setting["network"])
        if method == MLP:
            classes = yardsticks.mlp(data, network.layers[1:-1], setting["passes"], network.seed)
        else:
            classes = torch_networks.same_sizes(data, network, setting["passes"], shift=setting["shift"], flip=setting["flip"],
                                                erase=setting.get("erase", 0))
    return {"accuracy": percentage(classes == data.test_labels), "online": [], "tested": len(data.test_labels)}


def summarise(runs: list[Run]) -> Summary:
    """A table for each data set, and for claims the mean of each method: over seeds of the means over folds."""
    values: Plain = {}
    tables = []
    for (dataset,), of_data in grouped(runs, "dataset").items():
        rows: list[tuple[str, ...]] = []
        reached: Plain = {}
        for (name, method), group in grouped(of_data, "name", "method").items():
            means = [mean(run.result["accuracy"] for run in of_seed) for of_seed in grouped(group, "seed").values()]
            reached[f"{name}: {method}" if name else method] = mean(means)
            figure = spread(means) if method in DRAWN else f"{means[0]:.2f}"
            rows.append((f"**{method}**" if method == OURS else method, _what(group[0].setting), figure, f"{min(means):.2f}"))
        values[dataset] = reached
        tables.append(Table(_title(dataset, of_data), ("method", "what", "right, %", "least"), rows))
    return Summary(values, tables)


def claims(values: Plain, goals: Mapping[str, Iterable[tuple[str, float]]],
           ahead: Mapping[str, Iterable[tuple[str, str, float]]]) -> list[Claim]:
    """``goals``: by data set, the name of a network and the per cent that it must reach. ``ahead``: by data set the name of a
    network, a method, and the points by which the network must be better; negative: may be worse."""
    result = []
    for dataset, reached in values.items():
        for name, goal in goals.get(dataset, ()):
            if (ours := f"{name}: {OURS}") in reached:
                percent = f"{goal:.1f}" if round(goal, 1) == goal else f"{goal:.2f}"
                result.append(Claim(f"{short(dataset)}, {name}: {percent} % in the mean over seeds", reached[ours] >= goal))
        for name, method, points in ahead.get(dataset, ()):
            if (ours := f"{name}: {OURS}") in reached and method in reached:
                comparison = f"at least {points:g} points better than" if points > 0 else (
                    f"at most {-points:g} points worse than" if points else "better than")
                result.append(Claim(f"{short(dataset)}, {name}: {comparison} {method.removeprefix(f'{name}: ')}",
                                    reached[ours] - reached[method] >= points))
    return result


def short(dataset: str) -> str:
    """A data set's name without its folder and ending."""
    return dataset.rpartition("/")[2].removesuffix(".npz")


def _title(dataset: str, runs: list[Run]) -> str:
    first = runs[0].setting
    folds = len({run.setting["part"] for run in runs})
    tested = sum(next(run for run in runs if run.setting["part"] == fold).result["tested"] for fold in range(1, folds + 1))
    on = f"{first['hold_out']:,} held-out training samples" if first["hold_out"] else (
        f"{tested:,} samples in {folds} folds" if folds > 1 else f"{tested:,} test samples")
    return f"{short(dataset)}: {on}, mean and spread over seeds, and the least seed"


def _what(setting: Plain) -> str:
    """The network, and how it saw its images."""
    method = setting["method"]
    if method not in DRAWN:
        return ""
    if method == GRU:
        return f"{setting['units']} units, {setting['passes']} epochs"
    network = setting["network"]
    words = [] if method == MLP else [
        *(f"{each}" for each in network["wiring"]["layers"] if each != "full"),
        *([f"shifted by {setting['shift']}"] if setting["shift"] else []), *(["flipped"] if setting.get("flip") else []),
        *([f"erased up to {side}x{side}"] if (side := setting.get("erase")) else [])]
    epochs = network["learning"]["epochs"] if method == OURS else setting["passes"]
    return "; ".join(["-".join(map(str, network["layers"])), *words, f"{epochs} epochs"])


def _check_methods(methods: Iterable[str], known: Iterable[str]) -> None:
    for method in methods:
        if method not in known:
            raise InputError(f"a method must be one of {', '.join(known)}, not {method!r}")


def _reading(data: Plain, fold: int) -> Plain:
    split = data["split"] and (f"{data['split']}:{fold}/{data['folds']}" if data["folds"] > 1 else data["split"])
    return {name: value for name, value in (("frames", data["frames"]), ("split", split)) if value}


def _of_network(settings: Plain, data: Plain, reading: Plain, described: Plain, network: Network, method: str, seed: int,
                fold: int) -> Plain:
    common = {"name": described["name"], "method": method, "seed": seed, "part": fold}
    if method == OURS:
        return common | learner.setting_of(
            network, "fixed", data["dataset"], hold_out=settings["hold_out"] or None, reading=reading,
            train_images=settings["train_images"] or None, encoding=data["encoding"] or None, shift=described["shift"],
            flip=described["flip"], erase=described["erase"])
    of_others = {"seed": seed, "layers": list(network.layers), "wiring": {"layers": list(network.wiring.layers)},
                 "learning": {"dropout": network.learning.dropout}}
    changes = {name: described[name] for name in ("shift", "flip", "erase") if name != "erase" or described["erase"]}
    extra = {GRU: {"units": described["units"]}, MLP: {"network": of_others},
             BACKPROPAGATION: {"network": of_others} | changes}[method]
    return _setting(settings, data, reading, described["name"], method, seed, fold) | {"passes": described["passes"]} | extra


def _setting(settings: Plain, data: Plain, reading: Plain, name: str, method: str, seed: int, fold: int) -> Plain:
    encoding = data["encoding"] or None
    whole = learner.whole(data["dataset"], reading, encoding)
    return {"name": name, "method": method, "seed": seed, "part": fold, "dataset": data["dataset"], "sha256": whole.sha256,
            "hold_out": settings["hold_out"] or None, "train_images": settings["train_images"] or None, "reading": reading,
            "encoding": encoding}
