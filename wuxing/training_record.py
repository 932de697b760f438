"""What is kept of a training, in model files and in the results of commands."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wuxing.reports.console import OPTIONAL

if TYPE_CHECKING:                         # whose engine takes longer to import than many a command to run
    from golden_model.training import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """Of one epoch, from 0: per cent right, of training images just before each was learnt, and of test images after it."""

    epoch: int
    online_accuracy: float
    test_accuracy: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Which images of a data set are used, None for all; the most pixels by which they are shifted as they are learnt,
    whether half of them are flipped then, and the longest side of what is erased from half of them; None: not."""

    shift: int
    hold_out: int | None
    train_images: int | None
    test_images: int | None
    flip: bool | None = field(default=None, metadata=OPTIONAL)
    erase: int | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRecord:
    """What a model file says about its training. No times and no paths: the same command gives the same bytes.

    ``board``: for which it was trained, if for any. ``dataset_sha256``: of the images that were used, ``whole_dataset_sha256``
    of all; ``reading``: how its files were read, if not as usual; ``recipe``: the words of the encoding.
    ``classes_without_images``: outputs that nothing taught.
    ``accuracy``: per cent of the images tested on.
    """

    board: str | None = field(metadata=OPTIONAL)
    dataset: str
    dataset_sha256: str
    whole_dataset_sha256: str
    classes_without_images: Sequence[int]
    seed: int
    arithmetic: str
    accuracy: float
    complete_epochs: int
    interrupted: bool
    epochs: Sequence[CurvePoint]
    options: Images
    versions: Mapping[str, str]
    reading: Mapping[str, object] | None = field(default=None, metadata=OPTIONAL)
    recipe: str | None = field(default=None, metadata=OPTIONAL)


def course(training: Training) -> list[CurvePoint]:
    """A training epoch by epoch, without its times."""
    return [CurvePoint(epoch=epoch.epoch, online_accuracy=epoch.online_accuracy, test_accuracy=epoch.test_accuracy)
            for epoch in training.epochs]
