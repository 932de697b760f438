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

from formal import Claims, check, falls, keeps_offers, rank_of
from golden_model.network import Formats, Integration, Learning, Network, Wiring
from hdl import image_buffer
from hdl.design import Design
from hdl.operations import TIME_SHARED
from hdl.parameter_access import ACCESS
from hdl.program import Do, If, Tell, Wait, datapath, nodes_of
from hdl.sequencer import Sequencer
from planted_bugs import planted_sequencer, with_programs_altered, without
from program_rank import rank

FETCHED = 4                               # clocks from an update's issue to its fetch
WRITTEN, WINDOWED = 7, 9                  # and to its write; of an array that serves convolutions


def time_shared(layers, steps=1, **more):
    return {"network": Network(layers=layers, integration=Integration(dt=0.5, steps=steps), **more), "units": (2,) * (
        len(layers) - 1)}


CONFIGURATIONS = {
    "learns and sends errors back": time_shared((1, 2, 2)),
    "learns, folded": time_shared((1, 2, 3)),
    "first layer frozen, folded": time_shared((1, 2, 3, 2), learning=Learning(frozen=1)),
    "infers, folded": time_shared((2, 3, 3)) | {"learns": False},
    "convolutions, folded": time_shared((4, 6, 4, 2), wiring=Wiring(layers=(
        "convolution 1x2 stride 1 of 2x2x1", "convolution 1x1 stride 1 of 2x1x3", "full"))),
    "K learns alone, folded": time_shared((1, 2, 3), formats=Formats(bracket="Q6.12", coupling="Q2.14"), learning=Learning(
        links=0.0, bias=0.0, K1=2.0**-4, K3=2.0**-4)) | {"kind": "programmable"},
    "sends errors to the array before, folded": time_shared((1, 2, 3, 2)) | {"arrangement": "time-shared 1-2"},
}


def depth(configuration):
    """Of the induction: what is written has been issued in it."""
    wiring = configuration["network"].wiring.layers
    return 1 + (WINDOWED if any(words.startswith("convolution") for words in wiring) else WRITTEN)


