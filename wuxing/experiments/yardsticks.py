"""What somebody would use instead: scikit-learn's methods and nearest neighbours by dynamic time warping.

Each takes a data set in bytes, and gives the classes of its test samples. Settings are those that a method comes with, but for
what is said here. ``wuxing.experiments.torch_networks`` has the networks of PyTorch.
"""
from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data.datasets import Dataset

Classes = npt.NDArray[np.int64]
Frames = npt.NDArray[np.float64]          # (samples, frames, channels)

ITERATIONS = 100                          # of logistic regression; on pictures it converges further, to no use
ROUNDS = 100                              # of gradient boosting, one tree for each class in each


def logistic_regression(data: Dataset) -> Classes:
    from sklearn.linear_model import LogisticRegression
    return _predictions(LogisticRegression(max_iter=ITERATIONS), data.train_images / 255, data.train_labels,
                        data.test_images / 255)


def logistic_regression_on_means(data: Dataset) -> Classes:
    """Of recordings: the mean of each channel over all frames, standardised."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    return _predictions(make_pipeline(StandardScaler(), LogisticRegression(max_iter=10 * ITERATIONS)),
                        frames(data, data.train_images).mean(1), data.train_labels, frames(data, data.test_images).mean(1))


def gradient_boosting(data: Dataset) -> Classes:
    """All rounds are gone, so that nothing is left to chance."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    return _predictions(HistGradientBoostingClassifier(max_iter=ROUNDS, early_stopping=False, random_state=0),
                        data.train_images, data.train_labels, data.test_images)


def neighbours_by_warping(data: Dataset) -> Classes:
    """The nearest training sample, by dynamic time warping of whole frames, with squares and without a window."""
    nearest = _nearest()(frames(data, data.train_images), frames(data, data.test_images))
    return data.train_labels[nearest]


def mlp(data: Dataset, hidden: tuple[int, ...], epochs: int, seed: int) -> Classes:
    """scikit-learn's MLPClassifier of these sizes."""
    from sklearn.neural_network import MLPClassifier
    return _predictions(MLPClassifier(hidden, max_iter=epochs, random_state=seed), data.train_images / 255, data.train_labels,
                        data.test_images / 255)


ONCE: dict[str, Callable[[Dataset], Classes]] = {             # nothing in them is drawn
    "logistic regression": logistic_regression,
    "logistic regression on means": logistic_regression_on_means,
    "gradient boosting": gradient_boosting,
    "1-NN, dynamic time warping": neighbours_by_warping,
}


def frames(data: Dataset, samples: npt.NDArray[np.uint8]) -> Frames:
    """Bytes (samples, inputs) of recordings as (samples, frames, channels)."""
    return samples.reshape(len(samples), data.image_shape[0], -1).astype(np.float64)


def _predictions(learner: Any, train: npt.NDArray[Any], labels: Classes, test: npt.NDArray[Any]) -> Classes:
    from sklearn.exceptions import ConvergenceWarning
    with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
        learner.fit(train, labels)
    return np.asarray(learner.predict(test), np.int64)


@cache
def _nearest() -> Callable[[Frames, Frames], Classes]:
    """Compiled when it is first wanted."""
    import numba

    @numba.njit
    def nearest(train: Any, test: Any) -> Any:
        result = np.zeros(len(test), np.int64)
        length = train.shape[1]
        before, row = np.empty(length + 1), np.empty(length + 1)
        for index in range(len(test)):
            least = np.inf
            for candidate in range(len(train)):
                before[:] = np.inf
                before[0] = 0.0
                for i in range(length):
                    row[0] = np.inf
                    for j in range(length):
                        distance = 0.0
                        for channel in range(train.shape[2]):
                            distance += (test[index, i, channel] - train[candidate, j, channel])**2
                        row[j + 1] = distance + min(before[j], before[j + 1], row[j])
                    before, row = row, before
                if before[length] < least:
                    least, result[index] = before[length], candidate
        return result

    compiled: Callable[[Frames, Frames], Classes] = nearest
    return compiled
