"""Parameters as frames and back, through a core that is a dictionary."""
import re
from dataclasses import replace

import numpy as np
import pytest

from command_model import CommandModel
from golden_model import parameters
from golden_model.errors import DeviceError, InputError
from golden_model.network import POPULATIONS, Formats, Network, Wiring
from hdl import frames, parameter_frames
from hdl.design import Design
from hdl.frames import Opcode, Reply, Status

NETWORK = Network(layers=(300, 3, 2))     # more parameters of a neuron than one frame takes


def answers(requests, memory):
    """What a core with this memory answers to writes and reads."""
    results = []
    for header, address, *words in requests:
        layer, count, index, neuron = header >> 8 & 0xFF, header >> 16, address & 0xFFFF, address >> 16
        assert 1 <= count <= frames.MOST_COUNT
        places = [(layer, neuron, index + k) for k in range(count)]
        if header & 0xFF == Opcode.WRITE:
            assert len(words) == count
            assert not set(places) & set(memory)
            memory.update(zip(places, words, strict=True))
        read = [] if words else [memory[place] for place in places]
        results.append(Reply(opcode=header & 0xFF, status=Status.OK, argument=count, words=tuple(read)))
    return results


def some(programmable):
    random, values = np.random.default_rng(1), parameters.initial(NETWORK, "fixed")
    for layer in values:
        layer.bias[:] = random.integers(-1000, 1000, layer.bias.shape)
        if programmable:
            layer.coupling[:] = random.integers(-4, 4, layer.coupling.shape)
    return values


@pytest.mark.parametrize("programmable", [False, True])
def test_all_parameters_once_there_and_back(programmable):
    values, memory = some(programmable), {}
    answers(parameter_frames.writes(NETWORK, values, programmable), memory)
    more = 3 * POPULATIONS if programmable else 0
    assert len(memory) == 3 * (301 + more) + 2 * (4 + more)
    replies = answers(parameter_frames.reads(NETWORK, programmable), memory)
    for one, other in zip(parameter_frames.parameters(NETWORK, replies, programmable), values, strict=True):
        for name in ("weights", "bias", "coupling"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
            assert getattr(one, name).dtype == np.int64


def test_K_that_is_wired_cannot_be_written():
    message = ("coupling of layer 0 must be that of the description, because this core has its K wired; emit it with "
               "programmable neurons")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parameter_frames.writes(NETWORK, some(True), False)


def test_K_that_is_wired_because_of_a_convolution_cannot_be_written():
    network = Network(layers=(4, 6, 2), wiring=Wiring(layers=("convolution 1x2 stride 1 of 2x2x1", "full")))
    values = [replace(layer, coupling=layer.coupling + 1) for layer in parameters.initial(network, "fixed")]
    message = ("coupling of layer 0 must be that of the description, because this core has its K wired; train it with "
               "learning.K1, K2 and K3 = 0, as convolutions need")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parameter_frames.writes(network, values, False)


def test_K_that_is_wired_because_of_a_recurrent_layer_cannot_be_written_until_it_is_that_of_the_description():
    """Such a network does not train K, so that a new training is enough; programmable neurons it cannot have."""
    network = Network(layers=(4, 3, 2), formats=Formats(bracket="Q6.12"), wiring=Wiring(layers=("recurrent 2 steps 1 K3 0.5",
                                                                                            "full")))
    right = parameters.initial(network, "fixed")
    values = [replace(right[0], coupling=right[1].coupling[:, :, :1].repeat(3, axis=2)), right[1]]     # K3 of the other layer
    message = ("coupling of layer 0 must be that of the description, because this core has its K wired; train it anew, which "
               "leaves K as they are, as a recurrent layer needs")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parameter_frames.writes(network, values, False)
    assert parameter_frames.writes(network, right, False)
    with pytest.raises(InputError, match=r"must be of kind shift"):
        Design(network=network, kind="programmable")


def test_a_core_of_another_revision_is_not_spoken_to():
    core = CommandModel(layers=(3, 2), backend=None, digest=1, links_rate_shifts=range(2, 5), bias_rate_shifts=range(0),
                        initial_links=3, initial_bias=None, programmable=True)
    report = frames.status_report(frames.parse(core.answer(frames.status())))
    parameter_frames.check_revision(report)
    assert (report.learns, report.programmable, report.links_rate_shifts, report.bias_rate_shifts) == (
        True, True, range(2, 5), range(0))
    message = ("the core must speak revision 1 of the frames, not 0; build it again with this version of wuxing")
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        parameter_frames.check_revision(replace(report, revision=0))


def test_what_a_core_has_no_reason_to_refuse():
    good = Reply(opcode=Opcode.READ, status=Status.OK, argument=1, words=(0,))
    request = frames.read(0, 0, 0, 1)
    assert parameter_frames.accepted([request], [good]) == [good]
    for bad, answer in ((Reply(opcode=3, status=Status.ADDRESS, argument=0, words=()), "READ with status ADDRESS"),
                      (Reply(opcode=2, status=Status.OK, argument=0, words=()), "WRITE with status OK"),
                      (Reply(opcode=99, status=Status.UNKNOWN, argument=0, words=()), "opcode 99 with status UNKNOWN")):
        message = f"READ must be accepted by the core, but it answered {answer}; see docs/registers.md"
        with pytest.raises(DeviceError, match=f"^{re.escape(message)}$"):
            parameter_frames.accepted([request], [bad])
