"""``WuxingClassifier``: scikit-learn's conventions, and the same bits from this machine, the emitted Verilog and a board."""
import copy
import pickle
import re
from dataclasses import fields

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures
from sklearn.utils.estimator_checks import check_estimator

from boards.connection import Connection
from boards.virtual import VirtualBoard
from golden_model import parameters
from golden_model.data.datasets import Dataset
from golden_model.data.encoding import Encoding
from golden_model.data.recipe import Recipe
from golden_model.engine import CompiledModel
from golden_model.errors import InputError
from golden_model.network import Integration, Learning, Network
from golden_model.storage import model_file
from golden_model.training import presented, train
from hdl import emit
from hdl.design import Design, units_within
from test_learner import same
from wuxing.backends import PATIENCE, UNITS
from wuxing.classifier import WuxingClassifier

X, y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[y]
FEW = slice(None, None, 10)               # 15 of the 150 samples
TINY = {"hidden": (3,), "random_state": 4, "epochs": 3, "dropout": 0.125}      # one compilation for all who simulate


def refused(text):
    return pytest.raises(InputError, match=f"^{re.escape(text)}$")


@pytest.fixture(scope="module")
def quick():
    return WuxingClassifier((16,), 0, epochs=60).fit(X, NAMES)


@pytest.fixture(scope="module")
def connection():
    network = WuxingClassifier(**TINY).fit(X[FEW], y[FEW]).network_
    with VirtualBoard.of(Design(network=network, units=units_within(network, UNITS))) as board, \
            Connection(network, board.port, patience=PATIENCE) as opened:
        yield opened


# ----------------------------------------------------------------- scikit-learn's conventions

def test_it_keeps_to_the_conventions_of_scikit_learn():
    """All checks for estimators, with the defaults; none is expected to fail. One wants arrays of other libraries, which are
    only taken where the environment says so (SCIPY_ARRAY_API)."""
    results = check_estimator(WuxingClassifier(), on_skip=None, on_fail=None)
    assert [(result["check_name"], result["exception"]) for result in results if result["status"] == "failed"] == []
    assert [result["check_name"] for result in results if result["status"] != "passed"] == ["check_array_api_input"]
    assert len(results) > 50


def test_it_goes_into_pipelines_searches_and_cross_validation():
    model = make_pipeline(PolynomialFeatures(2, include_bias=False), WuxingClassifier((16,), 0, epochs=60))
    assert cross_val_score(model, X, NAMES, cv=3).mean() > 0.9
    search = GridSearchCV(WuxingClassifier((16,), 0), {"epochs": [1, 60], "encoding": ["minmax", "quantile"]}, cv=3)
    search.fit(X, NAMES)
    assert search.best_params_["epochs"] == 60
    assert search.score(X, NAMES) > 0.9
    assert CalibratedClassifierCV(WuxingClassifier((16,), 0, epochs=20), cv=2).fit(X, y).predict_proba(X).shape == (150, 3)


def test_defaults_learn_a_table_of_150_samples():
    learnt = WuxingClassifier(random_state=0).fit(X[::2], y[::2])
    assert (learnt.network_.layers, learnt.n_iter_, learnt.network_.seed) == ((4, 128, 3), 200, 0)
    assert learnt.score(X[1::2], y[1::2]) >= 0.92
    assert len(learnt.online_accuracy_) == 200


def test_epochs_are_chosen_by_the_number_of_samples():
    for count, epochs in ((75, 200), (1_000, 30), (2_000, 15), (60_000, 10)):
        assert WuxingClassifier()._network(4, 3, count).learning.epochs == epochs


def test_fit_is_what_training_gives():
    """The same bits as ``train`` with the same description, on samples in the order of their bytes."""
    learnt = WuxingClassifier((5,), 7, epochs=4, dropout=0.25).fit(X[FEW], y[FEW])
    sent = Encoding.fit(X[FEW], y[FEW], Recipe(scaling="minmax")).encode(X[FEW])
    order = np.lexsort([y[FEW], *sent.T[::-1]])
    data = Dataset(name="iris", train_images=sent[order], train_labels=y[FEW][order], test_images=sent, test_labels=y[FEW],
                   classes=3, image_shape=(1, 4), source="")
    network = Network(layers=(4, 5, 3), seed=7, learning=Learning(epochs=4, dropout=0.25))
    assert learnt.network_ == network
    assert same(learnt.parameters_, train(network, "fixed", data).parameters)
    assert np.array_equal(learnt.decision_function(X),
                          CompiledModel(network, "fixed", learnt.parameters_).outputs(learnt.encoding_.encode(X)) / 4096)


