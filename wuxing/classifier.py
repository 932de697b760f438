"""``WuxingClassifier``: a network as an estimator of scikit-learn, computed by this machine, by its Verilog, or by a board."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from golden_model import parameters, training
from golden_model.data.datasets import Dataset
from golden_model.data.encoding import Encoding
from golden_model.data.recipe import Recipe
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from golden_model.sections import brief, sequence
from golden_model.storage import model_file
from golden_model.versions import versions
from wuxing.backends import Home, arithmetic_of

LESSONS = 30_000                          # samples learnt in a fit, about, if ``epochs`` is None
FEWEST_EPOCHS, MOST_EPOCHS = 10, 200      # that these are spread over
MOST_LESSONS = 10**8                      # of an epoch
RECIPE = "recipe"                         # entry of a training record: the words of the encoding
OWN = ("layers", "seed")                  # entries of a description that parameters of the estimator stand for


class WuxingClassifier(ClassifierMixin, BaseEstimator):
    """A classifier with the conventions of scikit-learn: a network that learns one sample at a time, as hardware does.

    It goes into pipelines, searches and cross-validation like any other. What it has learnt does not depend on the order of
    the samples, and in integers not on the backend: the same ``random_state`` gives the same bits everywhere.

    There are no probabilities: the outputs are trained to be right by a margin (``CalibratedClassifierCV`` makes some of
    them). And there is no regressor: a core is told a class, not a value, and says which output is greatest.

    Parameters
    ----------
    hidden : tuple of int
        Neurons of each hidden layer; () for none.
    random_state : int, RandomState or None
        Draws the links and the order of the samples. A whole number is the seed of the network, as of ``wuxing train --seed``.
    backend : str, Connection or RtlModel
        What computes: ``fixed``, integers on this machine; ``float``, reals; ``rtl``, the emitted Verilog, compiled;
        ``virtual``, the gateware of a board, simulated behind its serial line; or an open connection to a board whose bitstream
        is of this network. All but ``float`` give the same bits. It may be changed after ``fit``: parameters move, and from
        float to integers they are rounded.
    epochs : int or None
        Passes over the samples. None: as many as make about 30,000 samples, at least 10, at most 200.
    learning_rate : float
        Of links and biases at first; it is halved five times. A power of two unless the backend is ``float``.
    dropout : float
        Share of the inputs that are set to zero at random while learning.
    encoding : str or Recipe
        How features become bytes, in the words of ``Recipe.parse``. It is fitted to the samples of ``fit``, or of the first
        ``partial_fit``. With ``median`` in it, features may be missing (NaN). A feature that is constant in these samples
        becomes 0 and teaches nothing; nothing is said of it, as of scikit-learn's scalers.
    class_weight : dict, "balanced" or None
        As of scikit-learn. Weights are how often samples are learnt, see ``fit``.
    description : dict or None
        Sections of a network description, as its TOML file has them, for all else: formats, wiring, margin. ``layers`` and
        ``seed`` are not among them, and what it says of learning takes the place of the parameters above.

    Attributes
    ----------
    classes_ : (classes,)
    n_features_in_ : int
    feature_names_in_ : (features,)
        If the samples were a table whose columns have names.
    network_ : Network
    encoding_ : Encoding
    parameters_ : Parameters
        A copy of what has been learnt; from a core it is read back.
    n_iter_ : int
        Passes over samples so far, of ``fit`` and of ``partial_fit``.
    online_accuracy_ : list of float
        Of each epoch of ``fit``: per cent of the samples that were right just before they were learnt.
    """

    def __init__(self, hidden: Sequence[int] = (128,), random_state: Any = None, backend: Any = "fixed", *,
                 epochs: int | None = None, learning_rate: float = 2**-4, dropout: float = 0.0,
                 encoding: str | Recipe = "minmax", class_weight: Any = None,
                 description: Mapping[str, Any] | None = None) -> None:
        self.hidden = hidden
        self.random_state = random_state
        self.backend = backend
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.encoding = encoding
        self.class_weight = class_weight
        self.description = description

    # ------------------------------------------------------------- learning

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn samples anew, in a random order in each epoch.

        Parameters
        ----------
        X : numbers (samples, features)
        y : (samples,)
            Texts or numbers, 2 to 256 different ones.
        sample_weight : reals (samples,), optional
            How often each sample is learnt in an epoch: as often as the whole part says, and once more with the chance of the
            rest. 2 is as good as having the sample twice, and 0 as not having it. Weights of less than 1 in the mean, without
            those that are 0, are multiplied so that this mean is 1.

        Raises
        ------
        InputError, ValueError
            If samples, weights, parameters or their network cannot be used; the second from scikit-learn.
        ToolError, DeviceError
            If the Verilog cannot be compiled, or a board does not answer.
        """
        arithmetic, recipe = arithmetic_of(self.backend), self._recipe()
        samples, targets = self._checked(X, recipe, y)
        classes, labels = np.unique(targets, return_inverse=True)
        weights = self._weights(samples, targets, classes, sample_weight)
        if weights is not None:
            there = weights > 0
            samples, weights = samples[there], weights[there]
            classes, labels = np.unique(targets[there], return_inverse=True)
        encoding = self._encoding(samples, classes, recipe, weights)
        sent, labels = encoding.encode(samples), labels.astype(np.int64)
        order = _canonical(sent, labels)
        sent, labels, weights = sent[order], labels[order], None if weights is None else weights[order]
        network = self._network(encoding.inputs, len(classes), len(labels) if weights is None else float(weights.sum()))
        data = Dataset(name="samples", train_images=sent, train_labels=labels, test_images=sent[:1], test_labels=labels[:1],
                       classes=len(classes), image_shape=(1, encoding.inputs), source="samples of a fit")
        home = Home(network, arithmetic, parameters.initial(network, arithmetic))
        learnt = training.train(network, arithmetic, data, weights=weights, engine=lambda *_: home.learner(self.backend))
        if learnt.interrupted:
            raise KeyboardInterrupt
        home.replace(learnt.parameters)
        self.classes_, self.encoding_, self.network_, self._home = classes, encoding, network, home
        self.online_accuracy_ = [epoch.online_accuracy for epoch in learnt.epochs]
        self.n_iter_, self._rates = learnt.complete_epochs, network.learning.epochs - 1
        return self

    def partial_fit(self, X: npt.ArrayLike, y: npt.ArrayLike, classes: npt.ArrayLike | None = None,
                    sample_weight: npt.ArrayLike | None = None) -> Self:
        """Learn samples once, in the order in which they come, without dropout, from what has been learnt before.

        After ``fit`` at the rates of its last epoch; without one at those of the first, and then the first call says all
        ``classes`` and fits the encoding: it should have samples of the whole range of values.

        Parameters
        ----------
        X, y : as of ``fit``
        classes : (classes,)
            In the first call all labels that may ever come.
        sample_weight : as of ``fit``

        Raises
        ------
        InputError, ValueError
            As ``fit``; also if a label is none of the classes, or class_weight is "balanced".
        ToolError, DeviceError
            As ``fit``.
        """
        first = not hasattr(self, "_home")
        arithmetic, recipe = arithmetic_of(self.backend), self._recipe()
        if isinstance(self.class_weight, str):
            raise InputError(f"class_weight must be a dict or None for partial_fit, which does not know what comes, not "
                             f"{brief(self.class_weight)}; compute the weights of all samples first")
        if first and classes is None:
            raise InputError("classes must be named in the first call of partial_fit, but are not; give all labels that may "
                             "come")
        samples, targets = self._checked(X, recipe, y, reset=first)
        named = self.classes_ if classes is None else np.unique(np.asarray(classes))
        known = named if first else self.classes_
        if not np.array_equal(named, known):
            raise InputError(f"classes must be those of the first call ({brief(known.tolist())}), not {brief(named.tolist())}; "
                             "leave them out, or begin with a clone")
        unknown = np.setdiff1d(targets, known)
        if len(unknown):
            raise InputError(f"labels must be among the classes {brief(known.tolist())}, not {brief(unknown.tolist()[0])}; "
                             "name all of them in the first call")
        weights = self._weights(samples, targets, known, sample_weight)
        if first:
            encoding = self._encoding(samples, known, recipe, weights)
            network = self._network(encoding.inputs, len(known), len(targets))
            self.classes_, self.encoding_, self.network_ = known, encoding, network
            self._home = Home(network, arithmetic, parameters.initial(network, arithmetic))
            self.online_accuracy_, self.n_iter_, self._rates = [], 0, 0
        sent, labels = self.encoding_.encode(samples), np.searchsorted(known, targets)
        if weights is not None:
            chosen = training.presented(weights, self.network_.seed, self.n_iter_)
            sent, labels = sent[chosen], labels[chosen]
        self._home.learn(self.backend, sent, labels, self._rates)
        self.n_iter_ += 1
        return self

    # ------------------------------------------------------------- what it says

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The outputs of samples (samples, features), as reals: (samples, classes); of two classes the second less the first.

        The class of a sample is the greatest, the first of equals.
        """
        sent = self._sent(X)
        outputs = self._home.learner(self.backend).outputs(sent)
        if self._home.arithmetic == "fixed":
            outputs = self.network_.formats.displacement.real(outputs)
        return outputs[:, 1] - outputs[:, 0] if outputs.shape[1] == 2 else outputs

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """The class (samples,) of each sample (samples, features)."""
        sent = self._sent(X)
        classes: npt.NDArray[Any] = self.classes_[self._home.learner(self.backend).predict(sent)]
        return classes

    @property
    def parameters_(self) -> Parameters:
        """A copy of what has been learnt: integers in the formats of ``network_``, or reals."""
        check_is_fitted(self, "_home")
        return self._home.parameters

    # ------------------------------------------------------------- hardware, files

    def to_verilog(self, **choices: Any) -> str:
        """The Verilog of a core of this network; ``choices``: arguments of ``Design``.

        The parameters are not in it: they are loaded by frames, or ``wuxing verilog`` writes the files of its memories from
        what ``save`` wrote.

        Raises
        ------
        InputError
            If the network has no such hardware.
        """
        from hdl import emit
        from hdl.design import Design
        check_is_fitted(self, "_home")
        return emit.to_verilog(Design(network=self.network_, **choices))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file, which ``wuxing info``, ``verilog``, ``build`` and ``load_model`` read, with its encoding.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        check_is_fitted(self, "_home")
        record = {"seed": self.network_.seed, "arithmetic": self._home.arithmetic, "complete_epochs": self.n_iter_,
                  RECIPE: str(self._recipe()), "versions": versions()}
        model_file.save(path, self.network_, self._home.arithmetic, self._home.parameters, record, self.encoding_)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], backend: Any = None) -> Self:
        """A fitted classifier from a model file, whoever wrote it.

        ``backend``: by default the arithmetic of the file, ``fixed`` or ``float``. All other parameters are those that give its
        network, for those who fit it anew; ``encoding`` is known of what ``save`` wrote, and the default otherwise.

        Raises
        ------
        InputError
            If the file cannot be used; see ``load_model``.
        """
        loaded = model_file.load(path)
        network, encoding = loaded.network, loaded.encoding
        recipe = loaded.record.get(RECIPE, "bytes" if encoding.passes_bytes else None)
        words = {"encoding": recipe} if isinstance(recipe, str) else {}
        result = cls(network.layers[1:-1], network.seed, loaded.arithmetic if backend is None else backend,
                     epochs=network.learning.epochs, learning_rate=network.learning.links, dropout=network.learning.dropout,
                     description=_unusual(network), **words)
        arithmetic = arithmetic_of(result.backend)
        names = [encoding.class_name(output) for output in range(network.layers[-1])]
        result.classes_, result.encoding_, result.network_ = np.array(names), encoding, network
        result.n_features_in_ = encoding.values or network.layers[0]
        if encoding.features:
            result.feature_names_in_ = np.array(encoding.features, object)
        result._home = Home(network, arithmetic, loaded.converted(arithmetic))
        result.online_accuracy_, result.n_iter_, result._rates = [], network.learning.epochs, network.learning.epochs - 1
        return result

    def close(self) -> None:
        """End the processes of the backend; what has been learnt stays, and the next call starts them again.

        A connection that was handed in stays open.
        """
        if hasattr(self, "_home"):
            self._home.close()

    # ------------------------------------------------------------- conventions

    def __sklearn_tags__(self) -> Tags:
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = "median" in str(self.encoding)
        return tags

    def __getstate__(self) -> dict[str, Any]:
        if not isinstance(self.backend, str):
            raise InputError(f"the backend must be a name for a classifier to be pickled or copied, not "
                             f"{brief(self.backend)}; call set_params(backend=\"fixed\") first, or save() it")
        state: dict[str, Any] = super().__getstate__()
        return state

    # ------------------------------------------------------------- steps

    def _recipe(self) -> Recipe:
        if isinstance(self.encoding, Recipe):
            return self.encoding
        if not isinstance(self.encoding, str):
            raise InputError(f"encoding must be words such as \"standard median\" or a Recipe, not {brief(self.encoding)}")
        return Recipe.parse(self.encoding)

    def _checked(self, X: Any, recipe: Recipe | None, y: Any = None, reset: bool = True) -> Any:
        """X, or X and y, as arrays, after scikit-learn's checks; missing values pass where the encoding takes them."""
        allowed = "allow-nan" if (self.encoding_.missing if recipe is None else recipe.missing == "median") else True
        if recipe is None:
            return validate_data(self, X, reset=False, ensure_all_finite=allowed)
        X, y = validate_data(self, X, y, reset=reset, ensure_all_finite=allowed)
        check_classification_targets(y)
        return X, y

    def _sent(self, X: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        check_is_fitted(self, "_home")
        return self.encoding_.encode(self._checked(X, None))

    def _encoding(self, X: npt.NDArray[Any], classes: npt.NDArray[Any], recipe: Recipe,
                  weights: npt.NDArray[np.float64] | None) -> Encoding:
        """Fitted to the samples, each as often as the whole part of its weight says, and at least once."""
        if len(classes) < 2:
            raise InputError(f"y must have samples of two or more classes, not of 1 class ({brief(classes.tolist()[0])}); add "
                             "samples of another")
        if weights is not None and weights.max() >= 2:
            X = np.repeat(X, np.maximum(weights, 1).astype(np.int64), axis=0)
        return Encoding.fit(X, classes, recipe, features=getattr(self, "feature_names_in_", ()))

    def _network(self, inputs: int, outputs: int, count: float) -> Network:
        """The description for so many inputs and outputs and, if epochs are not chosen, samples."""
        hidden = sequence(self.hidden)
        if hidden is None:
            raise InputError(f"hidden must be sizes of layers such as (128,), not {brief(self.hidden)}")
        description = dict(self.description or {})
        if there := [name for name in OWN if name in description]:
            raise InputError(f"description must not have {there[0]}, for which hidden and random_state stand; leave it out")
        epochs = self.epochs
        if epochs is None:
            epochs = min(max(round(LESSONS / count), FEWEST_EPOCHS), MOST_EPOCHS)
        learning = {"links": self.learning_rate, "bias": self.learning_rate, "dropout": self.dropout, "epochs": epochs}
        entries = description.get("learning", {})
        description["learning"] = learning | dict(entries) if isinstance(entries, Mapping) else entries
        seed = self.random_state
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
            seed = check_random_state(seed).randint(2**31 - 1)
        return Network.from_dict(description | {"layers": [inputs, *hidden, outputs], "seed": int(seed)})

    def _weights(self, X: npt.NDArray[Any], y: npt.NDArray[Any], classes: npt.NDArray[Any],
                 sample_weight: Any) -> npt.NDArray[np.float64] | None:
        """How often each sample is learnt; None: once."""
        if sample_weight is None and self.class_weight is None:
            return None
        weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        if self.class_weight is not None:
            of_each = compute_class_weight(self.class_weight, classes=classes, y=y, sample_weight=weights)
            weights = weights * of_each[np.searchsorted(classes, y)]
        there = weights[weights > 0]
        if not len(there):
            raise InputError("sample_weight, times class_weight, must be above 0 for some sample, but is 0 for all; leave them "
                             "out to learn all alike")
        scaled: npt.NDArray[np.float64] = weights * max(1.0, 1 / float(there.mean()))
        if scaled.sum() > MOST_LESSONS:
            raise InputError(f"sample_weight, times class_weight, must add up to at most {MOST_LESSONS:,} samples an epoch, "
                             f"not {scaled.sum():,.0f}; divide all weights by one number")
        return scaled


def _unusual(network: Network) -> dict[str, dict[str, Any]] | None:
    """The description that gives this network, without what parameters of the estimator stand for and what is so by default."""
    usual = Network(layers=network.layers).with_learning(links=network.learning.links, bias=network.learning.links,
                                                         epochs=network.learning.epochs, dropout=network.learning.dropout)
    differing = {name: {entry: value for entry, value in section.items() if value != usual.to_dict()[name].get(entry)}
                 for name, section in network.to_dict().items() if name not in OWN}
    return {name: section for name, section in differing.items() if section} or None


def _canonical(images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """An order (samples,) of samples that does not depend on that in which they come: by their bytes, then by their labels."""
    rows = np.column_stack([images, labels.astype(np.uint8)])
    return np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1])))[:, 0].argsort(kind="stable")
