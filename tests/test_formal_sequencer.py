# amaranth: UnusedElaboratable=no
"""Proof that a sequencer keeps to its states and counters and always comes to rest, whatever its sides do; planted bugs fail.

Every machine has a rank, a number that is 0 at rest. In each clock it falls, unless a side is waited for: an image's list, a
receiver, a verdict, errors. So a sequencer whose sides answer comes to rest. All is proved by induction, for ever.
"""
import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux, Signal

from formal import LEFT, PLACE, check, falls, rank_of
from golden_model.fixed_point import Format
from golden_model.network import POPULATIONS, Formats, Integration, Network
from hdl.array import output_latency
from hdl.control import control_latency
from hdl.design import Design
from hdl.sequencer import DRAIN, GATE_CLOCKS, RESTORED, SCAN_REST, WORD_LATENCY, WRITE_LATENCY, Sequencer
from planted_bugs import planted

FOLDS = LEFT + PLACE                      # place of the folds that are left in a rank
ONE = Integration(dt=0.5, steps=1)
USUAL = {"network": Network(layers=(1, 2, 2), integration=ONE), "layer": 1, "units": (2, 2), "learns": True}
CONFIGURATIONS = {
    "learns and sends errors back": USUAL,
    "learns, folded": USUAL | {"network": Network(layers=(2, 2, 3), integration=ONE), "units": (2, 2)},
    "first layer": USUAL | {"layer": 0},
    "infers, folded": USUAL | {"network": Network(layers=(1, 5), integration=ONE), "layer": 0, "units": (2,),
                               "learns": False},
    "programmable": USUAL | {"kind": "programmable", "network": Network(
        layers=(1, 2, 2), integration=ONE, formats=Formats(bracket=Format(18, 12)))},
}


