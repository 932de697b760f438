# amaranth: UnusedElaboratable=no
"""Proof that a sequencer keeps to its states and counters and always comes to rest, whatever its sides do; planted bugs fail.

Every machine has a rank, a number that is 0 at rest. In each clock it falls, unless a side is waited for: an image's list, a
receiver, a verdict, errors. So a sequencer whose sides answer comes to rest. All is proved by induction, for ever.
"""
import pytest
from amaranth.hdl import Assert, Assume, Cat, Mux

from formal import check, falls, rank_of
from golden_model.fixed_point import Format
from golden_model.network import Formats, Integration, Learning, Network
from hdl.array import output_latency
from hdl.design import Design
from hdl.program import SCAN_REST, Do, Tell, datapath, nodes_of
from hdl.sequencer import Sequencer
from planted_bugs import planted_sequencer, with_programs_altered, without
from program_rank import rank

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
    "K learns, folded": USUAL | {"kind": "programmable", "network": Network(
        layers=(1, 2, 3), integration=ONE, formats=Formats(bracket=Format(18, 12), coupling=Format(16, 14)),
        learning=Learning(K1=2.0**-4, K2=2.0**-4, K3=2.0**-4))},
}


def proof(configuration, base=Sequencer, change=None):
    """A sequencer of class ``base`` with its claims; ``change`` (``altered``) is made to its programs."""
    design = Design(**{name: value for name, value in configuration.items() if name != "layer"})
    array = design.arrays[configuration["layer"]]
    layer = array.first

    class Proof(base):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            m.d.comb += Assume(self.access.payload.neuron < layer.neurons)
            self._main_claims(m)
            self._links_claims(m)
            self._scan_claims(m)
            rests = Cat(machine.ongoing("IDLE") for machine in self.machines.values()).all()
            m.d.comb += Assert(self.idle == (rests & ~self.available & ~self.access.valid), "idle says that all rest")
            return m

        def _main_claims(self, m):
            main, count = self.main, self.count
            settling = (array.half_steps - 1 - self.half_step) * layer.phases + layer.phases - 1 - self.phase
            left = {node.state: node.clocks - 1 - count for node in nodes_of(main.text)
                    if isinstance(node, Do) and isinstance(node.clocks, int) and node.clocks > 1}
            left |= {"SETTLE": settling, "SETTLE_BACK": settling, "ERRORS": self.size - 1 - count,
                     "TREE": layer.inputs - 1 - count}
            left = {state: value for state, value in left.items() if state in main.states}
            access = {"SEEK": 0, "WALK": self.access_of.neuron, "ACCESS": 0, "ACCESS_WAIT": self.access_of.latency - 1 - count}
            walks = Cat(main.ongoing(name) for name in access).any()
            walk = rank_of(m, main, access, walks)
            value = rank(m, main, left, {"fold": layer.folds - 1 - self.fold}, beside=walks)
            waits = main.ongoing("SETTLED") & ~(self.scan.rests & ((self.fold != 0) | self.outputs_free))
            if layer.learns:
                items_end = self.items.valid & self.items.payload.last
                waits = (waits | (main.ongoing("VERDICT") & ~self.judged) | (main.ongoing("ERRORS") & ~self.errors.valid)
                         | (main.ongoing("UPDATE") & ~items_end))
            falls(m, "main", Mux(walks, walk, value), main.ongoing("IDLE") | waits)

            states = main.states
            judged = states.index("VERDICT") if layer.learns else len(states) - 1
            forwards, back = (Cat(map(main.ongoing, part)).any() for part in (states[1:judged + 1], states[judged + 1:]))
            last, learning = self.fold == layer.folds - 1, self.links.ongoing("LEARN")
            m.d.comb += [Assert(self.fold < layer.folds, "main has no other folds"),
                         Assert(self.phase < layer.phases, "a half step has no other phases"),
                         Assert(~main.ongoing("WALK") & ~main.ongoing("ACCESS") | (count == 0), "nothing has waited yet")]
            if layer.learns:
                ending = "SAVE" if layer.saves_state else "GATES"
                m.d.comb += [Assert(learning == (back | (forwards & self.learns & last)), "links wait for learning"),
                             Assert(~main.ongoing(ending) | self.learns, "only what is learnt is kept"),
                             Assert(~main.ongoing("VERDICT") | (self.learns & last), "only what is learnt is judged")]
            else:
                m.d.comb += Assert(~learning & ~self.learns & ~self.links_learns, "nothing is learnt")

        def _links_claims(self, m):
            links = self.links
            drains = {"DRAIN": datapath(array).drain - 1 - links.count}
            value = rank(m, links, drains, {"fold": layer.folds - 1 - self.links_fold})
            ended = self.items.ready & self.items.valid & self.items.payload.last
            excused = (links.ongoing("IDLE") | (links.ongoing("RUN") & ~ended)
                       | (links.ongoing("FULL") & ~self.main.strobe("latch"))
                       | (links.ongoing("LEARN") & ~self.main.strobe("learnt")))
            falls(m, "links", value, excused)
            m.d.comb += [
                Assert(self.links_fold < layer.folds, "links have no other folds"),
                Assert(~(links.ongoing("FULL") & self.main.ongoing("IDLE")) | self.main.strobe("latch"),
                       "complete sums are latched as soon as main rests"),
                Assert(~links.ongoing("RUN") | self.settling | self.allowed, "links wait for nothing but settling neurons")]

        def _scan_claims(self, m):
            scan = self.scan.machine
            scanning, size = scan.ongoing("SCAN"), self.scan.size
            value = rank(m, scan, {"SCAN": size - 1 - scan.count, "LEAVE": self.scan.leaving + SCAN_REST - 1 - scan.count}, {})
            m.d.comb += [Assert(size <= layer.units, "scan has no more outputs than units"),
                         Assert(~(scan.ongoing("SCAN") & self.main.strobe("scan")), "a scan is not begun anew"),
                         Assert(~scanning | (size != 0), "a scan has outputs")]
            falls(m, "scan", value, scan.ongoing("IDLE"))

    return with_programs_altered(Proof(array, output_latency(layer)), change)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_keeps_to_its_states_and_always_comes_to_rest(name):
    verdict = check(proof(CONFIGURATIONS[name]), depth=6)
    assert (verdict.status, verdict.failed) == ("PASS", ())


