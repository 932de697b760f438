"""Work space of the compiled loops, which allocate nothing: made for a call, so that several threads may infer at once."""
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from golden_model.arithmetic import Array
from golden_model.kernels.plan import LANES, ROWS, Room, Work
from golden_model.tables import Types


class Space:
    """Sizes of all arrays of work space, for layers ``plan`` (records ``kernels.plan.LAYER``) and these types of words."""

    def __init__(self, plan: npt.NDArray[np.void], types: Types) -> None:
        self.types = types
        self.lanes, self.inputs = int(plan["blocks"].max()) * LANES, int(plan["inputs"].max()) + 1
        self.lanes_of_all = int((plan["own"] * plan["tied"] * plan["emissions"] * plan["blocks"]).sum()) * LANES
        last = plan[-1]
        outputs = last["own"] * last["tied"] * last["emissions"] * last["neurons"]
        self.signals_of_all, self.course = int(last["output_at"] + outputs), int(last["course_end"])
        self.recurrent = recurrent = plan[plan["frames"] > 0]
        self.pairs = int((recurrent["neurons"] * recurrent["blocks"]).sum()) * LANES

    def work(self) -> Work:
        """Work space of one image; what reciprocal links there are is still to be filled in."""
        word, wide, exact, _ = self.types
        lanes, some = self.lanes, self.lanes if self.pairs else 0
        return Work(narrow=np.empty(lanes, word), total=np.zeros(lanes, wide), drives=np.empty(self.lanes_of_all, word),
                    active=np.empty(self.inputs, np.int64), values=np.empty(self.inputs, word), hit=np.zeros(8, np.uint64),
                    there=np.zeros(self.pairs, exact), back=np.zeros(self.pairs, exact), gained=np.empty(some, word),
                    lost=np.empty(some, word), heard=np.empty(some, exact), sums=np.empty(LANES, exact),
                    predictor=np.empty(some * ROWS, word))

    def signals(self, images: int) -> tuple[Array, Array, Array]:
        """Room for signals (images, signals), states (images, lanes * ROWS) and courses (images, words) of so many images."""
        word: Any = self.types.word
        return (np.zeros((images, self.signals_of_all), word), np.zeros((images, self.lanes_of_all * ROWS), word),
                np.zeros((images, self.course), word))

    def room(self, batch: int) -> Room:
        """What learning needs besides ``work``, for ``batch`` images."""
        word, wide, exact, _ = self.types
        recurrent, lanes_of_all = self.recurrent, self.lanes_of_all
        lanes = int(recurrent["blocks"].max(initial=0)) * LANES
        inputs, frames = int(recurrent["inputs"].max(initial=0)), int(recurrent["frames"].max(initial=0))
        instants = int((recurrent["frames"] * recurrent["steps"]).max(initial=0))
        signals, states, courses = self.signals(batch)
        return Room(signals=signals, states=states, reverse_states=np.zeros_like(states), courses=courses,
                    errors=np.zeros((batch, lanes_of_all), word), r=np.zeros((batch, lanes_of_all), word),
                    gates=np.zeros(lanes_of_all * ROWS, word), erring=np.zeros(batch, np.int64),
                    sums=np.zeros(max(self.signals_of_all, lanes_of_all), wide), circuits=np.zeros((4, lanes * ROWS), word),
                    silent=np.zeros(lanes, word), of_steps=np.zeros((5, instants * lanes), exact),
                    of_frames=np.zeros(frames * lanes, exact), products=np.zeros(inputs * lanes, exact),
                    of_bias=np.zeros(lanes, exact), of_inputs=np.zeros(inputs, np.int64))
