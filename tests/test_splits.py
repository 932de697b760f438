"""Splits: who is tested on, by class, by group, by time and as files say; the same samples on every machine."""
from __future__ import annotations

import numpy as np
import pytest

from golden_model.data.splits import Split
from golden_model.errors import InputError
from letters import refusal

LABELS = ["a"] * 50 + ["b"] * 30 + ["c"] * 6 + ["d"]
PERSONS = [f"p{place % 7 if place < 60 else 7}" for place in range(87)]
COLUMNS = {"person": PERSONS, "day": [place // 3 for place in range(87)], "date": [f"2026-01-{1 + place % 28:02}" for place in
           range(87)], "part": ["test" if place % 4 == 0 else "train" for place in range(87)]}


def folds_of(rule: str, folds: int, last: int | None = None) -> list[tuple[list[int], list[int]]]:
    return [tuple(part.tolist() for part in Split.parse(f"{rule}:{fold}/{folds}").places(LABELS, COLUMNS))
            for fold in range(1, (last or folds) + 1)]


@pytest.mark.parametrize(("text", "split"), [
    ("stratified", Split()), ("stratified:2/10", Split(fold=2, folds=10)), ("all", Split(rule="all")),
    ("group:person", Split(rule="group", column="person")),
    ("group:of:persons:3/4", Split(rule="group", column="of:persons", fold=3, folds=4)),
    ("time:day:1/2", Split(rule="time", column="day", folds=2)), ("column:part", Split(rule="column", column="part")),
])
def test_a_split_is_what_is_written(text, split):
    assert Split.parse(text) == split
    assert str(split) == text


@pytest.mark.parametrize("text", ["", "random", "group", "stratified:x", "stratified:1", "all:1/5", "column:part:1/5"])
def test_what_is_no_split(text):
    if text == "column:part:1/5":
        with pytest.raises(InputError, match=r"^a split must be written stratified, stratified:1/5, group:COLUMN, "):
            Split.parse(text)
        return
    with pytest.raises(InputError, match=r"^a split must be written stratified, .* or all, not '"):
        Split.parse(text)


@pytest.mark.parametrize(("text", "sentence"), [
    ("stratified:6/5", "6/5"), ("stratified:0/5", "0/5"), ("group:person:1/1", "1/1"), ("time:day:5/5", "5/5")])
def test_folds_that_there_are_not(text, sentence):
    with pytest.raises(InputError, match=refusal(f"the fold of a split must be one of 2 to 1000, as 1/5, or by time one that "
                                                 f"has earlier ones, not {sentence}")):
        Split.parse(text)


def test_every_sample_is_tested_on_once_and_each_fold_has_its_share_of_each_class():
    folds = folds_of("stratified", 5)
    assert sorted(place for _, test in folds for place in test) == [place for place in range(87) if place != 86]
    for train, test in folds:
        assert sorted(train + test) == list(range(87))
        counts = {name: sum(LABELS[place] == name for place in test) for name in "abcd"}
        assert (counts["a"], counts["b"], counts["d"]) == (10, 6, 0)          # the only one of a class is always learnt
        assert counts["c"] in (1, 2)
    assert folds[0][1] != Split(seed=1).places(LABELS, {})[1].tolist()
    assert folds[0][1][:6] == [1, 4, 25, 29, 30, 33]


def test_nobody_is_on_both_sides():
    folds = folds_of("group:person", 4)
    assert sorted(place for _, test in folds for place in test) == list(range(87))
    for train, test in folds:
        assert not {PERSONS[place] for place in train} & {PERSONS[place] for place in test}
        assert 17 <= len(test) <= 27                      # persons have 8 to 9 samples, one of them 27
    with pytest.raises(InputError, match=refusal("a split by group must have at most as many folds as there are groups in "
                                                 "'person', 8, not 9; take so many folds, as in group:person:1/8")):
        folds_of("group:person", 9, 1)


@pytest.mark.parametrize("column", ["day", "date"])
def test_only_what_is_earlier_is_learnt(column):
    times = COLUMNS[column]
    folds = folds_of(f"time:{column}", 5, 4)
    for train, test in folds:
        assert max(times[place] for place in train) < min(times[place] for place in test)
    assert max(times[place] for place in folds[0][1]) == max(times)
    assert [len(train) for train, _ in folds] == sorted((len(train) for train, _ in folds), reverse=True)
    assert not set(folds[0][1]) & set(folds[1][1])


@pytest.mark.parametrize(("split", "labels", "columns", "text"), [
    ("time:day", "ab", {"day": [1, 1]}, ("a split by time must have samples before and after a time of 'day', but too many "
                                        "have the same; choose other folds or another column")),
    ("time:day", "a", {"day": [1]}, ("a split by time must have a sample in each fold, but 1 samples have not enough for 5; "
                                    "choose fewer folds")),
    ("group:day", "ab", {"time": [1, 1]}, "the split must name a column that there is, not 'day'; there are 'time'"),
    ("group:day", "ab", {}, "the split must name a column that there is, not 'day'; there are no others"),
    ("column:part", "ab", {"part": ["test", "dev"]}, ("column 'part' of the split must say train or test of each sample, not "
                                                     "'dev'")),
    ("column:part", "ab", {"part": ["test", ""]}, "column 'part' of the split must say train or test of each sample, not ''"),
    ("column:part", "ab", {"part": ["test", "test"]}, ("a split must leave samples to train and to test with, but column "
                                                      "'part' leaves none to train with; choose other folds or another split")),
    ("stratified", "ab", {}, ("a split by class must have two or more samples of some class, but each of 2 has its own; take "
                             "the column that has the classes, or add samples")),
    ("stratified:3/5", "aab", {}, ("a split must leave samples to train and to test with, but stratified:3/5: fold 3 of 5 "
                                  "leaves none to test with; choose other folds or another split")),
    ("group:who", "ab", {"who": ["p", "p"]}, ("a split by group must have two or more groups, but all samples are of one in "
                                             "'who'; split by another column or by class (stratified)")),
])
def test_what_cannot_be_split(split, labels, columns, text):
    with pytest.raises(InputError, match=refusal(text)):
        Split.parse(split).places(list(labels), columns)


def test_all_and_as_a_column_says():
    train, test = Split(rule="all").places(LABELS, {})
    assert np.array_equal(train, test)
    train, test = Split.parse("column:part").places(LABELS, COLUMNS)
    assert test.tolist() == list(range(0, 87, 4))
    assert sorted([*train, *test]) == list(range(87))


def test_each_fold_of_a_rule_in_turn():
    assert list(map(str, Split.parse("group:person").each(3))) == [f"group:person:{fold}/3" for fold in (1, 2, 3)]
    assert [split.fold for split in Split.parse("time:day").each(4)] == [1, 2, 3]         # before the fourth there is nothing
    for text in ("all", "column:part", "stratified:2/5"):
        with pytest.raises(InputError, match=refusal("the split must be stratified, group:COLUMN or time:COLUMN where each "
                                                     f"fold is tested on in turn, not '{text}'; write it so, without a fold")):
            Split.parse(text).each(3)
    for text, least, folds in (("stratified", 2, 1), ("time:day", 3, 2), ("stratified", 2, 1001)):
        with pytest.raises(InputError, match=f"^folds must be {least} to 1000, not {folds}$"):
            Split.parse(text).each(folds)
