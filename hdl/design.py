"""``Design``: a network description and the choices that make it a circuit, checked before anything is elaborated."""
from __future__ import annotations

from dataclasses import dataclass, field

from golden_model.errors import InputError
from golden_model.network import Network
from hdl.array_design import ArrayDesign
from hdl.layer_design import Choices, LayerDesign, uniform
from hdl.multiplier import check_target

KINDS = ("shift", "programmable")
ARRANGEMENTS = ("parallel", "time-shared")
UNITS_BY_DEFAULT = 4                      # of a time-shared array by default: an iCE40UP5K has four large memories
MOST_LAYERS = 256                         # frames name a layer in 8 bits
MOST_ADDRESS = 0xFFFF                     # neurons and parameters of a frame's address have 16 bits


@dataclass(frozen=True, kw_only=True)
class Design(Choices):
    """A network and how it becomes a circuit.

    Parameters
    ----------
    network : Network
    units : tuple of int, optional
        Processing units of each layer, 1 to its neurons; by default one per neuron. Of a time-shared array: how many of its
        units a layer uses, all of them or as many as it has neurons; equal numbers stand for that, by default 4.
    kind : "shift" or "programmable"
        ``shift``: K of the description, wired: signed powers of two or sums of two. ``programmable``: each neuron's own K, in
        its memory, through the multiplier.
    target : "portable", "ecp5" or "ice40"
        Which DSP block the multiplier is.
    learns : bool
        Whether the core can learn.
    arrangement : "parallel" or "time-shared"
        ``parallel``: an array for each layer; layers work on successive images at the same time. ``time-shared``: one array, as
        large as the largest of ``units``, that does one layer after the other, with memories of a single port.

    Raises
    ------
    InputError
        In one sentence: units that do not fit the layers, formats that the DSP block cannot take, networks whose
        learning has no hardware.
    """

    units: tuple[int, ...] = ()
    arrangement: str = "parallel"
    arrays: tuple[ArrayDesign, ...] = field(init=False, compare=False, repr=False)      # follow from all else
    layers: tuple[LayerDesign, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_target(self.target)
        if self.kind not in KINDS:
            raise InputError(f"kind must be shift or programmable, not {self.kind!r}")
        if self.arrangement == "shared":
            raise InputError("arrangement shared is called time-shared now; give time-shared in its place")
        if self.arrangement not in ARRANGEMENTS:
            raise InputError(f"arrangement must be parallel or time-shared, not {self.arrangement!r}")
        network = self.network
        network.check_fixed()
        if self.arrangement == "time-shared":
            self._check_time_shared()
        if self.learns and network.learning.trains_K:
            raise InputError("a core that learns must have fixed K, but learning.K1, K2 or K3 is not 0; set them to 0, or "
                             "generate a core that only infers")
        if self.learns and network.learning.batch != 1:
            raise InputError(f"a core learns one image at a time, so learning.batch must be 1, not {network.learning.batch}")
        if self.learns and network.learning.magnification:
            raise InputError("a core that learns must have errors as they are, but learning.magnification is not empty; leave "
                             "it out, or generate a core that only infers")
        for name in ("links", "bias"):
            if self.learns and network.learning.instinct(name) != "proportional":
                raise InputError(f"a core that learns must have learning.{name}_instinct proportional, not "
                                 f"{network.learning.instinct(name)}; change it, or generate a core that only infers")
        if any(wiring.tied for wiring in network.wirings):
            raise InputError("a core must have links of its own for each neuron, but wiring.layers has a convolution, for "
                             "which there is no hardware yet; replace it by a full layer")
        if any(wiring.reciprocal for wiring in network.wirings):
            raise InputError("a core must settle once for each image, but wiring.layers has a recurrent layer, for which there "
                             "is no hardware yet; replace it by a full layer")
        for wiring, *sizes in zip(network.wirings, network.layers, network.layers[1:], strict=False):
            if wiring.shape(*sizes) != tuple(reversed(sizes)):
                raise InputError("a core must have a link from every input of a layer to each of its neurons, but "
                                 f"wiring.layers has {wiring}, for which there is no hardware yet; replace it by a full layer")
        if self.learns and network.wiring.layers:
            raise InputError("a core that learns must have full wiring, because it updates every link; leave wiring.layers "
                             "empty, or generate a core that only infers")
        neurons = network.layers[1:]
        if len(neurons) > MOST_LAYERS:
            raise InputError(f"a core must have at most {MOST_LAYERS} layers of neurons, not {len(neurons)}")
        if max(network.layers) > MOST_ADDRESS - 32:
            raise InputError(f"layers must have at most {MOST_ADDRESS - 32} neurons in hardware, not {max(network.layers)}")
        units = tuple(self.units) or (neurons if self.arrangement == "parallel" else (UNITS_BY_DEFAULT,) * len(neurons))
        if self.arrangement == "time-shared" and len(set(units)) == 1 and len(units) == len(neurons):
            units = tuple(min(units[0], size) for size in neurons)
        if len(units) != len(neurons):
            raise InputError(f"units must name one number for each of {len(neurons)} layers, not {len(units)}")
        for index, (count, size) in enumerate(zip(units, neurons, strict=True)):
            if not 1 <= count <= size:
                raise InputError(f"layer {index} must have 1 to {size} processing units, one per neuron at most, "
                                 f"not {count}")
        if self.arrangement == "time-shared" and units != tuple(min(max(units), size) for size in neurons):
            raise InputError(f"every layer of a time-shared array must use all of its {max(units)} processing units, or as "
                             f"many as it has neurons, not {list(units)}; give one number for all layers")
        object.__setattr__(self, "units", units)
        time_shared, numbers = self.arrangement == "time-shared", range(len(neurons))
        arrays = tuple(ArrayDesign(self, index, layers, [units[layer] for layer in layers], time_shared=time_shared)
                       for index, layers in enumerate([numbers] if time_shared else [[layer] for layer in numbers]))
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "layers", tuple(layer for array in arrays for layer in array.layers))
        for layer in self.layers:
            layer.check()

    def _check_time_shared(self) -> None:
        if self.kind != "shift":
            raise InputError(f"a time-shared array must be of kind shift, not {self.kind}; choose arrangement parallel")
        neuron = self.network.neuron
        for name in ("K1", "K2", "K3", "rest"):
            if not uniform(getattr(neuron, name)):
                raise InputError(f"a time-shared array must have one neuron.{name} for all five populations, not "
                                 f"{list(getattr(neuron, name))}; choose arrangement parallel")


def units_within(network: Network, most: int) -> tuple[int, ...]:
    """Processing units of each layer when no layer may have more than ``most``: as few folds as that needs."""
    if most < 1:
        raise InputError(f"a layer must have at least 1 processing unit, not {most}")
    return tuple(-(-size // -(-size // most)) for size in network.layers[1:])


