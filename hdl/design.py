"""``Design``: a network description and the choices that make it a circuit, checked before anything is elaborated."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

from golden_model.errors import InputError
from golden_model.network import Network
from hdl.array_design import ArrayDesign
from hdl.choices import Choices
from hdl.layer_design import LayerDesign, signed_digits, uniform
from hdl.multiplier import check_target

KINDS = ("shift", "programmable")
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
    arrangement : "parallel", "time-shared", or for example "time-shared 0-1", by default ``usual_arrangement``
        ``parallel``: an array for each layer; layers work on successive images at the same time. ``time-shared``: one array, as
        large as the largest of ``units``, that does one layer after the other, with memories of a single port.
        ``time-shared 0-1``: such an array for layers 0 and 1, and one for each of the others.

    Raises
    ------
    InputError
        In one sentence: units that do not fit the layers, formats that the DSP block cannot take, networks whose
        learning has no hardware.
    """

    units: tuple[int, ...] = ()
    arrangement: str = ""
    arrays: tuple[ArrayDesign, ...] = field(init=False, compare=False, repr=False)      # follow from all else
    layers: tuple[LayerDesign, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        check_target(self.target)
        if self.kind not in KINDS:
            raise InputError(f"kind must be shift or programmable, not {self.kind!r}")
        object.__setattr__(self, "arrangement", self.arrangement or usual_arrangement(self.network))
        if self.arrangement == "shared":
            raise InputError("arrangement shared is called time-shared now; give time-shared in its place")
        network = self.network
        network.check_fixed()
        groups = served(self.arrangement, len(network.layers) - 1)
        if any(time_shared for _, time_shared in groups):
            self._check_time_shared()
        self._check_network()
        neurons = tuple(wiring.shape(*sizes)[0] for wiring, *sizes in zip(
            network.wirings, network.layers, network.layers[1:], strict=False))
        if len(neurons) > MOST_LAYERS:
            raise InputError(f"a core must have at most {MOST_LAYERS} layers of neurons, not {len(neurons)}")
        if max(network.layers) > MOST_ADDRESS - 32:
            raise InputError(f"layers must have at most {MOST_ADDRESS - 32} neurons in hardware, not {max(network.layers)}")
        units = tuple(self.units) or tuple(
            UNITS_BY_DEFAULT if time_shared and not network.wirings[layer].reciprocal else neurons[layer]
            for layers, time_shared in groups for layer in layers)
        if len(units) != len(neurons):
            raise InputError(f"units must name one number for each of {len(neurons)} layers, not {len(units)}")
        units = tuple(units[layer] for layer in range(len(neurons)))
        for layers, time_shared in groups:                                # equal numbers stand for all units of an array
            if time_shared and len({units[layer] for layer in layers}) == 1:
                units = tuple(min(count, size) if layer in layers else count
                              for layer, (count, size) in enumerate(zip(units, neurons, strict=True)))
        for index, (count, size) in enumerate(zip(units, neurons, strict=True)):
            if network.wirings[index].reciprocal and count != size:
                raise InputError(f"layer {index} must have {size} processing units, one for each neuron, because it is "
                                 f"recurrent, not {count}")
            if not 1 <= count <= size:
                raise InputError(f"layer {index} must have 1 to {size} processing units, one per "
                                 f"{'channel' if network.wirings[index].tied else 'neuron'} at most, not {count}")
        for layers, time_shared in groups:
            own = [units[layer] for layer in layers]
            if time_shared and own != [min(max(own), neurons[layer]) for layer in layers]:
                raise InputError(f"every layer of a time-shared array must use all of its {max(own)} processing units, or as "
                                 f"many as it has {'channels or ' * self._convolves}neurons, not {own}; give one number for "
                                 "all layers")
        object.__setattr__(self, "units", units)
        arrays = tuple(ArrayDesign(self, index, layers, [units[layer] for layer in layers], time_shared=time_shared)
                       for index, (layers, time_shared) in enumerate(groups))
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "layers", tuple(layer for array in arrays for layer in array.layers))
        if self.kind == "shift":
            self._check_wired()
        for layer in self.layers:
            layer.check()

    @property
    def _convolves(self) -> bool:
        return any(wiring.tied for wiring in self.network.wirings)

    def programmable(self, otherwise: str) -> str:
        """The remedy where K must be programmable; ``otherwise`` where some layer's array has its K wired."""
        if needs := _needs(self.network):
            return f"{otherwise}, as {needs}"
        return "choose kind programmable" + (" and arrangement parallel" if self.arrangement != "parallel" else "")

    def _check_wired(self) -> None:
        """K of kind shift."""
        one = self.network.formats.coupling.one
        neuron = self.network.neuron
        values = [(f"neuron.{name}", value) for name in ("K1", "K2", "K3") for value in getattr(neuron, name)]
        values += [("K3 of a recurrent layer", value) for layer in self.layers if layer.recurrence for value in layer.K3[:1]]
        for name, value in values:
            if len(signed_digits(round(value * one))) > 2:
                raise InputError(f"{name} of kind shift must be signed powers of two or sums of two, not {value:g}; "
                                 f"{self.programmable('choose values that are')}")

    def _check_network(self) -> None:
        """Refuse what has no hardware."""
        network = self.network
        if self.learns_K and self.kind != "programmable":
            remedy = "set them to 0" if _needs(network) else "choose kind programmable, or generate a core that only infers"
            raise InputError("a core that learns K must be of kind programmable, because those of kind shift are wired, but "
                             f"learning.K1, K2 or K3 is not 0; {remedy}")
        if self.learns_K and network.learning.instinct("K1") != "proportional":
            raise InputError("a core that learns K must have learning.K_instinct proportional, not "
                             f"{network.learning.instinct('K1')}; change it, or generate a core that only infers")
        if self.learns and network.learning.batch != 1:
            raise InputError(f"a core learns one image at a time, so learning.batch must be 1, not {network.learning.batch}")
        for name in ("links", "bias"):
            if self.learns and network.learning.instinct(name) == "pid":
                raise InputError(f"a core that learns must have learning.{name}_instinct proportional or sign, not pid; change "
                                 "it, or generate a core that only infers")
        if self._convolves:
            self._check_convolutions()
        if any(wiring.reciprocal for wiring in network.wirings):
            self._check_recurrence()
        for wiring, *sizes in zip(network.wirings, network.layers, network.layers[1:], strict=False):
            if not wiring.tied and not wiring.reciprocal and wiring.shape(*sizes) != tuple(reversed(sizes)):
                raise InputError("a core must have a link from every input of a layer to each of its neurons, but "
                                 f"wiring.layers has {wiring}, for which there is no hardware yet; replace it by a full layer")
        if self.learns and any(words != "full" and not (wiring.tied or wiring.reciprocal)
                               for words, wiring in zip(network.wiring.layers, network.wirings, strict=False)):
            raise InputError("a core that learns must have full wiring, because it updates every link; leave wiring.layers "
                             "empty, or generate a core that only infers")

    @property
    def spread(self) -> bool:
        """Whether registers lie between the parts of the core: its arrays lie far from one another and from the rest."""
        return len(self.arrays) > 1 or not self.arrays[0].time_shared

    def _check_convolutions(self) -> None:
        """Each stands in the time-shared array of the first layer."""
        network = self.network
        tied = [index for index, wiring in enumerate(network.wirings) if wiring.tied]
        layers, time_shared = served(self.arrangement, len(network.wirings))[0]
        if not time_shared or tied[-1] not in layers:
            raise InputError("convolutions must be served by one time-shared array that serves layer 0 too, but arrangement "
                             f"is {self.arrangement}; choose time-shared, or time-shared 0-{tied[-1]}")
        if self.signs:
            raise InputError("a core that learns convolutions must have learning.links_instinct and bias_instinct "
                             "proportional, not sign; change it, or generate a core that only infers")

    def _check_recurrence(self) -> None:
        """It is the first layer, and has a time-shared array of its own with a unit for each neuron."""
        network = self.network
        recurrent = [index for index, wiring in enumerate(network.wirings) if wiring.reciprocal]
        if recurrent != [0]:
            raise InputError(f"only the first layer of a core may be recurrent, but layer {recurrent[-1]} is; replace it by a "
                             "full layer")
        if not network.wirings[0].answers:
            raise InputError("a recurrent layer of a core must send what its neurons say after the last frame, but "
                             f"wiring.layers has {network.wirings[0]}; leave out every frame")
        layers, time_shared = served(self.arrangement, len(network.wirings))[0]
        if not time_shared or len(layers) > 1:
            raise InputError("a recurrent layer must be served by a time-shared array of its own, but arrangement is "
                             f"{self.arrangement}; choose time-shared 0-0")
        if self.signs:
            raise InputError("a core that learns a recurrent layer must have learning.links_instinct and bias_instinct "
                             "proportional, not sign; change it, or generate a core that only infers")

    def _check_time_shared(self) -> None:
        needs = _needs(self.network)                                          # a layer that has no other array
        if self.kind != "shift" and (needs or not self.network.learning.trains_K):
            raise InputError(f"a time-shared array must be of kind shift, not {self.kind}; choose "
                             f"{'kind shift' if needs else 'arrangement parallel'}")
        neuron = self.network.neuron
        for name in ("K1", "K2", "K3", "rest") if self.kind == "shift" else ("rest",):
            if not uniform(getattr(neuron, name)):
                raise InputError(f"a time-shared array must have one neuron.{name} for all five populations, not "
                                 f"{list(getattr(neuron, name))}; "
                                 + (f"give it one value, as {needs}" if needs else "choose arrangement parallel"))


