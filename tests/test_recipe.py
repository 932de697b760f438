"""Recipes of encodings: words and what they stand for, and words that do not go together."""
from __future__ import annotations

import pytest

from golden_model.data.recipe import CHOICES, Recipe
from golden_model.errors import InputError
from letters import refusal


@pytest.mark.parametrize(("text", "recipe", "again"), [
    ("", Recipe(), "range"),
    ("quantile, median", Recipe(scaling="quantile", missing="median"), "quantile median"),
    ("population:8 polarity standard", Recipe(scaling="standard", polarity="polarity", code="population", levels=8),
     "standard polarity population:8"),
    ("sample-polarity bytes", Recipe(scaling="bytes", sample="sample-polarity"), "bytes sample-polarity"),
    ("minmax minmax value kept refused as-measured", Recipe(scaling="minmax"), "minmax"),
])
def test_words_make_a_recipe_and_a_recipe_says_its_words(text, recipe, again):
    assert Recipe.parse(text) == recipe
    assert str(recipe) == again
    assert Recipe.parse(again) == recipe


WORDS = ("bytes, range, minmax, standard, quantile, as-measured, sample-range, sample-polarity, kept, polarity, refused, "
         "median, value, thermometer:LEVELS, population:LEVELS")


@pytest.mark.parametrize(("text", "sentence"), [
    ("maxmin", f"an encoding must be made of the words {WORDS}, not 'maxmin'"),
    ("thermometer", f"an encoding must be made of the words {WORDS}, not 'thermometer'"),
    ("minmax:3", f"an encoding must be made of the words {WORDS}, not 'minmax:3'"),
    ("minmax standard", ("an encoding must say one thing about its scaling, not both minmax and standard; leave out one of "
                        "them")),
    ("thermometer:x", "levels of an encoding must be a whole number from 2 to 64, not 'x'; write for example thermometer:4"),
    ("bytes median", ("an encoding with the scaling bytes must leave polarity and missing values as they are, because it fits "
                     "nothing; choose the scaling range")),
    ("sample-range median", ("an encoding that stretches each sample (sample-range) must refuse missing values, because a "
                            "median is of values as they were measured; leave out one of them")),
])
def test_words_that_make_no_recipe(text, sentence):
    with pytest.raises(InputError, match=refusal(sentence)):
        Recipe.parse(text)


@pytest.mark.parametrize("levels", [1, 65])
def test_levels_of_a_code(levels):
    with pytest.raises(InputError, match=f"^levels must be .*2.*64.* not {levels}"):
        Recipe(code="population", levels=levels)


def test_the_page_of_data_has_every_word():
    from test_house import table
    default = {choices[0] for name, choices in CHOICES.items() if name != "scaling"}
    words = {word + (":L" if word in ("thermometer", "population") else "") for choices in CHOICES.values() for word in choices}
    assert set(table("docs/data.md", "word")) == words - default
