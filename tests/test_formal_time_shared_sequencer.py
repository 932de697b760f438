# amaranth: UnusedElaboratable=no
"""Proof that the sequencer of a time-shared array keeps to its states, counters and addresses and always comes to rest,
whatever its sides do; planted bugs fail.

Both machines have a rank, a number that is 0 at rest. In each clock it falls, unless a side is waited for: an image's items, a
receiver, a verdict, errors. Where *main* waits for *links*, its rank counts what *links* has left: neither waits for the other.
All is proved by induction, for ever. Taken for granted: items are of inputs that exist; an access is of what exists, and stays
until it is done.
"""
import pytest
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Mux, Signal

from formal import check, falls, keeps_offers, rank_of
from golden_model.network import POPULATIONS, Integration, Learning, Network
from hdl.design import Design
from hdl.time_shared.sequencer import ACCESS, DRAIN, KINDS, UPDATED, TimeSharedSequencer
from planted_bugs import planted

DEPTH = 8                                 # an update is written 7 clocks after it was issued
FETCHED, WRITTEN = 4, 7                   # clocks from an update's issue to its fetch and to its write


def time_shared(layers, steps=1, **more):
    return {"network": Network(layers=layers, integration=Integration(dt=0.5, steps=steps), **more), "units": (2,) * (
        len(layers) - 1)}


CONFIGURATIONS = {
    "learns and sends errors back": time_shared((1, 2, 2)),
    "learns, folded": time_shared((1, 2, 3)),
    "first layer frozen, folded": time_shared((1, 2, 3, 2), learning=Learning(frozen=1)),
    "infers, folded": time_shared((2, 3, 3)) | {"learns": False},
}


