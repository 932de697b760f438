"""cocotb testbench of a sequencer, with a model of what its units would have computed: which words, in which order, when.

Settings: ``network`` (JSON), ``layer``, ``units``, ``kind``, ``learns``; ``images``; ``accesses``, how many parameters are
asked for amid them; ``stalls``, how often each side hesitates; ``seed``. The control word of every clock is compared with
``unit_program``, whose program the unit's testbench proved; operands that meet in a multiplier are recorded by address
and value, and compared with the lists that were to be played; so are the addresses of saved and restored states.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Any

from golden_model.network import POPULATIONS, Network
from hdl.control import control_layout
from hdl.design import Design
from hdl.layer_design import LayerDesign
from testbenches.cases import each_case
from testbenches.layer_sides import Image, Sink, Source, flags
from testbenches.ports import Packing, Ports
from testbenches.unit_program import ADDED, PRODUCT, WORD, Program

PATIENCE = 5_000
OPTIONAL = ("access_neuron",)
Word = dict[str, int]


class HalfSteps:
    """The control word of every phase of a half step, of both kinds of neurons."""

    def __init__(self, layer: LayerDesign) -> None:
        self.layer = layer
        self.words: dict[tuple[bool, bool, int], dict[int, Word]] = {}

    def fields(self, phase: int, reverse: bool, corrector: bool, base: int) -> Word:
        """With the fields that another phase has zero; ``base``: where the memory of the fold begins."""
        if self.layer.design.kind == "shift":
            return Program(self.layer).half_step_fields(phase, reverse, corrector)
        key = reverse, corrector, base
        if key not in self.words:
            program = Program(self.layer, base)
            program.half_step(0, reverse, corrector)
            self.words[key] = program.words
        words = self.words[key]
        right = dict.fromkeys({name for word in words.values() for name in word}, 0) | words.get(phase, {})
        if "address" not in words.get(phase, {}):
            del right["address"]                                           # what is read there is not used
        return right


class Accesses:
    """Asks for parameters, one after the other, whatever the layer is doing."""

    def __init__(self, ports: Ports, chance: random.Random, layer: LayerDesign, count: int, coverage: Counter[str]) -> None:
        self.ports, self.chance, self.layer, self.coverage = ports, chance, layer, coverage
        self.left = count
        self.pending = False
        self.expected: list[tuple[int, int, int | None]] = []
        self.neuron = 0

    def drive(self) -> None:
        if self.pending or not self.left or self.chance.random() > 0.02:
            return
        layer, before = self.layer, self.neuron
        self.neuron = self.chance.choice([before, self.chance.randrange(layer.neurons)])
        row, write = self.chance.randrange(layer.parameter_rows), self.chance.random() < 0.5
        word = self.chance.randrange(1, 1 << layer.word_bits - 1)
        address = self.neuron // layer.units * layer.rows + row
        self.expected.append((self.neuron % layer.units, address, word if write else None))
        if write:                                                          # what was written is shown, too
            self.expected.append((self.neuron % layer.units, address, None))
        self.pending, self.left = True, self.left - 1
        self.coverage["written" if write else "read"] += 1
        self.coverage["same neuron" if self.neuron == before else "another neuron"] += 1
        self.ports.set(access_valid=1, access_write=int(write), access_neuron=self.neuron, access_row=row, access_data=word)

    def look(self, busy: bool, word: int) -> None:
        ports = self.ports
        self.coverage["asked amid an image"] += self.pending and busy
        if not ports.get("access_done"):
            return
        assert self.pending, "nothing was asked for"
        assert ports.get("access_ready"), "an access must be taken when it is done"
        assert ports.get("access_word") == word, "the word of the unit with the token must be given"
        self.pending = False

    def release(self) -> None:
        """At the beginning of the clock after."""
        if not self.pending:
            self.ports.set(access_valid=0)


class Units:
    """Follows the control words: sums as lists of (address, value), the token, half steps, updates."""

    def __init__(self, layer: LayerDesign) -> None:
        self.layer, self.half_steps = layer, HalfSteps(layer)
        self.past: list[Word] = []
        self.sum: list[tuple[int, int]] = []
        self.sums: list[list[tuple[int, int]]] = []                        # one for each latched drive
        self.errors: list[tuple[int, int]] = []                            # token, value
        self.updates: list[tuple[int, int, int]] = []                      # address, value, whether it is the bias
        self.saved: list[int] = []                                         # addresses of displacements
        self.restored: list[int] = []
        self.accesses: list[tuple[int, int, int | None]] = []              # token, address, word if it was written
        self.token = -1
        self.half_steps_left = self.phase = self.forward_settled = self.reverse_settled = 0
        self.latches: list[int] = []

    def follow(self, word: Word, half_steps: int) -> None:
        self.past.append(word)
        self._operands()
        settles = self.half_steps_left > 0
        if settles:
            self._half_step(word, half_steps)
        if word["accumulate"]:
            address, value = self.before(PRODUCT)["address"], self.before(PRODUCT)["broadcast_b"]
            if word["accumulate_one"]:
                self.errors.append((self.token, self.before(2)["broadcast_a"] * value >> self.layer.link_shift))
            else:
                assert self.before(3)["word_enable"], "a link must bring its weight"
                self.sum.append((address, value))
        if word["write"]:
            address = word["write_address"]
            if word["load"] and word["write_one"]:
                self.accesses.append((self.token, address, word["load_data"]))
            elif word["load"]:
                assert word["load_data"] == 0, "a displacement must not be joined with anything"
                self.saved.append(address)
            else:
                self.updates.append((address, self.before(2)["broadcast_a"], word["bias_row"]))
        if word["show_word"]:
            self.accesses.append((self.token, self.before(WORD)["address"], None))
        if word["state_new"] and not settles:
            self.restored.append(self.before(ADDED)["address"])
        if word["latch_drive"] and word["clear"]:
            self.sums.append(self.sum)
            self.sum = []
            self.half_steps_left, self.phase = half_steps, 0
            self.latches.append(len(self.past))
        if word["token_first"]:
            self.token = 0
        elif word["token_next"]:
            self.token += 1

    def before(self, clocks: int) -> Word:
        return self.past[-1 - clocks]

    def _operands(self) -> None:
        """No two of them meet in the same clock: operands are joined by OR."""
        if len(self.past) < 4:
            return
        early, late, now = self.before(2), self.before(1), self.before(0)
        gate = late["corrector_gate"] or late["predictor_gate"]
        a = [bool(gate), bool(late["word_enable"]), bool(now["broadcast_a"])]
        assert sum(a) <= 1, f"operand A must have one source, not {a}"
        own = early["self_enable"]
        if self.layer.design.kind == "shift":
            own = own or early["drive_enable"] or late["coupling_enable"]
        b = [bool(own), bool(early["broadcast_b"]), bool(early["reverse_enable"]), bool(now.get("bracket_enable"))]
        assert sum(b) <= 1, f"operand B must have one source, not {b}"

    def _half_step(self, word: Word, half_steps: int) -> None:
        reverse = bool(self.errors)
        settled = self.reverse_settled if reverse else self.forward_settled
        base = settled % self.layer.folds * self.layer.rows
        right = self.half_steps.fields(self.phase, reverse, (half_steps - self.half_steps_left) % 2 == 1, base)
        result = {name: word[name] for name in right}
        assert result == right, f"phase {self.phase} must be {right}, not {result}"
        self.phase += 1
        if self.phase == self.layer.phases:
            self.phase, self.half_steps_left = 0, self.half_steps_left - 1
            if not self.half_steps_left:
                self.forward_settled, self.reverse_settled = (
                    self.forward_settled + (not reverse), self.reverse_settled + reverse)


def links(layer: LayerDesign, image: Image) -> list[list[tuple[int, int]]]:
    """What the accumulators of each fold must be given: addresses and values."""
    sums = []
    for fold in range(layer.folds):
        base = fold * layer.rows
        sums.append([(base + index, 1 << layer.link_shift if last else value) for index, value, last in image.items()])
    return sums


@each_case
async def control_is_in_order_and_comes_to_rest(dut: Any, options: Any) -> None:
    network = Network.from_json(options["network"])
    layer = Design(network=network, units=tuple(options["units"]), kind=options["kind"],
                   learns=options["learns"]).layers[options["layer"]]
    ports, chance = Ports(dut, OPTIONAL), random.Random(options["seed"])
    source, sink = Source(ports, chance, options["stalls"]), Sink(ports, chance, options["stalls"], layer)
    units, packing, coverage = Units(layer), Packing(control_layout(layer)), Counter[str]()
    half_steps, rates = 2 * network.integration.steps, network.learning.rate_shifts(0)
    accesses = Accesses(ports, chance, layer, options["accesses"], coverage)
    source.drive()
    sink.drive()
    await ports.start(access_valid=0, access_write=0, access_neuron=0, access_row=0, access_data=0, word=0,
                      links_rate_shift=rates["links"] or 0, bias_rate_shift=rates["bias"] or 0)
    images = []
    for number in range(options["images"]):
        image = Image(inputs=[chance.choice([0, chance.randrange(1, 200)]) for _ in range(layer.inputs)],
                      learn=layer.learns and number % 2 == 1)
        if image.learn and chance.random() < 0.7:
            error = layer.formats.error
            image.errors = [chance.choice([error.least, error.greatest]) for _ in range(layer.neurons)]
        images.append(image)
    tree = 0
    for image in images:
        source.waiting.append(image)
        sink.expected.append(image)
        if image.learn or image is images[-1] or images[images.index(image) + 1].learn:
            for _ in range(PATIENCE):
                source.drive()
                sink.drive()
                accesses.release()
                accesses.drive()
                word = chance.getrandbits(8)
                ports.set(word=word)
                await ports.settled()
                units.follow(packing.unpack(ports.get("control")), half_steps)
                source.look()
                sink.look()
                busy = bool(source.waiting or sink.expected)
                accesses.look(busy, word)
                tree += ports.get("tree_valid")
                rest = ports.get("idle") and not busy and not accesses.pending
                if image is images[-1]:
                    rest = rest and not accesses.left
                await ports.tick()
                if rest:
                    break
            else:
                raise AssertionError(f"the sequencer must come to rest within {PATIENCE} clocks")
        if not image.learn:
            continue
        check_learnt(layer, image, units, tree)
        coverage["learnt" if image.errors else "without error"] += 1
        tree = 0
    for image in images:
        assert image.flags == flags(layer.neurons, image.learn), f"outputs must be flagged, not {image.flags}"
        right = links(layer, image) + ([[]] * layer.folds if image.errors else [])
        result, units.sums = units.sums[:len(right)], units.sums[len(right):]
        assert result == right, f"links must be {right}, not {result}"
        coverage["images"] += 1
    assert not units.sums, "no drive may be latched without an image"
    assert units.accesses == accesses.expected, f"accesses must be {accesses.expected}, not {units.accesses}"
    if options["stalls"] == 0 and not layer.learns and not options["accesses"]:
        period = half_steps * layer.phases + 2
        gaps = [after - before for before, after in zip(units.latches, units.latches[1:], strict=False)]
        assert gaps == [period] * len(gaps), f"units must never starve: each {period} clocks a fold, not {gaps}"
        coverage["no pause"] += 1
    goals = ["images", *(["learnt", "without error"] if layer.learns else ["no pause"] if not options["stalls"] else [])]
    goals += ["written", "read", "same neuron", "another neuron", "asked amid an image"] if options["accesses"] else []
    assert all(coverage[name] for name in goals), f"each of {goals} must occur: {coverage}"


def check_learnt(layer: LayerDesign, image: Image, units: Units, tree: int) -> None:
    """Errors went to their units, reverse links and updates were those of the list."""
    folds = range(layer.folds) if image.errors else ()
    errors = [(place, (image.errors or [])[fold * layer.units + place])
              for fold in folds for place in range(layer.fold_size(fold))]
    assert units.errors == errors, f"errors must be {errors}, not {units.errors}"
    assert tree == (layer.inputs * len(folds) if layer.reverses else 0), f"each input must be summed once, not {tree}"
    rates = layer.network.learning.rate_shifts(0)
    links_rate, bias_rate = rates["links"], rates["bias"]
    assert links_rate is not None
    assert bias_rate is not None
    distance = layer.update_shift - layer.network.update_shift(layer.index, links_rate)
    updates = [(fold * layer.rows + index, 1 << layer.update_shift - bias_rate if last else value << distance, last)
               for fold in folds for index, value, last in image.items()]
    assert units.updates == updates, f"updates must be {updates}, not {units.updates}"
    first = layer.network.neuron.output_population                         # the ring shows this one, and turns
    states = [fold * layer.rows + layer.state_row for fold in range(layer.folds)] if layer.saves_state else []
    saved = [state + (first + turn) % POPULATIONS for state in states for turn in range(POPULATIONS)]
    assert units.saved == saved, f"displacements must be saved at {saved}, not {units.saved}"
    restored = [state + -turn % POPULATIONS for state in states for turn in range(POPULATIONS)] if image.errors else []
    assert units.restored == restored, f"displacements must be restored from {restored}, not {units.restored}"
    units.errors, units.updates, units.saved, units.restored = [], [], [], []
