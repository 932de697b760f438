# amaranth: UnusedElaboratable=no
"""Output stage: classes, answers, errors and verdicts are those of the golden model; planted bugs are found."""
import re

import pytest

from golden_model.fixed_point import Format
from golden_model.network import Formats, Learning, Network
from hdl.design import Design
from hdl.output_stage import OutputStage
from planted_bugs import planted
from testbenches.flat_ports import FlatPorts
from testbenches.run import Case, run_bench, verdicts

SMALL = Formats(displacement=Format(6, 5), drive=Format(9, 5), error=Format(6, 5), weight=Format(8, 6))
USUAL = {"network": Network(layers=(3, 10)), "learns": True}
STALLS = [0, 0.5]
CONFIGURATIONS = {
    "usual": USUAL,
    "two neurons, small words": USUAL | {"network": Network(layers=(3, 2), formats=SMALL, learning=Learning(margin=0.75))},
    "one neuron": USUAL | {"network": Network(layers=(3, 1))},
    "nine neurons, wide errors": USUAL | {"network": Network(layers=(3, 9), formats=Formats(error=Format(15, 12)))},
    "inference only": USUAL | {"learns": False},
}


def case(configuration, stalls, unit=OutputStage, images=150):
    network = configuration["network"]
    layer = Design(network=network, learns=configuration["learns"]).layers[-1]
    return Case(component=FlatPorts(unit(layer)), settings={
        "network": network.to_json(), "learns": configuration["learns"], "images": images, "stalls": stalls, "seed": 5})


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    right = {(name, stalls): case(configuration, stalls) for name, configuration in CONFIGURATIONS.items() for stalls in STALLS}
    wrong = {name: case(USUAL, 0.3, planted("hdl.output_stage", *bug).OutputStage) for name, bug in BUGS.items()}
    return verdicts(tmp_path_factory.mktemp("benches"), right | wrong, "output_stage_bench")


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_answers_errors_and_verdicts_are_those_of_the_golden_model(findings, name, stalls):
    assert not findings[name, stalls], findings[name, stalls]


def test_verilator_sees_the_same_unit(tmp_path):
    run_bench(tmp_path, case(USUAL, 0.3, images=300), "output_stage_bench", simulator="verilator")


BUGS = {
    "last of equal outputs": ("(candidate > greatest)", "(candidate >= greatest)"),
    "greatest of the image before": ("(first | (", "(("),
    "label off by one": ("label == self.following", "label == self.following + 1"),
    "margin on the wrong side": ("-margin) - self.outputs.value", "-margin) + self.outputs.value"),
    "error of the wrong sign is kept": ("Mux(is_label ^ missing[-1], ", "Mux(is_label | missing[-1], "),
    "error wraps": ("clamp(missing, formats.error.bits)", "missing[:formats.error.bits].as_signed()"),
    "verdict looks at the last output only": ("any_error | (error != 0)),", "error != 0),"),
    "verdict forgets the last output": ("self.verdict_error.eq(any_error | (error != 0))", "self.verdict_error.eq(any_error)"),
    "errors of an image without any are kept": ("flush.eq(~self.verdict_error)", "flush.eq(0)"),
    "one error too few dropped": ("dropped == neurons - 1", "dropped == neurons - 2"),
    "takes the next image while it answers": ("self.outputs_free.eq(~self.answering & ", "self.outputs_free.eq("),
    "changed without being learnt": ("changed.eq(self.verdict & self.verdict_error)", "changed.eq(self.verdict_error)"),
    "outputs always": ("~want)", "0)"),
    "output before the memory has it": ("class_sent.eq(1), loaded.eq(0)", "class_sent.eq(1)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_found(findings, name):
    assert re.match("AssertionError: .*must", findings[name])
