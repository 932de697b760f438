"""The network description: what it derives, JSON and TOML both ways, the digest. What it refuses: ``test_sections``."""
import dataclasses
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import MOST_BITS, Format
from golden_model.network import SECTIONS, TRAINING, Formats, Initialisation, Integration, Learning, Network, Neuron, Wiring

DEFAULT = Network(layers=(784, 128, 10))
DIGEST = "016cab2944411849b92c9f6ea88f2a6beefe6b6e74b89bf83b451a66bc4399be"


def fails(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


# ---------------------------------------------------------------- valid descriptions, at random

numbers = st.floats(allow_nan=False, allow_infinity=False)
positive = st.floats(0, exclude_min=True, allow_infinity=False)
rates = st.one_of(st.just(0.0), st.integers(0, 40).map(lambda n: 2.0**-n), st.floats(0, 1))


def five(values):
    return st.tuples(values, values, values, values, values)


@st.composite
def neurons(draw):
    rest = draw(five(st.floats(1e-300, allow_infinity=False)))
    return Neuron(K1=draw(five(numbers)), K2=draw(five(numbers)), K3=draw(five(st.floats(0, allow_infinity=False))), rest=rest,
                  input_population=draw(st.integers(0, 4)), output_population=draw(st.integers(0, 4)),
                  gate_floor=draw(st.floats(0, min(rest), exclude_min=True, exclude_max=True)))


@st.composite
def format_sets(draw):
    def word(fraction=None, signed=True):
        bits = draw(st.integers(max(fraction or 0, 1), MOST_BITS))
        return Format(bits, draw(st.integers(0, bits)) if fraction is None else fraction, signed)

    displacement, coupling, local_product = word(), word(), word()
    least = displacement.fraction
    bracket = draw(st.none() | st.integers(least, min(least + coupling.fraction, MOST_BITS)))
    return Formats(displacement=displacement, drive=word(least), weight=word(), input=word(signed=draw(st.booleans())),
                   error=word(least), coupling=coupling, bracket=None if bracket is None else word(bracket),
                   local_product=local_product, integral=word(local_product.fraction))


@st.composite
def learnings(draw):
    gain = st.sampled_from([0.0, 2**-16, 0.5, 1.0, 16.0])
    gains = st.tuples(gain, gain, gain).filter(any)
    instincts = {f"{name}_instinct": draw(st.sampled_from(["proportional", "sign", "pid"])) for name in ("links", "bias", "K")}
    pid = [name.removesuffix("_instinct") for name, instinct in instincts.items() if instinct == "pid"]
    return draw(st.builds(
        Learning, links=rates, bias=rates, K1=rates, K2=rates, K3=rates, K3_minimum=positive,
        margin=st.floats(0, 1, exclude_min=True, exclude_max=True), epochs=st.integers(1, 1_000_000),
        halvings=st.integers(0, 30), batch=st.integers(1, 65_536), leak=st.sampled_from([0.0, 2**-16, 0.5] if pid else [0.0]),
        **{name: st.just(instinct) for name, instinct in instincts.items()}, **{f"{name}_gains": gains for name in pid}))


@st.composite
def layers_and_wiring(draw):
    """Sizes of layers and a wiring that fits them."""
    sizes = draw(st.lists(st.integers(1, 1 << 20), min_size=2, max_size=6).map(tuple))
    words = [draw(st.sampled_from(["full", f"random {draw(st.integers(1, inputs))}"])) for inputs in sizes[:-1]]
    return {"layers": sizes, "wiring": Wiring(layers=tuple(words) if draw(st.booleans()) else ())}


networks = st.builds(
    lambda wired, **rest: Network(**wired, **rest), wired=layers_and_wiring(), neuron=neurons(),
    integration=st.builds(Integration, dt=st.integers(0, 12).map(lambda n: 2.0**-n), steps=st.integers(1, 100_000)),
    formats=format_sets(),
    initialisation=st.builds(Initialisation, input_gain=st.just(-0.0) | positive, gain=positive, bias=numbers),
    learning=learnings(),
    seed=st.integers(0, 2**63 - 1))


@given(networks)
def test_json_toml_and_tables_give_an_equal_description_back(network):
    for same in (Network.from_json(network.to_json()), Network.from_toml(network.to_toml()),
                 Network.from_dict(network.to_dict()), Network.from_dict(json.loads(json.dumps(network.to_dict())))):
        assert same == network
        assert hash(same) == hash(network)
        assert same.digest == network.digest


@given(networks)
def test_every_description_has_its_widths_checked_or_refused(network):
    """``check_fixed`` either says in a sentence what is wrong, or every sum fits and every shift goes to the right."""
    try:
        network.check_fixed()
    except InputError:
        return
    assert max(network.widths().values()) <= MOST_BITS


# ---------------------------------------------------------------- the digest

def test_digest_of_the_default_is_what_it_was():
    """A change of this literal means that no bitstream and no Verilog made before it matches its model any longer."""
    assert DEFAULT.digest == DIGEST


ALL_PID = DEFAULT.with_learning(links_instinct="pid", bias_instinct="pid", K_instinct="pid").digest


def changes():
    """Every field by which bits are decided, with another value."""
    other = {"K1": (0.5, 0.5, 0.5, 0.5, 0.25), "K2": (0.25, 0.5, 0.5, 0.5, 0.5), "K3": (1.0, 1.0, 0.5, 1.0, 1.0),
             "rest": (1.0, 1.0, 1.0, 1.0, 0.5), "input_population": 2, "output_population": 3, "gate_floor": 1 / 32, "dt": 0.25,
             "steps": 7, "displacement": "Q2.12", "drive": "Q5.12", "weight": "Q3.14", "input": "UQ1.8", "error": "Q2.12",
             "coupling": "Q3.1", "bracket": "Q4.12", "local_product": "Q3.14", "integral": "Q5.14",
             "layers": ["full", "random 3"], "magnification": [2],
             **{f"{name}_instinct": "pid" for name in ("links", "bias", "K")}}
    pid = {"links_instinct": "pid", "bias_instinct": "pid", "K_instinct": "pid"}
    for section, kind in SECTIONS.items():
        for entry in dataclasses.fields(kind):
            now = getattr(getattr(DEFAULT, section), entry.name)
            if section == "initialisation" or entry.name in TRAINING:
                continue
            if entry.name.endswith("_gains") or entry.name == "leak":
                then = 0.5 if entry.name == "leak" else [0.5, 1, 2]
                yield pytest.param({section: {**pid, entry.name: then}}, id=f"{section}.{entry.name}")
                continue
            counts = section == "learning" and not isinstance(now, (str, tuple))
            then = now + (1 if isinstance(now, int) else 2**-6) if counts else other[entry.name]
            yield pytest.param({section: {entry.name: then}}, id=f"{section}.{entry.name}")
    yield pytest.param({"layers": [784, 128, 11]}, id="layers")


@pytest.mark.parametrize("change", list(changes()))
def test_digest_sees_every_field_that_decides_bits(change):
    assert Network.from_dict({"layers": [784, 128, 10], **change}).digest not in (DIGEST, ALL_PID)


@pytest.mark.parametrize("change", [
    {"seed": 1}, {"seed": 2}, {"learning": {"epochs": 3}}, {"learning": {"dropout": 0}}, {"learning": {"average": 2}},
    {"initialisation": {"input_gain": 1}}, {"initialisation": {"gain": 2}}, {"initialisation": {"bias": 0}}], ids=str)
def test_digest_does_not_see_what_only_training_reads(change):
    """Three seeds of one network, trained as long as one likes, are one circuit."""
    other = Network.from_dict({"layers": [784, 128, 10], **change})
    assert other != DEFAULT
    assert other.digest == DIGEST


def test_digest_sees_the_seed_if_links_are_drawn_by_it():
    def digests(*wiring):
        return {Network(layers=(4, 4, 4), seed=seed, wiring=Wiring(layers=wiring)).digest for seed in range(3)}
    assert len(digests("full", "random 4")) == len(digests("random 4", "full")) == 3
    assert len(digests("one-to-one", "full")) == len(digests("convolution 1x1 stride 1 of 2x2x1", "full")) == 1


@pytest.mark.parametrize(("same", "as_this"), [
    ({"integration": {"dt": 1}}, {"integration": {"dt": 1.0}}),
    ({"initialisation": {"bias": -0.0}}, {"initialisation": {"bias": 0}}),
    ({"neuron": {"K1": [0, 1, -0.0, 1, 1]}}, {"neuron": {"K1": [0.0, 1.0, 0.0, 1.0, 1.0]}}),
    ({"neuron": {"rest": [np.float64(2.0)] * 5, "gate_floor": 1}}, {"neuron": {"rest": [2] * 5, "gate_floor": 1.0}}),
    ({"learning": {"links": 1, "K3_minimum": 2}}, {"learning": {"links": 1.0, "K3_minimum": 2.0}}),
    ({"formats": {"weight": "Q02.14"}}, {"formats": {"weight": Format(16, 14)}}),
    ({"formats": {"bracket": "exact"}}, {"formats": {"bracket": None}}),
    ({}, {"seed": 0, "learning": {}}),
    ({"wiring": {"layers": ["full"]}}, {"wiring": {"layers": []}}),
    ({"learning": {"bias_instinct": "pid", "bias_gains": [1, 0, -0.0]}}, {"learning": {"bias_instinct": "pid"}}),
])
def test_equal_descriptions_have_equal_digests(same, as_this):
    one, other = (Network.from_dict({"layers": [2, 1], **data}) for data in (same, as_this))
    assert one == other
    assert one.digest == other.digest


def test_json_and_toml_are_plain_to_read():
    assert Network.from_json('{"layers": [4, 2], "formats": {"bracket": "exact"}}') == Network(layers=(4, 2))
    text = "layers = [4, 2]\nseed = 3\n[learning]\nlinks = 0.125\n[neuron]\nK3 = [0, 0, 0, 0, 0]\n"
    assert Network.from_toml(text) == Network(layers=(4, 2), seed=3, learning=Learning(links=1 / 8),
                                              neuron=Neuron(K3=(0.0,) * 5))
    assert json.loads(DEFAULT.to_json())["formats"] == {
        "displacement": "Q1.12", "drive": "Q4.12", "weight": "Q2.14", "input": "UQ0.8", "error": "Q1.12", "coupling": "Q2.1",
        "local_product": "Q2.14", "integral": "Q4.14",
        "bracket": "exact"}


def test_a_description_is_frozen_and_keyword_only():
    for part in (DEFAULT, DEFAULT.neuron, DEFAULT.integration, DEFAULT.formats, DEFAULT.initialisation, DEFAULT.learning):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(part, dataclasses.fields(part)[0].name, None)
        with pytest.raises(TypeError, match="positional argument"):
            type(part)((4, 2))
    assert Network(layers=[4, 2]).layers == (4, 2)
    assert hash(Network(layers=[4, 2], neuron=Neuron(K1=[1, 1, 1, 1, 1]))) == hash(
        Network(layers=(4, 2), neuron=Neuron(K1=(1, 1, 1, 1, 1))))


# ---------------------------------------------------------------- learning

def test_rate_schedule_halves_at_even_distances():
    learning = Learning(epochs=15, halvings=3)
    assert [learning.halvings_before(epoch) for epoch in range(16)] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4
    assert [Learning(epochs=3, halvings=8).halvings_before(epoch) for epoch in range(3)] == [0, 3, 6]
    assert {Learning(epochs=5, halvings=0).halvings_before(epoch) for epoch in range(9)} == {0}


@given(st.integers(1, 200), st.integers(0, 30))
def test_rate_schedule_never_goes_back(epochs, halvings):
    learning = Learning(epochs=epochs, halvings=halvings)
    course = [learning.halvings_before(epoch) for epoch in range(epochs + 5)]
    assert course[0] == 0
    assert course == sorted(course)
    assert course[-1] == halvings
    if epochs > halvings:
        assert sorted(set(course[:epochs])) == list(range(halvings + 1))


def test_integer_rates():
    learning = Learning(links=2**-4, bias=1.0, K1=0.0, K2=2**-10, epochs=15, halvings=3)
    assert learning.rate_shifts(0) == {"links": 4, "bias": 0, "K1": None, "K2": 10, "K3": None}
    assert learning.rate_shifts(12) == {"links": 7, "bias": 3, "K1": None, "K2": 13, "K3": None}
    assert learning.greatest_rate_shifts() == {"links": 7, "bias": 3, "K1": None, "K2": 13, "K3": None}
    assert all(Learning(**{name: 2**-20}).trains_K for name in ("K1", "K2", "K3"))
    assert not Learning(links=1, bias=1).trains_K
    with fails("learning.K2 must be a power of two for integer arithmetic, not 0.3; the nearest is 2**-2"):
        Learning(K2=0.3).rate_shifts(0)


def test_with_learning():
    other = DEFAULT.with_learning(epochs=3, links=1 / 8)
    assert other == Network(layers=(784, 128, 10), learning=Learning(epochs=3, links=1 / 8))
    with fails("learning.epochs must be a whole number from 1 to 1000000, not 0"):
        DEFAULT.with_learning(epochs=0)


def test_the_words_of_before_are_read_and_the_digest_stays():
    """The digest is that of the default 784-128-10 as it was before its entries were called populations."""
    old = {"layers": [3, 2], "neuron": {"input_element": 2, "output_element": 4}}
    network = Network.from_dict(old)
    assert (network.neuron.input_population, network.neuron.output_population) == (2, 4)
    assert network == Network(layers=(3, 2), neuron=Neuron(input_population=2, output_population=4))
    assert network.to_dict()["neuron"].keys() & {"input_element", "input_population"} == {"input_population"}
    assert Network(layers=(784, 128, 10)).digest == "016cab2944411849b92c9f6ea88f2a6beefe6b6e74b89bf83b451a66bc4399be"
    with pytest.raises(InputError, match=r"^neuron\.input_element must not be beside neuron\.input_population, its name "
                                         r"today; leave it out$"):
        Network.from_dict({"layers": [3, 2], "neuron": {"input_element": 2, "input_population": 2}})


def test_no_more_layers_are_frozen_than_there_are():
    for frozen in (0, 2):
        assert Network(layers=(4, 3, 2), learning=Learning(frozen=frozen)).learning.frozen == frozen
    with fails("learning.frozen must be 0 to 2 for layers (4, 3, 2), not 3"):
        Network(layers=(4, 3, 2), learning=Learning(frozen=3))
