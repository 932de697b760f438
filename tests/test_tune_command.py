"""``wuxing tune``: chooses on held-out training samples, the same every time, and goes on where it was interrupted."""
from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from golden_model.network import Network
from golden_model.storage import model_file
from wuxing import interruption
from wuxing.cli import main
from wuxing.commands import tune
from wuxing.experiments import learner
from wuxing.tasks import Store

WORDS = ["tune", "--dataset", "t.csv", "--without", "who", "--settings", "5", "--epochs", "3", "--folds", "2", "--json",
         "r.json"]


@pytest.fixture(autouse=True)
def table(tmp_path, monkeypatch):
    """Two hundred samples of two columns: quadrants, which one line does not tell apart; the second column has outliers."""
    random = np.random.default_rng(0)
    lines = ["a,b,who,class"]
    for number, (a, b) in enumerate(random.normal(size=(200, 2))):
        lines.append(f"{a:.3f},{1000 * b if number % 50 == 0 else b:.3f},p{number % 5},{'same' if a * b > 0 else 'other'}")
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def runs(monkeypatch):
    """Counts trainings; the one whose number is ``ends`` is ended by Ctrl-C."""
    class Counted:
        done, ends = 0, None
    run = learner.run

    def counted(setting):
        if Counted.done == Counted.ends:
            raise KeyboardInterrupt
        Counted.done += 1
        return run(setting)
    monkeypatch.setattr(learner, "run", counted)
    return Counted


def result():
    return json.loads(Path("r.json").read_text("utf-8"))


def test_what_it_writes_is_what_train_takes(table, capsys):
    assert main([*WORDS, "--report", "r.md"]) == 0
    printed, shown_text = result(), capsys.readouterr()
    best = printed["best"]
    assert [(rung["settings"], rung["epochs"]) for rung in printed["rungs"]] == [(5, 1), (2, 3)]
    assert (len(printed["rows"]), printed["complete"], printed["folds"]) == (7, True, ["1/5", "2/5"])
    assert "5 settings for 1 epochs, then 2 settings for 3 epochs, each tested on 2 folds" in shown_text.err
    configured = tomllib.loads((table / "tuned.toml").read_text("utf-8"))
    assert configured.pop("encoding", None) == printed["encoding"]
    assert Network.from_dict(configured).to_dict() == printed["network"]
    assert printed["network"]["learning"]["epochs"] == best["epochs"]
    follow = shown_text.out.splitlines()[-1]
    assert follow == printed["next_command"] == "wuxing train --dataset t.csv --without who --config tuned.toml"
    assert main([*follow.split()[1:], "-q"]) == 0
    trained = model_file.load("model.npz")
    assert trained.network.to_dict() == printed["network"]
    text = (table / "r.md").read_text("utf-8")
    assert text.count("\n| ") == 1 + 7
    assert f"Next: `{follow}`" in text


def test_a_setting_is_worth_what_its_training_reaches_on_the_fold():
    """Its folds are cut out of the training samples alone, and the encoding is theirs."""
    assert main([*WORDS, "-q"]) == 0
    row = result()["rows"][-1]
    data = learner.whole("t.csv", {"without": ["who"]}, row["choices"]["encoding"])
    assert len(data.train_labels) == 160
    part = data.fold(2, 5)
    assert (len(part.train_labels), len(part.test_labels)) == (128, 32)
    tested = {tuple(each) for each in data.samples.test_values.tolist()}
    assert not tested & {tuple(each) for each in [*part.samples.train_values.tolist(), *part.samples.test_values.tolist()]}
    assert row["accuracy"] == pytest.approx(np.mean(row["accuracies"]))
    assert row["spread"] == pytest.approx(np.std(row["accuracies"], ddof=1))


def test_after_an_interruption_it_goes_on_and_says_the_same(table, runs, capsys):
    assert main([*WORDS, "-q", "--store", "whole"]) == 0
    whole, count = (table / "r.json").read_bytes(), runs.done
    text = (table / "tuned.toml").read_bytes()
    (table / "tuned.toml").unlink()
    assert count == 2 * (5 + 2)
    runs.done, runs.ends = 0, 8
    assert main([*WORDS, "-q", "--store", "parts"]) == interruption.exit_code() == 130
    assert capsys.readouterr().err == ("interrupted: 8 of 10 runs of tune, 1 of 2 are kept in parts; the same command goes on "
                                       "from there\n")
    assert not (table / "tuned.toml").exists()
    runs.done, runs.ends = 0, None
    assert main([*WORDS, "-q", "--store", "parts"]) == 0
    assert runs.done == count - 8
    assert ((table / "r.json").read_bytes(), (table / "tuned.toml").read_bytes()) == (whole, text)
    assert main([*WORDS, "-q", "--store", "parts", "--workers", "0"]) == 0
    assert runs.done == count - 8                                     # nothing is trained twice


def test_when_the_time_is_over_the_best_so_far_is_written(table, runs, monkeypatch, capsys):
    words = [*WORDS, "-q", "--minutes", "5"]
    monkeypatch.setattr("time.monotonic", lambda: 60.0 * runs.done)
    assert main(words) == 0
    printed = result()
    assert (printed["complete"], len(printed["rows"]), runs.done) == (False, 2, 5)
    text = capsys.readouterr().out
    assert "the time is over: this is the best of what was tried; the same command goes on from there" in text
    runs.done = 0
    assert main([*WORDS[:-2], "-q", "--minutes", "1e-9", "--store", "other"]) == 2
    assert capsys.readouterr().err == ("wuxing: --minutes must be enough to train one setting on 2 folds, but 1e-09 are not; "
                                       "give more, or fewer --folds or --epochs: what was trained is kept\n")
    assert len(list(Store("other").folder.iterdir())) == runs.done == 1