def test_classes_have_any_names_and_two_make_one_decision(quick):
    assert quick.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert quick.score(X, NAMES) > 0.9
    assert np.array_equal(quick.classes_[quick.decision_function(X).argmax(axis=1)], quick.predict(X))
    for two in (np.array([-2.0, 7.0]), np.array([False, True]), np.array(["no", "yes"], object)):
        learnt = WuxingClassifier((4,), 0, epochs=5).fit(X[:100], two[y[:100]])
        decision = learnt.decision_function(X)
        assert decision.shape == (150,)
        assert np.array_equal(learnt.predict(X), two[(decision > 0).astype(int)])


def test_columns_have_names_which_hold_everywhere(tmp_path):
    """Those of a DataFrame: for scikit-learn, in the encoding, in the file, and for whoever reads the manifest."""
    table, kinds = load_iris(return_X_y=True, as_frame=True)
    learnt = WuxingClassifier((8,), 0, epochs=5).fit(table, kinds)
    assert learnt.feature_names_in_.tolist() == list(learnt.encoding_.features) == list(table.columns)
    assert same(learnt.parameters_, WuxingClassifier((8,), 0, epochs=5).fit(X, y).parameters_)
    for other in (table[table.columns[::-1]], table.rename(columns={table.columns[0]: "q"}), table.iloc[:, :3]):
        with pytest.raises(ValueError, match="^The feature names should match those that were passed during fit"):
            learnt.predict(other)
    learnt.save(tmp_path / "m.npz")
    read = WuxingClassifier.from_file(tmp_path / "m.npz")
    assert read.feature_names_in_.tolist() == list(table.columns)
    assert np.array_equal(read.predict(table), learnt.predict(table))
    sent = read.encoding_.encode(table[table.columns[::-1]], table.columns[::-1])       # the encoding finds them by their names
    assert np.array_equal(sent, learnt.encoding_.encode(X))


def test_columns_of_names_go_through_a_pipeline():
    table, kinds = load_iris(return_X_y=True, as_frame=True)
    table["colour"] = np.array(["red", "blue", "green"])[kinds]
    ones = make_column_transformer((OneHotEncoder(sparse_output=False), ["colour"]), remainder="passthrough",
                                   verbose_feature_names_out=False)
    model = make_pipeline(ones, WuxingClassifier((8,), 0, epochs=30)).set_output(transform="pandas").fit(table, kinds)
    assert model.score(table, kinds) > 0.95
    assert model[-1].encoding_.features[:3] == ("colour_blue", "colour_green", "colour_red")


# ----------------------------------------------------------------- weights

def test_the_order_of_samples_says_nothing(quick):
    order = np.random.default_rng(1).permutation(150)
    assert same(clone(quick).fit(X[order], NAMES[order]).parameters_, quick.parameters_)


@pytest.mark.parametrize("encoding", ["minmax", "standard", "quantile"])
def test_a_whole_weight_is_as_good_as_repetition(encoding):
    weights = np.random.default_rng(2).integers(0, 4, 15)
    begun = WuxingClassifier((5,), 0, epochs=5, encoding=encoding)
    weighted = clone(begun).fit(X[FEW], y[FEW], sample_weight=weights)
    repeated = clone(begun).fit(np.repeat(X[FEW], weights, axis=0), np.repeat(y[FEW], weights))
    assert same(weighted.parameters_, repeated.parameters_)
    assert not same(weighted.parameters_, clone(begun).fit(X[FEW], y[FEW]).parameters_)
    half = clone(begun).fit(X[FEW], y[FEW], sample_weight=np.full(15, 0.001))      # multiplied until their mean is 1
    assert same(half.parameters_, clone(begun).fit(X[FEW], y[FEW]).parameters_)


def test_a_part_of_a_weight_is_left_to_chance():
    times = np.array([np.bincount(presented(np.array([0.0, 0.25, 1.0, 2.5]), 3, epoch), minlength=4) for epoch in range(2000)])
    assert times.min(axis=0).tolist() == [0, 0, 1, 2]
    assert times.max(axis=0).tolist() == [0, 1, 1, 3]
    assert np.abs(times.mean(axis=0) - [0, 0.25, 1, 2.5]).max() < 0.04            # four standard errors


