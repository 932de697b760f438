"""Experiments: descriptions, the page, the command, each one's quick run; what their parts compute, against other ways."""
from __future__ import annotations

import json
import re
import tomllib
from xml.etree import ElementTree

import numpy as np
import pytest

from golden_model import circuits, parameters
from golden_model.arithmetic import create_arithmetic
from golden_model.data import datasets
from golden_model.errors import InputError
from golden_model.model import Model
from golden_model.network import Learning, Network
from golden_model.theory.integrators import IMPROVED_EULER, integrate
from golden_model.theory.neuron import Ring, derivative, equilibrium
from wuxing import exit_codes, tasks
from wuxing.cli import main
from wuxing.experiments import description, learner, neuron, report, reversibility
from wuxing.experiments.summary import Claim, Figure, Summary, Table, spread

NAMES = description.names()
SMALL = {"neuron": {"neurons": 2, "fractions": [12], "time": 4.0, "drives": 5, "drift_dt": [0.25, 0.125], "drift_time": 4.0,
                    "oscillator_dt": [0.5], "oscillator_time": 64.0}}


@pytest.fixture
def toml(tmp_path):
    """A neuron experiment so small that its claims need not hold."""
    import tomli_w
    data = tomllib.loads((description.FOLDER / "neuron.toml").read_text("utf-8"))
    path = tmp_path / "small.toml"

    def write(**changes):
        full = {key: value for key, value in (data["full"] | SMALL["neuron"] | changes.pop("full", {})).items()
                if value is not None}
        path.write_text(tomli_w.dumps(data | {"full": full, "quick": {}} | changes), "utf-8")
        return path

    write()
    return write


# ---------------------------------------------------------------- descriptions


def test_experiments_come_in_the_order_of_their_numbers():
    numbers = [description.load(name).number for name in NAMES]
    assert NAMES[:2] == ["neuron", "reversibility"]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", NAMES)
def test_each_description_has_three_seeds_and_makes_tasks_that_differ(name, monkeypatch):
    digits = datasets.load("digits")
    monkeypatch.setattr(learner, "_whole", lambda *_: digits)     # nothing is downloaded for this
    full, quick = description.load(name), description.load(name, quick=True)
    assert full.experiment == name == (description.FOLDER / f"{name}.toml").stem
    for each in (full, quick):
        assert len(set(each.settings["seeds"])) >= 3
        settings = each.module.tasks(each.settings)
        jobs = [tasks.Task(each.module_name, each.module.VERSION, setting) for setting in settings]
        assert {setting["seed"] for setting in settings} == set(each.settings["seeds"])
        assert len({task.name for task in jobs}) == len(jobs)
    assert set(quick.settings) == set(full.settings)


@pytest.mark.parametrize(("changes", "text"), [
    ({"full": {"seeds": [0, 1, 1]}},
     "seeds must be 3 or more that differ, not [0, 1, 1]; a figure without a spread says little"),
    ({"full": {"neurons": 2.5}}, "neurons must be int, not 2.5"),
    ({"full": {"neurons": True}}, "neurons must be int, not True"),
    ({"full": {"fractions": 8}}, "fractions must be a list of int, not 8"),
    ({"full": {"fractions": ["8"]}}, "fractions must be a list of int, not ['8']"),
    ({"full": {"neurons": None}}, "the entry neurons must be given, but is not"),
    ({"full": {"speed": 1}}, ("there must be no entry 'speed'; known are seeds, neurons, fractions, dt, time, drives, "
                              "drift_dt, drift_time, oscillator_dt, oscillator_time, window")),
    ({"quick": {"speed": 1}}, "there must be no entry 'speed'; known are "),
    ({"answer": 42}, "there must be no entry 'answer'; known are experiment, number, title, question, full, quick"),
    ({"experiment": "Neuron"}, "experiment must be a name of letters and hyphens, not 'Neuron'"),
    ({"experiment": "moon-dust"}, ("experiment must have a module in wuxing.experiments, but wuxing.experiments.moon_dust is "
                                   "not there"))])
def test_a_description_that_cannot_be_used_is_one_sentence(toml, changes, text):
    path = toml(**changes)
    with pytest.raises(InputError, match=f"^{re.escape(f'{path}: {text}')}{'.*' if text.endswith('are ') else ''}$"):
        description.load(str(path))


def test_an_experiment_that_is_not_there_is_told_from_those_that_are(tmp_path):
    (tmp_path / "one.toml").write_text("a = ")
    text = "an experiment must be a TOML file or one of those known, not 'two'; known are: one"
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        description.load("two", folder=tmp_path)
    with pytest.raises(InputError, match=r"one\.toml must be valid TOML, but: .*; mend it there$"):
        description.load("one", folder=tmp_path)


