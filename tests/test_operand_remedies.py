"""Advice about the multiplier is enough: a design that is refused and then changed as the sentence says is accepted."""
from __future__ import annotations

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.network import Network
from hdl.design import Design

ENTRY = re.compile(r'(formats|learning)\.(\w+) = (?:"([^"]+)"|(\d+))')


def followed(network: Network, sentence: str) -> Network:
    """The description after the advice."""
    data = network.to_dict()
    results = ENTRY.findall(sentence.split("; set ")[-1])
    assert results, f"no advice that can be followed: {sentence}"
    for section, name, text, number in results:
        data[section][name] = text or int(number)
    return Network.from_dict(data)


def check(network: Network, **choices: object) -> None:
    """That the design is refused, and accepted as soon as the advice is followed, once."""
    with pytest.raises(InputError, match=r"must (fit the 1[68]-bit operand|have at least \d+ bits).*; set ") as refusal:
        Design(network=network, **choices)
    Design(network=followed(network, str(refusal.value)), **choices)


@pytest.mark.parametrize("kind", ["shift", "programmable"])
def test_the_default_description_on_the_narrowest_multiplier(kind):
    """One sentence names the bracket and the halvings, which had come one after the other, without a number."""
    check(Network(layers=(64, 8, 10)), target="ice40", kind=kind)


@pytest.mark.parametrize("formats", [
    {"displacement": "Q1.19", "drive": "Q1.19", "weight": "Q1.19", "error": "Q1.19", "coupling": "Q2.19"},
    {"displacement": "Q1.16", "drive": "Q4.16", "error": "Q1.16", "weight": "Q2.16"}, {"bracket": "Q3.12"}])
def test_long_words_and_a_bracket_that_is_too_short(formats):
    check(Network.from_dict({"layers": [64, 8, 10], "formats": formats}), target="portable")


@settings(max_examples=25)
@given(st.data())
def test_following_the_advice_is_enough(data):
    fraction, whole = data.draw(st.integers(8, 20)), st.integers(1, 6)
    network = Network.from_dict({"layers": data.draw(st.sampled_from([[1, 1], [64, 8, 10], [784, 32, 10]])), "formats": {
        "displacement": f"Q1.{fraction}", "drive": f"Q{data.draw(whole)}.{fraction}",
        "error": f"Q{data.draw(whole)}.{fraction}", "weight": f"Q{data.draw(whole)}.{data.draw(st.integers(6, 20))}",
        "bracket": data.draw(st.sampled_from(["exact", f"Q5.{fraction}"]))},
        "initialisation": {"bias": 0.0}, "learning": {"links": 2.0**-data.draw(st.integers(0, 8)),
                                                      "halvings": data.draw(st.integers(0, 12))}})
    choices = {"target": data.draw(st.sampled_from(["portable", "ecp5", "ice40"])),
               "kind": data.draw(st.sampled_from(["shift", "programmable"])), "learns": data.draw(st.booleans())}
    try:
        network.check_fixed()
        Design(network=network, **choices)
        assume(False)
    except InputError as error:
        assume("operand of target" in str(error) or "pass through it" in str(error))
    check(network, **choices)
