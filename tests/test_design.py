"""What becomes a circuit, and one sentence for everything that cannot."""
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.network import Formats, Integration, Learning, Network, Neuron, Wiring
from hdl.design import Design, units_within
from hdl.layer_design import signed_digits

NETWORK = Network(layers=(6, 4, 3))
RECURRENT = Network(layers=(6, 8, 3), wiring=Wiring(layers=("recurrent 2 steps 1 K3 1", "full")), formats=Formats(
    bracket="Q6.12"))
CONVOLUTION = Network(layers=(6, 8, 3), wiring=Wiring(layers=("convolution 2x2 stride 1 of 3x2x1", "full")))


def with_learning(**changes):
    return Network(layers=(6, 4, 3), learning=Learning(**changes))


def with_formats(**changes):
    return Network(layers=(6, 4, 3), formats=Formats(**changes))


def with_neuron(**changes):
    return Network(layers=(6, 4, 3), neuron=Neuron(**changes))


REFUSED = [
    # how it learns
    ({"network": Network(layers=(6, 4, 3), learning=Learning(K2=0.0625), formats=Formats(bracket="Q6.12"))},
     ("a core that learns K must be of kind programmable, because those of kind shift are wired, but learning.K1, K2 or K3 is "
      "not 0; choose kind programmable, or generate a core that only infers")),
    ({"network": Network(layers=(6, 4, 3), learning=Learning(K2=0.0625, K_instinct="sign"), formats=Formats(
        bracket="Q6.12", coupling="Q2.12")), "kind": "programmable"},
     ("a core that learns K must have learning.K_instinct proportional, not sign; change it, or generate a core that only "
      "infers")),
    ({"network": Network(layers=(6, 4, 3), learning=Learning(K1=2.0**-8, K3=2.0**-14), formats=Formats(
        bracket="Q6.12", coupling="Q2.22")), "kind": "programmable"},
     ("displacements times rate of K must fit the 18-bit operand of target portable, but layer 0 needs 24 bits; set "
      'formats.displacement = "Q1.11", formats.drive = "Q4.11", formats.error = "Q1.11", learning.halvings = 0')),
    ({"network": Network(layers=(6, 4, 3), formats=Formats(bracket="Q4.12", coupling="Q2.30")), "kind": "programmable",
      "target": "ice40"},
     ("formats.coupling must have at most 31 bits for the two products of a K of target ice40, not 32; set formats.coupling = "
      '"Q2.29"')),
    ({"network": with_learning(batch=16)}, "a core learns one image at a time, so learning.batch must be 1, not 16"),
    ({"network": with_learning(links_instinct="pid")},
     ("a core that learns must have learning.links_instinct proportional or sign, not pid; change it, or generate a core that "
      "only infers")),
    ({"network": with_learning(bias_instinct="pid")},
     ("a core that learns must have learning.bias_instinct proportional or sign, not pid; change it, or generate a core that "
      "only infers")),
    ({"network": Network.from_dict({"layers": [6, 4, 3], "wiring": {"layers": ["random 2", "full"]}})},
     ("a core that learns must have full wiring, because it updates every link; leave wiring.layers empty, or generate a core "
      "that only infers")),
    # how many units
    ({"network": NETWORK, "units": (4, 5)},
     "layer 1 must have 1 to 3 processing units, one per neuron at most, not 5"),
    ({"network": NETWORK, "units": (0, 3)},
     "layer 0 must have 1 to 4 processing units, one per neuron at most, not 0"),
    ({"network": NETWORK, "units": (4,)}, "units must name one number for each of 2 layers, not 1"),
    ({"network": Network(layers=(6, 70000, 3))}, "layers must have at most 65503 neurons in hardware, not 70000"),
    # which kind and target
    ({"network": NETWORK, "kind": "analogue"}, "kind must be shift or programmable, not 'analogue'"),
    ({"network": NETWORK, "target": "xilinx"}, "target must be portable, ecp5 or ice40, not 'xilinx'"),
    ({"network": Network(layers=(6, 3), neuron=Neuron(K1=(0.6875,) * 5), formats=Formats(coupling="Q2.4", bracket="Q4.12"))},
     "neuron.K1 of kind shift must be signed powers of two or sums of two, not 0.6875; choose kind programmable"),
    # what the DSP block takes
    ({"network": with_formats(weight="Q5.14")},
     ("formats.weight must fit the 18-bit operand of target portable, but layer 0 needs 19 bits; set "
      'formats.weight = "Q4.14"')),
    ({"network": with_formats(drive="Q5.12", bracket="Q4.12"), "target": "ice40"},
     ("formats.drive (bias) must fit the 16-bit operand of target ice40, but layer 0 needs 17 bits; set "
      'formats.drive = "Q4.12", learning.halvings = 3')),
    ({"network": NETWORK, "target": "ice40"},
     ('the bracket must fit the 16-bit operand of target ice40, but layer 0 needs 18 bits; set formats.bracket = "Q4.12", '
      'learning.halvings = 3')),
    ({"network": with_formats(bracket="Q4.12"), "target": "ice40"},
     ("inputs times rate must fit the 16-bit operand of target ice40, but layer 1 needs 18 bits; set "
      "learning.halvings = 3")),
    ({"network": Network(layers=(6, 4, 3), formats=Formats(displacement="Q1.16", drive="Q2.16", error="Q1.16", weight="Q2.14",
                                                           bracket="Q1.16"))},
     ("formats.displacement (gate) must fit the 18-bit operand of target portable, but layer 0 needs 19 bits; set "
      'formats.displacement = "Q1.15", formats.drive = "Q2.15", formats.error = "Q1.15", learning.halvings = 0')),
    # what the contract refuses before
    ({"network": with_learning(links=0.06)},
     "learning.links must be a power of two for integer arithmetic, not 0.06; the nearest is 2**-4"),
    # which wiring
    ({"network": Network.from_dict({"layers": [6, 8, 3], "wiring": {"layers": ["recurrent 2 steps 1 K3 1", "full"]}})},
     ('the bracket must fit the 18-bit operand of target portable, but layer 0 needs 19 bits; set formats.bracket = "Q6.12"')),
    ({"network": Network(layers=(6, 4, 4, 3), wiring=Wiring(layers=("full", "recurrent 2 steps 1 K3 1", "full")))},
     "only the first layer of a core may be recurrent, but layer 1 is; replace it by a full layer"),
    ({"network": replace(RECURRENT, wiring=Wiring(layers=("recurrent 2 steps 1 K3 1 every frame", "full")))},
     ("a recurrent layer of a core must send what its neurons say after the last frame, but wiring.layers has recurrent 2 "
      "steps 1 K3 1 every frame; leave out every frame")),
    ({"network": RECURRENT, "arrangement": "parallel"},
     ("a recurrent layer must be served by a time-shared array of its own, but arrangement is parallel; choose time-shared "
      "0-0")),
    ({"network": RECURRENT, "arrangement": "time-shared"},
     ("a recurrent layer must be served by a time-shared array of its own, but arrangement is time-shared; choose time-shared "
      "0-0")),
    ({"network": RECURRENT, "units": (3, 3)},
     "layer 0 must have 8 processing units, one for each neuron, because it is recurrent, not 3"),
    ({"network": replace(RECURRENT, learning=Learning(bias_instinct="sign"))},
     ("a core that learns a recurrent layer must have learning.links_instinct and bias_instinct proportional, not sign; change "
      "it, or generate a core that only infers")),
    ({"network": RECURRENT, "kind": "programmable"},
     "a time-shared array must be of kind shift, not programmable; choose kind shift"),
    ({"network": replace(RECURRENT, neuron=Neuron(rest=(1.0, 0.5, 1.0, 1.0, 1.0)))},
     ("a time-shared array must have one neuron.rest for all five populations, not [1.0, 0.5, 1.0, 1.0, 1.0]; give it one "
      "value, as a recurrent layer needs")),
    ({"network": replace(RECURRENT, wiring=Wiring(layers=("recurrent 2 steps 1 K3 0.6875", "full")), formats=Formats(
        bracket="Q6.12", coupling="Q2.4"))},
     ("K3 of a recurrent layer of kind shift must be signed powers of two or sums of two, not 0.6875; choose values that are, "
      "as a recurrent layer needs")),
    ({"network": CONVOLUTION, "arrangement": "parallel"},
     ("convolutions must be served by one time-shared array that serves layer 0 too, but arrangement is parallel; "
      "choose time-shared, or time-shared 0-0")),
    ({"network": CONVOLUTION, "arrangement": "time-shared 1-1"},
     ("convolutions must be served by one time-shared array that serves layer 0 too, but arrangement is time-shared 1-1; "
      "choose time-shared, or time-shared 0-0")),
    ({"network": replace(CONVOLUTION, learning=Learning(links_instinct="sign"))},
     ("a core that learns convolutions must have learning.links_instinct and bias_instinct proportional, not sign; change it, "
      "or generate a core that only infers")),
    ({"network": CONVOLUTION, "kind": "programmable"},
     "a time-shared array must be of kind shift, not programmable; choose kind shift"),
    ({"network": replace(CONVOLUTION, neuron=Neuron(K3=(1.0, 0.5, 1.0, 1.0, 1.0)))},
     ("a time-shared array must have one neuron.K3 for all five populations, not [1.0, 0.5, 1.0, 1.0, 1.0]; give it one value, "
      "as convolutions need")),
    ({"network": CONVOLUTION, "units": (5, 3)},
     "layer 0 must have 1 to 4 processing units, one per channel at most, not 5"),
    # remedies that are no way to a kind or an array that convolutions do not have
    ({"network": replace(CONVOLUTION, neuron=Neuron(K1=(0.6875,) * 5), formats=Formats(coupling="Q2.4", bracket="Q6.12"))},
     ("neuron.K1 of kind shift must be signed powers of two or sums of two, not 0.6875; choose values that are, as "
      "convolutions need")),
    ({"network": replace(CONVOLUTION, learning=Learning(K2=0.0625), formats=Formats(bracket="Q6.12"))},
     ("a core that learns K must be of kind programmable, because those of kind shift are wired, but learning.K1, K2 or K3 is "
      "not 0; set them to 0")),
    ({"network": Network(layers=(6, 3), neuron=Neuron(K1=(0.6875,) * 5), formats=Formats(coupling="Q2.4", bracket="Q6.12")),
      "arrangement": "time-shared"},
     ("neuron.K1 of kind shift must be signed powers of two or sums of two, not 0.6875; choose kind programmable and "
      "arrangement parallel")),
    # one array for all layers
    ({"network": NETWORK, "arrangement": "shared"},
     "arrangement shared is called time-shared now; give time-shared in its place"),
    ({"network": NETWORK, "arrangement": "serial"},
     ("arrangement must be parallel, time-shared, or time-shared with the layers that share an array, as 'time-shared 0-1', "
      "not 'serial'")),
    ({"network": NETWORK, "arrangement": "time-shared 0-2"},
     "layers that share an array must be of 0 to 1, in order and each in one array, not 0-2 in 'time-shared 0-2'"),
    ({"network": NETWORK, "arrangement": "time-shared 0-1, 1-1"},
     "layers that share an array must be of 0 to 1, in order and each in one array, not 1-1 in 'time-shared 0-1, 1-1'"),
    ({"network": Network(layers=(6, 4, 4, 3)), "arrangement": "time-shared 0-1", "units": (2, 3, 3)},
     ("every layer of a time-shared array must use all of its 3 processing units, or as many as it has neurons, not [2, 3]; "
      "give one number for all layers")),
    ({"network": NETWORK, "arrangement": "time-shared", "kind": "programmable"},
     "a time-shared array must be of kind shift, not programmable; choose arrangement parallel"),
    ({"network": Network(layers=(6, 4, 3), neuron=Neuron(rest=(1.0, 0.5, 1.0, 1.0, 1.0)), formats=Formats(bracket="Q6.12"),
                         learning=Learning(K3=2.0**-4)), "arrangement": "time-shared", "kind": "programmable"},
     ("a time-shared array must have one neuron.rest for all five populations, not [1.0, 0.5, 1.0, 1.0, 1.0]; choose "
      "arrangement parallel")),
    ({"network": with_neuron(K3=(1.0, 0.5, 1.0, 1.0, 1.0)), "arrangement": "time-shared"},
     ("a time-shared array must have one neuron.K3 for all five populations, not [1.0, 0.5, 1.0, 1.0, 1.0]; choose arrangement "
      "parallel")),
    ({"network": NETWORK, "arrangement": "time-shared", "units": (2, 3)},
     ("every layer of a time-shared array must use all of its 3 processing units, or as many as it has neurons, not [2, 3]; "
      "give one number for all layers")),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_what_cannot_be_built_is_refused_in_one_sentence(arguments, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Design(**arguments)


@pytest.mark.parametrize("network", [arguments["network"] for arguments, _ in REFUSED[:5]])
def test_a_core_that_only_infers_takes_networks_that_learn_otherwise(network):
    design = Design(network=network, learns=False)
    assert not any(layer.learns or layer.reverses for layer in design.layers)


def test_what_the_document_says_of_brackets():
    for kind, bracket, fits in (("shift", None, True), ("shift", "Q5.12", True), ("programmable", None, False),
                                ("programmable", "Q6.12", True)):
        def create(kind=kind, bracket=bracket):
            return Design(network=Network(layers=(784, 128, 10), formats=Formats(bracket=bracket)), kind=kind)
        if fits:
            create()
        else:
            with pytest.raises(InputError, match=r"^the bracket must fit the 18-bit operand of target portable"):
                create()


def test_equal_designs_are_equal():
    def design(**changes):
        return Design(**{"network": with_formats(bracket="Q6.12"), "units": (2, 3)} | changes)
    assert design() == design() == design(units=[2, 3])
    assert hash(design()) == hash(design())
    assert Design(network=NETWORK) == Design(network=with_learning(), units=(4, 3))                 # as they are by default
    others = [design(network=NETWORK), design(units=(4, 3)), design(kind="programmable"), design(target="ecp5"),
              design(learns=False), design(units=(2, 2), arrangement="time-shared")]
    assert all(design() != other for other in others)
    assert len({design(), *others}) == 1 + len(others)
    assert "LayerDesign" not in repr(design())


def test_a_core_without_learning_takes_no_rates():
    infers = Design(network=NETWORK, learns=False)
    assert (infers.links_rate_shifts(), infers.bias_rate_shifts()) == (range(0), range(0))


def test_units_are_the_neurons_unless_they_are_named():
    assert Design(network=NETWORK).units == (4, 3)
    design = Design(network=NETWORK, units=(3, 1))
    results = [(layer.units, layer.folds, layer.fold_size(layer.folds - 1)) for layer in design.layers]
    assert results == [(3, 2, 1), (1, 3, 1)]


@given(st.lists(st.integers(1, 300), min_size=2, max_size=5), st.integers(1, 300))
def test_units_within_a_limit_need_the_fewest_folds_and_are_the_fewest_of_those(layers, most):
    counts = units_within(Network(layers=tuple(layers)), most)
    for count, size in zip(counts, layers[1:], strict=True):
        assert 1 <= count <= min(most, size)
        folds = -(-size // count)
        assert folds == -(-size // min(most, size))
        assert count == 1 or -(-size // (count - 1)) > folds


def test_a_limit_of_no_units_is_refused():
    with pytest.raises(InputError, match="^a layer must have at least 1 processing unit, not 0$"):
        units_within(NETWORK, 0)


@given(st.integers(-(1 << 40), 1 << 40))
def test_signed_digits_give_the_value_back_and_none_are_neighbours(value):
    digits = signed_digits(value)
    assert sum(sign << shift for shift, sign in digits) == value
    shifts = [shift for shift, _ in digits]
    assert all(late - early >= 2 for early, late in zip(shifts, shifts[1:], strict=False))


@pytest.mark.parametrize(("learning", "links", "bias"), [
    ({}, range(4, 10), range(4, 10)), ({"halvings": 0}, range(4, 5), range(4, 5)),
    ({"links": 2**-6, "bias": 2**-5, "halvings": 2}, range(6, 9), range(5, 8)), ({"links": 0}, range(0), range(4, 10))])
def test_rates_are_those_that_the_rate_schedule_reaches(learning, links, bias):
    design = Design(network=with_learning(**learning))
    assert (design.links_rate_shifts(), design.bias_rate_shifts()) == (links, bias)


@pytest.mark.parametrize(("frozen", "learns", "reverses"), [
    (0, [True, True], [False, True]), (1, [False, True], [False, False]), (2, [False, False], [False, False])])
def test_frozen_layers_do_not_learn_and_the_first_that_does_sends_no_errors(frozen, learns, reverses):
    layers = Design(network=with_learning(frozen=frozen, dropout=0.0)).layers
    assert [layer.learns for layer in layers] == learns
    assert [layer.reverses for layer in layers] == reverses


def test_layers_of_a_time_shared_array_follow_one_another_in_its_memories_and_use_what_they_can_of_its_units():
    design = Design(network=Network(layers=(6, 9, 3, 7)), arrangement="time-shared")
    array = design.arrays[0]
    assert design.units == (4, 3, 4)
    assert array.units == 4
    assert [layer.folds for layer in design.layers] == [3, 1, 2]
    assert [layer.rows for layer in design.layers] == [7, 10, 4]
    assert array.bases == (0, 21, 31)
    assert array.slots == (0, 3, 4)
    assert (array.depth, array.folds) == (39, 6)


def test_inputs_of_a_time_shared_array_have_their_point_at_one_place():
    design = Design(network=Network(layers=(6, 4, 3)), arrangement="time-shared")
    assert [layer.alignment for layer in design.layers] == [4, 0]
    assert len({layer.link_shift for layer in design.layers}) == len({layer.update_shift for layer in design.layers}) == 1
    assert [layer.alignment for layer in Design(network=Network(layers=(6, 4, 3))).layers] == [0, 0]


@pytest.mark.parametrize("kind", ["shift", "programmable"])
@pytest.mark.parametrize("learns", [False, True])
def test_rows_of_a_neuron_follow_one_another(kind, learns):
    network = Network(layers=(6, 4, 3), formats=Formats(bracket="Q5.12"), integration=Integration(steps=2))
    for layer in Design(network=network, kind=kind, learns=learns, units=(3, 3)).layers:
        assert layer.bias_row == layer.inputs
        assert layer.parameter_rows == layer.inputs + 1 + 15 * (kind == "programmable")
        assert layer.saves_state == (learns and layer.folds > 1)
        assert layer.state_row == layer.parameter_rows
        assert layer.rows == layer.parameter_rows + 5 * layer.saves_state
        assert layer.depth == layer.folds * layer.rows