def proof(configuration, base=Sequencer, change=None):
    """A sequencer of class ``base`` with its claims; ``change`` (``altered``) is made to its programs."""
    array, = (array for array in Design(**{"arrangement": "time-shared"} | configuration).arrays if array.time_shared)
    layers, final, path = array.layers, len(array.layers) - 1, datapath(array)
    drain, errors, written = path.drain, path["error"].clock("accumulate_one"), depth(configuration) - 1

    class Proof(Claims, base):
        def elaborate(self, platform):
            m = super().elaborate(platform)
            self._begin_claims(m, path.operations, written)
            self.forwards = ["START", "LINKS", "SETTLE", "SETTLED", "SCAN"] + ["SAVE", "VERDICT"] * array.learns
            self.backwards = [state for state in self.main.states if state not in ("IDLE", "LOAD", *self.forwards)]
            self.walks = ["SEEK", "WALK", "ACCESS"]
            self.rests, self.plays = self.main.ongoing("IDLE"), ~self.links.ongoing("IDLE")
            self.working = self._in(self.forwards + self.backwards)
            self.loads = self._during("LOAD")
            self.going_back = self._in(self.backwards) if array.learns else Const(0)
            self.inputs = self._of([layer.inputs for layer in layers])
            self.neurons = self._of([layer.channels for layer in layers])
            self.turns = self._of([layer.positions for layer in layers])
            self.turn = self.positions.number if array.windowed else Const(0)
            self.folds = self._of([layer.folds for layer in layers])
            ahead = self._in(["SETTLE", "SETTLED", "SCAN"] + ["SAVE"] * array.learns)
            self.links_fold = Signal(len(self.fold) + 1)
            last = self.fold == self.folds - 1
            m.d.comb += self.links_fold.eq(Mux(ahead & last, 0, self.fold + ahead))
            self.links_turn = self.turn + (ahead & last)
            more = ahead & ~(last & (self.turn == self.turns - 1))
            m.d.comb += Assert(self.plays == (self.main.ongoing("LINKS") | more),
                               "links work when there is a fold for them, and not else")
            self._main_falls()
            self._links_fall()
            self._place_claims()
            self._image_claims()
            self._sum_claims()
            self._memory_claims()
            self._access_claims()
            return m

        def _of(self, values):
            return Array([Const(value, 8) for value in values])[self.layer]

        def _words(self, layer, fold):
            """First word of a fold in weight memory."""
            return Array([Const(array.bases[number] + k * layer.rows, 8) for number, layer in enumerate(layers)
                          for k in range(1 << len(fold))])[Cat(fold, layer)]

        def _main_falls(self):
            main, links, count = self.main, self.links, self.count
            size = Mux(self.fold == self.folds - 1, self.neurons - self.fold * array.units, array.units)
            playing = links.ongoing("RUN")
            sum_left = Mux(playing, drain + 1, Mux(links.ongoing("DRAIN"), drain - links.count, 0))
            settling = (array.half_steps - 1 - self.half_step) * array.phases + array.phases - 1 - self.phase
            left = {node.state: node.clocks - 1 - count for node in nodes_of(main.text)
                    if isinstance(node, Do) and isinstance(node.clocks, int) and node.clocks > 1}
            left |= {"LINKS": sum_left, "SETTLE": settling, "SETTLE_BACK": settling, "SCAN": size - 1 - count,
                     "ERRORS": size - 1 - count, "TREE": self.inputs - 1 - count, "TREE_CLEAR": self.inputs - 1 - count,
                     "LOAD": array.first.inputs + image_buffer.LATENCY - 2 - count,
                     "APPLY": self._of([2 * layer.links + 1 for layer in layers]) - count,
                     "BACK": 2 * array.first.inputs - 1 - count}
            waits = main.ongoing("LINKS") & playing & ~(self.items.valid & self.items.payload.last)
            waits |= (main.ongoing("SETTLED") & (self.layer == final) & (self.fold == 0) & (self.turn == 0)
                      & ~self.outputs_free)
            if array.learns:
                ending = self.items.valid & self.items.ready & self.items.payload.last
                waits |= main.ongoing("VERDICT") & ~self.judged
                waits |= (main.ongoing("ERRORS") & ~self.errors.valid) | (self._during("UPDATE", "GATHER", "WINDOW_TREE")
                                                                                        & ~ending)
            self._claim(~(main.ongoing("LINKS") & playing) | (self.items.ready | ~self.items.valid),
                        "main waits for items alone")
            lowest = min((place for place, layer in enumerate(layers) if layer.learns), default=0)
            turns = self.turns - 1 - self.turn
            again = {"fold": self.folds - 1 - self.fold, "position": turns, "position back": turns,
                     "layer": final - self.layer, "layer backwards": self.layer - lowest}
            walks = self._in(self.walks)
            left = {state: word for state, word in left.items() if state in main.states}
            value = rank(self.m, main, left, again, beside=walks)
            walk = rank_of(self.m, main, {"SEEK": 0, "WALK": count, "ACCESS": ACCESS - 1 - count}, walks)
            falls(self.m, "main", Mux(walks, walk, value), self.rests | waits)
            begins = main.ongoing("START") | self._during("ASKED", "TREE_CLEAR")
            self._claim(~self.working | begins | (self.fold < self.folds), "main has no other folds")
            self._claim(~self.working | begins | (self.turn < self.turns), "main has no other positions")
            self._claim(self.layer <= final, "main has no other layers")
            self._claim(self.phase < array.phases, "a half step has no other phases")
            settles = [state for state in ("SETTLE", "SETTLE_BACK") if state in main.states]
            self._claim(self.settling == self._in(settles), "only settling neurons settle")
            self._claim(~self.going_back | (self.layer >= lowest), "a layer that does not learn is not gone back to")

        def _links_fall(self):
            state = {name: self.links.ongoing(name) for name in ("RUN", "DRAIN", "FULL")}
            drains = {"DRAIN": drain - 1 - self.links.count}
            value = rank(self.m, self.links, drains, {"fold": self.folds - 1 - self.links_fold,
                                                      "position": self.turns - 1 - self.links_turn})
            ended = self.items.valid & self.items.ready & self.items.payload.last
            excused = ~self.plays | (state["RUN"] & ~ended) | (state["FULL"] & ~self.main.ongoing("LINKS"))
            falls(self.m, "links", value, excused)
            self._claim(~state["RUN"] | ~self.items.valid | self.items.ready | self.settling,
                        "links wait for nothing but settling neurons")
            links = self._of([layer.links for layer in layers])
            self.m.d.comb += Assume(~self.items.valid | (self.items.payload.index <= links))
            issue = self.pipeline.issue
            used = issue.link | issue.update | (issue.gather if array.gathers else 0)
            looked_at = self._during("WINDOW_TREE") & self.items.valid         # the bias has no reverse link
            self._claim((self.items.ready & self.items.valid) == (used | looked_at), "an item is taken to be used")

        def _place_claims(self):
            """Where main and links are in memory."""
            begins = self.main.ongoing("START") | self._during("ASKED", "TREE_CLEAR")      # loops over folds come after it
            fold, turn = Mux(begins, 0, self.fold), Mux(begins, 0, self.turn)
            self._claim(~self.working | (self.base == self._words(self.layer, fold)), "main is at its words")
            first = Array([Const(slot, 8) for slot in array.slots])[self.layer]
            applies = self._during("APPLY", "APPLIED")
            self._claim(~self.working | applies | (self.place == first + turn * self.folds + fold), "main is at its slot")
            self._claim(~self.plays | (self.links_base == self._words(self.layer, self.links_fold)), "links are at their words")

        def _image_claims(self):
            """What the sides are told of an image."""
            main, ongoing = self.main, self._before(self.working | self.loads)
            self._claim(self._before(self.release) == (ongoing & ~(self.working | self.loads)),
                        "an image is released when its work ends")
            self._claim(self.idle == (self.rests & ~self.available & ~self.access.valid), "idle says that main rests")
            self._claim(~self.rests | (~self.plays & ~self._under_way(self.kinds, written)), "nothing is under way at rest")
            started = Signal()
            with self.m.If(self.start):
                self.m.d.sync += started.eq(1)
            with self.m.If(self.items.valid & self.items.ready & self.items.payload.last):
                self.m.d.sync += started.eq(0)
            updates = self._during("UPDATE", "GATHER", "WINDOW_TREE")
            self._claim(started == (self.links.ongoing("RUN") | updates), "items are taken while a list is played")
            self._claim(~self.start | (~started & ~self.release), "no list is played anew, or after its image")

            sends, count = main.ongoing("SCAN"), self.count
            number = self.turn * self.neurons + self.fold * array.units + count
            self._claim(self.outputs_valid == sends, "a scan sends an output in each clock")
            self._claim(~sends | (self.chosen == count), "outputs are sent in their order")
            waits = self._in(["SETTLE", "SETTLED"])
            self._claim(~waits | (self.chosen == 0), "outputs begin with the first unit")
            self._claim(~self._in(self.forwards) | ~self._under_way(["error"], written), "no error is under way by then")
            self._claim(~sends | (self.outputs.last == (number == self.turns * self.neurons - 1)), "the last output is marked")
            if not array.learns:
                return
            learnt = main.ongoing("SAVE") | main.ongoing("VERDICT") | self.going_back
            self._claim(~learnt | self.learns, "only what is to be learnt is kept")
            self._claim(~main.ongoing("VERDICT") | ((self.layer == final) & (self.fold == self.folds - 1)),
                        "an image is judged after its last output")
            errs = main.ongoing("ERRORS")
            sends_back = main.ongoing("BACK") if array.first.reverses else Const(0)
            first = errs & ~self._before(errs) & (self.fold == 0)
            if "ASKED" in main.states:
                first = main.ongoing("ASKED") & (count == 0)
            self._claim(self._before(self.ask) == (first | (sends_back & ~self._before(sends_back))),
                        "errors of a layer are asked for once")
            self._claim(self.back == sends_back, "errors go to the array before when all layers have learnt")
            self._claim(~sends_back | ((self.layer == 0) & (self.fold == self.folds - 1)), "those of the first layer")
            if array.reverses:
                sent = self._of([int(layer.reverses) for layer in layers])
                self._claim(~self._during("TREE_START", "TREE", "WINDOW_TREE", "TREE_CLEAR") | sent,
                            "errors go to layers that learn")
                self._claim(~main.ongoing("TREE_START") | (count == 0), "reverse links begin with the first input")
                self._claim(~main.ongoing("TREE") | (self.index == count), "reverse links go through all inputs")

        def _sum_claims(self):
            """Accumulators."""
            under_way = self._under_way(["link"], drain) | self._under_way(["error"], errors - path.lead)
            self._claim(~self.next.latch_drive | ~under_way, "what is latched is complete")
            if not array.learns:
                return
            main, count = self.main, self.count
            bits = len(self.chosen)
            ahead = sum((past.error for past in self.past[1:errors + 1]), Const(0, 1))
            owner = self._before(count, errors)
            self._claim(~main.ongoing("ERRORS") | ((self.chosen + ahead)[:bits] == count[:bits]), "errors come in order")
            self._claim(~self.control.accumulate_one | (self.control.unit == owner[:bits]), "an error goes to its neuron")

        def _memory_claims(self):
            """One port: what is fetched and what is written, each at its address, never both in one clock."""
            issue = self.pipeline.issue
            fold = Mux(self._during("TREE_CLEAR"), 0, self.fold)
            here = Mux(issue.link, self._words(self.layer, self.links_fold), self._words(self.layer, fold))
            address = self._history(here + self.index, written)
            load = self._before(self.control.load_one, path.written - 1)
            writes = load if not array.learns else load | self._before(self.control.judge, path.written - 1)
            reads = self.past[1].link | self.past[1].tree
            self._claim(~reads | (self.address == address[1]), "a word is fetched from its address")
            self._claim(~(reads & writes), "a word is not fetched while another is written")
            self._claim(sum((getattr(issue, kind) for kind in self.kinds), Const(0, 1)) <= 1, "one thing is issued at a time")
            if not array.learns:
                return
            fetches, kinds = self.past[FETCHED].update, ["update"]
            updated = self.past[written].update
            if array.gathers:
                fetches, kinds = fetches | self.past[FETCHED].apply, ["update", "apply"]
                updated = updated | self.past[written].apply
                self._sums_over_positions(address)
            self._claim(~fetches | (self.address == address[FETCHED]), "a word to update is fetched from its address")
            self._claim(~(fetches & writes), "a word is not fetched to be updated while another is written")
            self._claim(~(writes & ~load) | (self.address == address[written]), "an updated word is written to its address")
            self._claim((writes & ~load) == updated, "each updated word is written")
            self._claim(~reads | ~self._under_way(kinds, written), "no word is fetched before it is written")
            self._claim(~self.odd | self._before(self.updating), "clocks take turns for updates alone")
            held = self._before(self.items.valid & ~self.items.ready & self.main.ongoing("UPDATE"))
            self._claim(~(held & self.items.valid & self.main.ongoing("UPDATE")) | self.items.ready,
                        "an update waits for one clock at most")

        def _sums_over_positions(self, address):
            """The memory of sums: one is read and written back at the address of its word."""
            control, past = self.control, self.past
            self._claim(~(past[3].gather | past[3].apply) | (control.sum_read == address[3]), "a sum is read at its address")
            self._claim(control.gather == past[5].gather, "a product is added to the sum that was read")
            self._claim(~past[6].gather | (control.sum_write == address[6]), "a sum is written to its address")
            self._claim(~past[3].apply | ~Cat(past[clock].gather for clock in range(1, 8)).any(),
                        "no sum is applied before it is written")

        def _access_claims(self):
            """An access reaches the word that it names."""
            access, main, count = self.access.payload, self.main, self.count
            bounds = Array([Const(layer.channels, 8) for layer in layers]), Array([
                Const(layer.parameter_rows, 8) for layer in layers])
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
            content = self._before(self.control.load_one, path.written - 1)
            self._claim(~content | (main.ongoing("ACCESS") & access.write & (self.address == self.base + access.row)),
                        "a parameter is written to its address")
            if array.own_K:
                place = self._before(self.coupling_rows.place * array.first.K_rows + access.row - self._of([
                    layer.coupling_row for layer in layers]))
                self._claim(~self.control.K_load | (self._before(main.ongoing("ACCESS") & access.write)
                                                    & (self.control.K_write_address == place)), "a K is written to its place")
                fold = self.coupling_rows.place - Array(array.slots)[self.layer]
                self._claim(~main.ongoing("ACCESS") | (access.neuron == fold * array.units + self.chosen),
                            "a K is that of its neuron")

    return with_programs_altered(Proof(array), change)


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_it_keeps_to_its_states_and_always_comes_to_rest(name):
    verdict = check(proof(CONFIGURATIONS[name]), depth=depth(CONFIGURATIONS[name]))
    assert (verdict.status, verdict.failed) == ("PASS", ())