def proof(sequencer_class, configuration):
    """A sequencer of ``sequencer_class`` with its claims."""
    array = Design(arrangement="time-shared", **configuration).arrays[0]
    layers, final = array.layers, len(array.layers) - 1

    class Proof(sequencer_class):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            self.m, self.main, self.links = m, self.inside["main"], self.inside["links"]
            self.forwards = ["START", "LINKS", "SCAN"] + ["SAVE", "VERDICT"] * array.learns
            self.backwards = ["ERRORS", "ERRORS_DRAIN", *["TREE_START", "TREE"] * array.reverses, "UPDATE_START", "UPDATE",
                              "UPDATED"] if array.learns else []
            self.walks = ["SEEK", "WALK", "ACCESS"]
            self.rests, self.plays = self.main.ongoing("IDLE"), ~self.links.ongoing("IDLE")
            self.turns = self._in(["SETTLE", "SETTLED"])
            self.working = self._in(self.forwards + self.backwards) | self.turns
            self.going_back = self._in(self.backwards) | (self.turns & self.reverse)
            self.inputs = self._of([layer.inputs for layer in layers])
            self.neurons = self._of([layer.neurons for layer in layers])
            self.folds = self._of([layer.folds for layer in layers])
            ahead = self._in(["SCAN", "SAVE"] if array.learns else ["SCAN"]) | (self.turns & ~self.reverse)
            self.links_fold = Signal(len(self.fold) + 1)
            m.d.comb += self.links_fold.eq(self.fold + ahead)
            m.d.comb += Assert(self.plays == (self.main.ongoing("LINKS") | (ahead & (self.fold != self.folds - 1))),
                               "links work when there is a fold for them, and not else")
            self.past = self._history(self.issue, WRITTEN)
            self._main_falls()
            self._links_fall()
            self._places()
            self._image()
            self._sums()
            self._memories()
            self._access_claims()
            return m

        def _in(self, names):
            return Cat(self.main.ongoing(name) for name in names).any()

        def _of(self, values):
            return Array([Const(value, 8) for value in values])[self.layer]

        def _claim(self, claim, text):
            self.m.d.comb += Assert(claim, text)

        def _history(self, signal, clocks):
            """What ``signal`` is, was a clock before, and so on; 0 before a reset."""
            past = [signal, *(Signal(signal.shape(), name=f"before_{clock}") for clock in range(1, clocks + 1))]
            self.m.d.sync += [late.eq(early) for early, late in zip(past, past[1:], strict=False)]
            return past

        def _before(self, signal, clocks=1):
            return self._history(signal, clocks)[clocks]

        def _under_way(self, kinds, clocks):
            """Something of these kinds was issued in one of so many clocks before."""
            return Cat(getattr(past, kind) for past in self.past[1:clocks + 1] for kind in kinds).any()

        def _words(self, layer, fold):
            """First word of a fold in weight memory."""
            return Array([Const(array.bases[number] + k * layer.rows, 8) for number, layer in enumerate(layers)
                          for k in range(1 << len(fold))])[Cat(fold, layer)]

        def _main_falls(self):
            main, links, count = self.main, self.links, self.inside["count"]
            size = Mux(self.fold == self.folds - 1, self.neurons - self.fold * array.units, array.units)
            playing = links.ongoing("RUN")
            sum_left = Mux(playing, DRAIN + 1, Mux(links.ongoing("DRAIN"), self.inside["drain"] + 1, 0))
            settling = (array.half_steps - 1 - self.half_step) * array.phases + array.phases - 1 - self.phase
            stages = {"START": 0, "LINKS": sum_left, "SETTLE": settling, "SETTLED": 0, "SCAN": size - 1 - count}
            back = {}
            waits = main.ongoing("LINKS") & playing & ~(self.items.valid & self.items.payload.last)
            waits |= main.ongoing("SETTLED") & ~self.reverse & (self.layer == final) & (self.fold == 0) & ~self.outputs_free
            if array.learns:
                stages |= {"SAVE": POPULATIONS - 1 - count, "VERDICT": 0}
                back = {"ERRORS": size - 1 - count, "ERRORS_DRAIN": DRAIN - count, "SETTLE": settling, "SETTLED": 0}
                back |= {"TREE_START": 0, "TREE": self.inputs - 1 - count} if array.reverses else {}
                back |= {"UPDATE_START": 0, "UPDATE": 0, "UPDATED": UPDATED - 1 - count}
                ending = self.items.valid & self.items.ready & self.items.payload.last
                waits |= main.ongoing("VERDICT") & ~self.judged
                waits |= (main.ongoing("ERRORS") & ~self.errors.valid) | (main.ongoing("UPDATE") & ~ending)
            walk = {"SEEK": 0, "WALK": count, "ACCESS": ACCESS - 1 - count}
            names = dict.fromkeys(["IDLE", *walk, *stages, *back])
            self._claim(Cat(main.ongoing(name) for name in names).any(), "main has no other states")
            self._claim(~(main.ongoing("LINKS") & playing) | (self.items.ready == self.items.valid),
                        "main waits for items alone")

            # images before accesses, forward before backward, then layers, then folds: what is entered later has less to go
            forward_rank = rank_of(self.m, main, stages, self.working & ~self.going_back)
            back_rank = rank_of(self.m, main, back, self.going_back)
            walk_rank = rank_of(self.m, main, walk, self._in(walk))
            lowest = min((layer.index for layer in layers if layer.learns), default=0)
            folds_left = Signal(4)
            layers_left = Signal(3)
            self.m.d.comb += [folds_left.eq(self.folds - 1 - self.fold),
                              layers_left.eq(Mux(self.going_back, self.layer - lowest, final - self.layer))]
            rank = Cat(Mux(self.going_back, back_rank, forward_rank), folds_left, layers_left, ~self.going_back)
            falls(self.m, "main", Mux(self.working, rank, walk_rank), self.rests | waits)
            self._claim(~self.working | (self.fold < self.folds), "main has no other folds")
            self._claim(self.layer <= final, "main has no other layers")
            self._claim(self.phase < array.phases, "a half step has no other phases")
            self._claim(self.settling == main.ongoing("SETTLE"), "only settling neurons settle")
            self._claim(~self.going_back | (self.layer >= lowest), "a layer that does not learn is not gone back to")

        def _links_fall(self):
            state = {name: self.links.ongoing(name) for name in ("RUN", "DRAIN", "FULL")}
            self._claim(Cat(~self.plays, *state.values()).any(), "links have no other states")
            rank = rank_of(self.m, self.links, {"RUN": 0, "DRAIN": self.inside["drain"], "FULL": 0}, self.plays)
            ended = self.items.valid & self.items.ready & self.items.payload.last
            excused = ~self.plays | (state["RUN"] & ~ended) | (state["FULL"] & ~self.main.ongoing("LINKS"))
            folds_left = Signal(4)
            self.m.d.comb += folds_left.eq(self.folds - 1 - self.links_fold)
            falls(self.m, "links", Mux(self.plays, Cat(rank, folds_left), 0), excused)
            self._claim(~state["RUN"] | ~self.items.valid | self.items.ready | self.settling,
                        "links wait for nothing but settling neurons")
            self.m.d.comb += Assume(~self.items.valid | (self.items.payload.index <= self.inputs))
            self._claim(self.items.ready == (self.issue.link | self.issue.update), "an item is taken to be used")

        def _places(self):
            """Where main and links are in memory."""
            self._claim(~self.working | (self.base == self._words(self.layer, self.fold)), "main is at its words")
            first = Array([Const(slot, 8) for slot in array.slots])[self.layer]
            self._claim(~self.working | (self.place == first + self.fold), "main is at its slot")
            self._claim(~(self.plays | self.main.ongoing("START")) | (
                self.links_base == self._words(self.layer, self.links_fold)), "links are at their words")

        def _image(self):
            """What the sides are told of an image."""
            main, ongoing = self.main, self._before(self.working)
            self._claim(self._before(self.release) == (ongoing & ~self.working), "an image is released when its work ends")
            self._claim(self.idle == (self.rests & ~self.available & ~self.access.valid), "idle says that main rests")
            self._claim(~self.rests | (~self.plays & ~self._under_way(KINDS, WRITTEN)), "nothing is under way at rest")
            started = Signal()
            with self.m.If(self.start):
                self.m.d.sync += started.eq(1)
            with self.m.If(self.items.valid & self.items.ready & self.items.payload.last):
                self.m.d.sync += started.eq(0)
            updates = main.ongoing("UPDATE") if array.learns else Const(0)
            self._claim(started == (self.links.ongoing("RUN") | updates), "items are taken while a list is played")
            self._claim(~self.start | (~started & ~self.release), "no list is played anew, or after its image")

            sends, count = main.ongoing("SCAN"), self.inside["count"]
            number = self.fold * array.units + count
            self._claim(self.outputs_valid == sends, "a scan sends an output in each clock")
            self._claim(~sends | (self.chosen == count), "outputs are sent in their order")
            self._claim(~sends | (self.outputs.last == (number == self.neurons - 1)), "the last output is marked")
            self._claim(~self._in(self.forwards) | ~self.reverse, "forwards is not reverse")
            if not array.learns:
                return
            self._claim(~self._in(self.backwards) | self.reverse, "backwards is reverse")
            learnt = main.ongoing("SAVE") | main.ongoing("VERDICT") | self.going_back
            self._claim(~learnt | self.learns, "only what is to be learnt is kept")
            self._claim(~main.ongoing("VERDICT") | ((self.layer == final) & (self.fold == self.folds - 1)),
                        "an image is judged after its last output")
            errs = main.ongoing("ERRORS")
            self._claim(self._before(self.ask) == (errs & ~self._before(errs) & (self.fold == 0)),
                        "errors of a layer are asked for once")
            if array.reverses:
                sent = self._of([int(layer.reverses) for layer in layers])
                self._claim(~(main.ongoing("TREE_START") | main.ongoing("TREE")) | sent, "errors go to layers that learn")
                self._claim(~main.ongoing("TREE_START") | (count == 0), "reverse links begin with the first input")
                self._claim(~main.ongoing("TREE") | (self.index == count), "reverse links go through all inputs")

        def _sums(self):
            """Accumulators."""
            self._claim(~self.next.latch_drive | ~self._under_way(["link", "error"], DRAIN), "what is latched is complete")
            if not array.learns:
                return
            main, count = self.main, self.inside["count"]
            bits = len(self.chosen)
            ahead = sum((past.error for past in self.past[1:DRAIN + 2]), Const(0, 1))
            owner = self._before(count, DRAIN + 1)
            self._claim(~main.ongoing("ERRORS") | ((self.chosen + ahead)[:bits] == count[:bits]), "errors come in order")
            self._claim(~self.control.accumulate_one | (self.control.unit == owner[:bits]), "an error goes to its neuron")

        def _memories(self):
            """One port: what is fetched and what is written, each at its address, never both in one clock."""
            issue = self.issue
            here = Mux(issue.link, self._words(self.layer, self.links_fold), self._words(self.layer, self.fold))
            address = self._history(here + self.index, WRITTEN)
            load = self._before(self.control.load_one)
            writes = load if not array.learns else load | self._before(self.control.judge)
            reads = self.past[1].link | self.past[1].tree
            self._claim(~reads | (self.address == address[1]), "a word is fetched from its address")
            self._claim(~(reads & writes), "a word is not fetched while another is written")
            self._claim(sum((getattr(issue, kind) for kind in KINDS), Const(0, 1)) <= 1, "one thing is issued at a time")
            if not array.learns:
                return
            fetches = self.past[FETCHED].update
            self._claim(~fetches | (self.address == address[FETCHED]), "a word to update is fetched from its address")
            self._claim(~(fetches & writes), "a word is not fetched to be updated while another is written")
            self._claim(~(writes & ~load) | (self.address == address[WRITTEN]), "an updated word is written to its address")
            self._claim((writes & ~load) == self.past[WRITTEN].update, "each updated word is written")
            self._claim(~reads | ~self._under_way(["update"], WRITTEN), "no word is fetched before it is written")
            self._claim(~self.odd | self.updating, "clocks take turns for updates alone")
            held = self._before(self.items.valid & ~self.items.ready & self.main.ongoing("UPDATE"))
            self._claim(~(held & self.items.valid & self.main.ongoing("UPDATE")) | self.items.ready,
                        "an update waits for one clock at most")

        def _access_claims(self):
            """An access reaches the word that it names."""
            access, main, count = self.access.payload, self.main, self.inside["count"]
            bounds = Array([Const(layer.neurons, 8) for layer in layers]), Array([Const(layer.rows, 8) for layer in layers])
            self.m.d.comb += [Assume(access.layer <= final), Assume(access.neuron < bounds[0][access.layer]),
                              Assume(access.row < bounds[1][access.layer])]
            keeps_offers(self.m, self.access, "access", Assume)
            gone = {name: Cat((access.neuron == k * array.units + at) & (self.base == array_words) for k, array_words in
                              ((k, self._words(access.layer, Const(k, 4))) for k in range(array.folds))).any()
                    for name, at in (("WALK", count), ("ACCESS", self.chosen))}
            self._claim(~self._in(self.walks) | self.access.valid, "an access waits until it is done")
            for name, reached in gone.items():
                self._claim(~main.ongoing(name) | reached, "an access goes to its neuron")
            self._claim(~self._in(self.walks) | (self.layer == access.layer), "an access goes to its layer")
            self._claim(~main.ongoing("ACCESS") | (self.chosen < array.units), "an access has a unit")
            content = self._before(self.control.load_one)
            self._claim(~content | (main.ongoing("ACCESS") & access.write & (self.address == self.base + access.row)),
                        "a parameter is written to its address")

    return Proof(array)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_keeps_to_its_states_and_always_comes_to_rest(name):
    verdict = check(proof(TimeSharedSequencer, CONFIGURATIONS[name]), depth=DEPTH)
    assert (verdict.status, verdict.failed) == ("PASS", ())


