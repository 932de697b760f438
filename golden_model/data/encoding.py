"""``Encoding``: how what was measured becomes the bytes that a network takes. It is fitted once, and a part of the model.

A network knows bytes, one an input. Pixels may be such bytes; the columns of a table, the channels of a recording and dim
pictures are not. An encoding takes five steps, each of which may be nothing:

1. each sample by itself: stretched to 0..255, and turned into its negative if it is bright on average;
2. scaling to 0..255 by the knots of each value, or by knots that all have in common (``golden_model.data.scaling``);
3. the negative, of what was bright on average in the training data;
4. the byte of the training data's median in place of a missing value;
5. a code of several bytes for each value (``golden_model.data.codes``).

Whoever feeds a chip does the same with what ``to_dict`` says, which is in the model file and in the manifest of a core.
"""
from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.data import classes, codes, scaling
from golden_model.data.categories import MOST_NAMES, Category, codes_of, one_hot, recoded
from golden_model.data.classes import Name, Names
from golden_model.data.recipe import Recipe
from golden_model.data.scaling import GREATEST, MOST_KNOTS, MOST_VALUE, Knots, Reals
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.sections import brief

Bytes = npt.NDArray[np.uint8]

CHUNK = 1 << 20                           # values that are encoded together: what there is besides is of their size
BYTE_KNOTS = (0.0, float(GREATEST))
ENTRIES = ("shape", "features", "classes", "sample", "knots", "inverted", "missing", "code", "levels")
OPTIONAL = ("categories", "frames")       # entries that only some encodings have
FRAMES = ("", "resample", "pad")          # how recordings get their number of frames


