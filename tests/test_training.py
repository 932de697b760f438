"""Training: the order, the records, averaging, interruption; both engines alike."""
import re
from dataclasses import replace

import numpy as np
import pytest

from golden_model.data import datasets, transforms
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Learning, Network
from golden_model.training import Training, accuracy, all_pixels, train

DATA = datasets.load("digits").first(150, 40)


def network(**learning):
    return Network(layers=(64, 6, 10), learning=Learning(**{"epochs": 3, "dropout": 0.0, "average": 1, **learning}), seed=5)


def same(a, b):
    return all(np.array_equal(getattr(x, name), getattr(y, name)) and getattr(x, name).dtype == getattr(y, name).dtype
               for x, y in zip(a, b, strict=True) for name in ("weights", "bias", "coupling"))


def by_hand(description, arithmetic, epochs, shift=0, flip=False, erase=0):
    """Parameters after each epoch, from the documented streams alone."""
    model, result = CompiledModel(description, arithmetic), []
    for epoch in range(epochs):
        order = np.random.default_rng([description.seed, 1, epoch]).permutation(len(DATA.train_labels))
        images = DATA.train_images[order]
        if flip:
            images = transforms.flipped(images, DATA.image_shape, np.random.default_rng([description.seed, 5, epoch]))
        if shift:
            images = transforms.shift(images, DATA.image_shape, np.random.default_rng([description.seed, 2, epoch]), shift)
        if erase:
            images = transforms.erased(images, DATA.image_shape, np.random.default_rng([description.seed, 6, epoch]), erase)
        model.learn(images, DATA.train_labels[order], epoch)
        result.append(model.parameters)
    return result


@pytest.mark.parametrize(("shift", "flip", "erase"), [(0, False, 0), (1, False, 0), (0, True, 0), (0, False, 8), (1, True, 3)])
@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_an_epoch_is_the_documented_permutation_and_changes(arithmetic, shift, flip, erase):
    training = train(network(), arithmetic, DATA, shift=shift, flip=flip, erase=erase)
    assert same(training.parameters, by_hand(network(), arithmetic, 3, shift, flip, erase)[-1])
    assert not training.interrupted
    assert training.complete_epochs == 3


def test_chunks_change_no_bit(monkeypatch):
    whole = train(network(batch=7), "fixed", DATA)
    monkeypatch.setattr("golden_model.training.CHUNK", 20)
    assert same(train(network(batch=7), "fixed", DATA).parameters, whole.parameters)


def test_the_plain_model_gives_the_same_bits():
    small = network(epochs=1)
    assert same(train(small, "fixed", DATA, engine=Model).parameters, train(small, "fixed", DATA).parameters)