def test_persons_of_the_held_out_samples_are_not_trained_on(capsys):
    words = ["tune", "--dataset", "t.csv", "--split", "group:who", "--settings", "2", "--epochs", "1", "--json", "r.json", "-q"]
    assert main(words) == 0
    assert result()["folds"] == ["1/4", "2/4", "3/4", "4/4"]               # four persons beside the one that is tested on
    assert result()["next_command"] == "wuxing train --dataset t.csv --split group:who --config tuned.toml"


def test_what_is_usual_stays_unless_it_is_worse_by_more_than_chance():
    def row(number, *accuracies):
        return tune.Row(number=number, choices={}, epochs=3, accuracy=float(np.mean(accuracies)), spread=0.0,
                        accuracies=accuracies)
    search = tune.Search(settings=None, arithmetic="fixed", parts=("1/5", "2/5"), runners=None, quiet=True, until=None)
    search.rows = [row(0, 80.0, 90.0), row(1, 90.0, 82.0), row(2, 70.0, 70.0)]
    assert search.best().number == 0                                       # 10 and -8 points: one ahead, nine either way
    search.rows[1] = row(1, 84.0, 96.0)
    assert search.best().number == 1
    search.rows = [row(0, 80.0), row(1, 80.5)]
    assert search.best().number == 1                                       # one fold says nothing of chance


@pytest.mark.parametrize(("words", "sentence"), [
    (["--settings", "1"], "settings to try must be 2 to 10000, the usual ones among them, not 1"),
    (["--minutes", "0"], "--minutes must be more than 0 and less than 1000000, not 0"),
    (["--minutes", "nan"], "--minutes must be more than 0 and less than 1000000, not nan"),
    (["--hold-out", "5"], "--hold-out must not be given, because tune holds out samples by itself; leave it out"),
    (["--folds", "6"], "--folds must be at most 5, not 6"),
    (["--workers", "-1"], "--workers must be 0 or more, not -1"),
    (["--arithmetic", "real"], "arithmetic must be float or fixed, not 'real'"),
    (["--learning-rate", "0.3"], ("learning.links must be a power of two for integer arithmetic, not 0.3; the nearest is "
                                  "2**-2"))])
def test_what_is_refused_before_data_are_sought(words, sentence, capsys, monkeypatch):
    def missing(*_):
        raise AssertionError("data were sought")
    monkeypatch.setattr("golden_model.data.datasets.load", missing)
    assert main(["tune", "--dataset", "t.csv", *words]) == 2
    assert capsys.readouterr().err == f"wuxing: {sentence}\n"


def test_an_encoding_of_the_configuration_file(table, capsys):
    (table / "c.toml").write_text("encoding = 'standard'\n[learning]\nepochs = 1\n", "utf-8")
    words = ["train", "--dataset", "t.csv", "--without", "who", "-q", "--config", "c.toml"]
    assert main(words) == 0
    capsys.readouterr()
    standard = model_file.load("model.npz").encoding.knots
    assert main([*words, "--encoding", "minmax"]) == 0
    assert model_file.load("model.npz").encoding.knots != standard
    (table / "c.toml").write_text("encoding = 5\n", "utf-8")
    assert main(words) == 2
    assert capsys.readouterr().err.endswith('wuxing: configuration file c.toml: encoding must be words such as "quantile '
                                            'median", not 5\n')


def test_one_person_alone_cannot_be_held_out(table, capsys):
    (table / "two.csv").write_text("a,who,class\n" + "".join(f"{n},p{n % 2},{n % 3}\n" for n in range(20)), "utf-8")
    assert main(["tune", "--dataset", "two.csv", "--split", "group:who:1/2"]) == 2
    assert capsys.readouterr().err == (
        "wuxing: the training samples must be of two or more in the column who of --split, one of whom is held out, but are of "
        "1; add samples of others, or split by class (stratified)\n")


def test_few_samples_are_cut_into_as_many_folds_as_they_fill(table, capsys):
    (table / "tiny.csv").write_text("a,class\n1,x\n2,x\n3,y\n4,y\n5,x\n6,z\n", "utf-8")
    assert main(["tune", "--dataset", "tiny.csv", "--settings", "2", "--epochs", "1", "--json", "r.json", "-q"]) == 0
    assert result()["folds"] == ["1/4", "2/4", "3/4", "4/4"]              # two of x, two of y; the only z is always learnt


def test_folds_are_cut_out_of_the_images_that_are_used():
    setting = learner.setting_of(Network(layers=(64, 4, 10)), "fixed", "digits", hold_out=None, train_images=100, fold="2/5")
    part, whole = learner.images(setting), learner.whole("digits")
    assert (len(part.train_labels), len(part.test_labels)) == (80, 20)
    used = {image.tobytes() for image in whole.train_images[:100]}
    assert {image.tobytes() for image in (*part.train_images, *part.test_images)} == used


def test_the_next_command_says_all_that_the_file_does_not(table):
    (table / "c.toml").write_text("learning.epochs = 1\n", "utf-8")
    words = ["--dataset", "t.csv", "--label", "class", "--without", "b", "--categories", "who", "--split", "stratified:2/5",
             "--train-images", "150", "--arithmetic", "float"]
    assert main(["tune", *words, "--learning-rate", "0.3", "--config", "c.toml", "--settings", "2", "--epochs", "1", "--json",
                 "r.json", "-q"]) == 0
    command = result()["next_command"].split()
    assert command == ["wuxing", "train", *words, "--config", "tuned.toml"]
    assert main([*command[1:], "-q"]) == 0
    assert model_file.load("model.npz").network.to_dict() == result()["network"]