def test_class_weights_multiply_sample_weights():
    begun = WuxingClassifier((5,), 0, epochs=5)
    by_class = clone(begun).set_params(class_weight={0: 3, 1: 1, 2: 2}).fit(X[FEW], y[FEW], sample_weight=np.full(15, 2))
    by_sample = clone(begun).fit(X[FEW], y[FEW], sample_weight=2 * np.array([3, 1, 2])[y[FEW]])
    assert same(by_class.parameters_, by_sample.parameters_)
    some = np.r_[0:50, 50:60, 100:110]
    balanced = clone(begun).set_params(class_weight="balanced").fit(X[some], y[some])
    assert not same(balanced.parameters_, clone(begun).fit(X[some], y[some]).parameters_)


# ----------------------------------------------------------------- one sample after the other

def test_partial_fit_learns_in_the_order_of_the_samples():
    learnt = WuxingClassifier((5,), 3).partial_fit(X[FEW], NAMES[FEW], classes=np.unique(NAMES))
    for at in range(0, 150, 10):
        learnt.partial_fit(X[at:at + 10], NAMES[at:at + 10])
    network, sent = learnt.network_, learnt.encoding_.encode(X)
    model = CompiledModel(network, "fixed", parameters.initial(network, "fixed"))
    model.learn(sent[FEW], y[FEW], 0)
    model.learn(sent, y, 0)
    assert same(learnt.parameters_, model.parameters)
    assert learnt.n_iter_ == 16


def test_partial_fit_after_fit_goes_on_at_the_last_rates(quick):
    learnt = copy.deepcopy(quick).partial_fit(X[FEW], NAMES[FEW], sample_weight=np.full(15, 2.0))
    model = CompiledModel(quick.network_, "fixed", quick.parameters_)
    model.learn(np.repeat(quick.encoding_.encode(X[FEW]), 2, axis=0), np.repeat(y[FEW], 2), 59)
    assert same(learnt.parameters_, model.parameters)
    assert not same(learnt.parameters_, quick.parameters_)


# ----------------------------------------------------------------- backends

@pytest.mark.parametrize("backend", ["rtl", "virtual", "connection"])
def test_every_backend_learns_and_says_the_same_bits(backend, request):
    expected = WuxingClassifier(**TINY).fit(X[FEW], y[FEW])
    chosen = request.getfixturevalue("connection") if backend == "connection" else backend
    learnt = WuxingClassifier(**TINY, backend=chosen).fit(X[FEW], y[FEW])
    assert learnt.online_accuracy_ == expected.online_accuracy_
    for _ in range(2):
        assert same(learnt.parameters_, expected.parameters_)
        assert np.array_equal(learnt.decision_function(X[FEW]), expected.decision_function(X[FEW]))
        assert np.array_equal(learnt.predict(X[FEW]), expected.predict(X[FEW]))
        learnt.partial_fit(X[:9], y[:9])                                          # of one class: much to learn
        expected.partial_fit(X[:9], y[:9])
    assert not same(expected.parameters_, WuxingClassifier(**TINY).fit(X[FEW], y[FEW]).parameters_)
    learnt.close()
    assert same(learnt.parameters_, expected.parameters_)                         # they are here, not on a chip that is gone
    learnt.set_params(backend="fixed")
    assert np.array_equal(learnt.decision_function(X[FEW]), expected.decision_function(X[FEW]))


def test_two_estimators_on_one_board_do_not_hear_each_other(connection):
    """A board holds one set of parameters; what one estimator learnt is read back before another moves in."""
    one, two = (WuxingClassifier(**TINY, backend=connection), WuxingClassifier(**TINY))
    one.fit(X[FEW], y[FEW]).partial_fit(X[:5], y[:5])
    two.fit(X[FEW], y[FEW]).partial_fit(X[:5], y[:5])
    other = clone(one).set_params(epochs=1).fit(X[FEW], y[FEW])
    assert other.backend is connection
    assert not same(other.parameters_, two.parameters_)
    assert np.array_equal(one.decision_function(X[FEW]), two.decision_function(X[FEW]))
    assert same(one.parameters_, two.parameters_)
    assert len(cross_val_score(one, X[FEW], y[FEW], cv=2)) == 2
    assert same(one.parameters_, two.parameters_)
    with pytest.raises(InputError, match=r"^the backend must be a name for a classifier to be pickled or copied, not <boards\."
                                         r"connection.*>; call set_params\(backend=\"fixed\"\) first, or save\(\) it$"):
        pickle.dumps(one)


def test_a_core_of_another_network_is_refused(connection):
    with pytest.raises(InputError, match=r"^estimator and core must be of the same network, but that of the core has the "
                                         r"layers \[4, 3, 3\] and the digest [0-9a-f]{16}, not \[4, 4, 3\] and [0-9a-f]{16}; "
                                         r"give hidden and description those of the core, or build this network$"):
        WuxingClassifier((4,), 0, backend=connection).fit(X[FEW], y[FEW])