@pytest.mark.parametrize("average", [2, 3])
def test_integers_average_exactly_and_half_up(average):
    last = by_hand(network(), "fixed", 3)[-average:]
    result = train(network(average=average), "fixed", DATA).parameters
    for index, layer in enumerate(result):
        for name in ("weights", "bias", "coupling"):
            total = sum(getattr(parameters[index], name) for parameters in last)
            assert np.array_equal(getattr(layer, name), (2 * total + average) // (2 * average))
            assert getattr(layer, name).dtype == np.int64


def test_reals_average_in_float64():
    last = by_hand(network(), "float", 3)[-2:]
    result = train(network(average=2), "float", DATA).parameters
    for index, layer in enumerate(result):
        mean = (last[0][index].weights.astype(np.float64) + last[1][index].weights) / 2
        assert np.array_equal(layer.weights, mean.astype(np.float32))


def test_records_say_what_was_right():
    calls, epochs = [], []
    training = train(network(), "fixed", DATA, evaluate_each_epoch=True, on_epoch=epochs.append,
                     on_progress=lambda *progress: calls.append(progress))
    assert calls[-1][:3] == (2, 150, 150)
    assert training.epochs == epochs
    assert [epoch.epoch for epoch in epochs] == [0, 1, 2]
    assert epochs[2].online_accuracy == 100 * calls[-1][3] / 150
    model = CompiledModel(network(), "fixed", training.parameters)
    assert epochs[2].test_accuracy == accuracy(model, DATA.test_images, DATA.test_labels)
    assert epochs[2].test_accuracy == 100 * np.mean(model.predict(DATA.test_images) == DATA.test_labels)
    assert training.images_per_second > 0
    assert train(network(), "fixed", DATA).epochs[2].test_accuracy is None


def interrupted(description, epoch) -> Training:
    def interrupt(now, done, total, right):
        if now == epoch:
            raise KeyboardInterrupt
    return train(description, "fixed", DATA, on_progress=interrupt)


def test_an_interrupt_keeps_the_last_complete_epoch():
    training = interrupted(network(), 2)
    assert training.interrupted
    assert training.complete_epochs == 2
    assert same(training.parameters, by_hand(network(), "fixed", 2)[-1])


def test_an_interrupt_averages_only_what_is_complete():
    first, second = by_hand(network(epochs=4), "fixed", 2)
    averaged = interrupted(network(epochs=4, average=4), 2).parameters
    assert np.array_equal(averaged[0].weights, (2 * (first[0].weights + second[0].weights) + 2) // 4)
    assert same(interrupted(network(epochs=4, average=2), 2).parameters, second)


def test_an_interrupt_in_the_first_epoch_is_handed_on():
    with pytest.raises(KeyboardInterrupt):
        interrupted(network(), 0)


def test_an_interrupt_while_testing_keeps_the_epoch(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt
    monkeypatch.setattr("golden_model.training.accuracy", interrupt)
    training = train(network(), "fixed", DATA, evaluate_each_epoch=True)
    assert training.interrupted
    assert training.complete_epochs == 1
    assert training.epochs[0].test_accuracy is None
    assert same(training.parameters, by_hand(network(), "fixed", 1)[-1])


def test_frozen_layers_stay():
    start = CompiledModel(network(), "fixed").parameters
    training = train(network(frozen=1, average=2), "fixed", DATA)
    assert same(training.parameters[:1], start[:1])
    assert not np.array_equal(training.parameters[1].weights, start[1].weights)


@pytest.mark.parametrize(("change", "options", "message"), [
    ({"layers": (63, 10)}, {}, "layers must begin with 64 for images of 8x8, not 63"),
    ({"layers": (64, 9)}, {}, "layers must end with at least 10 for labels 0..9, not 9"),
    ({}, {"shift": 8}, "images of 8x8 must be shifted by at most 0 to 7 pixels, not 8"),
    ({}, {"shift": -1}, "images of 8x8 must be shifted by at most 0 to 7 pixels, not -1"),
    ({}, {"erase": 9}, "rectangles erased from images of 8x8 must have sides of at most 0 to 8 pixels, not 9"),
    ({"learning": Learning(frozen=3)}, {}, "learning.frozen must be 0 to 2 for layers (64, 6, 10), not 3"),
])
def test_what_does_not_fit_is_refused(change, options, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        train(replace(network(), **change), "fixed", DATA, **options)


class Recorder(CompiledModel):
    """Keeps the images that it was given to learn."""

    lessons: list = []

    def learn(self, images, labels, epoch):
        Recorder.lessons.append(images)
        return super().learn(images, labels, epoch)


def test_dropout_loses_its_share_of_the_pixels_at_random(monkeypatch):
    monkeypatch.setattr(Recorder, "lessons", [])
    description = network(dropout=0.25, epochs=2)
    train(description, "fixed", DATA, engine=Recorder)
    epochs = [images for images in Recorder.lessons if len(images)]
    assert [images.dtype for images in epochs] == [np.uint8, np.uint8]
    lost = []
    for epoch, images in enumerate(epochs):
        whole = DATA.train_images[np.random.default_rng([5, 1, epoch]).permutation(len(DATA.train_labels))]
        assert np.all((images == whole) | (images == 0))
        lost.append((images == 0)[whole > 0])
        assert abs(np.mean(lost[epoch]) - 0.25) < 0.03           # five standard deviations of so many pixels
    assert not np.array_equal(epochs[0] == 0, epochs[1] == 0)


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_dropout_changes_what_is_learnt_and_chunks_do_not(arithmetic, monkeypatch):
    with_dropout = train(network(dropout=0.25, batch=7), arithmetic, DATA).parameters
    without = train(network(batch=7), arithmetic, DATA).parameters
    assert not np.array_equal(with_dropout[1].weights, without[1].weights)
    monkeypatch.setattr("golden_model.training.CHUNK", 20)
    assert same(train(network(dropout=0.25, batch=7), arithmetic, DATA).parameters, with_dropout)


def test_the_first_links_are_scaled_exactly_and_half_up():
    description = network(dropout=0.25)
    start = CompiledModel(description, "fixed").parameters
    words = np.arange(-192, 192).reshape(6, 64)
    scaled = all_pixels(description, "fixed", [replace(start[0], weights=words), start[1]])
    assert np.array_equal(scaled[0].weights, (3 * words + 2) // 4)       # 2 -> 1.5 -> 2, -2 -> -1.5 -> -1
    assert scaled[0].weights.dtype == np.int64
    assert np.array_equal(scaled[0].bias, start[0].bias)
    assert same(scaled[1:], start[1:])
    reals = CompiledModel(description, "float").parameters
    assert np.array_equal(all_pixels(description, "float", reals)[0].weights, reals[0].weights * np.float32(0.75))
    assert same(all_pixels(network(), "fixed", start), start)


def test_the_result_of_dropout_is_scaled():
    raw = []
    result = train(network(dropout=0.25), "fixed", DATA, engine=lambda *arguments: raw.append(CompiledModel(*arguments))
                   or raw[-1])
    assert np.array_equal(result.parameters[0].weights, (3 * raw[0].parameters[0].weights + 2) // 4)
    assert same(result.parameters[1:], raw[0].parameters[1:])


def test_a_frozen_first_layer_loses_no_pixels():
    message = ("learning.dropout must be 0 when the first layer is frozen, not 0.2, because its links did not learn to do "
               "without the lost pixels; set dropout or frozen to 0")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        train(network(frozen=1, dropout=0.2), "fixed", DATA)


@pytest.mark.parametrize(("epochs", "averaged"), [(1, 1), (6, 1), (11, 1), (12, 2), (60, 10)])
def test_by_default_a_sixth_of_the_epochs_is_averaged(epochs, averaged):
    assert Learning(epochs=epochs).averaged_epochs == averaged
    assert Learning(epochs=epochs, average=1).averaged_epochs == 1