# ---------------------------------------------------------------- the page


def summary_of(cell):
    return Summary({}, [Table("a | b", ("what", "figure"), [("x|y", cell)])],
                   [Figure("thing", "A thing.", lambda: f"<svg>{cell}</svg>".encode())])


def test_the_page_replaces_what_is_generated_and_keeps_what_is_written_by_hand(tmp_path):
    first, second = description.load("neuron"), description.load("reversibility", quick=True)
    report.write_page(tmp_path, first, summary_of("1"), [Claim("It is so", True)], 7)
    report.write_page(tmp_path, second, summary_of("2"), [Claim("It is so", False)], 8)
    page = tmp_path / "experiments.md"
    text = page.read_text("utf-8")
    assert text == f"""# Experiments

## 1. One neuron

{first.question}

<!-- generated by wuxing experiment neuron -->
`wuxing experiment neuron`: 7 runs, means ± standard deviations of 3 seeds.

**a \\| b**

| what | figure |
|---|---:|
| x\\|y | 1 |

![A thing.](experiments/thing.svg)

*A thing.*

- Holds: It is so.
<!-- end of what wuxing experiment neuron generated -->

## 2. Reversibility

{second.question}

<!-- generated by wuxing experiment reversibility -->
`wuxing experiment reversibility --quick`: 8 runs, means ± standard deviations of 3 seeds.

**a \\| b**

| what | figure |
|---|---:|
| x\\|y | 2 |

![A thing.](experiments/thing.svg)

*A thing.*

- **Does not hold**: It is so.
<!-- end of what wuxing experiment reversibility generated -->
"""
    page.write_text(text.replace("\n## 2.", "\nReading it: by hand.\n\n## 2."), "utf-8")
    report.write_page(tmp_path, first, summary_of("3"), [], 9)
    again = page.read_text("utf-8")
    assert "| x\\|y | 3 |" in again
    assert "| x\\|y | 1 |" not in again
    assert "Reading it: by hand." in again
    assert again[again.index("## 2."):] == text[text.index("## 2."):]
    assert (tmp_path / "experiments" / "thing.svg").read_bytes() == b"<svg>3</svg>"


def test_a_page_with_one_mark_is_refused(tmp_path):
    page = tmp_path / "experiments.md"
    page.write_text("<!-- generated by wuxing experiment neuron -->")
    text = (f"{page} must have both marks of neuron once, <!-- generated by wuxing experiment neuron --> and <!-- end of what "
            "wuxing experiment neuron generated -->, or neither; mend or remove them")
    with pytest.raises(InputError, match=f"^{re.escape(text)}$"):
        report.write_page(tmp_path, description.load("neuron"), summary_of("1"), [], 1)


def test_spread_is_mean_and_sample_deviation():
    assert spread([1.0, 2.0, 3.0]) == "2.00 ± 1.00"
    assert spread([5.0]) == "5.00 ± 0.00"


# ---------------------------------------------------------------- the command


@pytest.mark.early
@pytest.mark.parametrize("name", NAMES)
def test_the_quick_run_of_each_experiment_bears_out_its_claims(tmp_path, name, capsys):
    arguments = ["experiment", name, "--quick", "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path),
                 "--json", str(tmp_path / "result.json")]
    code = main(arguments)
    output = capsys.readouterr().out
    assert "does not hold" not in output
    assert code == 0
    [result] = json.loads((tmp_path / "result.json").read_text())["experiments"]
    assert (result["experiment"], result["quick"]) == (name, True)
    assert result["claims"]
    assert all(claim["holds"] for claim in result["claims"])
    assert len(result["runs"]) == len(list((tmp_path / "store").iterdir()))
    pictures = list((tmp_path / "experiments").iterdir())
    text = (tmp_path / "experiments.md").read_text("utf-8")
    for picture in pictures:
        assert ElementTree.fromstring(picture.read_text("utf-8")).tag.endswith("svg")
        assert f"](experiments/{picture.name})" in text
        assert picture.stat().st_size < 300_000
    assert len(pictures) == text.count("![")
    before = (text, [picture.read_bytes() for picture in pictures])
    main(arguments)                                           # nothing is run again, and the same bytes come out
    assert before == ((tmp_path / "experiments.md").read_text("utf-8"), [picture.read_bytes() for picture in pictures])


