"""What a processing unit must be told, clock by clock, to do each of its tasks: the program that a sequencer keeps.

Written from the description of ``hdl.unit`` and ``hdl.control``, not from the sequencer, so that the unit's testbench
shows that the program gives the neuron of the golden model, and the sequencer's that it keeps the program. Clock 0 of a task
is the one in which its first address or tap is there. ``TimeSharedProgram`` is that of a unit with rings in block RAM and a
weight memory of one port; what does not stand in its control word, the address and the slot, is written beside it.
"""
from __future__ import annotations

from collections import defaultdict

from golden_model.network import POPULATIONS
from hdl import half_step
from hdl.array_design import SLOT
from hdl.control import needs_populations
from hdl.layer_design import LayerDesign

WORD, PRODUCT, ADDED = 2, 4, 5            # clocks from an address to its word, its product, the sum
PERIOD, LATCH, GATE, OPERAND, RESULT, TRANSFER = 6, 9, 10, 13, 16, 41       # of kind programmable
TAPS = POPULATIONS                        # of a half step of kind shift; its new words follow


class Program:
    """Control words by clock, for the fold whose memory begins at ``base``. A task is laid out from ``self.clock`` on, which
    moves behind it."""

    OUTPUT = 1                            # clocks from ``show`` to the output

    def __init__(self, layer: LayerDesign, base: int = 0) -> None:
        self.layer, self.base, self.neuron = layer, base, layer.network.neuron
        self.words: dict[int, dict[str, int]] = defaultdict(dict)
        self.clock = 0

    def at(self, clock: int, **fields: int) -> None:
        """Add fields to the control word of a clock; none may be there already."""
        for name, value in fields.items():
            assert name not in self.words[clock], f"clock {clock} has its {name} already"
            self.words[clock][name] = int(value)

    def begin(self) -> None:
        """An accumulator begins with the half that rounds; the unit is selected."""
        self.at(self.clock, latch_drive=1, token_first=1)
        self.clock += 1

    def latch(self) -> None:
        """The sum becomes the drive, both rings are cleared."""
        self.at(self.clock, latch_drive=1, clear=1)
        self.clock += 1

    def links(self, items: list[tuple[int, int]]) -> None:
        """Weight at an address times an input, into the accumulator; then wait until the last one is in it."""
        for address, value in items:
            self.at(self.clock, address=address, broadcast_b=value)
            self.at(self.clock + 1, word_enable=1)
            self.at(self.clock + PRODUCT, accumulate=1)
            self.clock += 1
        self.clock += ADDED - 1

    def error(self, word: int) -> None:
        """An error into the accumulator of the unit with the token."""
        split = self.layer.error_split
        self.at(self.clock, broadcast_b=1 << self.layer.link_shift - split)
        self.at(self.clock + WORD, broadcast_a=word << split)
        self.at(self.clock + PRODUCT, accumulate=1, accumulate_one=1)
        self.clock += ADDED

    def settle(self, reverse: bool, half_steps: int) -> list[int]:
        """Half steps, and a turn of the ring; the clocks from which the ring is shown after each of them."""
        phases = []
        for number in range(half_steps):
            if number:
                phases.append(self.show())
            self.half_step(self.clock, reverse, number % 2 == 1)
            self.clock += self.layer.phases
        phases.append(self.show())
        self.turn()
        return phases

    def half_step(self, start: int, reverse: bool, corrector: bool) -> None:
        """One half step from clock ``start`` on."""
        if self.layer.design.kind == "programmable":
            self._half_step_programmable(start, reverse, corrector)
        else:
            self._half_step(start, reverse, corrector)

    def half_step_fields(self, phase: int, reverse: bool, corrector: bool) -> dict[str, int]:
        """The control word in a phase of a half step of kind ``shift``: population i is tapped in phase i, new in phase 5 +
        i."""
        tapped, new = phase < TAPS, phase >= TAPS
        gated, meant = 1 <= phase <= POPULATIONS, 3 <= phase < 3 + POPULATIONS
        entrance = -self.neuron.output_population % POPULATIONS if reverse else self.neuron.input_population
        fields: dict[str, int] = {
            "state_shift": True, "state_new": new, "self_enable": tapped, "drive_enable": phase == entrance,
            "coupling_enable": gated, "gate_shift": tapped, "gate_new": not reverse, "reverse": reverse,
            "corrector_gate": gated and corrector, "predictor_gate": gated and not corrector, "mean_enable": meant,
            "start_shift": meant or (corrector and phase >= 3 + POPULATIONS), "start_new": corrector}
        if self.layer.design.kind == "shift" and self._has_populations():
            fields |= {"population_difference": phase % POPULATIONS, "population_self": (phase - 1) % POPULATIONS,
                       "population_gate": phase % POPULATIONS, "population_clamp": phase % POPULATIONS}
        return {name: int(value) for name, value in fields.items()}

    def _half_step(self, start: int, reverse: bool, corrector: bool) -> None:
        for phase in range(self.layer.phases):
            self.at(start + phase, **self.half_step_fields(phase, reverse, corrector))

    def _half_step_programmable(self, start: int, reverse: bool, corrector: bool) -> None:
        """Six clocks a population: five products of K, one for the gate; results wait in a ring of their own."""
        clocks: dict[int, dict[str, int]] = defaultdict(dict)
        entrance = -self.neuron.output_population % POPULATIONS if reverse else self.neuron.input_population
        for population in range(POPULATIONS):
            first = PERIOD * population
            for term, (_, _, sign) in enumerate(half_step.TERMS):
                row = self.base + self.layer.coupling_row + half_step.coupling_row(population, term, reverse)
                clocks[first + term] |= {"address": row, "self_enable": 1}
                clocks[first + term + 1]["word_enable"] = 1
                clocks[first + term + PRODUCT] |= {"bracket_add": 1, "bracket_first": term == 0, "bracket_subtract": sign < 0}
            clocks[first + PRODUCT]["drive_enable"] = population == entrance
            clocks[first + LATCH]["bracket_latch"] = 1
            clocks[first + GATE]["gate_shift"] = 1
            clocks[first + OPERAND - 1]["corrector_gate" if corrector else "predictor_gate"] = 1
            clocks[first + OPERAND]["bracket_enable"] = 1
            clocks[first + OPERAND + 1] |= {"mean_enable": 1, "start_shift": 1}
            clocks[first + RESULT]["result_shift"] = 1
            if self._has_populations():
                clocks[first + GATE]["population_gate"] = population
                clocks[first + RESULT]["population_clamp"] = population
        for clock in range(self.layer.phases):
            clocks[clock] |= {"state_shift": 1, "gate_new": not reverse, "reverse": reverse}
        for clock in range(TRANSFER, self.layer.phases):
            clocks[clock] |= {"transfer": 1, "state_new": 1, "result_shift": 1, "start_new": 1, "start_shift": corrector}
        for clock, fields in clocks.items():
            self.at(start + clock, **{name: int(value) for name, value in fields.items()})

    def gates(self) -> None:
        """The populations of a settled ring, in mirrored order, into the gate ring: every fourth place of a turning ring."""
        for turn in range(4 * (POPULATIONS - 1) + 1):
            fields = {"state_shift": 1, "gate_new": 1, "gate_floor": 1, "gate_shift": int(turn % 4 == 0)}
            if self._has_populations() and turn % 4 == 0:
                fields["population_gate"] = -(turn // 4) % POPULATIONS
            self.at(self.clock, **fields)
            self.clock += 1

    def save(self) -> None:
        """The settled words into the weight memory: what the output sees of the turning ring is written."""
        for turn in range(POPULATIONS):
            population = (self.neuron.output_population + turn) % POPULATIONS
            self.at(self.clock, state_shift=1, load=1, write=1, write_address=self.base + self.layer.state_row + population)
            self.clock += 1

    def restore(self) -> None:
        """The saved words back into the ring, in mirrored order, each as a half step from rest that changes nothing; told that
        they are reverse, it takes none of them for extinct, whatever population comes by."""
        for turn in range(POPULATIONS):
            address = self.base + self.layer.state_row + -turn % POPULATIONS
            self.at(self.clock, address=address, broadcast_b=self.layer.restore_value)
            self.at(self.clock + 1, word_enable=1)
            self.at(self.clock + ADDED, state_shift=1, state_new=1, reverse=1)
            self.clock += 1
        self.clock += ADDED
        for turn in range(POPULATIONS):
            fields = {"state_shift": 1, "gate_new": 1, "gate_floor": 1, "gate_shift": 1}
            if self._has_populations():
                fields["population_gate"] = -turn % POPULATIONS
            self.at(self.clock, **fields)
            self.clock += 1

    def tree(self, addresses: list[int]) -> None:
        """Weights times the reverse signal; each product is there ``PRODUCT`` clocks after its address."""
        for address in addresses:
            self.at(self.clock, address=address, reverse_enable=1)
            self.at(self.clock + 1, word_enable=1)
            self.clock += 1
        self.clock += PRODUCT

    def updates(self, items: list[tuple[int, int, bool]]) -> None:
        """Weight at an address plus reverse signal times a scaled input; the flag says that it is the bias."""
        for clock in range(self.clock, self.clock + 2 + len(items)):
            self.at(clock, reverse_enable=1)
        self.clock += 2
        for address, value, is_bias in items:
            self.at(self.clock, address=address, broadcast_a=value)
            self.at(self.clock + WORD, write=1, write_address=address, bias_row=is_bias)
            self.clock += 1
        self.clock += WORD

    def show(self) -> int:
        """Five turns of the ring past the output register, beside what else is done: the first one's clock."""
        for turn in range(POPULATIONS):
            self.at(self.clock + turn, latch_output=1)
        return self.clock

    def turn(self) -> None:
        """The ring turns once around."""
        for _ in range(POPULATIONS):
            self.at(self.clock, state_shift=1)
            self.clock += 1

    def _has_populations(self) -> bool:
        return needs_populations(self.layer)


class TimeSharedProgram(Program):
    """For ``unit``, which is the selected one, and the neuron whose gates are in ``slot``."""

    OUTPUT = 0

    def __init__(self, layer: LayerDesign, base: int = 0, slot: int = 0, unit: int = 0) -> None:
        super().__init__(layer, base)
        self.slot, self.unit = slot, unit

    def begin(self) -> None:
        self.at(self.clock, latch_drive=1)
        self.clock += 1

    def error(self, word: int) -> None:
        split = self.layer.error_split
        self.at(self.clock, broadcast_b=1 << self.layer.link_shift - split)
        self.at(self.clock + 1, broadcast_a=word << split)
        self.at(self.clock + PRODUCT, accumulate_one=1, unit=self.unit)
        self.clock += ADDED

    def settle(self, reverse: bool, half_steps: int) -> list[int]:
        """The memory of step starts has its zeros for the first step, whose corrector writes the next one's."""
        starts = []
        for number in range(half_steps):
            starts.append(self.clock + self.layer.phases)
            for phase in range(self.layer.phases):
                self.at(self.clock + phase, **self._fields(phase, reverse, number % 2 == 1, number < 2))
            self.clock += self.layer.phases
        self.turn()
        return starts

    def _fields(self, phase: int, reverse: bool, corrector: bool, first: bool) -> dict[str, int]:
        fields = self.half_step_fields(phase, reverse, corrector)
        for name in ("gate_shift", "gate_new", "mean_enable", "start_shift", "start_new"):
            del fields[name]
        read = phase - 2 if 2 <= phase < 2 + POPULATIONS else 0           # its word is there in the clock of the mean
        fields |= {"gate_place": phase % POPULATIONS, "start_read": read + SLOT * first, "slot": self.slot}
        if corrector and phase >= TAPS:
            fields |= {"start_write": 1, "start_place": phase - TAPS}
        return fields

    def gates(self) -> None:
        """The populations of a settled ring into the slot, in mirrored order."""
        for turn in range(POPULATIONS):
            self.at(self.clock, state_shift=1, gate_write=1, gate_place=-turn % POPULATIONS, slot=self.slot)
            self.clock += 1

    def updates(self, items: list[tuple[int, int, bool]]) -> None:
        """A word is fetched in one clock, and the one before the last is written in the next: two clocks an item."""
        for clock in range(self.clock, self.clock + 2 * len(items) + 2):
            self.at(clock, reverse_enable=1)
        for address, value, is_bias in items:
            self.at(self.clock + 1, broadcast_a=value)
            self.at(self.clock + PRODUCT - 1, address=address)
            self.at(self.clock + PRODUCT, update=1)
            self.at(self.clock + ADDED, judge=1, bias_row=is_bias)
            self.at(self.clock + ADDED + 1, address=address)
            self.clock += 2
        self.clock += ADDED

    def show(self) -> int:
        """The output is that of the ring."""
        return self.clock
