"""A network that learns a data set: the task behind sweeps and behind every experiment that trains.

Settings are compared on training images that are held out (``hold_out``); only what is reported at the end is tested on
the test images (``hold_out`` None).
"""
from __future__ import annotations

import json
from functools import cache

from golden_model.data import datasets
from golden_model.data.datasets import Dataset
from golden_model.data.reading import Reading
from golden_model.data.recipe import Recipe
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.training import AnyModel, Training, accuracy, all_pixels, train
from wuxing.experiments.summary import Plain

VERSION = 2
HOLD_OUT_SEED = 7                         # draws the images that are held out, the same ones for every seed of a network


def setting_of(network: Network, arithmetic: str, dataset: str, *, hold_out: int | None, train_images: int | None = None,
               shift: int = 0, each_epoch: bool = False, both: bool = False, every: int = 0, reading: Plain | None = None,
               encoding: str | None = None, fold: str | None = None, flip: bool = False, erase: int = 0) -> Plain:
    """The task of one network: plain JSON, its seed inside the network's description.

    Parameters
    ----------
    dataset : str
        What ``datasets.load`` takes. Its digest is part of the task: another data set of that name is refused.
    hold_out : int or None
        Training images, drawn at random, that are tested on instead of the test images and not learnt.
    train_images : int, optional
        Learn only the first that many.
    shift : int
        Most pixels by which images are shifted as they are learnt.
    each_epoch : bool
        Whether to test after each epoch.
    both : bool
        Whether the result is tested on the test images as well: for the report of a setting that images held out chose.
    every : int
        Images between two tests on the way, for learning curves; 0: none.
    reading, encoding
        How files become samples, as ``Reading.to_dict`` says it, and these bytes, in the words of ``Recipe``; None: as usual.
    fold
        The fold of the training images that is tested on, as ``1/5``, in place of ``hold_out``.
    flip
        Whether half of the images are learnt as in a mirror.
    erase : int
        Most pixels in height and width of what is erased from half of the images as they are learnt.
    """
    unusual = {name: value for name, value in (("reading", reading), ("encoding", encoding), ("fold", fold),
                                               ("flip", flip), ("erase", erase)) if value}
    return {"network": network.to_dict(), "arithmetic": arithmetic, "dataset": dataset,
            "sha256": whole(dataset, reading, encoding).sha256, "hold_out": hold_out, "train_images": train_images,
            "shift": shift, "each_epoch": each_epoch, "both": both, "every": every} | unusual


def run(setting: Plain) -> Plain:
    """``accuracy``: per cent of the images tested on. ``online``: of each epoch, of the images as they were learnt.
    ``tested``: after each epoch, if asked for. ``test``: of the test images, if ``both``. ``course``: [epochs, accuracy]
    after every so many images, if asked for."""
    course: list[list[float]] = []
    _, training, data, model = learnt(setting, course)
    return {"accuracy": accuracy(model, data.test_images, data.test_labels),
            "online": [epoch.online_accuracy for epoch in training.epochs],
            "tested": [epoch.test_accuracy for epoch in training.epochs] if setting["each_epoch"] else None,
            "test": test_accuracy(setting, model) if setting["both"] else None, "course": course or None}


def test_accuracy(setting: Plain, model: AnyModel) -> float:
    """Per cent of the test images, whatever was held out."""
    data = _images(*_source(setting), None, None, None)
    return accuracy(model, data.test_images, data.test_labels)


def learnt(setting: Plain,
           course: list[list[float]] | None = None) -> tuple[Network, Training, Dataset, CompiledModel]:
    """The network of a setting, its training, the data it saw, and the compiled result (one thread).

    ``course`` collects [epochs, accuracy] after every ``setting["every"]`` images, as nearly as training reports.
    """
    network, arithmetic = Network.from_dict(setting["network"]), setting["arithmetic"]
    data = images(setting)
    models: list[CompiledModel] = []
    tests = 0

    def engine(network: Network, arithmetic: str, values: Parameters | None) -> CompiledModel:
        models.append(CompiledModel(network, arithmetic, values, threads=1))
        return models[-1]

    def test(epoch: int, done: int, count: int, right: int) -> None:
        nonlocal tests
        reached = epoch * count + done
        if course is not None and setting["every"] and reached // setting["every"] > tests:
            tests = reached // setting["every"]
            values = all_pixels(network, arithmetic, models[0].parameters)
            whole = CompiledModel(network, arithmetic, values, threads=1)
            course.append([reached / count, accuracy(whole, data.test_images, data.test_labels)])

    training = train(network, arithmetic, data, shift=setting["shift"], flip=setting.get("flip", False),
                     erase=setting.get("erase", 0), evaluate_each_epoch=setting["each_epoch"], engine=engine, on_progress=test)
    if training.interrupted:                                  # half a run is no result
        raise KeyboardInterrupt
    return network, training, data, CompiledModel(network, arithmetic, training.parameters, threads=1)


def epochs_to(course: list[list[float]], level: float) -> float | None:
    """Epochs until the first test of a course that reached ``level`` per cent; None: never."""
    return next((epochs for epochs, reached in course if reached >= level), None)


def images(setting: Plain) -> Dataset:
    """The part of a data set that a setting names."""
    return _images(*_source(setting), setting["hold_out"], setting["train_images"], setting.get("fold"))


def digest_of(dataset: str) -> str:
    """SHA-256 of the whole data set."""
    return whole(dataset).sha256


def whole(dataset: str, reading: Plain | None = None, encoding: str | None = None) -> Dataset:
    """The data set, of which hold-outs and parts are taken."""
    return _whole(dataset, json.dumps(reading or {}, sort_keys=True), encoding)


@cache
def _whole(name: str, reading: str, encoding: str | None) -> Dataset:
    recipe = None if encoding is None else Recipe.parse(encoding)
    return datasets.load(name, recipe, Reading.from_dict(json.loads(reading)))


def _source(setting: Plain) -> tuple[str, str, str | None, str]:
    return (setting["dataset"], json.dumps(setting.get("reading") or {}, sort_keys=True), setting.get("encoding"),
            setting["sha256"])


@cache
def _images(name: str, reading: str, encoding: str | None, sha256: str, hold_out: int | None,
            train_images: int | None, fold: str | None) -> Dataset:
    data = _whole(name, reading, encoding)
    if data.sha256 != sha256:
        raise InputError(f"the data set {name} must have SHA-256 {sha256}, with which the run was described, not "
                         f"{data.sha256}; give every machine the same files")
    if fold is not None:                                      # of the images that are used at all
        part, _, parts = fold.partition("/")
        used = data if train_images is None else data.first(train=train_images)
        return used.fold(int(part), int(parts))
    data = data if hold_out is None else data.hold_out(hold_out, HOLD_OUT_SEED)
    return data if train_images is None else data.first(train=train_images)


def sizes(dataset: str, *hidden: int) -> list[int]:
    """Pixels, these hidden layers (one of 0 neurons is left out), classes."""
    data = whole(dataset)
    return [data.train_images.shape[1], *(size for size in hidden if size), data.classes]