BUGS = {
    "a half step goes on": ("last_phase = phase == array.phases - 1", "last_phase = phase == array.phases"),
    "a sum is never complete": ("with m.If(drain == 0):", "with m.If(drain > DRAIN):"),
    "a sum is latched before it is complete": ("drain.eq(DRAIN - 1)", "drain.eq(DRAIN - 2)"),
    "gates are kept without end": ("with m.If(count == POPULATIONS - 1):", "with m.If(count == POPULATIONS + ACCESS):"),
    "links are not started for the next fold": ("self.go.eq(~self.last_fold)", "self.go.eq(0)"),
    "links are started though there is no next fold": ("self.go.eq(~self.last_fold)", "self.go.eq(1)"),
    "released before it is learnt": ("self.release.eq(~self.learns | (not self.array.learns))", "self.release.eq(1)"),
    "not released after the last layer": ("with m.If(self.layer == lowest):\n            m.d.comb += self.release.eq(1)",
                                          "with m.If(self.layer == lowest):\n            m.d.comb += self.release.eq(0)"),
    "the layer before is not the one before": ("m.d.sync += [self.layer.eq(layer.index), self.fold.eq(0)",
                                               "m.d.sync += [self.layer.eq(layer.index + 1), self.fold.eq(0)"),
    "an access reaches the neuron beside": ("m.d.sync += [self.chosen.eq(count), count.eq(0)]",
                                            "m.d.sync += [self.chosen.eq(count + 1), count.eq(0)]"),
    "at rest while an image waits": ("& ~self.available & ~self.access.valid)", "& ~self.access.valid)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_of_a_sequencer_with_a_planted_bug_it_cannot_be_proved(name):
    configuration = CONFIGURATIONS["learns, folded" if "next fold" in name else "learns and sends errors back"]
    verdict = check(proof(planted("hdl.time_shared.sequencer", *BUGS[name]).TimeSharedSequencer, configuration), depth=DEPTH)
    assert not verdict.passed
    assert verdict.failed