def _needs(network: Network) -> str:
    """Which layers must have a time-shared array, and so one K and one rest value for all populations; "" if none must."""
    if any(wiring.reciprocal for wiring in network.wirings):
        return "a recurrent layer needs"
    return "convolutions need" if any(wiring.tied for wiring in network.wirings) else ""


def usual_arrangement(network: Network, otherwise: str = "parallel") -> str:
    """Where none was chosen: a network with a convolution has one that a single array can serve, one with a recurrent layer an
    array for that and another one for all that follow."""
    if any(wiring.reciprocal for wiring in network.wirings):
        return f"time-shared 0-0,1-{len(network.wirings) - 1}"
    return "time-shared" if any(wiring.tied for wiring in network.wirings) else otherwise


def served(arrangement: str, count: int) -> list[tuple[range, bool]]:
    """The layers that each array serves, in order, and whether it is time-shared."""
    if arrangement == "parallel":
        return [(range(layer, layer + 1), False) for layer in range(count)]
    if arrangement == "time-shared":
        return [(range(count), True)]
    spans = re.fullmatch(r"time-shared (\d+-\d+(?:, ?\d+-\d+)*)", arrangement)
    if spans is None:
        raise InputError("arrangement must be parallel, time-shared, or time-shared with the layers that share an array, as "
                         f"'time-shared 0-1', not {arrangement!r}")
    groups: list[tuple[range, bool]] = []
    following = 0
    for span in spans[1].split(","):
        first, last = map(int, span.split("-"))
        if not following <= first <= last < count:
            raise InputError(f"layers that share an array must be of 0 to {count - 1}, in order and each in one array, not "
                             f"{span.strip()} in {arrangement!r}")
        groups += [(range(layer, layer + 1), False) for layer in range(following, first)]
        groups.append((range(first, last + 1), True))
        following = last + 1
    return [*groups, *((range(layer, layer + 1), False) for layer in range(following, count))]


def units_within(network: Network, most: int, arrangement: str = "parallel") -> tuple[int, ...]:
    """Processing units of each layer when no layer may have more than ``most``: as few folds as that needs, and of those that
    a layer of its own has as few units. A recurrent layer has one for each neuron whatever ``most`` is."""
    if most < 1:
        raise InputError(f"a layer must have at least 1 processing unit, not {most}")
    sizes = tuple(wiring.shape(*sizes)[0] for wiring, *sizes in zip(
        network.wirings, network.layers, network.layers[1:], strict=False))
    return tuple(sizes[layer] if network.wirings[layer].reciprocal else min(most, sizes[layer]) if time_shared
                 else -(-sizes[layer] // -(-sizes[layer] // most))
                 for layers, time_shared in served(arrangement, len(sizes)) for layer in layers)


