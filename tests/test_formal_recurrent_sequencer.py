# amaranth: UnusedElaboratable=no
"""Proof that the sequencer of a recurrent layer keeps to its states, counters and addresses and always comes to rest, whatever
its sides do; planted bugs fail.

Its machine has a rank, a number that is 0 at rest. In each clock it falls, unless a side is waited for: the inputs of a frame,
a receiver, a verdict, errors. All is proved by induction, for ever. Taken for granted: items are of inputs that exist; an
access is of what exists, and stays until it is done.
"""
import pytest
from amaranth.hdl import Array, Assume, Cat, Const, Mux

from formal import Claims, check, falls, keeps_offers, rank_of
from golden_model.network import Formats, Integration, Network, Wiring
from hdl import image_buffer
from hdl.design import Design
from hdl.parameter_access import ACCESS
from hdl.program import Do, Tell, datapath, nodes_of
from hdl.sequencer import Sequencer
from planted_bugs import planted_sequencer, with_programs_altered, without
from program_rank import rank

DEPTH = 8                                 # an update is written 7 clocks after it was issued
FETCHED, WRITTEN = 4, 7                   # clocks from an applied sum's issue to the fetch of its word, and to its write


def recurrent(layers, words, **more):
    return {"network": Network(layers=layers, integration=Integration(dt=0.5, steps=1), formats=Formats(bracket="Q6.12"),
                               wiring=Wiring(layers=(words, *["full"] * (len(layers) - 2))))} | more


CONFIGURATIONS = {
    "learns": recurrent((4, 3, 2), "recurrent 2 steps 1 K3 1"),
    "learns, two steps for each frame": recurrent((4, 2, 2), "recurrent 2 steps 2 K3 1"),
    "learns, one neuron, one frame": recurrent((2, 1, 2), "recurrent 1 steps 1 K3 1"),
    "infers": recurrent((4, 2, 2), "recurrent 2 steps 2 K3 1", learns=False),
}