def test_finished_runs_are_not_run_again_and_workers_give_the_same(toml, tmp_path, capsys, monkeypatch):
    path = str(toml())
    assert main(["experiment", path, "-q", "--store", str(tmp_path / "a"), "--workers", "2"]) == 0
    first = capsys.readouterr().out
    assert "1. One neuron" in first
    monkeypatch.setattr(neuron, "run", lambda setting: pytest.fail("a finished task was run again"))
    assert main(["experiment", path, "-q", "--store", str(tmp_path / "a")]) == 0
    assert capsys.readouterr().out == first
    monkeypatch.undo()
    assert main(["experiment", path, "-q", "--store", str(tmp_path / "b")]) == 0
    assert capsys.readouterr().out == first
    assert sorted(each.name for each in (tmp_path / "a").iterdir()) == sorted(each.name for each in (tmp_path / "b").iterdir())


def test_a_claim_that_fails_ends_a_quick_run_with_1_and_a_full_one_with_0(toml, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(neuron, "check", lambda values: [Claim("The moon is cheese", False)])
    arguments = ["experiment", str(toml()), "-q", "--store", str(tmp_path / "store")]
    assert main([*arguments, "--quick"]) == exit_codes.CLAIM_FAILS == 1
    assert "does not hold: The moon is cheese" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "does not hold: The moon is cheese" in capsys.readouterr().out


def test_what_quick_settings_cannot_bear_on_is_judged_in_full_runs_alone(toml, tmp_path, capsys, monkeypatch):
    claims = [Claim("The moon is round", True), Claim("The moon is cheese", False, full_only=True)]
    monkeypatch.setattr(neuron, "check", lambda values: claims)
    arguments = ["experiment", str(toml()), "-q", "--store", str(tmp_path / "store")]
    assert main([*arguments, "--quick"]) == 0
    assert "cheese" not in capsys.readouterr().out
    assert main(arguments) == 0
    assert "does not hold: The moon is cheese" in capsys.readouterr().out


def test_all_goes_on_when_one_cannot_be_run(toml, tmp_path, capsys, monkeypatch):
    path = toml()
    (tmp_path / "folder").mkdir()
    text = path.read_text("utf-8")
    (tmp_path / "folder" / "neuron.toml").write_text(text, "utf-8")
    (tmp_path / "folder" / "reversibility.toml").write_bytes((description.FOLDER / "reversibility.toml").read_bytes())
    real = description.load
    monkeypatch.setattr(description, "names", lambda: ["reversibility", "neuron"])
    monkeypatch.setattr(description, "load", lambda name, quick=False: real(name, quick, tmp_path / "folder"))

    def refuse(setting):
        raise InputError("the digits must be there, but are not; install them")

    monkeypatch.setattr(reversibility, "run", refuse)
    assert main(["experiment", "--all", "-q", "--store", str(tmp_path / "store"), "--report", str(tmp_path)]) == 2
    output = capsys.readouterr()
    assert "1. One neuron" in output.out
    assert output.err == "wuxing: reversibility: the digits must be there, but are not; install them\n"
    assert (tmp_path / "experiments.md").read_text("utf-8").count("<!-- generated") == 1


def test_the_report_of_all_goes_into_a_folder_of_the_users(toml, tmp_path, capsys, monkeypatch):
    path = str(toml())
    real = description.load
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(description, "names", lambda: ["neuron"])
    monkeypatch.setattr(description, "load", lambda name, quick=False: real(path, quick))
    assert main(["experiment", "--all", "-q"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "report in build/report/experiments.md"
    assert (tmp_path / "build/report/experiments.md").is_file()


def test_ctrl_c_says_what_is_kept(toml, tmp_path, capsys, monkeypatch):
    def interrupted(tasks, store, **options):
        options["on_finished"](2, 5)
        raise KeyboardInterrupt

    monkeypatch.setattr(tasks, "run", interrupted)
    assert main(["experiment", str(toml()), "--store", str(tmp_path / "s")]) == 130
    assert capsys.readouterr().err == (f"interrupted: 2 of 5 runs of neuron are kept in {tmp_path / 's'}; the same command "
                                       "goes on from there\n")


@pytest.mark.parametrize("arguments", [[], ["neuron", "--all"]])
def test_either_a_name_or_all(arguments, capsys):
    assert main(["experiment", *arguments]) == 2
    assert capsys.readouterr().err == ("wuxing: an experiment must be named, or --all given, but not both; known are: "
                                       f"{', '.join(NAMES)}\n")


# ---------------------------------------------------------------- neuron


def test_cells_in_integers_are_the_circuit_of_the_golden_model():
    network = Network(layers=(1, 5))
    drive = np.array([[-6000, -1000, 0, 900, 5000]])
    couplings = np.repeat(np.array([network.neuron.K1, network.neuron.K2, network.neuron.K3])[:, :, None], 5, axis=2)
    words = create_arithmetic(network, "fixed")
    reference = circuits.settle(words, drive, network.formats.coupling.quantise(couplings))
    cells = neuron.Cells(couplings, 0.5, 12)
    for _ in range(network.integration.steps):
        cells.step(drive[0] / 4096)
    assert np.array_equal(cells.state, reference)
    assert np.array_equal(cells.displacement * 4096, reference[:, 0])


def test_cells_in_reals_are_improved_euler_within_the_range():
    random = np.random.default_rng(0)
    couplings = neuron.random_couplings(random, 4, 0.3, 0.7, (0.5, 1.5))
    u = random.uniform(-0.2, 0.2, 4)
    ring = neuron.ring_of(couplings)
    reference = integrate(lambda s: derivative(ring, s, ring.drive(u)), np.zeros((5, 4)), 0.25, 20, IMPROVED_EULER)
    cells = neuron.Cells(couplings, 0.25, None)
    for _ in range(20):
        cells.step(u)
    np.testing.assert_allclose(cells.displacement, reference, rtol=1e-12)


def test_the_drift_of_an_exact_solution_is_none_and_of_a_broken_one_is_not_told():
    setting = {"seed": 0, "neurons": 4, "method": "RK4", "dt": 1 / 64, "time": 8.0}
    assert neuron.drift(setting)["change"] < 1e-8
    assert neuron.drift(setting | {"method": "Euler", "dt": 1.0, "time": 400.0}) == {"change": None}


def test_a_search_for_cycles_finds_the_cycle_of_a_short_word():
    """With 4 fraction bits there are few states: every neuron returns to one within the run."""
    result = neuron.oscillator({"seed": 0, "neurons": 4, "fraction": 4, "dt": 0.5, "time": 2048.0, "window": 512.0})
    assert result["cycles"] == 1


# ---------------------------------------------------------------- reversibility


@pytest.fixture(scope="module")
def small():
    """A network of two hidden layers with its images, in a range where nothing sits on a kink."""
    data = datasets.load("digits")
    network = Network(layers=(64, 7, 6, 10), seed=3, learning=Learning(batch=12))
    return network, parameters.initial(network, "float"), data.train_images[:12], data.train_labels[:12]


def loss(network, learnt, images, labels):
    """Half the squared hinge at exact equilibria."""
    ring, x = Ring.of(network.neuron), images / 256
    for layer in learnt:
        x = equilibrium(ring, ring.drive(x @ layer.weights.T + layer.bias))[ring.output_population]
    reference = np.eye(10)[labels]
    short = np.where(reference > 0, np.maximum(0, network.learning.margin - x), np.maximum(0, network.learning.margin + x))
    return 0.5 * np.sum(short**2)


def test_exact_signals_are_the_gradient_of_the_loss(small):
    network, learnt, images, labels = small
    settled = reversibility.equilibria(network, learnt, images)
    error = reversibility.exact_error(network, settled, labels)
    signals = reversibility.carried_back(network, learnt, settled, error)
    for index, signal in enumerate(signals):
        for unit in range(0, network.layers[index + 1], 3):
            values = []
            for step in (1e-6, -1e-6):
                moved = [layer.copy() for layer in learnt]
                moved[index].bias[unit] += step
                values.append(loss(network, moved, images, labels))
            assert signal[:, unit].sum() == pytest.approx(-(values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("arithmetic", ["float", "fixed"])
def test_found_signals_are_what_a_network_learns_from(small, arithmetic):
    """A batch changes each bias by the rate times the sum of r_a."""
    network, learnt, images, labels = small
    signals, error = reversibility.found_signals(network, arithmetic, learnt, images, labels)
    assert error.shape == (12, 10)
    assert (np.sign(error) == np.where(np.eye(10)[labels] > 0, 1, -1))[error != 0].all()
    values = learnt if arithmetic == "float" else parameters.quantised(network, learnt)
    model = Model(network, arithmetic, values)
    model.learn(images, labels)
    unit = 1 if arithmetic == "float" else network.formats.drive.one
    for old, new, signal in zip(values, model.layers, signals, strict=True):
        change = network.learning.bias * signal.sum(axis=0) * unit
        reference = change if arithmetic == "float" else np.floor(change + 0.5)
        np.testing.assert_allclose(new.bias - old.bias, reference, rtol=1e-9, atol=1e-12)