@dataclass(frozen=True, kw_only=True, eq=False)
class Encoding:
    """A fitted encoding. ``Encoding()`` is that of models whose inputs are bytes already: it changes nothing.

    Parameters
    ----------
    shape : tuple of int
        Of a sample as it is measured: (values,) of a table, (height, width) or (height, width, channels) of an image, (frames,
        channels) of a recording. () says nothing about it.
    features : tuple of str
        Names of the values of a table, in the order of the inputs; () if they have none.
    classes : tuple of str, int, float or bool
        What each output stands for; () if labels are outputs.
    sample : str
        As of ``Recipe``.
    knots : tuple of tuple of float
        One for each value, or for each channel, which all points or frames have in common, or a single one that all values have
        in common; () if values are bytes already. Value n has number n modulo their count.
    inverted : tuple of bool
        Whether 255 - b takes the place of a byte b; as many as ``knots``.
    missing : tuple of int
        The byte of a missing value, one for each value; () if none may be missing.
    code, levels : str, int
        As of ``Recipe``.
    categories : tuple of tuple of str
        Of a table, for each value the names that it had in the training data, each of which is an input, or () if it is a
        number; () if all values are.
    frames : str
        Of recordings, how all get the same number of frames: ``resample`` or ``pad``; empty if they had it.

    Raises
    ------
    InputError
        For the first entry that cannot be used, or does not go with another.
    """

    shape: tuple[int, ...] = ()
    features: tuple[str, ...] = ()
    classes: Names = ()
    sample: str = "as-measured"
    knots: tuple[Knots, ...] = ()
    inverted: tuple[bool, ...] = ()
    missing: tuple[int, ...] = ()
    code: str = "value"
    levels: int = 1
    categories: tuple[Category, ...] = ()
    frames: str = ""

    def __post_init__(self) -> None:
        Recipe(sample=self.sample, code=self.code, levels=self.levels)
        if len(self.shape) > 3 or any(type(size) is not int or not 1 <= size <= 1 << 20 for size in self.shape):
            raise InputError(f"shape of an encoding must be one to three sizes of 1 or more, not {brief(self.shape)}")
        if any(not isinstance(name, str) for name in self.features) or len(set(self.features)) < len(self.features):
            raise InputError(f"features of an encoding must be different names, not {brief(self.features)}")
        object.__setattr__(self, "classes", classes.check_names(self.classes, "classes of an encoding"))
        for knots in self.knots:
            if not (knots and all(isinstance(knot, float) and abs(knot) <= MOST_VALUE for knot in knots)
                    and all(low < high for low, high in zip(knots, knots[1:], strict=False))):
                raise InputError(f"knots of an encoding must be finite numbers, each greater than the one before, not "
                                 f"{brief(knots)}")
        if len(self.inverted) != len(self.knots) or any(type(flag) is not bool for flag in self.inverted):
            raise InputError(f"inverted of an encoding must have a truth value for each of its {len(self.knots)} knots, not "
                             f"{brief(self.inverted)}")
        if any(type(byte) is not int or not 0 <= byte <= GREATEST for byte in self.missing):
            raise InputError(f"missing of an encoding must be bytes, not {brief(self.missing)}")
        if len(self.knots) not in (0, 1, self.values, *self.shape[-1:]):
            raise InputError(f"knots of an encoding must be one for each of its {self.values} values, or for each channel, not "
                             f"{len(self.knots)}")
        for name in ("features", "missing"):
            allowed = (0, self.values)
            if len(entry := getattr(self, name)) not in allowed:
                raise InputError(f"{name} of an encoding must be one for each of its {self.values} values, not {len(entry)}")
        if self.categories:
            self._check_categories()
        if self.frames not in FRAMES:
            raise InputError(f"frames of an encoding must be resample, pad or nothing, not {brief(self.frames)}")
        if self.missing and (not self.knots or self.sample != "as-measured"):
            raise InputError("missing of an encoding must be empty without knots, or if each sample is stretched, but is not")

    def _check_categories(self) -> None:
        if len(self.shape) != 1 or len(self.categories) != self.values or self.sample != "as-measured":
            raise InputError(f"categories of an encoding must be of a table, one for each of its {self.values} values, and no "
                             f"sample must be stretched; choose an encoding without sample-range and sample-polarity")
        for names in self.categories:
            if any(not isinstance(name, str) for name in names) or len(names) > MOST_NAMES \
                    or list(names) != sorted(set(names)):
                raise InputError(f"categories of an encoding must be different names in order, at most "
                                 f"{MOST_NAMES}, not {brief(names)}")

    @property
    def values(self) -> int:
        """Values of a sample; 0 if the encoding does not say how many."""
        return math.prod(self.shape) if self.shape else 0

    @property
    def inputs(self) -> int:
        """Inputs of a network that takes these bytes; 0 if the encoding does not say how many."""
        if self.categories:
            return sum(len(names) or self.levels for names in self.categories)
        return self.values * self.levels

    @property
    def passes_bytes(self) -> bool:
        """Whether bytes stay as they are."""
        return not self.knots and self.sample == "as-measured" and self.code == "value" and not self.categories

    @property
    def _named(self) -> npt.NDArray[np.bool_]:
        """Which values are names (values,)."""
        return np.array([bool(names) for names in self.categories], np.bool_)

    @property
    def is_identity(self) -> bool:
        """Whether it says nothing at all, as in the files of models that were trained on bytes with outputs for labels."""
        return self.passes_bytes and not self.classes and not self.features and not self.frames

    # ------------------------------------------------------------- fitting

    @classmethod
    def fit(cls, values: npt.ArrayLike, labels: npt.ArrayLike, recipe: Recipe | None = None, *,
            features: Sequence[str] = (), indexed: bool = False, channels: bool = False,
            categories: Sequence[Category] = (), frames: str = "") -> Encoding:
        """The encoding of these training data, and of nothing else: test data must not be among them.

        Parameters
        ----------
        values : numbers (samples, ...)
        labels : (samples,)
            Texts or numbers.
        recipe : Recipe, optional
            By default ``range``.
        features : sequence of str
            Names of the values.
        indexed : bool
            Whether labels are outputs, 0 to 255, though some of them may not occur.
        channels : bool
            Whether the last axis of a sample has channels, each of which is scaled alike in all points or frames.
        categories : sequence of tuple of str
            For each value the names whose codes (``golden_model.data.categories``) it has, or () if it is a number.
        frames : str
            How recordings got their number of frames.

        Raises
        ------
        InputError
            If there are no samples, a value is infinite or, unless the recipe fills it, missing, or labels cannot name classes.
        """
        recipe = Recipe() if recipe is None else recipe
        array, features = numbers(values), tuple(map(str, features))
        shape = tuple(array.shape[1:])
        samples = array.reshape(len(array), math.prod(shape))
        names = () if indexed else classes.names_of(labels)
        if len(samples) == 0 or samples.shape[1] == 0:
            raise InputError(f"an encoding must be fitted to 1 or more samples of 1 or more values, not {array.shape}; add "
                             f"some")
        begun = cls(shape=shape, features=features, classes=names, sample=recipe.sample, code=recipe.code, levels=recipe.levels,
                    categories=tuple(categories), frames=frames)
        if recipe.scaling == "bytes":
            return begun
        if array.dtype == np.uint8 and recipe.sample == "as-measured" and recipe.scaling == "range":
            fitted = begun._fit_common(samples, recipe, _reals(np.array([samples.min(), samples.max()])))
            if (fitted.knots, fitted.inverted) == ((BYTE_KNOTS,), (False,)):         # bytes as they are
                return begun
            return fitted
        reals = np.concatenate([begun._sample_step(part) for part in _parts(samples)])
        if np.isnan(reals).any() and recipe.missing == "refused":
            raise InputError(f"{begun._name(np.isnan(reals).any(axis=0))} must not have missing values, but has; leave out "
                             f"such samples, or choose an encoding with the word median")
        if recipe.scaling == "range":
            numeric = reals[:, ~begun._named] if categories else reals
            there = numeric[~np.isnan(numeric)] if numeric.shape[1] else np.zeros(1)
            return begun._fit_common(reals, recipe, there)
        return begun._fit_each(reals, recipe, shape[-1] if channels else samples.shape[1])

    def _fit_common(self, samples: npt.NDArray[Any], recipe: Recipe, there: Reals) -> Encoding:
        if len(there) == 0:
            raise InputError("values must not all be missing, but are; look at how they were read")
        knots = scaling.limits(there)
        numeric = samples[:, ~self._named] if self.categories else samples
        inverted = recipe.polarity == "polarity" and _bright(scaling.bytes_of(part[~np.isnan(part)], knots)
                                                             for part in map(_reals, _parts(numeric)))
        return self._with(recipe, (knots,), (inverted,), samples)

    def _fit_each(self, samples: Reals, recipe: Recipe, count: int) -> Encoding:
        rows: list[Knots] = []
        inverted: list[bool] = []
        for place in range(count):
            column = samples[:, place::count].ravel()
            there = column[~np.isnan(column)]
            if len(there) == 0:
                raise InputError(f"{self._name(np.arange(samples.shape[1]) == place)} must have a value in some sample of the "
                                 "training data, but has none; leave it out")
            if self.categories and self.categories[place]:
                rows.append((0.0,))
                inverted.append(False)
                continue
            rows.append(scaling.OF_EACH[recipe.scaling](there))
            inverted.append(recipe.polarity == "polarity" and _bright([scaling.bytes_of(there, rows[-1])]))
        if (total := sum(map(len, rows))) > MOST_KNOTS:
            raise InputError(f"an encoding must have at most {MOST_KNOTS} knots, not {total}; choose the scaling range, which "
                             "all values have in common")
        return self._with(recipe, tuple(rows), tuple(inverted), samples)

    def _with(self, recipe: Recipe, knots: tuple[Knots, ...], inverted: tuple[bool, ...],
              samples: npt.NDArray[Any]) -> Encoding:
        entries = {name: getattr(self, name) for name in ENTRIES + OPTIONAL} | {"knots": knots, "inverted": inverted}
        fitted = Encoding(**entries)
        if recipe.missing != "median":
            return fitted
        medians = [scaling.median(there) if len(there := column[~np.isnan(column)]) else math.nan
                   for column in _reals(samples).T]
        if any(map(math.isnan, medians)):
            raise InputError(f"{self._name(np.isnan(medians))} must have a value in some sample of the training data, but has "
                             "none; leave it out")
        return Encoding(**entries | {"missing": tuple(fitted._scaled(np.array([medians]))[0].tolist())})

    # ------------------------------------------------------------- encoding

    def encode(self, values: npt.ArrayLike, features: Sequence[str] = (),
               categories: Sequence[Category] = ()) -> Bytes:
        """Bytes (samples, inputs) of numbers (samples, ...).

        ``features``: names of the values where they have some: they may come in another order than in training, and with
        others, which are left out. ``categories``: for each value the names whose codes it has. Without it a table with names
        has these themselves, as texts between its numbers.

        Raises
        ------
        InputError
            If samples are of another shape or lack a feature, or a value is infinite or missing or, where values must be
            bytes, no byte.
        """
        features = tuple(map(str, features))              # of an Index of pandas, too
        if self.categories:
            values, features = self._coded(values, features, tuple(categories)), ()
        array = numbers(values)
        samples = self._ordered(array.reshape(len(array), math.prod(array.shape[1:])), features)
        there = (samples.shape[1],) if features and self.features else tuple(array.shape[1:])
        if self.shape and there != self.shape and not (there == (self.values,)):         # rows of an image one after the other
            raise InputError(f"samples must have the shape {_by_sizes(self.shape)} of those that were trained on, not "
                             f"{_by_sizes(there)}; measure them alike, or train anew")
        if self.passes_bytes:
            return self._bytes(samples)
        result = np.empty((len(samples), self.inputs if self.categories else samples.shape[1] * self.levels), np.uint8)
        done = 0
        for part in _parts(samples):
            reals = self._sample_step(part)
            if not self.missing and np.isnan(reals).any():
                raise InputError(f"{self._name(np.isnan(reals).any(axis=0))} must not have missing values, but has; leave out "
                                 "such samples, or train with an encoding that has the word median")
            plain = np.where(self._named, 0.0, reals) if self.categories else reals
            scaled = self._scaled(plain) if self.knots else self._bytes(plain)
            if self.missing:
                scaled = np.where(np.isnan(reals), np.array(self.missing, np.uint8), scaled)
            coded = codes.coded(scaled, self.code, self.levels)
            result[done:done + len(part)] = self._with_names(coded, reals) if self.categories else coded
            done += len(part)
        return result

    def _coded(self, values: npt.ArrayLike, features: tuple[str, ...], there: tuple[Category, ...]) -> Reals:
        """A table (samples, values) with codes in place of names, in the order of training."""
        array = np.asarray(values, None if there else object)
        if array.ndim != 2 or (there and len(there) != array.shape[1]):
            raise InputError(f"samples must be a table (samples, values) for a model that has categories, not of shape "
                             f"{array.shape}; measure them alike")
        places = self._places(features) if features and self.features else range(array.shape[1])
        array = array[:, list(places)]
        if array.shape[1] != self.values:
            raise InputError(f"samples must have the shape {self.values} of those that were trained on, not {array.shape[1]}; "
                             "measure them alike, or train anew")
        result = np.empty(array.shape)
        for place, (at, known) in enumerate(zip(places, self.categories, strict=True)):
            column = array[:, place]
            if not known:
                if there and there[at]:
                    raise InputError(f"{self._name(np.arange(self.values) == place)} must be numbers, as in training, not "
                                     f"categories; leave it out of --categories")
                result[:, place] = numbers(column[:, None])[:, 0]
            elif there and not there[at]:
                raise InputError(f"{self._name(np.arange(self.values) == place)} must be names, as in training, not numbers; "
                                 f"put it into --categories")
            else:
                result[:, place] = recoded(column, there[at], known) if there else codes_of(column.tolist(), known)
        return result

    def _with_names(self, coded: Bytes, reals: Reals) -> Bytes:
        """Inputs (samples, inputs): the levels of numbers, and one for each name."""
        levels = coded.reshape(len(coded), self.values, self.levels)
        return np.concatenate([one_hot(reals[:, place], len(names)) if names else levels[:, place]
                               for place, names in enumerate(self.categories)], axis=1)

    def outputs(self, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The output (samples,) that stands for each label (samples,).

        Raises
        ------
        InputError
            If a label is none of the classes.
        """
        return classes.outputs_of(labels, self.classes)

    def class_name(self, output: int) -> Name:
        """What an output stands for; the output itself where classes have no names, or it stands for none of them."""
        return self.classes[output] if output < len(self.classes) else int(output)

    def check_fits(self, network: Network) -> None:
        """Raise an ``InputError`` if the network takes another number of bytes, or has fewer outputs than there are classes."""
        if self.inputs not in (0, network.layers[0]):
            raise InputError(f"layers must begin with {self.inputs}, the bytes of the encoding of a sample of "
                             f"{_by_sizes(self.shape)} values, not {network.layers[0]}")
        if len(self.classes) > network.layers[-1]:
            raise InputError(f"layers must end with at least {len(self.classes)}, the classes that have names, not "
                             f"{network.layers[-1]}")

    def _ordered(self, samples: npt.NDArray[Any], features: tuple[str, ...]) -> npt.NDArray[Any]:
        """Columns in the order of training, found by their names."""
        if not features or not self.features or features == self.features:
            return samples
        return samples[:, self._places(features)]

    def _places(self, features: tuple[str, ...]) -> list[int]:
        """Where the values of training stand among these."""
        places = {name: place for place, name in enumerate(features)}
        if lacking := [name for name in self.features if name not in places]:
            raise InputError(f"samples must have the features that were trained on, but {', '.join(map(brief, lacking[:8]))} "
                             f"{'is' if len(lacking) == 1 else 'are'} not there; add what is missing, or train anew without")
        return [places[name] for name in self.features]

    def _bytes(self, samples: npt.NDArray[Any]) -> Bytes:
        if samples.dtype == np.uint8:
            return np.ascontiguousarray(samples)
        wrong = ~((samples >= 0) & (samples <= GREATEST) & (np.floor(samples) == samples))
        if wrong.any():
            raise InputError(f"values must be bytes, whole numbers 0..255, for a model that takes bytes as they are, not "
                             f"{samples[wrong][0]:g}; scale them, or train with an encoding such as range")
        return samples.astype(np.uint8)

    def _sample_step(self, samples: npt.NDArray[Any]) -> Reals:
        """Values (samples, values) as float64, each sample stretched to whole numbers 0..255 if that is wanted."""
        reals = _reals(samples)
        if self.sample == "as-measured":
            return reals
        if np.isnan(reals).any():
            raise InputError(f"{self._name(np.isnan(reals).any(axis=0))} must not have missing values where each sample is "
                             f"stretched ({self.sample}), but has; leave out such samples")
        low, high = reals.min(axis=1, keepdims=True), reals.max(axis=1, keepdims=True)
        span = np.where(high > low, high - low, np.inf)                   # of a sample without contrast: all 0
        stretched = np.floor(GREATEST * (reals - low) / span + 0.5)
        if self.sample == "sample-polarity":
            bright = 2 * stretched.astype(np.int64).sum(axis=1) > GREATEST * stretched.shape[1]
            stretched[bright] = np.floor(GREATEST * (high - reals) / span + 0.5)[bright]
        return stretched

    def _scaled(self, reals: Reals) -> Bytes:
        """Steps 2 and 3; NaN becomes some byte."""
        with np.errstate(invalid="ignore"):
            if len(self.knots) == 1:
                known = np.where(np.isnan(reals), self.knots[0][0], reals)
                scaled = scaling.bytes_of(known, self.knots[0])
                return np.bitwise_not(scaled) if self.inverted[0] and len(self.knots[0]) > 1 else scaled
            scaled = np.empty(reals.shape, np.uint8)
            for place, (knots, inverted) in enumerate(zip(self.knots, self.inverted, strict=True)):
                column = reals[:, place::len(self.knots)]
                sent = scaling.bytes_of(np.where(np.isnan(column), knots[0], column), knots)
                scaled[:, place::len(self.knots)] = np.bitwise_not(sent) if inverted and len(knots) > 1 else sent
            return scaled

    def _name(self, which: npt.ArrayLike) -> str:
        """The first value of those that are meant, by its name or its place."""
        place = int(np.argmax(which))
        return f"feature {brief(self.features[place])}" if self.features else f"value {place} of a sample"

    # ------------------------------------------------------------- plain data

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; ``from_dict`` gives an equal encoding back."""
        data = {name: getattr(self, name) for name in ENTRIES + OPTIONAL if name in ENTRIES or getattr(self, name)}
        return {name: [list(row) if isinstance(row, tuple) else row for row in entry] if isinstance(entry, tuple) else entry
                for name, entry in data.items()}

    @classmethod
    def from_dict(cls, data: Any) -> Encoding:
        """An encoding from plain data, all entries of which must be there but ``OPTIONAL`` ones.

        Raises
        ------
        InputError
            If an entry is missing, unknown or not what it must be.
        """
        if not isinstance(data, dict) or set(data) - set(OPTIONAL) != set(ENTRIES):
            entries = sorted(data) if isinstance(data, dict) else data
            raise InputError(f"an encoding must have the entries {', '.join(ENTRIES)}, not {brief(entries)}")
        lists = [name for name in ENTRIES if name not in ("sample", "code", "levels")]
        if wrong := [name for name in lists if not isinstance(data[name], list)]:
            raise InputError(f"{wrong[0]} of an encoding must be a list, not {brief(data[wrong[0]])}")
        knots = tuple(tuple(map(_float, row)) if isinstance(row, list) else (row,) for row in data["knots"])
        names = data.get("categories", [])
        if not isinstance(names, list) or any(not isinstance(each, list) for each in names):
            raise InputError(f"categories of an encoding must be a list of lists, not {brief(names)}")
        return cls(**data | {name: tuple(data[name]) for name in lists} | {"knots": knots,
                                                                         "categories": tuple(map(tuple, names))})


IDENTITY = Encoding()


def numbers(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Values (samples, ...) as an array of whole numbers or reals, none infinite or beyond ``MOST_VALUE``; NaN is missing.

    Raises
    ------
    InputError
        If they are not.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise InputError("samples must be an array or a list whose rows have one length, but they differ; cut or fill "
                         "them") from None
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    if array.dtype.kind == "O":                               # Python's numbers, None for a missing one
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "iuf" or array.ndim < 2:
        raise InputError(f"samples must be numbers of shape (samples, values) or more, not {array.dtype} of shape "
                         f"{array.shape}; turn texts into numbers, one column for each")
    if array.dtype.kind == "f" and array.size:
        with np.errstate(invalid="ignore"):
            wrong = np.abs(array) > min(MOST_VALUE, float(np.finfo(array.dtype).max))
        if wrong.any():
            raise InputError(f"values must be finite numbers, at most 2**500, not {array[wrong][0]:g}; leave out such samples, "
                             "or write NaN where a value is missing")
    return array


def _float(value: Any) -> Any:
    return float(value) if type(value) is int and abs(value) <= MOST_VALUE else value


def _reals(samples: npt.NDArray[Any]) -> Reals:
    return samples.astype(np.float64, copy=False)


def _parts(samples: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    rows = max(1, CHUNK // max(samples.shape[1], 1))
    return [samples[start:start + rows] for start in range(0, len(samples), rows)]


def _bright(parts: Any) -> bool:
    """Whether the mean of bytes is above the middle, 127.5; exact."""
    total = count = 0
    for part in parts:
        total, count = total + int(part.sum(dtype=np.int64)), count + part.size
    return 2 * total > GREATEST * count


def _by_sizes(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