def proof(configuration, base=Sequencer, change=None):
    """A sequencer of class ``base`` with its claims; ``change`` (``altered``) is made to its program."""
    array = Design(**configuration).arrays[0]
    layer = array.first
    instants, inputs = layer.slots - 1, layer.links - layer.channels

    class Proof(Claims, base):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            self._begin_claims(m, datapath(array).operations, WRITTEN)
            self.walks = ["SEEK", "WALK", "ACCESS"]
            self.rests = self.main.ongoing("IDLE")
            self.working = ~self.rests & ~self._in(self.walks)
            self._main_falls()
            self._instants()
            self._image_claims()
            self._memory_claims()
            self._access_claims()
            return m

        def _main_falls(self):
            main, count, place, corrector = self.main, self.count, self.place, self.half_step[0]
            left = {node.state: node.clocks - 1 - count for node in nodes_of(main.text)
                    if isinstance(node, Do) and isinstance(node.clocks, int) and node.clocks > 1}
            each = layer.channels - 1 - count
            left |= {"SCAN": each, "TELL": each, "HEAR": each, "TELL_BACK": each, "HEAR_BACK": each, "ERRORS": each,
                     "LOAD": array.first.inputs + image_buffer.LATENCY - 2 - count, "PRODUCTS": 4 * instants - 1 - count}
            waits = main.ongoing("FRAME") & ~(self.items.valid & self.items.payload.last)
            waits |= main.ongoing("SETTLED") & ~self.outputs_free
            if array.learns:
                waits |= (main.ongoing("VERDICT") & ~self.judged) | (main.ongoing("ERRORS") & ~self.errors.valid)
            steps = self._during("TELL", "HEAR", "HEARD", "ENTER", "HALF")
            now = place - ((corrector & steps) | self._during("KEEP"))                # the step that is being done
            back = self._during("TELL_BACK", "HEAR_BACK", "HEARD_BACK", "ENTER_BACK", "HALF_BACK")
            again = {"layer": Const(0), "instant": instants - 1 - now, "point": 1 - corrector, "point back": 1 - corrector,
                     "instant back": place - 1 + (corrector & back),
                     "row": layer.links - self.recurrence.row}
            walks = self._in(self.walks)
            left = {state: word for state, word in left.items() if state in main.states}
            value = rank(self.m, main, left, again, beside=walks)
            walk = rank_of(self.m, main, {"SEEK": 0, "WALK": count, "ACCESS": ACCESS - 1 - count}, walks)
            falls(self.m, "main", Mux(walks, walk, value), self.rests | waits)
            halves = self._during("HALF", "HALF_BACK", "KICK")
            self._claim(self.settling == halves, "only settling neurons settle")
            self._claim(self.phase == Mux(halves, count, 0), "a half step has no other phases")

        def _instants(self):
            """Which instant is worked at, and where its states are."""
            place, corrector = self.place, self.half_step[0]
            forward = self._during("FRAME", "FRAME_DRAIN", "TELL", "HEAR", "HEARD", "ENTER", "HALF")
            self._claim(~forward | (place < instants + corrector), "no step comes after the last one")
            self._claim(~forward | (place >= corrector), "a step ends an instant after it began")
            self._claim(~self._during("REST", "FRAME", "FRAME_DRAIN") | ~corrector, "a step begins with its predictor")
            frame = self._during("FRAME", "FRAME_DRAIN")
            self._claim(~frame | (self.recurrence.step == 0), "a frame is heard before its first step")
            self._claim(~self._during("SETTLED", "SCAN", "VERDICT") | (place == instants), "outputs are of the last instant")
            self._claim(~self._during("SETTLED", "SCAN", "VERDICT") | (self.recurrence.step == 0), "frames are whole")
            of_step = Array([Const(number % self.recurrence.steps, 4) for number in range(instants + 1)])
            self._claim(~(forward | self._during("KEEP")) | (self.recurrence.step == of_step[place]),
                        "steps are counted in frames")
            if not array.learns:
                return
            self._claim(~self._during("KEEP") | ((place > 0) & (place <= instants) & ~corrector),
                        "a state is kept after its step")
            self._claim(~self._during("ERRORS", "ERRORS_DRAIN", "KICK") | (place == instants), "an error enters at the end")
            self._claim(~self._during("ERRORS",
                        "ERRORS_DRAIN", "KICK") | (self.half_step == 1), "as a corrector enters, from zeros")
            self._claim(~self._during("KEEP_BACK") | ((place > 0) & (place <= instants) & ~corrector),
                        "reverse signals have a slot")
            back = self._during("TELL_BACK", "HEAR_BACK", "HEARD_BACK", "ENTER_BACK", "HALF_BACK")
            self._claim(~back | ((place + corrector > 1) & (place > 0) & (place + corrector <= instants)),
                        "the way back ends at the first step")
            self._claim(~(back | self._during("KEEP_BACK",
                        "ERRORS", "ERRORS_DRAIN", "KICK")) | self.recurrence.backwards, "that is the reverse circuit")
            self._claim(~(forward | self._during("KEEP",
                        "REST")) | ~self.recurrence.backwards, "the other is the forward circuit")
            products = self._during("PRODUCTS")
            self._claim(~products | (place == self.count[2:]), "products go through all steps")
            kept = self._during("KEEP", "KEEP_BACK", "REST")
            address = self._before(layer.rows + 8 * place + self.next.gate_place)
            self._claim(~self.control.gate_write | (self._before(kept) & (self.address == address)),
                        "states are kept in their slot")
            row, step = self.recurrence.row, self.recurrence.step
            self._claim(~self._during("PRODUCTS",
                        "PRODUCTS_DRAIN", "APPLY", "APPLIED") | (row <= layer.links), "words are those of a neuron")
            frames = Array([Const(number // self.recurrence.steps, 4) for number in range(instants + 1)])
            self._claim(~(products & (row < inputs)) | (self.point == row + inputs * frames[place]),
                        "an input is that of its frame")
            self._claim(~products | (step == of_step[place]), "frames change after their steps")
            learning = self._during("PRODUCTS", "PRODUCTS_DRAIN", "APPLY", "APPLIED")
            first = Mux(row < inputs, 0, row - inputs)
            self._claim(~(learning & (row != layer.links)) | (self.chosen == first), "the neuron at the other end is heard")
            self._claim(~self.pipeline.issue.error | self._during("ERRORS"), "errors come in their state")
            self._claim(~(learning | back | self._during("KEEP_BACK")) | ~self._under_way(["error"], WRITTEN),
                        "no error is under way when states turn")

        def _image_claims(self):
            """What the sides are told of an image."""
            main, ongoing = self.main, self._before(self.working)
            self._claim(self._before(self.release) == (ongoing & ~self.working), "an image is released when its work ends")
            self._claim(self.idle == (self.rests & ~self.available & ~self.access.valid), "idle says that main rests")
            for kind in self.kinds:
                self._claim(~self.rests | ~self._under_way([kind], WRITTEN), f"no {kind} is under way at rest")
            sends = main.ongoing("SCAN")
            self._claim(self.outputs_valid == sends, "a scan sends an output in each clock")
            self._claim(~sends | (self.chosen == self.count), "outputs are sent in their order")
            half = self._during("HALF") & (self.count > 0)
            self._claim(~(half | self._during("SETTLED", "KEEP")) | (self.chosen == 0), "outputs begin with the first unit")
            forward = self._in(["REST", "FRAME", "FRAME_DRAIN", "TELL", "HEAR", "HEARD", "ENTER", "HALF", "SETTLED", "SCAN"])
            self._claim(~(forward | self._during("LOAD", "KEEP")) | ~self._under_way(["error"], WRITTEN),
                        "no error is under way by then")
            tells = self._during("TELL", "TELL_BACK") & (self.count > 0)
            self._claim(~tells | (self.chosen == 0), "the first neuron speaks first")
            self._claim(~sends | (self.outputs.last == (self.count == layer.channels - 1)), "the last output is marked")
            self._claim(~self._during("HEAR", "HEAR_BACK") | (self.chosen == self.count), "neurons speak in their order")

        def _memory_claims(self):
            """One port: what is fetched and what is written, each at its address, never both in one clock."""
            issue = self.pipeline.issue
            address = self._history(self.index, WRITTEN)
            load = self._before(self.control.load_one)
            reads = self.past[1].link | self.past[1].tree
            self._claim(~(issue.link | issue.tree) | (self.index < layer.rows), "a link is one of a neuron")
            self._claim(~reads | (self.address == address[1]), "a word is fetched from its address")
            self._claim(sum((getattr(issue, kind) for kind in self.kinds), Const(0, 1)) <= 1, "one thing is issued at a time")
            links = self._before(self._during("HEAR", "HEAR_BACK"))
            self._claim(issue.link == (links | (self._during("FRAME") & self.items.valid)), "what is heard is multiplied")
            self.m.d.comb += Assume(~self.items.valid | (self.items.payload.index < inputs + self.items.payload.last))
            if not array.learns:
                self._claim(~(reads & load), "a word is not fetched while another is written")
                return
            writes = load | self._before(self.control.judge)
            states = self.control.gate_write
            self._claim(~(reads & (writes | states)) & ~(writes & states), "a word is not fetched while another is written")
            self._claim(~self.past[FETCHED].apply | (self.address == address[FETCHED]),
                        "a word to update is fetched from its address")
            self._claim(~(writes & ~load) | (self.address == address[WRITTEN]), "an updated word is written to its address")
            self._claim((writes & ~load) == self.past[WRITTEN].apply, "each updated word is written")
            products = self._during("PRODUCTS")
            for name, quarter in (("add", 0), ("subtract", 1)):
                reciprocal = (self.recurrence.row >= inputs) & (self.recurrence.row != layer.links)
                when = products & (self.count[:2] == quarter) & (reciprocal | (name == "add"))
                self._claim(getattr(issue, name) == self._before(when, 3), "a product is issued when its words are there")
            others = Cat(getattr(issue, kind) for kind in self.kinds).any()
            self._claim(~self._during("APPLIED") | ~others, "nothing is issued until a word is written")
            self._claim(~self._during("KICK", "HALF", "HALF_BACK", "KEEP", "KEEP_BACK", "SETTLED", "SCAN", "VERDICT") | ~others,
                        "nothing is issued in a half step, nor between them and the verdict")
            self._claim(issue.apply == (self._during("APPLY") & (self.count == 0)), "a sum is applied once")
            self._claim(~(issue.apply & (issue.add | issue.subtract)), "a sum is whole")

        def _access_claims(self):
            """An access reaches the word that it names."""
            access, main = self.access.payload, self.main
            self.m.d.comb += [Assume(access.layer == 0), Assume(access.neuron < layer.channels),
                              Assume(access.row < layer.parameter_rows)]
            keeps_offers(self.m, self.access, "access", Assume)
            others = Cat(getattr(self.pipeline.issue, kind) for kind in self.kinds).any()
            self._claim(~(self._in(self.walks) | self.rests) | ~others, "nothing is issued at rest, nor for an access")
            self._claim((self.base == 0) & (self.fold == 0) & (self.links_base == 0) & (self.layer == 0), "there is one fold")
            self._claim(~self._in(self.walks) | self.access.valid, "an access waits until it is done")
            self._claim(~main.ongoing("WALK") | (self.count == access.neuron), "an access goes to its neuron")
            self._claim(~main.ongoing("ACCESS") | (self.chosen == access.neuron), "an access has its unit")
            content = self._before(self.control.load_one)
            self._claim(~content | (main.ongoing("ACCESS") & access.write & (self.address == access.row)),
                        "a parameter is written to its address")

    return with_programs_altered(Proof(array), change)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_keeps_to_its_states_and_always_comes_to_rest(name):
    verdict = check(proof(CONFIGURATIONS[name]), depth=DEPTH)
    assert (verdict.status, verdict.failed) == ("PASS", ())


BUGS = {
    "a half step goes on": ("hdl.sequencer", "last_phase.eq(self.phase == array.phases - 1)",
                            "last_phase.eq(self.phase == array.phases)"),
    "a state that is counted goes on": ("hdl.machine", "self.count == node.clocks - 1", "self.count == node.clocks"),
    "the way back goes on to the first instant": ("hdl.recurrence", '"goes on": place != 1', '"goes on": place != 0'),
    "a step too many": ("hdl.recurrence", "place == layer.recurrence.instants", "place == layer.recurrence.instants + 1"),
    "states are kept where the last ones are": ("hdl.recurrence", 'with m.If(main.strobe("next point") | self.stepped)',
                                                'with m.If(main.strobe("next instant") | self.stepped)'),
    "an input of the next frame": ("hdl.recurrence", "with m.Elif(self.stepped & (self.step == self.steps - 1))",
                                   "with m.Elif(self.stepped)"),
    "a word too many": ("hdl.recurrence", '"last row": self.row == layer.links', '"last row": self.row == layer.links + 1'),
    "the neuron after the other end": ("hdl.recurrence", "sequencer.chosen.eq(sequencer.chosen + reciprocal)",
                                       "sequencer.chosen.eq(sequencer.chosen + 1)"),
    "a sum is applied before its last product": without(Do("PRODUCTS_DRAIN")),
    "not released": without(Tell("release")),
}


@pytest.mark.parametrize("name", BUGS)
def test_of_a_sequencer_with_a_planted_bug_it_cannot_be_proved(name):
    bug = BUGS[name]
    planted = {"change": bug} if callable(bug) else {"base": planted_sequencer(*bug)}
    verdict = check(proof(CONFIGURATIONS["learns, two steps for each frame"], **planted), depth=DEPTH)
    assert not verdict.passed
    assert verdict.failed
