"""``CoreLearner``: what a core can do that is spoken to by frames, wherever it runs."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy.typing as npt

from golden_model.arguments import check_epoch
from golden_model.errors import InputError
from golden_model.learner import Array
from golden_model.network import Network
from golden_model.parameters import Parameters
from hdl import frames, parameter_frames
from hdl.frames import Reply, StatusReport

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class CoreAnswers:
    """What a core said of images: ``classes`` (images,); ``outputs`` (images, classes) if they were asked for."""

    classes: Array
    outputs: Array | None


class CoreLearner(ABC):
    """The part of ``golden_model.learner.Learner`` that is the same for a simulated core and for one on a board.

    ``learns``, ``programmable``: what the core says that it can do.
    """

    network: Network
    learns: bool
    programmable: bool

    @abstractmethod
    def _accepted(self, requests: Sequence[Sequence[int]], finish: Callable[[list[Reply]], Result]) -> Result:
        """Send frames that the core has no reason to refuse; what ``finish`` makes of the replies, one for each."""

    @abstractmethod
    def infer(self, images: npt.ArrayLike, outputs: bool = False) -> CoreAnswers:
        """Classify images (images, inputs) of bytes."""

    def _meet(self, report: StatusReport, what: str, which: str, remedy: str) -> None:
        """Look at the first report of a core: is it of this network, and what can it do?

        Raises
        ------
        InputError
            If digest or revision of its frames are others.
        """
        if report.magic != frames.MAGIC or report.digest != frames.digest_word(self.network.digest):
            digest = report.digest.to_bytes(8, "little").hex()
            raise InputError(f"model and {what} must be of the same network, but the digest of the model begins with "
                             f"{self.network.digest[:16]} and that of {which} with {digest}; {remedy}")
        parameter_frames.check_revision(report)
        self.learns, self.programmable = report.learns, report.programmable

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: there is one core, however often what holds it is copied, as scikit-learn's ``clone`` does."""
        return self

    def status(self) -> StatusReport:
        """Digest, counters, rates in force, clock cycles."""
        return self._accepted([frames.status()], lambda replies: frames.status_report(replies[0]))

    def soft_reset(self) -> None:
        """Counters to zero, rates to their initial values; parameters stay."""
        self._accepted([frames.reset()], _nothing)

    def load_parameters(self, values: Parameters) -> None:
        """Write all parameters. K must be the description's if the core's neurons are not programmable."""
        self._accepted(parameter_frames.writes(self.network, values, self.programmable), _nothing)

    @property
    def parameters(self) -> Parameters:
        """All parameters as the core has them now, the same integers as the golden model's."""
        return self._accepted(parameter_frames.reads(self.network, self.programmable),
                              lambda replies: parameter_frames.parameters(self.network, replies, self.programmable))

    def set_learning_rates(self, epoch: int) -> None:
        """The rates of the description's rate schedule in ``epoch`` for the images learnt from now on."""
        self._accepted([parameter_frames.rate_shifts(self.network, check_epoch(epoch))], _nothing)

    def set_rate_shifts(self, links: int | None, bias: int | None, K: int | None = None) -> None:
        """Rates 2**-n for the images learnt from now on; None for parameters that are not learnt. ``K``: the rate shift of the
        fastest of K1, K2 and K3; the others keep their distance."""
        self._accepted([frames.rate_shifts(links, bias, K)], _nothing)

    def outputs(self, images: npt.ArrayLike) -> Array:
        """Output displacements (images, classes): int64 in ``formats.displacement``."""
        outputs = self.infer(images, outputs=True).outputs
        assert outputs is not None
        return outputs

    def predict(self, images: npt.ArrayLike) -> Array:
        """Classes (images,), int64: the greatest output, the first of equals."""
        return self.infer(images).classes


def _nothing(replies: list[Reply]) -> None:
    pass
