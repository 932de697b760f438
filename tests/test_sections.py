"""What a network description refuses and in which words; hostile data is refused in a short sentence, too."""
import dataclasses
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.network import SECTIONS, Learning, Network

DEFAULT = Network(layers=(784, 128, 10))


def fails(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


WIRING_WORDS = ('each of wiring.layers must be "full", "one-to-one" or like "random 16", "convolution 5x5 stride 2 of '
                '28x28x1", "locally-connected 5x5 stride 2 of 28x28x1" or "recurrent 28 steps 2 K3 0.0625"')


@pytest.mark.parametrize(("data", "sentence"), [
    ([784, 10], "a network description must be a table, not list"),
    ({}, "a network description must have layers, for example [784, 128, 10]"),
    ({"layer": []}, "a network description has no entry 'layer'; it has " + ", ".join(sorted(["layers", "seed", *SECTIONS]))),
    ({"layers": [784]}, "layers must have at least two sizes, not (784,)"),
    ({"layers": "784,10"}, "layers must have at least two sizes, not '784,10'"),
    ({"layers": None}, "layers must have at least two sizes, not None"),
    ({"layers": [784, 0]}, "each size in layers must be a whole number from 1 to 1048576, not 0"),
    ({"layers": [2**21, 10]}, "each size in layers must be a whole number from 1 to 1048576, not 2097152"),
    ({"layers": [784, 10.0]}, "each size in layers must be a whole number from 1 to 1048576, not 10.0"),
    ({"layers": [784, True]}, "each size in layers must be a whole number from 1 to 1048576, not True"),
    ({"layers": [784, [10]]}, "each size in layers must be a whole number from 1 to 1048576, not [10]"),
    ({"seed": -1}, "seed must be a whole number from 0 to 9223372036854775807, not -1"),
    ({"seed": 2**63}, "seed must be a whole number from 0 to 9223372036854775807, not 9223372036854775808"),
    ({"seed": "0"}, "seed must be a whole number from 0 to 9223372036854775807, not '0'"),
    ({"neuron": [1]}, "neuron must be a table, not [1]"),
    ({"neuron": {"K4": [1]}},
     "neuron has no entry 'K4'; it has K1, K2, K3, rest, input_population, output_population, gate_floor"),
    ({"neuron": {"K1": 0.5}}, "neuron.K1 must be five numbers, one for each population, not 0.5"),
    ({"neuron": {"K2": [1, 2, 3, 4]}}, "neuron.K2 must be five numbers, one for each population, not [1, 2, 3, 4]"),
    ({"neuron": {"K2": [1, 2, 3, 4, 5, 6, 7, 8]}},
     "neuron.K2 must be five numbers, one for each population, not [1, 2, 3, 4, 5, 6, 7, 8]"),
    ({"neuron": {"K3": [1] * 9}}, "neuron.K3 must be five numbers, one for each population, not [1, 1, 1, 1, 1, 1, 1, 1, ...]"),
    ({"neuron": {"K1": [1, 2, 3, 4, "5"]}}, "neuron.K1 must be a finite number, not '5'"),
    ({"neuron": {"K1": [1, 2, 3, 4, float("nan")]}}, "neuron.K1 must be a finite number, not nan"),
    ({"neuron": {"K1": [1, 2, 3, 4, 10**400]}},
     f"neuron.K1 must be a finite number, not 1{'0' * 37}...{'0' * 39}"),
    ({"neuron": {"K3": [1, 1, -0.5, 1, 1]}}, "neuron.K3 must be 0 (oscillator) or more (propagator), not -0.5"),
    ({"neuron": {"rest": [1, 1, 1, 1, 0]}}, "neuron.rest must be positive populations, not 0"),
    ({"neuron": {"input_population": 5}}, "neuron.input_population must be a whole number from 0 to 4, not 5"),
    ({"neuron": {"output_population": 1.0}}, "neuron.output_population must be a whole number from 0 to 4, not 1.0"),
    ({"neuron": {"gate_floor": 0}}, "neuron.gate_floor must lie between 0 and the least rest value, not 0"),
    ({"neuron": {"gate_floor": 0.5, "rest": [1, 1, 0.25, 1, 1]}},
     "neuron.gate_floor must lie between 0 and the least rest value, not 0.5"),
    ({"neuron": {"gate_floor": 1}}, "neuron.gate_floor must lie between 0 and the least rest value, not 1"),
    ({"neuron": {"gate_floor": None}}, "neuron.gate_floor must be a finite number, not None"),
    ({"integration": {"dt": 0.3}}, "integration.dt must be a power of two from 2**-12 to 1, not 0.3"),
    ({"integration": {"dt": 2}}, "integration.dt must be a power of two from 2**-12 to 1, not 2"),
    ({"integration": {"dt": 2**-13}}, "integration.dt must be a power of two from 2**-12 to 1, not 0.00012207"),
    ({"integration": {"dt": True}}, "integration.dt must be a finite number, not True"),
    ({"integration": {"steps": 0}}, "integration.steps must be a whole number from 1 to 100000, not 0"),
    ({"integration": {"speed": 0}}, "integration has no entry 'speed'; it has dt, steps"),
    ({"formats": {"weight": 16}}, 'formats.weight must be a format like "Q1.12", not 16'),
    ({"formats": {"weight": None}}, 'formats.weight must be a format like "Q1.12", not None'),
    ({"formats": {"weight": "exact"}},
     """a format must be written like "Q1.12" (signed) or "UQ0.8" (unsigned), not 'exact'"""),
    ({"formats": {"bracket": 16}}, 'formats.bracket must be a format like "Q1.12", not 16'),
    ({"formats": {"weight": "Q99.9"}}, "a format must have 1 to 62 bits, not 108"),
    ({"formats": {"drive": "UQ4.12"}}, "formats.drive must be signed, not UQ4.12; write Qm.f without the U"),
    ({"formats": {"drive": "Q4.11"}}, "formats.drive must have the 12 fraction bits of formats.displacement, not 11"),
    ({"formats": {"error": "Q1.13"}}, "formats.error must have the 12 fraction bits of formats.displacement, not 13"),
    ({"formats": {"bracket": "Q5.11"}},
     "formats.bracket must be signed with 12 to 13 fraction bits (those of the exact bracket), not Q5.11"),
    ({"formats": {"bracket": "Q5.14"}},
     "formats.bracket must be signed with 12 to 13 fraction bits (those of the exact bracket), not Q5.14"),
    ({"formats": {"bracket": "UQ5.12"}},
     "formats.bracket must be signed with 12 to 13 fraction bits (those of the exact bracket), not UQ5.12"),
    ({"initialisation": {"gain": -1}}, "initialisation gains must be 0 or more, not -1"),
    ({"initialisation": {"input_gain": float("inf")}}, "initialisation.input_gain must be a finite number, not inf"),
    ({"initialisation": {"bias": "-1"}}, "initialisation.bias must be a finite number, not '-1'"),
    ({"learning": {"links": 2}}, "learning.links must be a rate from 0 to 1, not 2"),
    ({"learning": {"K3": -0.5}}, "learning.K3 must be a rate from 0 to 1, not -0.5"),
    ({"learning": {"bias": False}}, "learning.bias must be a finite number, not False"),
    ({"learning": {"margin": 1}}, "learning.margin must lie between 0 and 1, not 1"),
    ({"learning": {"margin": 0}}, "learning.margin must lie between 0 and 1, not 0"),
    ({"learning": {"K3_minimum": 0}}, "learning.K3_minimum must be positive to keep propagators, not 0"),
    ({"learning": {"epochs": 0}}, "learning.epochs must be a whole number from 1 to 1000000, not 0"),
    ({"learning": {"halvings": 31}}, "learning.halvings must be a whole number from 0 to 30, not 31"),
    ({"learning": {"batch": 65_537}}, "learning.batch must be a whole number from 1 to 65536, not 65537"),
    ({"learning": {"links_instinct": "PID"}}, "learning.links_instinct must be proportional, sign or pid, not 'PID'"),
    ({"learning": {"K_instinct": None}}, "learning.K_instinct must be proportional, sign or pid, not None"),
    ({"learning": {"bias_gains": 1}}, "learning.bias_gains must be three numbers, P, I and D, not 1"),
    ({"learning": {"bias_gains": [1, 0]}}, "learning.bias_gains must be three numbers, P, I and D, not [1, 0]"),
    ({"learning": {"K_gains": [1, 0, "0"]}}, "learning.K_gains must be a finite number, not '0'"),
    ({"learning": {"K_instinct": "pid", "K_gains": [1, 0.3, 0]}},
     "each of learning.K_gains must be 0 or a power of two from 2**-16 to 16, not 0.3"),
    ({"learning": {"K_instinct": "pid", "K_gains": [1, 0, -1]}},
     "each of learning.K_gains must be 0 or a power of two from 2**-16 to 16, not -1"),
    ({"learning": {"K_instinct": "pid", "K_gains": [32, 0, 0]}},
     "each of learning.K_gains must be 0 or a power of two from 2**-16 to 16, not 32"),
    ({"learning": {"links_instinct": "pid", "links_gains": [0, 0, 0]}},
     "learning.links_gains must not all be 0; set the rate to 0 for what is not to learn"),
    ({"learning": {"links_instinct": "sign", "links_gains": [1, 0.5, 0]}},
     "learning.links_gains must be (1, 0, 0) unless learning.links_instinct is pid, not (1.0, 0.5, 0.0)"),
    ({"learning": {"links_instinct": "pid", "leak": 0.3}},
     "learning.leak must be 0 or a power of two from 2**-16 to 1/2, not 0.3"),
    ({"learning": {"links_instinct": "pid", "leak": 1}}, "learning.leak must be 0 or a power of two from 2**-16 to 1/2, not 1"),
    ({"learning": {"leak": 0.5}}, "learning.leak must be 0 unless an instinct is pid, not 0.5"),
    ({"formats": {"integral": "Q4.13"}}, "formats.integral must have the 14 fraction bits of formats.local_product, not 13"),
    ({"formats": {"local_product": "UQ2.14"}},
     "formats.local_product must be signed, not UQ2.14; write Qm.f without the U"),
    ({"wiring": {"layers": "full"}}, "wiring.layers must be one word for each layer of neurons, not 'full'"),
    ({"wiring": {"layers": ["sparse"]}},
     f"{WIRING_WORDS}, not 'sparse'"),
    ({"wiring": {"layers": ["random 0"]}},
     f"{WIRING_WORDS}, not 'random 0'"),
    ({"wiring": {"layers": [16]}}, f"{WIRING_WORDS}, not 16"),
    ({"wiring": {"layers": ["random 3", "full"]}},
     "wiring.layers must have one word for each of the 1 layers of neurons, not 2"),
    ({"wiring": {"layers": ["full", "full"]}},
     "wiring.layers must have one word for each of the 1 layers of neurons, not 2"),
    ({"wiring": {"layers": ["one-to-one"]}},
     "a one-to-one layer must have as many neurons as inputs, but layer 0 has 10 for 784; choose a random wiring"),
    ({"wiring": {"layers": ["random 785"]}},
     """layer 0 has 784 inputs, so its wiring must be at most "random 784", not 'random 785'"""),
])
def test_what_a_description_refuses(data, sentence):
    if isinstance(data, dict) and data and "layer" not in data:
        data = {"layers": [784, 10], **data}
    with fails(sentence):
        Network.from_dict(data)


def test_sections_must_be_their_classes():
    with fails("neuron must be a Neuron, not None"):
        Network(layers=(4, 2), neuron=None)
    with fails("learning must be a Learning, not {'epochs': 3}"):
        Network(layers=(4, 2), learning={"epochs": 3})


COUPLING, DRIVE = ("0.5", "[-2, 1.5]", "Q2.1"), ("0.000244141", "[-8, 7.99976]", "Q4.12")
DISPLACEMENT = ("0.000244141", "[-1, 0.999756]", "Q1.12")


def not_held(name, word, value, remedy):
    step, span, text = word
    return f"{name} must be a multiple of {step} in {span} to be held in {text}, not {value}; choose {remedy}"


@pytest.mark.parametrize(("data", "sentence"), [
    ({"neuron": {"K1": [0.3] * 5}}, not_held("neuron.K1", COUPLING, "0.3", "0.5, which is near")),
    ({"neuron": {"K3": [2] * 5}}, not_held("neuron.K3", COUPLING, "2", "Q3.1, which holds it")),
    ({"neuron": {"rest": [1, 1, 1, 1, 2]}},
     not_held("-neuron.rest (the displacement of an extinct population)", DISPLACEMENT, "-2", "Q2.12, which holds it")),
    ({"neuron": {"gate_floor": 0.1}}, not_held("neuron.gate_floor", DISPLACEMENT, "0.1", "0.10009765625, which is near")),
    ({"learning": {"margin": 0.7}}, not_held("learning.margin", DISPLACEMENT, "0.7", "0.699951171875, which is near")),
    ({"initialisation": {"bias": 8}}, not_held("initialisation.bias", DRIVE, "8", "Q5.12, which holds it")),
    ({"learning": {"K1": 0.5, "K3_minimum": 0.25}}, not_held("learning.K3_minimum", COUPLING, "0.25", "Q2.2, which holds it")),
    ({"learning": {"links": 0.1}},
     "learning.links must be a power of two for integer arithmetic, not 0.1; the nearest is 2**-3"),
    ({"formats": {"weight": "Q2.3"}},
     "formats.weight must have at least 4 fraction bits for the drive of layer 0, not 3"),
    ({"formats": {"weight": "Q2.26"}},
     ("formats.weight must have at most 24 fraction bits for the products of layer 0 at this rate, not 26; choose such a "
     "format, or learning.links = 2**-6 or less")),
    ({"learning": {"K1": 1.0}, "formats": {"coupling": "Q2.30", "weight": "Q2.14"}},
     ("formats.coupling must have at most 24 fraction bits for the products of K1 at this rate, not 30; choose "
     "learning.K1 = 2**-6 or less")),
    ({"formats": {"weight": "Q40.14"}},
     "every exact sum must fit 62 bits, not 74 for reverse_link_sum[0]; choose formats.weight = \"Q16.14\""),
    ({"learning": {"links": 2.0**-60}},
     "every exact sum must fit 62 bits, not 92 for updated_weight[1]; choose learning.links = 2**-30"),
    ({"learning": {"bias": 2.0**-1074}},
     "every exact sum must fit 62 bits, not 1096 for updated_bias; choose learning.bias = 2**-40"),
    ({"learning": {"K2": 2.0**-30, "halvings": 30}},
     "every exact sum must fit 62 bits, not 87 for updated_coupling; choose learning.K2 = 2**-5"),
    ({"learning": {"bias": 2**-8, "bias_instinct": "sign"}},
     ("a sign instinct must change by a step of Q4.12 (2**-12) or more, not by 2**-13 as learning.bias after 5 halvings; "
      "choose learning.bias = 2**-7 or more")),
    ({"learning": {"K1": 2**-12, "K_instinct": "sign"}},
     ("a sign instinct must change by a step of Q2.1 (2**-1) or more, not by 2**-17 as learning.K1 after 5 halvings; "
      "choose learning.halvings = 1, learning.K1 = 1")),
    ({"learning": {"links_instinct": "pid", "links_gains": [1, 2**-16, 1]}, "formats": {"local_product": "Q2.38",
                                                                                        "integral": "Q4.38"}},
     "every exact sum must fit 62 bits, not 66 for updated_weight[0]; choose learning.links = 1"),
    ({"learning": {"bias_instinct": "pid"}, "formats": {"local_product": "Q1.61", "integral": "Q1.61"}},
     ("every exact sum must fit 62 bits, not 64 for integral; choose formats.local_product = \"Q1.30\", formats.integral = "
     "\"Q1.30\"")),
])
def test_what_integers_refuse(data, sentence):
    network = Network.from_dict({"layers": [784, 128, 10], **data})
    with fails(sentence):
        network.check_fixed()


def test_text_that_is_no_json_or_toml():
    with fails("a network description must be valid JSON: Expecting value: line 1 column 1 (char 0)"):
        Network.from_json("")
    with pytest.raises(InputError, match="^a network description must be valid TOML: "):
        Network.from_toml("layers = [1, 2")


# ---------------------------------------------------------------- hostile data

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from([10**400, -10**400, 2**63, 1, 2, 5])
    | st.floats() | st.text(max_size=20) | st.sampled_from(["Q1.12", "UQ0.8", "exact", "Q0.0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=12)
FIELDS = [(section, entry.name) for section, kind in SECTIONS.items() for entry in dataclasses.fields(kind)]


def read(reader, data):
    """A description that survives being written and read again, or a short sentence; anything else is a fault."""
    sentence = ""
    try:
        network = reader(data)
        assert Network.from_json(network.to_json()) == network
    except InputError as error:
        sentence = str(error)
    assert len(sentence) < 1500


@given(st.dictionaries(st.sampled_from(FIELDS), junk, min_size=1, max_size=3), st.booleans())
def test_fields_of_any_kind(entries, with_layers):
    data = {"layers": [4, 2]} if with_layers else {}
    for (section, name), value in entries.items():
        data.setdefault(section, {})[name] = value
    read(Network.from_dict, data)


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_numbers_of_more_digits_than_python_prints(section, name):
    for value in (16**6000, [-(16**6000)] * 5, {"a": 16**6000}):
        with pytest.raises(InputError, match=r"not something too large to print$"):
            Network.from_dict({"layers": [4, 2], section: {name: value}})


@given(st.dictionaries(st.sampled_from(["layers", "seed", *SECTIONS]) | st.text(max_size=5) | st.integers(), junk, max_size=4),
       junk)
def test_tables_of_any_kind(data, whole):
    read(Network.from_dict, data)
    read(Network.from_dict, {"layers": [4, 2], **data})
    read(Network.from_dict, {"layers": [4, 2], "learning": data})
    read(Network.from_dict, whole)


@given(st.text() | st.sampled_from(["NaN", "[]", '"', "{", "1e999", "null"]))
def test_texts_of_any_kind(text):
    for reader in (Network.from_json, Network.from_toml):
        read(reader, text)
        read(reader, f'{{"layers": [4, 2], "seed": {text}}}')
        read(reader, f"layers = [4, 2]\nseed = {text}")


@pytest.mark.parametrize("text", [
    "9" * 5000, "0x" + "f" * 5000, "[" * 100_000, "[" * 800 + "]" * 800, '{"a":' * 100_000, "1e999", "NaN", "nan",
    "1979-05-27T07:32:00Z", '"' + "x" * 10**6 + '"'], ids=lambda text: text[:4])
def test_huge_and_deep_texts(text):
    json_texts = (text, f'{{"layers": [4, 2], "seed": {text}}}', f'{{"layers": {text}}}',
                  f'{{"layers": [4, 2], "formats": {{"input": {text}}}}}')
    toml_texts = (f"layers = [4, 2]\nseed = {text}", f"layers = {text}", f"formats.input = {text}", f"neuron.K1 = [{text}]")
    for reader, texts in ((Network.from_json, json_texts), (Network.from_toml, toml_texts)):
        for document in texts:
            with pytest.raises(InputError) as error:
                reader(document)
            assert len(str(error.value)) < 1500


@pytest.mark.parametrize(("changes", "sentence"), [
    ({"dropout": 1.0}, "learning.dropout must be a share from 0 to below 1, not 1"),
    ({"dropout": -0.1}, "learning.dropout must be a share from 0 to below 1, not -0.1"),
    ({"average": 61}, "learning.average must be a whole number from 0 to 60, not 61"),
    ({"frozen": -1}, "learning.frozen must be a whole number from 0 to 1000, not -1")])
def test_dropout_average_and_frozen_layers_have_ranges(changes, sentence):
    with pytest.raises(InputError, match="^" + re.escape(sentence) + "$"):
        Learning(**changes)
