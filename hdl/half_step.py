"""The half step of the improved Euler method as a reservation table (``hdl.operations``), for both kinds of neurons.

Kind shift: population i is tapped in phase i, and its new word is taken in phase 5 + i.

Kind programmable: six clocks for a population, five products K x, then one for the gate of a population before. The ring turns
in every clock, so that in clock 6 i + j its head is x[i + j]: no multiplexer chooses among the five. The results wait until all
are there, and then enter the ring. K wider than the multiplier's operand have two products each, first all five of their high
parts, then those of their low ones: eleven clocks, after which the ring has turned by one place, too.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from golden_model.network import POPULATIONS
from hdl.operations import PARALLEL, At, Datapath, Operand, Operation

GATE_TO_MULTIPLIER = 1                    # clocks from the field that enables a gate to operand A

PRODUCT = 4                               # of kind programmable: clocks from an address to the product of its word

# For product j = 0..4 of population i: which K (row of its table, relative population), and its sign
TERMS = ((2, 0, -1), (0, 1, -1), (1, 0, +1), (1, -2, -1), (0, 0, +1))


def coupling_row(population: int, term: int, mirrored: bool) -> int:
    """The word among a neuron's 15 K that product ``term`` of a population needs; K1, K2, K3 one after the other."""
    kind, relative, _ = TERMS[term]
    e = (population + relative) % POPULATIONS
    if mirrored:
        e = ((1 - e), (-e - 2), -e)[kind] % POPULATIONS
    return kind * POPULATIONS + e


@dataclass(frozen=True, kw_only=True)
class Part:
    """What each population does in a half step: population i does in phase ``start + period * i + clock`` what the table has at
    ``clock``."""

    start: int = 0
    period: int = 1
    table: Operation

    def phases(self, field: str, value: int | Operand = 1) -> set[int]:
        """In which a field is set to this value."""
        return {self.start + self.period * population + at.clock for at in self.table.fields
                if (at.field, at.value) == (field, value) for population in range(POPULATIONS)}


@dataclass(frozen=True, kw_only=True)
class HalfStep:
    """One half step of the improved Euler method for all five populations.

    ``populations``: fields that say which population is meant, and the clock of a part's table in which they do.
    ``takes_items``: whether items are issued amid it; of the other kind too few clocks are free to be worth a comparison.
    """

    parts: tuple[Part, ...]
    populations: dict[str, int]
    takes_items: bool

    @property
    def period(self) -> int:
        """Clocks from one population to the next."""
        return self.parts[0].period

    @cached_property
    def phases(self) -> int:
        """Its clocks."""
        return 1 + max(part.start + part.period * (POPULATIONS - 1) + part.table.cycles for part in self.parts)

    def when(self, field: str, value: int | Operand = 1) -> set[int]:
        """The phases in which a field is set to this value."""
        return set().union(*(part.phases(field, value) for part in self.parts))

    @property
    def flags(self) -> list[str]:
        """Fields that a phase alone sets."""
        return sorted({at.field for part in self.parts for at in part.table.fields if at.value == 1})

    @property
    def multiplies(self) -> set[int]:
        """The phases in which operands are at the multiplier: gate and bracket, and the products of a bracket."""
        gates = {phase + GATE_TO_MULTIPLIER for phase in self.when("corrector_gate", Operand.CORRECTOR)}
        return gates | {phase + PARALLEL.to_multiplier["word_enable"] for field in WORDS for phase in self.when(field)}


SHIFT = HalfStep(parts=(Part(table=Operation("half step", (
    At(0, "self_enable"), At(0, "drive_enable", Operand.ENTRANCE), At(0, "gate_shift"), At(1, "coupling_enable"),
    At(1, "corrector_gate", Operand.CORRECTOR), At(1, "predictor_gate", Operand.PREDICTOR), At(3, "mean_enable"),
    At(3, "start_shift"), At(5, "state_new"), At(5, "start_shift", Operand.CORRECTOR)))),), takes_items=True,
    populations={"population_difference": 0, "population_self": 1, "population_gate": 0, "population_clamp": 5})



def of_products(*words: str) -> HalfStep:
    """Of kind programmable. ``words``: for each part of a K, the field that sends it to operand A. A population has five
    products of each, and one clock for a gate; then the results enter the ring."""
    products = POPULATIONS * len(words)
    gate = 2 * products                   # clock, counted from a population's first, in which its gate enters the gate ring
    operand, result, period = gate + 3, gate + 6, products + 1      # gate and bracket at the multiplier; the new word is there
    return HalfStep(parts=(
        Part(period=period, table=Operation("half step", (
            *(At(term, "self_enable") for term in range(products)),
            *(At(term + 1, words[term // POPULATIONS]) for term in range(products)),
            *(At(term + PRODUCT, "bracket_add") for term in range(products)),
            *(At(term + PRODUCT, "bracket_high") for term in range(products - POPULATIONS)),
            *(At(term + PRODUCT, "bracket_subtract") for term in range(products) if TERMS[term % POPULATIONS][2] < 0),
            At(PRODUCT, "bracket_first"), At(PRODUCT, "drive_enable", Operand.ENTRANCE),
            At(products + PRODUCT, "bracket_latch"), At(gate, "gate_shift"),
            At(operand - 1, "corrector_gate", Operand.CORRECTOR), At(operand - 1, "predictor_gate", Operand.PREDICTOR),
            At(operand, "bracket_enable"), At(operand + 1, "mean_enable"), At(operand + 1, "start_shift"),
            At(result, "result_shift")))),
        Part(start=period * (POPULATIONS - 1) + result + 1, table=Operation("transfer", (
            At(0, "transfer"), At(0, "state_new"), At(0, "start_new"), At(0, "result_shift"),
            At(0, "start_shift", Operand.CORRECTOR))))), takes_items=False,
        populations={"population_gate": gate, "population_clamp": result})


WORDS = ("word_enable", "K_high", "K_low")          # fields that send a word, or a part of it, to operand A
PROGRAMMABLE = of_products("word_enable")
HALF_STEPS = {"shift": SHIFT, "programmable": PROGRAMMABLE, "own K": of_products("K_high"),
              "split K": of_products("K_high", "K_low")}


def issue_phases(path: Datapath, half_step: HalfStep) -> range:
    """The phases of a half step in which an item may be issued, because the multiplier has no other work when it gets there.

    Raises
    ------
    AssertionError
        If they do not follow one another, as sequencers and timing count on.
    """
    if not half_step.takes_items:
        return range(0)
    enters = path["link"].enters(path) - path.lead
    free = [phase for phase in range(half_step.phases) if (phase + enters) % half_step.phases not in half_step.multiplies]
    phases = range(free[0], free[-1] + 1) if free else range(0)
    assert len(phases) == len(free), f"phases in which an item may be issued must follow one another, not be {free}"
    return phases