def test_another_backend_after_float_rounds_what_was_learnt():
    learnt = WuxingClassifier((5,), 0, "float", epochs=5).fit(X[FEW], y[FEW])
    reals = learnt.parameters_
    assert reals[0].weights.dtype == np.float32
    learnt.set_params(backend="fixed").predict(X)
    assert same(learnt.parameters_, parameters.quantised(learnt.network_, reals))


# ----------------------------------------------------------------- copies, files, hardware

def test_pickles_and_copies_go_on_where_the_original_was(quick):
    for copied in (pickle.loads(pickle.dumps(quick)), copy.deepcopy(quick)):
        assert same(copied.parameters_, quick.parameters_)
        assert np.array_equal(copied.decision_function(X), quick.decision_function(X))
        copied.partial_fit(X[FEW], NAMES[FEW])
        assert not same(copied.parameters_, quick.parameters_)


def test_a_model_file_has_all_that_a_prediction_needs(quick, tmp_path):
    quick.save(tmp_path / "model.npz")
    loaded = model_file.load(tmp_path / "model.npz")
    assert (loaded.network, loaded.arithmetic, loaded.encoding.classes) == (quick.network_, "fixed", tuple(NAMES[[0, 50, 100]]))
    read = WuxingClassifier.from_file(tmp_path / "model.npz")
    assert np.array_equal(read.decision_function(X), quick.decision_function(X))
    assert np.array_equal(read.predict(X), quick.predict(X))
    assert (read.n_features_in_, read.encoding, read.hidden, read.description) == (4, "minmax", (16,), None)
    assert same(clone(read).fit(X, NAMES).parameters_, quick.parameters_)         # its parameters are those of the network
    assert same(read.partial_fit(X[FEW], NAMES[FEW]).parameters_,
                copy.deepcopy(quick).partial_fit(X[FEW], NAMES[FEW]).parameters_)


def test_parameters_of_a_classifier_from_a_file_can_be_changed(tmp_path):
    """What the description of the file says stands in no parameter's way, and what no parameter stands for is kept."""
    network = Network(layers=(6, 4, 3), seed=5, integration=Integration(steps=4), learning=Learning(
        bias=2**-5, epochs=9, magnification=(2,)))
    model_file.save(tmp_path / "model.npz", network, "fixed", parameters.initial(network, "fixed"), {})
    read = WuxingClassifier.from_file(tmp_path / "model.npz")
    assert read.description == {"integration": {"steps": 4}, "learning": {"bias": 2**-5, "magnification": [2]}}
    assert read._network(6, 3, 100) == network
    read.set_params(epochs=3, dropout=0.5, learning_rate=2**-3, hidden=(8,), random_state=6)
    assert read._network(6, 3, 100) == Network(layers=(6, 8, 3), seed=6, integration=Integration(steps=4), learning=Learning(
        links=2**-3, bias=2**-5, epochs=3, dropout=0.5, magnification=(2,)))


def test_a_model_file_of_the_command_line_says_how_its_samples_were_encoded(tmp_path):
    from wuxing.cli import main
    lines = [f"{n % 7},{n % 5},{'no' if n % 7 < 3 else 'yes'}\n" for n in range(70)]
    (tmp_path / "t.csv").write_text("a,b,class\n" + "".join(lines), "utf-8")
    words = ["--dataset", str(tmp_path / "t.csv"), "--epochs", "2", "-q", "-o", str(tmp_path / "m.npz")]
    for more, recipe in (([], "quantile"), (["--encoding", "median standard"], "standard median")):
        assert main(["train", *words, *more]) == 0
        assert model_file.load(tmp_path / "m.npz").record["recipe"] == recipe
        read = WuxingClassifier.from_file(tmp_path / "m.npz")
        assert (read.encoding, read.classes_.tolist(), read.feature_names_in_.tolist()) == (recipe, ["no", "yes"], ["a", "b"])


def test_a_model_file_of_bytes_becomes_a_classifier_of_its_outputs(tmp_path):
    network = Network(layers=(6, 3))
    values = parameters.initial(network, "float")
    model_file.save(tmp_path / "model.npz", network, "float", values, {})
    read = WuxingClassifier.from_file(tmp_path / "model.npz")
    images = np.random.default_rng(0).integers(0, 256, (20, 6))
    assert (read.backend, read.encoding, read.classes_.tolist()) == ("float", "bytes", [0, 1, 2])
    assert np.array_equal(read.predict(images), CompiledModel(network, "float", values).predict(images))