def early_release(node):
    """For ``altered``: an image is released before it is judged."""
    judges = isinstance(node, If) and any(isinstance(other, Wait) for other in node.then)
    return (Tell("release"), node) if judges else (node,)


BUGS = {
    "a half step goes on": ("hdl.sequencer", "last_phase.eq(self.phase == array.phases - 1)",
                            "last_phase.eq(self.phase == array.phases)"),
    "a state that is counted goes on": ("hdl.machine", "self.count == node.clocks - 1", "self.count == node.clocks"),
    "a sum is latched before it is complete": lambda node: (
        (Do("DRAIN", TIME_SHARED.drain - 1),) if getattr(node, "state", "") == "DRAIN" else (node,)),
    "links are not started for the next fold": ("hdl.sequencer", 'flags={"last fold": flags["last fold"]}',
                                                'flags={"last fold": True}'),
    "links are started though there is no next fold": ("hdl.sequencer", 'flags={"last fold": flags["last fold"]}',
                                                       'flags={"last fold": False}'),
    "released before it is learnt": early_release,
    "not released after the last layer": without(Tell("release")),
    "the layer before is not the one before": ("hdl.sequencer", "m.d.sync += [self.layer.eq(number), self.base",
                                               "m.d.sync += [self.layer.eq(number + 1), self.base"),
    "errors are not asked for by the array before": without(Tell("ask back")),
    "an access reaches the neuron beside": ("hdl.parameter_access", "[sequencer.chosen.eq(count), count.eq(0)]",
                                            "[sequencer.chosen.eq(count + 1), count.eq(0)]"),
    "positions of a convolution go on": ("hdl.positions", "[layer.positions - 1 for", "[layer.positions for"),
    "sums of a convolution are applied a clock too long": ("hdl.sequencer", "[2 * layer.links + 1 for",
                                                           "[2 * layer.links + 2 for"),
    "slots stay at the next position of a convolution": ("hdl.positions", "sequencer.place.eq(sequencer.place + 1)",
                                                         "sequencer.place.eq(sequencer.place)"),
    "an apply of a convolution goes by the row of the list": ("hdl.positions", "m.d.comb += sequencer.index.eq(count[1:])",
                                                              "pass"),
    "at rest while an image waits": ("hdl.sequencer", "rests: Value = ~self.available", "rests: Value = Const(1)"),
}


@pytest.mark.parametrize("name", BUGS)
def test_of_a_sequencer_with_a_planted_bug_it_cannot_be_proved(name):
    where = {"next fold": "learns, folded", "convolution": "convolutions, folded",
             "array before": "sends errors to the array before, folded"}
    chosen, = [where[part] for part in where if part in name] or ["learns and sends errors back"]
    configuration, bug = CONFIGURATIONS[chosen], BUGS[name]
    planted = {"change": bug} if callable(bug) else {"base": planted_sequencer(*bug)}
    verdict = check(proof(configuration, **planted), depth=depth(configuration))
    assert not verdict.passed
    assert verdict.failed
