"""Names of classes: their order, what needs none, and what cannot be one."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data import classes
from golden_model.errors import InputError
from letters import refusal


@pytest.mark.parametrize(("labels", "names"), [
    (["b", "a", "b"], ("a", "b")),
    (np.array(["up", "down"]), ("down", "up")),
    ([7, 3, 7], (3, 7)),
    (np.array([2.5, -1.0]), (-1.0, 2.5)),
    (np.array([True, False]), (False, True)),
    ([1, 2], (1, 2)),
    ([1, 0, 2, 1], ()),                   # outputs already
    (np.array([1, 0], np.uint8), ()),
    ([1, 1.0, True, 5], (True, 5)),       # equal ones are one class, whichever comes first
    ([5, True, 1.0, 1], (True, 5)),
])
def test_names_are_in_order_and_outputs_follow_it(labels, names):
    there = classes.names_of(labels)
    assert there == names
    assert [type(name) for name in there] == [type(name) for name in names]
    outputs = classes.outputs_of(labels, there)
    assert outputs.dtype == np.int64
    assert [there[output] if there else output for output in outputs] == list(labels)


@pytest.mark.parametrize(("labels", "text"), [
    ([], "labels must name 1 to 256 classes, what a byte can label, not 0; take the column that has the classes"),
    (list(range(1, 300)), ("labels must name 1 to 256 classes, what a byte can label, not 299; take the column that has the "
                          "classes")),
    ([1, "a"], "labels must be all texts or all numbers, but there are both; write them alike"),
    (["a", None], "labels must be texts or numbers, but one is missing; leave out such samples, or name their class"),
    ([0.5, float("nan")], "labels must be texts or numbers, but one is missing; leave out such samples, or name their class"),
    ([(1, 2)], "labels must be texts or numbers, but one is (1, 2); leave out such samples, or name their class"),
    (["a", ""], "labels must have 1 to 256 characters, not 0; name the class"),
    ([float("inf")], "labels must be finite, but one is infinite; name its class"),
    (np.zeros((2, 2)), "labels must be of shape (samples,), one for each sample, not (2, 2); flatten them"),
])
def test_what_cannot_be_classes(labels, text):
    with pytest.raises(InputError, match=refusal(text)):
        classes.names_of(labels)


@pytest.mark.parametrize(("labels", "names", "text"), [
    (["a", "c"], ("a", "b"), ("labels must be classes that were trained on (a, b), not 'c'; leave out its samples, or train "
                             "with some of them")),
    ([["a"]], tuple("abcdefghi"), ("labels must be classes that were trained on (a, b, c, d, e, f, g, h, ...), not ['a']; "
                                  "leave out its samples, or train with some of them")),
    (["a"], (), ("labels must be whole numbers, the outputs of this network, because its classes have no names; train it with "
                "these labels to name them")),
    ([0.5], (), ("labels must be whole numbers, the outputs of this network, because its classes have no names; train it with "
                "these labels to name them")),
])
def test_labels_that_were_not_trained_on(labels, names, text):
    with pytest.raises(InputError, match=refusal(text)):
        classes.outputs_of(labels, names)


def test_names_of_a_file_are_different_and_in_order():
    assert classes.check_names(["a", "b"]) == ("a", "b")
    for wrong in (["b", "a"], ["a", "a"], [1, 1.0]):
        with pytest.raises(InputError, match=r"^classes must be at most 256 different names in order, not \["):
            classes.check_names(wrong)