def proof(sequencer_class, configuration):
    """A sequencer of ``sequencer_class`` with its claims."""
    design = Design(**{name: value for name, value in configuration.items() if name != "layer"})
    layer = design.layers[configuration["layer"]]

    class Proof(sequencer_class):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += Assume(self.access.payload.neuron < layer.neurons)
            rest = self._main_claims(m) & self._links_claims(m) & ~self.scan_busy
            self._scan_claims(m)
            m.d.comb += Assert(self.idle == (rest & ~self.available & ~self.access.valid), "idle says that all rest")
            return m

        def _main_claims(self, m):
            get, half_steps = self.inside, 2 * layer.network.integration.steps
            machine, wait, row = get["main"], get["wait"], get["row"]
            size = Mux(self.main_fold == layer.folds - 1, layer.fold_size(layer.folds - 1), layer.units)
            settling = (half_steps - 1 - get["half_step"]) * layer.phases + layer.phases - 1 - self.phase
            latency = control_latency(layer) + WORD_LATENCY + self.output_latency
            walk = {"SEEK": 0, "WALK": get["neuron"], "ACCESS": 0, "ACCESS_WAIT": latency - 1 - wait}
            forward, back = {"SETTLE": settling, "SETTLED": 0}, {}
            if layer.learns:
                forward |= {"SAVE": POPULATIONS - 1 - wait} if layer.saves_state else {"GATES": GATE_CLOCKS - 1 - wait}
                forward |= {"VERDICT": 0}
                if layer.saves_state:
                    back = {"RESTORE": RESTORED - 1 - wait, "RESTORE_GATES": POPULATIONS - 1 - wait}
                back |= {"ERRORS": size - 1 - row, "ERRORS_DRAIN": DRAIN - wait, "SETTLE": settling, "SETTLED": 0}
                back |= {"TREE": layer.inputs - 1 - row} if layer.reverses else {}
                back |= {"UPDATE_START": 0, "UPDATE": 0, "UPDATED": WRITE_LATENCY - 1 - wait}
            names = list(dict.fromkeys(["IDLE", *walk, *forward, *back]))
            m.d.comb += Assert(Cat(machine.ongoing(name) for name in names).any(), "main has no other states")

            # forward and walk before back: what is entered later has less to go
            folds_left = layer.folds - 1 - self.main_fold
            reverse = get["reverse"] & (machine.ongoing("SETTLE") | machine.ongoing("SETTLED"))
            backwards = reverse | Cat(machine.ongoing(name) for name in back if name not in forward).any()
            rests = machine.ongoing("IDLE")
            forward_rank = rank_of(m, machine, walk | forward, ~rests & ~backwards) + (layer.folds << FOLDS)
            back_rank = rank_of(m, machine, back, backwards) + (folds_left << FOLDS)
            waits = machine.ongoing("SETTLED") & ~get["reverse"] & ~self.scan_ready
            if layer.learns:
                items_end = self.items.valid & self.items.payload.last
                waits = (waits | (machine.ongoing("VERDICT") & ~get["verdict"])
                         | (machine.ongoing("ERRORS") & ~self.errors.valid) | (machine.ongoing("UPDATE") & ~items_end))
            value = Mux(rests, 0, Mux(backwards, back_rank, forward_rank))
            falls(m, "main", value, rests | waits)

            forwards = Cat(machine.ongoing(name) for name in forward).any() & ~backwards
            last = self.main_fold == layer.folds - 1
            learning = self.inside["links"].ongoing("LEARN")
            m.d.comb += [Assert(self.main_fold < layer.folds, "main has no other folds"),
                         Assert(self.phase < layer.phases, "a half step has no other phases"),
                         Assert(~machine.ongoing("WALK") & ~machine.ongoing("ACCESS") | (wait == 0), "nothing has waited yet")]
            if layer.learns:
                ending = "SAVE" if layer.saves_state else "GATES"
                m.d.comb += [Assert(learning == (backwards | (forwards & get["learn"] & last)), "links wait for learning"),
                             Assert(~machine.ongoing(ending) | get["learn"], "only what is learnt is kept"),
                             Assert(~machine.ongoing("VERDICT") | (get["learn"] & last), "only what is learnt is judged")]
            else:
                m.d.comb += Assert(~learning & ~get["reverse"] & ~get["learn"] & ~self.pass_learn, "nothing is learnt")
            return rests

        def _links_claims(self, m):
            machine, drain = self.inside["links"], self.inside["drain"]
            stages = {"RUN": 0, "DRAIN": drain, "FULL": 0, "LEARN": 0}
            state = {name: machine.ongoing(name) for name in stages}
            folds_left = layer.folds - 1 - self.pass_fold
            rank = rank_of(m, machine, stages, ~machine.ongoing("IDLE")) + (folds_left << FOLDS)
            ended = self.ready_links & self.items.valid & self.items.payload.last
            excused = (machine.ongoing("IDLE") | (state["RUN"] & ~ended) | (state["FULL"] & ~self.latch)
                       | (state["LEARN"] & ~self.learnt))
            value = Mux(machine.ongoing("IDLE"), 0, rank)
            falls(m, "links", value, excused)
            rests = self.inside["main"].ongoing("IDLE")
            m.d.comb += [
                Assert(Cat(machine.ongoing("IDLE"), *state.values()).any(), "links have no other states"),
                Assert(self.pass_fold < layer.folds, "links have no other folds"),
                Assert(~(state["FULL"] & rests) | self.latch, "complete sums are latched as soon as main rests"),
                Assert(~state["RUN"] | self.settling | self.inside["allowed"], "links wait for nothing but settling neurons")]
            return machine.ongoing("IDLE")

        def _scan_claims(self, m):
            scanning, place, size = (self.inside[name] for name in ("scanning", "place", "size"))
            most = control_latency(layer) + self.output_latency + SCAN_REST
            lingers = Signal(range(most + 3))
            m.d.sync += lingers.eq(Mux(self.scan_busy & ~scanning, lingers + 1, 0))
            m.d.comb += [Assert(~scanning | (place < size), "scan counts within its bounds"),
                         Assert(size <= layer.units, "scan has no more outputs than units"),
                         Assert(~(scanning & self.scan_go), "a scan is not begun anew"),
                         Assert(lingers <= most, "outputs leave")]
            falls(m, "scan", Mux(scanning, size - place, 0), ~scanning)

    return Proof(layer, output_latency(layer))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_keeps_to_its_states_and_always_comes_to_rest(name):
    verdict = check(proof(Sequencer, CONFIGURATIONS[name]), depth=6)
    assert (verdict.status, verdict.failed) == ("PASS", ())


BUGS = {
    "a half step goes on": ("last_phase.eq(self.phase == layer.phases - 1)", "last_phase.eq(self.phase == layer.phases)"),
    "gates are loaded without end": ("wait == GATE_CLOCKS - 1", "wait == GATE_CLOCKS + POPULATIONS"),
    "a sum is never complete": ("with m.If(drain == 0):", "with m.If(drain > DRAIN):"),
    "settles again after the reverse links": ('row == layer.inputs - 1):\n                    m.next = "UPDATE_START"',
                                              'row == layer.inputs - 1):\n                    m.next = "SETTLED"'),
    "links are not told that it is learnt": ("with m.If(last_fold):\n                m.d.comb += self.learnt.eq(1)",
                                             "with m.If(last_fold):\n                m.d.comb += self.learnt.eq(0)"),
    "links play one fold more": ("with m.If(~last_fold):", "with m.If(fold < layer.folds):"),
    "a scan goes on": ("place == size - 1", "place == size"),
    "at rest while outputs leave": ("& ~self.full & ~self.scan_busy", "& ~self.full"),
}


@pytest.mark.parametrize("name", BUGS)
def test_of_a_sequencer_with_a_planted_bug_it_cannot_be_proved(name):
    configuration = CONFIGURATIONS["learns, folded"] if "fold" in name else USUAL
    verdict = check(proof(planted("hdl.sequencer", *BUGS[name]).Sequencer, configuration), depth=6)
    assert not verdict.passed
    assert verdict.failed
