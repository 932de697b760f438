"""The settings that ``wuxing tune`` tries: drawn by the seed, all different, and such as options and board allow."""
from __future__ import annotations

import numpy as np
import pytest

from boards import fit, platforms
from golden_model.data.datasets import encoded
from golden_model.data.recipe import Recipe
from golden_model.data.samples import Samples
from golden_model.errors import InputError
from wuxing.candidates import axes, drawn
from wuxing.options import Settings

RANDOM = np.random.default_rng(3)
TABLE = Samples(name="t", train_values=RANDOM.normal(size=(40, 5)), train_labels=["a", "b"] * 20, source="drawn",
                test_values=RANDOM.normal(size=(4, 5)), test_labels=["a", "b"] * 2)
PICTURES = Samples(name="p", kind="image", train_values=RANDOM.integers(0, 256, (20, 12, 12), np.uint8), source="drawn",
                   train_labels=[0, 1] * 10, test_values=RANDOM.integers(0, 256, (4, 12, 12), np.uint8), test_labels=[0, 1] * 2)


def candidates(samples=TABLE, count=30, arithmetic="fixed", **options):
    return drawn(Settings(**options), lambda words: encoded(samples, None if words is None else Recipe.parse(words)), count, 6,
                 arithmetic)


def test_the_first_is_what_is_usual_and_all_differ():
    tried = candidates()
    assert len({(each.network.to_json(), each.encoding or "quantile") for each in tried}) == len(tried) == 30
    usual = Settings().network(encoded(TABLE))
    assert tried[0].network == usual.with_learning(epochs=6)
    assert tried[0].encoding is None
    assert dict(tried[0].choices) == {"rate": "0.0625", "dropout": "0", "hidden": "32", "input gain": "2.2", "gain": "1",
                                      "encoding": "quantile"}
    for name in tried[0].choices:
        assert len({each.choices[name] for each in tried}) > 2, name
    for each in tried:
        learning, levels = each.network.learning, 4 if "thermometer" in str(each.encoding) else 1
        assert learning.links == learning.bias == float(each.choices["rate"])
        assert each.network.layers == (5 * levels, *map(int, each.choices["hidden"].split("-")), 2)


def test_the_seed_draws_them():
    def texts(**options):
        return [tuple(each.choices.values()) for each in candidates(**options)]
    assert texts() == texts(seed=0)
    assert texts(seed=1) != texts(seed=0)
    assert texts()[:9] == texts(count=9)                    # a larger budget goes on where the smaller one ended


def test_what_is_said_is_not_chosen(tmp_path):
    (tmp_path / "c.toml").write_text("encoding = 'standard'\n[initialisation]\ngain = 1.5\n", "utf-8")
    options = {"layers": "5,7,2", "learning_rate": 0.25, "config": tmp_path / "c.toml"}
    tried = candidates(**options, count=10)
    assert list(tried[0].choices) == ["dropout", "input gain"]
    assert len(tried) == 9                                                # all that there are
    assert {(each.network.layers, each.network.learning.links, each.network.initialisation.gain, each.encoding)
            for each in tried} == {((5, 7, 2), 0.25, 1.5, "standard")}


def test_pictures_keep_their_encoding_and_may_lose_more_of_their_pixels():
    data = encoded(PICTURES)
    open_axes = axes(Settings(), data)
    assert "encoding" not in open_axes
    assert 0.3 in open_axes["dropout"]
    assert {each.encoding for each in candidates(PICTURES)} == {None}


def test_every_one_fits_the_board():
    platform = platforms.by_name("icebreaker")
    tried = candidates(PICTURES, board="icebreaker", count=12)
    assert len(tried) == 12
    assert all(fit.fit(platform, fit.chosen(platform, each.network)).fits for each in tried)
    assert {str(each.network.formats.bracket) for each in tried} == {"Q4.12"}
    widest = max(sum(each.network.layers[1:-1]) for each in candidates(PICTURES))
    assert max(sum(each.network.layers[1:-1]) for each in tried) < widest


def test_there_must_be_something_to_choose(tmp_path):
    (tmp_path / "c.toml").write_text("[initialisation]\ngain = 1.5\ninput_gain = 2.0\n", "utf-8")
    with pytest.raises(InputError, match=r"^tune must have something left to choose, but options and configuration file say "
                                         r"all; leave out one of --layers, --learning-rate, --dropout and --encoding, and its "
                                         r"entry in the file$"):
        candidates(PICTURES, layers="144,4,2", learning_rate=0.25, dropout=0.0, config=tmp_path / "c.toml")


def test_a_board_that_takes_no_other_setting_leaves_nothing_to_compare():
    with pytest.raises(InputError, match=r"^tune must have two settings to compare, but none beside the usual one makes a "
                                         r"network that can be used; leave more of the settings open, or take a larger board$"):
        drawn(Settings(), lambda words: encoded(TABLE, None if words is None else Recipe.parse(words)), 1, 6, "fixed")
