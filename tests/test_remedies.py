"""Advice must be enough: a description that is refused and then changed as the sentence says is accepted."""
import re

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import Network
from golden_model.remedies import remedy

SETTING = re.compile(r"(formats|learning)\.(\w+) = (?:\"([^\"]+)\"|2\*\*(-?\d+)|(\d+))")
FRACTION = re.compile(r"formats\.(\w+) must have at (?:least|most) (\d+) fraction bits")


def followed(network: Network, sentence: str) -> Network:
    """The description after the advice: its settings, or the number of fraction bits that it names."""
    data, advice = network.to_dict(), sentence.split("; choose ")[-1]
    results = SETTING.findall(advice)
    if "such a format" in advice or ("choose" not in sentence and FRACTION.match(sentence)):
        name, fraction = FRACTION.match(sentence).groups()
        word = getattr(network.formats, name)
        data["formats"][name] = str(Format(word.bits - word.fraction + int(fraction), int(fraction)))
        results = []
    for section, name, text, exponent, number in results:
        data[section][name] = text or (2.0 ** int(exponent) if exponent else int(number))
    assert data != network.to_dict(), f"no advice that can be followed: {sentence}"
    return Network.from_dict(data)


@st.composite
def descriptions(draw):
    """Words and rates far beyond what fits, constants that every format has."""
    fraction = draw(st.integers(4, 40))
    product = draw(st.integers(4, 40))
    word = st.integers(1, 20)
    rate = st.integers(0, 40).map(lambda k: 2.0**-k)
    trained = draw(st.booleans())
    instincts = {f"{name}_instinct": draw(st.sampled_from(["proportional", "proportional", "sign", "pid"]))
                 for name in ("links", "bias", "K")}
    return Network.from_dict({
        "layers": draw(st.lists(st.sampled_from([1, 10, 784, 10000]), min_size=2, max_size=4)),
        "neuron": {"K1": [0.5] * 5, "K2": [0.5] * 5, "K3": [1.0] * 5},
        "formats": {
            "displacement": f"Q1.{fraction}", "drive": f"Q{draw(word)}.{fraction}", "error": f"Q{draw(word)}.{fraction}",
            "weight": f"Q{draw(word)}.{draw(st.integers(0, 40))}", "input": draw(st.sampled_from(["UQ0.8", "Q2.20", "UQ8.0"])),
            "coupling": f"Q2.{draw(st.sampled_from([1, 1, 6, 30]))}",
            "bracket": draw(st.sampled_from(["exact", f"Q6.{fraction}"])),
            "local_product": f"Q{draw(word)}.{product}", "integral": f"Q{draw(word)}.{product}"},
        "initialisation": {"bias": 0.0},
        "learning": instincts | {
            "links": draw(rate), "bias": draw(rate), "batch": draw(st.sampled_from([1, 1, 64, 65536])),
            "halvings": draw(st.integers(0, 30)), **({name: draw(rate) for name in ("K1", "K2", "K3")} if trained else {})}})


@settings(max_examples=40)
@given(descriptions())
def test_following_the_advice_is_enough(network):
    """Two kinds of refusal may follow each other (first a word, then a sum); the advice about each is followed once."""
    met = []
    for _ in range(6):
        try:
            network.check_fixed()
            break
        except InputError as error:
            sentence = str(error)
        met.append(kind := re.sub(r"\d+|\[.*?\]", "", sentence.split(", not")[0])[:60])
        event(kind)
        network = followed(network, sentence)
    else:
        pytest.fail(f"advice after advice: {met}")
    sums = [at for at, kind in enumerate(met) if kind.startswith("every exact sum")]
    assert sums in ([], [len(met) - 1])                       # advice about sums is the last that is needed
    assert len(met) == len(set(met))                          # and no advice is given twice


@pytest.mark.parametrize("formats", [
    {name: f"Q{1 + (name != 'displacement')}.30" for name in ("displacement", "drive", "error", "weight", "local_product",
                                                               "integral")},
    {"displacement": "Q1.30", "drive": "Q1.30", "error": "Q1.30", "weight": "Q1.30", "coupling": "Q2.30"}])
def test_words_of_thirty_bits(formats):
    """They used to be told "greater rates", and with those "narrower formats"."""
    network = Network.from_dict({"layers": [784, 128, 10], "formats": formats})
    with pytest.raises(InputError, match="^every exact sum must fit 62 bits, not ") as refusal:
        network.check_fixed()
    followed(network, str(refusal.value)).check_fixed()


def test_even_the_worst_has_a_remedy():
    network = Network.from_dict({"layers": [1048576, 1048576, 2], "initialisation": {"bias": 0}, "formats": {
        "displacement": "Q1.40", "drive": "Q20.40", "error": "Q20.40", "weight": "Q20.40"}, "learning": {
            "links": 2.0**-40, "bias": 2.0**-40, "halvings": 30, "batch": 65536}})
    assert "default" not in remedy(network)
