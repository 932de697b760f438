"""What somebody wants of an encoding, before it is fitted: ``quantile``, ``range polarity``, ``minmax thermometer:4``.

``golden_model.data.encoding`` has what becomes of it.
"""
from __future__ import annotations

from dataclasses import dataclass, fields

from golden_model.errors import InputError
from golden_model.sections import brief, set_whole

CHOICES = {
    "scaling": ("bytes", "range", "minmax", "standard", "quantile"),
    "sample": ("as-measured", "sample-range", "sample-polarity"),
    "polarity": ("kept", "polarity"),
    "missing": ("refused", "median"),
    "code": ("value", "thermometer", "population"),
}
MOST_LEVELS = 64                          # inputs of one value


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an encoding is to be fitted.

    Parameters
    ----------
    scaling : str
        ``bytes``: values are bytes already. ``range``: the least and the greatest value of all become 0 and 255, as pictures
        want it, whose values are of one kind. ``minmax``: the same for each value of a sample by itself, as tables want it.
        ``standard``: three standard deviations below and above the mean of each value become 0 and 255; what lies outside is
        clipped. ``quantile``: sixteenths of the samples get equal shares of 0..255, so that outliers take no room.
    sample : str
        ``as-measured``; or ``sample-range``: each sample by itself is stretched to 0..255 first, so that its brightness says
        nothing; or ``sample-polarity``: and turned into its negative if it is bright on average, so that it and its negative
        give the same bytes.
    polarity : str
        ``kept``; or ``polarity``: what is bright on average in the training data is turned into its negative, because a network
        learns best from inputs of which most are near 0.
    missing : str
        What becomes of a missing value (NaN): ``refused``, or ``median``: the median of the training data takes its place.
    code : str
        ``value``: a byte; or ``levels`` bytes for each value: ``thermometer``, which fills one after the other, or
        ``population``, where each answers to values near its own.
    levels : int
        1 for ``value``, else 2 to 64.

    Raises
    ------
    InputError
        For the first entry that there is not, or that does not go with the others.
    """

    scaling: str = "range"
    sample: str = "as-measured"
    polarity: str = "kept"
    missing: str = "refused"
    code: str = "value"
    levels: int = 1

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise InputError(f"{name} of an encoding must be {', '.join(choices[:-1])} or {choices[-1]}, not "
                                 f"{brief(getattr(self, name))}")
        if self.code == "value":
            if self.levels != 1:
                raise InputError(f"levels of an encoding must be 1 without a code, not {brief(self.levels)}; choose code "
                                 "thermometer or population for more")
        else:
            set_whole(self, "levels", 2, MOST_LEVELS)
        if self.scaling == "bytes" and (self.polarity, self.missing) != ("kept", "refused"):
            raise InputError("an encoding with the scaling bytes must leave polarity and missing values as they are, because "
                             "it fits nothing; choose the scaling range")
        if self.sample != "as-measured" and self.missing == "median":
            raise InputError(f"an encoding that stretches each sample ({self.sample}) must refuse missing values, because a "
                             "median is of values as they were measured; leave out one of them")

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """From words with blanks or commas between them, in any order; a code has its levels behind a colon.

        Raises
        ------
        InputError
            If a word is unknown or two words contradict each other.
        """
        entries: dict[str, str | int] = {}
        for word in text.replace(",", " ").split():
            choice, colon, levels = word.partition(":")
            name = next((name for name, choices in CHOICES.items() if choice in choices), None)
            if name is None or bool(colon) != (choice in ("thermometer", "population")):
                words = [each + (":LEVELS" if each in ("thermometer", "population") else "")
                         for choices in CHOICES.values() for each in choices]
                raise InputError(f"an encoding must be made of the words {', '.join(words)}, not {brief(word)}")
            if entries.setdefault(name, choice) != choice:
                raise InputError(f"an encoding must say one thing about its {name}, not both {entries[name]} and {choice}; "
                                 f"leave out one of them")
            if colon:
                if not (levels.isascii() and levels.isdigit() and len(levels) < 5):
                    raise InputError(f"levels of an encoding must be a whole number from 2 to {MOST_LEVELS}, not "
                                     f"{brief(levels)}; write for example {choice}:4")
                entries["levels"] = int(levels)
        return cls(**entries)                 # type: ignore[arg-type]

    def __str__(self) -> str:
        """The words that ``parse`` reads; what is so by default is left out, but for the scaling."""
        words = [self.scaling]
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name not in ("scaling", "levels") and value != entry.default:
                words.append(f"{value}:{self.levels}" if entry.name == "code" else value)
        return " ".join(words)
