"""``Connection``: a network on a board, real or virtual, with the methods of the golden model."""
from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from boards.serial_port import ConnectionLost
from boards.transport import Transport
from golden_model.arguments import check_images, lesson
from golden_model.errors import DeviceError, InputError
from golden_model.learner import Array
from golden_model.network import Network
from hdl import frames, parameter_frames
from hdl.frames import Reply
from sim.core_learner import CoreAnswers, CoreLearner, Result

OnProgress = Callable[[int, int], None]   # images done, images in all

RETRY = 0.2                               # seconds between two attempts to open a port that went away


@dataclass(frozen=True, kw_only=True)
class Answers(CoreAnswers):
    """``seconds``: from the first byte to the last."""

    seconds: float

    @property
    def images_per_second(self) -> float | None:
        """None if there were no images."""
        return len(self.classes) / self.seconds if len(self.classes) else None


class Connection(CoreLearner):
    """The open line to a board, on which a network infers and learns; see ``golden_model.learner.Learner``.

    A context manager. ``learns``, ``programmable``: what the core says that it can do.

    Parameters
    ----------
    network : Network
        What the bitstream was built for.
    port, baud, patience : see ``Transport``.
    reconnect_for : float
        Seconds in which a port that goes away may come back; what was under way then goes on. 0: at once an error.

    Raises
    ------
    DeviceError
        If the port is missing or in use, or nothing answers. From any method also ``ConnectionLost``, which is one: then
        ``resume`` takes up what was under way.
    InputError
        If the bitstream is of another network.
    """

    def __init__(self, network: Network, port: str, baud: int = 1_000_000, *, patience: float = 5.0,
                 reconnect_for: float = 0.0) -> None:
        self.network, self.reconnect_for = network, reconnect_for
        self.transport = Transport(port, baud, patience=patience)
        self._finish: Callable[[list[Reply]], Any] | None = None
        try:
            report = self.status()
            if report.magic != frames.MAGIC:
                raise DeviceError(f"the board at {port} must say that it is a Wuxing core, 0x{frames.MAGIC:08x}, not "
                                  f"0x{report.magic:08x}; load a bitstream of wuxing build")
            self._meet(report, "bitstream", f"the board at {port}", "build this model and load its bitstream")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """The port is free again; the board keeps what it learnt until it is without power."""
        self.transport.close()

    # ------------------------------------------------------------- images

    def learn(self, images: npt.ArrayLike, labels: npt.ArrayLike, epoch: int = 0) -> Array:
        """Learn images in the given order, each once, at the rates of ``epoch``; the class of each before it was learnt."""
        images, labels, epoch = lesson(self.network, images, labels, epoch)
        requests = [parameter_frames.rate_shifts(self.network, epoch), *_taught(images, labels, False)]
        return self._accepted(requests, lambda replies: np.array([reply.argument for reply in replies[1:]], np.int64))

    def infer(self, images: npt.ArrayLike, outputs: bool = False, on_progress: OnProgress | None = None) -> Answers:
        """Classify images (images, inputs) of bytes."""
        images = check_images(self.network, images)
        return self._images([frames.infer(image, outputs) for image in images], outputs, on_progress)

    def teach(self, images: npt.ArrayLike, labels: npt.ArrayLike, outputs: bool = False,
              on_progress: OnProgress | None = None) -> Answers:
        """Learn images in the given order, each once, at the rates in force; the answers are those before each was learnt."""
        images, labels, _ = lesson(self.network, images, labels, 0)
        return self._images(_taught(images, labels, outputs), outputs, on_progress)

    def _images(self, requests: list[list[int]], outputs: bool, on_progress: OnProgress | None) -> Answers:
        began = time.perf_counter()

        def finish(replies: list[Reply]) -> Answers:
            seconds = time.perf_counter() - began
            length = self.network.layers[-1] if outputs else 0
            wrong = {len(reply.words) for reply in replies} - {length}
            if wrong:
                raise DeviceError(f"replies to images must have {length} words after their header, not {wrong.pop()}")
            words = np.array([reply.words for reply in replies], np.uint32).reshape(len(replies), length)
            return Answers(classes=np.array([reply.argument for reply in replies], np.int64), seconds=seconds,
                           outputs=words.view(np.int32).astype(np.int64) if outputs else None)
        return self._accepted(requests, finish, on_progress)

    # ------------------------------------------------------------- connection

    def resume(self, port: str | None = None) -> Any:
        """After a ``ConnectionLost``: open the port again (or another one), and finish the call that was interrupted.

        Returns what that call would have. Nothing is done twice and nothing is left out.

        Raises
        ------
        DeviceError
            If the port cannot be opened, or the board was without power or used by another program meanwhile.
        InputError
            If no call was interrupted.
        """
        if self._finish is None:
            raise InputError("a call must have been interrupted before it can be resumed, but none was")
        self.transport.reconnect(port)
        return self._finish(_parsed(self._patiently(self.transport.resume)))

    def _accepted(self, requests: Sequence[Sequence[int]], finish: Callable[[list[Reply]], Result],
                  on_progress: OnProgress | None = None) -> Result:
        """As ``_call``, for frames that the core has no reason to refuse."""
        return self._call(requests, lambda replies: finish(list(parameter_frames.accepted(requests, replies))), on_progress)

    def _call(self, requests: Sequence[Sequence[int]], finish: Callable[[list[Reply]], Result],
              on_progress: OnProgress | None = None) -> Result:
        """Frames out, replies in, and what is made of them; that can still be done after an interruption."""
        self._finish = finish
        replies = _parsed(self._patiently(lambda: self.transport.exchange(requests, on_progress)))
        self._finish = None
        return finish(replies)

    def _patiently(self, exchange: Callable[[], list[list[int]]]) -> list[list[int]]:
        """The replies, even if the port goes away and comes back in time."""
        try:
            return exchange()
        except ConnectionLost as lost:
            deadline = time.monotonic() + self.reconnect_for
            while time.monotonic() < deadline:
                time.sleep(RETRY)
                try:
                    self.transport.reconnect()
                    return self._patiently(self.transport.resume)
                except ConnectionLost:
                    continue
                except DeviceError as error:
                    if not self.transport.lost:
                        raise error from None
            raise lost from None


def _taught(images: Array, labels: Array, outputs: bool) -> list[list[int]]:
    """The frames that teach."""
    return [frames.learn(image, int(label), outputs) for image, label in zip(images, labels, strict=True)]


def _parsed(replies: list[list[int]]) -> list[Reply]:
    return [frames.parse(reply) for reply in replies]

