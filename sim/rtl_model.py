"""``RtlModel``: the Verilog of a core, compiled, with the methods of the golden model.

It is the same Verilog that goes to synthesis; parameters and images go through the frames of ``docs/registers.md``.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.arguments import check_images, lesson
from golden_model.errors import DeviceError
from golden_model.learner import Array
from golden_model.network import Network
from hdl import frames, parameter_frames
from hdl.frames import Opcode, Reply, Status
from sim.compiled import PATIENCE, Compiled, Exchange, Probe
from sim.core_learner import CoreAnswers, CoreLearner, Result


@dataclass(frozen=True, kw_only=True)
class Answers(CoreAnswers):
    """``answered`` (images,): the clock of each reply's last word. ``clocks``: from the first word sent to the last one
    received.
    """

    answered: Array
    clocks: int

    @property
    def clocks_per_image(self) -> float:
        """The mean, everything included."""
        return self.clocks / max(len(self.classes), 1)


class RtlModel(CoreLearner):
    """A network as the emitted Verilog computes it; see ``golden_model.learner.Learner``.

    Parameters
    ----------
    network : Network
        The description that the Verilog was made of.
    verilog, top, files, probes, public, trace : see ``Compiled``.
    idle, stall, seed, patience : see ``Compiled.exchange``; they hold for all frames.
    engine : what runs the Verilog: ``Compiled``, or another class with its arguments and methods.

    Raises
    ------
    InputError
        As ``Compiled``; and if the core does not know this network's digest.
    """

    def __init__(self, network: Network, verilog: str, top: str = "wuxing_core", files: Mapping[str, str] | None = None, *,
                 probes: Sequence[Probe] = (), public: Sequence[tuple[str, str]] = (), trace: bool = False,
                 idle: float = 0, stall: float = 0, seed: int = 0, patience: int = PATIENCE,
                 engine: Callable[..., Any] = Compiled) -> None:
        self.network = network
        self.core = engine(verilog, top, files, probes=probes, public=public, trace=trace)
        self.idle, self.stall, self.seed, self.patience = idle, stall, seed, patience
        self._meet(self.status(), "Verilog", "the Verilog", "emit the Verilog of this model again")
        self.reset()

    # ------------------------------------------------------------- frames

    def exchange(self, requests: Sequence[Sequence[int]]) -> list[Reply]:
        """Any frames, one reply for each."""
        lengths = np.array([len(request) for request in requests], np.int64)
        words = np.array([word for request in requests for word in request], np.uint32)
        return [frames.parse([int(word) for word in reply]) for reply in self._sent(words, lengths).replies]

    def reset(self, clocks: int = 2) -> None:
        """Hold ``rst``: as ``soft_reset``, at once, whatever the core was doing."""
        self.core.reset(clocks)

    @property
    def clocks(self) -> int:
        """Clock cycles run since the model was made."""
        return self.core.clocks

    # ------------------------------------------------------------- images

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order at the rates of ``epoch``; the class (images,) of each before it was learnt."""
        images, labels, epoch = lesson(self.network, images, labels, epoch)
        self.set_learning_rates(epoch)
        return self.teach(images, labels).classes

    def infer(self, images: npt.ArrayLike, outputs: bool = False) -> Answers:
        """Classify images (images, inputs) of bytes."""
        images = check_images(self.network, images)
        return self._images(Opcode.INFER, images, np.zeros(len(images), np.int64), outputs)

    def teach(self, images: npt.ArrayLike, labels: npt.ArrayLike, outputs: bool = False) -> Answers:
        """Learn images in the given order at the rates in force; the answers are those before each was learnt."""
        images, labels, _ = lesson(self.network, images, labels, 0)
        return self._images(Opcode.LEARN, images, labels, outputs)

    def _images(self, opcode: Opcode, images: Array, labels: Array, outputs: bool) -> Answers:
        count, inputs = images.shape
        requests = np.zeros((count, 1 + -(-inputs // 4)), np.uint32)
        requests[:, 0] = frames.header(opcode, frames.WANT_OUTPUTS if outputs else 0) | labels << 16
        requests[:, 1:].view(np.uint8)[:, :inputs] = images
        replies = self._sent(requests.reshape(-1), np.full(count, requests.shape[1]))
        length = 1 + (self.network.layers[-1] if outputs else 0)
        headers = replies.words[np.concatenate([[0], replies.ends[:-1]])] if count else replies.words
        wrong = np.flatnonzero((headers & 0xFFFF) != (opcode | frames.REPLY))
        if wrong.size:
            code = int(headers[wrong[0]]) >> 8 & 0xFF
            raise DeviceError(f"{opcode.name} must be accepted by the core, but image {wrong[0]} was answered with status "
                              f"{code}{f' ({Status(code).name})' if code in tuple(Status) else ''}; see docs/registers.md")
        if replies.words.size != count * length:
            raise DeviceError(f"replies to {opcode.name} must have {length} words, not {replies.words.size / count:g}")
        table = replies.words.reshape(count, length)
        clocks = int(replies.answered[-1] - replies.started[0]) + 1 if count else 0
        return Answers(classes=(table[:, 0] >> 16).astype(np.int64), answered=replies.answered, clocks=clocks,
                       outputs=table[:, 1:].view(np.int32).astype(np.int64) if outputs else None)

    def _sent(self, words: Array, lengths: Array) -> Exchange:
        self.seed += 1
        return self.core.exchange(words, lengths, idle=self.idle, stall=self.stall, seed=self.seed, patience=self.patience)

    def _accepted(self, requests: Sequence[Sequence[int]], finish: Callable[[list[Reply]], Result]) -> Result:
        return finish(list(parameter_frames.accepted(requests, self.exchange(requests))))