def test_the_verilog_is_that_of_the_network():
    learnt = WuxingClassifier(**TINY).fit(X[FEW], y[FEW])
    assert learnt.to_verilog(units=(1, 1)) == emit.to_verilog(Design(network=learnt.network_, units=(1, 1)))


def test_missing_values_pass_where_the_encoding_takes_them():
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    learnt = WuxingClassifier((16,), 0, epochs=60, encoding="minmax median").fit(holed, y)
    assert learnt.score(holed, y) > 0.85
    assert learnt.__sklearn_tags__().input_tags.allow_nan
    with pytest.raises(ValueError, match="contains NaN"):
        WuxingClassifier((16,), 0, epochs=20).fit(holed, y)


# ----------------------------------------------------------------- what is refused

@pytest.mark.parametrize(("parameters", "text"), [
    ({"backend": "fpga"}, "backend must be float, fixed, rtl, virtual, a Connection or an RtlModel, not 'fpga'"),
    ({"backend": 3}, "backend must be float, fixed, rtl, virtual, a Connection or an RtlModel, not 3"),
    ({"hidden": 128}, "hidden must be sizes of layers such as (128,), not 128"),
    ({"hidden": (0,)}, "each size in layers must be a whole number from 1 to 1048576, not 0"),
    ({"epochs": 0}, "learning.epochs must be a whole number from 1 to 1000000, not 0"),
    ({"learning_rate": 0.1}, "learning.links must be a power of two for integer arithmetic, not 0.1; the nearest is 2**-3"),
    ({"encoding": 4}, 'encoding must be words such as "standard median" or a Recipe, not 4'),
    ({"description": {"seed": 1}}, "description must not have seed, for which hidden and random_state stand; leave it out"),
    ({"description": {"learning": {"lambda": 1}}}, "learning has no entry 'lambda'; it has " + ", ".join(
        entry.name for entry in fields(Learning))),
])
def test_parameters_that_cannot_be_used(parameters, text):
    with refused(text):
        WuxingClassifier(**parameters).fit(X[FEW], y[FEW])


def test_samples_and_labels_that_cannot_be_used(quick):
    with refused("y must have samples of two or more classes, not of 1 class (2); add samples of another"):
        WuxingClassifier().fit(X[FEW], np.full(15, 2))
    with refused("sample_weight, times class_weight, must be above 0 for some sample, but is 0 for all; leave them out to "
                 "learn all alike"):
        WuxingClassifier(class_weight={0: 0, 1: 0, 2: 1}).fit(X[FEW], y[FEW], sample_weight=y[FEW] == 0)
    with refused("sample_weight, times class_weight, must add up to at most 100,000,000 samples an epoch, not 15,000,000,000; "
                 "divide all weights by one number"):
        WuxingClassifier().fit(X[FEW], y[FEW], sample_weight=np.full(15, 1e9))
    with refused("classes must be named in the first call of partial_fit, but are not; give all labels that may come"):
        WuxingClassifier().partial_fit(X[FEW], y[FEW])
    with refused("class_weight must be a dict or None for partial_fit, which does not know what comes, not 'balanced'; compute "
                 "the weights of all samples first"):
        WuxingClassifier(class_weight="balanced").partial_fit(X[FEW], y[FEW], classes=[0, 1, 2])
    learnt = copy.deepcopy(quick)
    with refused("labels must be among the classes ['setosa', 'versicolor', 'virginica'], not 'rose'; name all of them in the "
                 "first call"):
        learnt.partial_fit(X[:1], ["rose"])
    with refused("classes must be those of the first call (['setosa', 'versicolor', 'virginica']), not ['rose']; leave them "
                 "out, or begin with a clone"):
        learnt.partial_fit(X[:1], ["setosa"], classes=["rose"])
    assert same(learnt.parameters_, quick.parameters_)


def test_weights_that_training_cannot_use():
    data = Dataset(name="x", train_images=np.zeros((2, 3), np.uint8), train_labels=np.array([0, 1]), classes=2, source="",
                   test_images=np.zeros((1, 3), np.uint8), test_labels=np.array([0]), image_shape=(1, 3))
    for weights in ([1.0], [1.0, -1.0], [1.0, np.nan], [0.0, 0.0]):
        with refused("weights must be 2 finite numbers, one for each training image, none negative and not all 0"):
            train(Network(layers=(3, 2)), "fixed", data, weights=weights)