BUGS = {
    "a half step goes on": ("hdl.sequencer", "last_phase.eq(self.phase == array.phases - 1)",
                            "last_phase.eq(self.phase == array.phases)"),
    "a state that is counted goes on": ("hdl.machine", "self.count == node.clocks - 1", "self.count == node.clocks"),
    "a loop over folds begins anew": ("hdl.machine", "after, self._telling(f\"next {what}\", lambda: body[0]())",
                                      "lambda: body[0](), self._telling(f\"next {what}\", lambda: body[0]())"),
    "links are not told that it is learnt": without(Tell("learnt")),
    "links play one fold more": ("hdl.sequencer", "self.links_fold == array.first.folds - 1",
                                 "self.links_fold == array.first.folds"),
    "a scan goes on": ("hdl.scan", "self.scanned = machine.count == self.size - 1",
                       "self.scanned = machine.count == self.size"),
    "at rest while outputs leave": ("hdl.sequencer", "& ~self.available & self.scan.rests", "& ~self.available"),
}


@pytest.mark.parametrize("name", BUGS)
def test_of_a_sequencer_with_a_planted_bug_it_cannot_be_proved(name):
    configuration, bug = CONFIGURATIONS["learns, folded"] if "fold" in name else USUAL, BUGS[name]
    verdict = check(proof(configuration, **{"change": bug} if callable(bug) else {"base": planted_sequencer(*bug)}), depth=6)
    assert not verdict.passed
    assert verdict.failed
