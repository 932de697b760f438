"""The command decoder: frames of words in, images and parameter accesses to the network, replies out.

``docs/registers.md`` is its specification, ``hdl/frames.py`` the numbers in it.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from golden_model.errors import InputError
from hdl import frames
from hdl.choices import rate_shift_bits
from hdl.frames import Opcode, Status
from hdl.image_buffer import MOST_INPUTS, ImageBuffer, source_ports
from hdl.memory_ports import read_port, write_port
from hdl.skid_buffer import ShiftQueue, Word

MOST_LAYERS = 256                         # a header names the layer in 8 bits

Result = data.StructLayout({"value": 32, "last": 1, "first": 1, "changed": 1})


def job_layout(outputs: int) -> data.StructLayout:
    """What is to be done with an image: learn it as ``label``, and whether its outputs were asked for."""
    return data.StructLayout({"learn": 1, "label": range(outputs), "want_outputs": 1})


def access_layout(layers: int) -> data.StructLayout:
    """One parameter to be written or read, by layer, neuron and number."""
    return data.StructLayout({"write": 1, "layer": range(layers), "neuron": 16, "index": 16, "data": 32})


class _Frame:
    """The frame in hand in registers: header and first word, the opcode decoded; the fields of a parameter's address."""

    def __init__(self, parameters: int, neurons: int) -> None:
        self.opcode, self.option = Signal(8, reset_less=True, name="opcode"), Signal(8, reset_less=True, name="option")
        self.argument, self.operand = Signal(16, reset_less=True, name="argument"), Signal(32, reset_less=True, name="operand")
        self.is_ = {code: Signal(name=f"is_{code.name.lower()}") for code in Opcode}
        self.count = self.argument[:8]
        self.index = self.operand[:bits_for(parameters)]
        self.neuron = self.operand[16:16 + bits_for(neurons)]


class _Report:
    """What STATUS tells of the past: ``counters`` in the order of its words, and the last error."""

    def __init__(self) -> None:
        self.inferred, self.learnt, self.changed, self.refused, self.cycles = self.counters = tuple(
            Signal(32, name=name) for name in ("inferred", "learnt", "changed", "refused", "cycles"))
        self.last_error = Signal(Status, name="last_error")


class _RateShift:
    """One of the learning rates 2**-n: its rate shift n in a register, or none if it is zero; ``word`` is what STATUS tells, in
    8 bits."""

    def __init__(self, name: str, allowed: range, initial: int | None, port: Signal) -> None:
        self.allowed, self.initial, self.port = allowed, initial, port
        self.register = Signal(range(allowed.stop), name=f"{name}_rate", init=initial) if allowed else None
        self.word = Cat(self.register, Const(0, 8))[:8] if allowed else Const(frames.NO_RATE_SHIFT, 8)


class Commands(wiring.Component):
    """Takes frames apart, judges them, carries them out one after the other, answers each.

    Images flow on while earlier ones are in the network; every other frame, and the refusal of any frame, waits until all
    images before it are answered and the network is ``idle``. So replies leave in the order of the frames::

        s_axis --> header --+--> ImageBuffer ----------------> available, learn, start, items, release
                            +--> job queue ------------------> job
                            +--> operand, 256 words ---------> access
                            |                                  access_reply --+
                            +--> STATUS, RATE, RESET, refusals ---------------+--> reply (register) --> m_axis
                                                               result --------+

    An image of W words takes W + 1 clocks (header included) as long as the network keeps up. ``s_axis.ready`` and
    ``m_axis.valid``, ``m_axis.payload`` come from registers; ``result.ready`` follows ``m_axis.ready`` within the clock.
    A core that needs registers in all directions puts a ``SkidBuffer`` at its ports.

    Parameters
    ----------
    layers : tuple of int
        Inputs of the network and neurons of each layer: at least two sizes.
    learns : bool
        Whether ``LEARN`` and ``RATE`` exist.
    digest : int
        64 bits that name the network (``frames.digest_word``).
    links_rate_shifts, bias_rate_shifts : range
        Rate shifts that ``RATE`` may set, from 0 to 254; empty for parameters that are not learnt.
    initial_links, initial_bias : int, or None for parameters that are not learnt
        Exponents after a reset.
    programmable : bool
        Whether neurons have 15 couplings K behind their bias.
    K_rate_shifts : range, initial_K : int or None
        Likewise of the couplings, if they learn.
    parameter_bits : tuple of int
        Bits of a link, of a bias, of a K, 1 to 32: of a written word these are taken, and sign-extended.
    shapes : sequence of (int, int), optional
        Of each layer the neurons that have parameters of their own, and the links of each; by default all to all.

    Members
    -------
    s_axis : In(stream of Word), m_axis : Out(stream of Word)
        Requests and replies.
    available, learn, start, items, release
        The images, as the first layer takes them: ``image_buffer.source_ports``.
    job : Out(stream of job_layout(outputs))
        One entry per image, in order, from the clock after the image is complete. Up to ``flight`` of them wait.
    result : In(stream of Result)
        For each image, in order: its class (``first``; ``changed`` if it was learnt and had an error), then, if wanted, its
        outputs, sign-extended; ``last`` with the final one.
    access : Out(stream of access_layout(layers)), access_reply : In(stream of 32 bits)
        One reply for each access, for writes too (any value). One access at a time.
    links_rate_shift, bias_rate_shift, K_rate_shift : Out
        In force; they change only while the network is idle. 0 for parameters that are not learnt; the last one is there if K
        learn.
    idle : In(1)
        No image is in the network: nothing is played, settled, learnt or to be delivered. Low before its last result comes.

    Memories: that of ``ImageBuffer``, and 256 words of 32 bits (one write port, one synchronous read port). No multiplier.

    Raises
    ------
    InputError
        For parameters that the frames cannot express.
    """

    def __init__(self, layers: tuple[int, ...], *, learns: bool, digest: int, links_rate_shifts: range, bias_rate_shifts: range,
                 initial_links: int | None, initial_bias: int | None, programmable: bool,
                 parameter_bits: tuple[int, int, int], shapes: Sequence[tuple[int, int]] | None = None,
                 K_rate_shifts: range = range(0), initial_K: int | None = None) -> None:
        _check(layers, digest, {"links": (links_rate_shifts, initial_links), "bias": (bias_rate_shifts, initial_bias),
                                "K": (K_rate_shifts, initial_K)})
        self.layers, self.learns, self.digest, self.programmable = layers, learns, digest, programmable
        self.parameter_bits, self.shapes = parameter_bits, shapes or list(zip(layers[1:], layers, strict=False))
        self.most_neurons = max(neurons for neurons, _ in self.shapes)
        self.links_rate_shifts, self.bias_rate_shifts = links_rate_shifts, bias_rate_shifts
        self.initial_links, self.initial_bias = initial_links, initial_bias
        self.K_rate_shifts, self.initial_K = K_rate_shifts, initial_K
        self.outputs = layers[-1]
        self.words = -(-layers[0] // 4)
        self.flight = len(layers) - 1 + 4     # images that are not answered: two banks, one a layer, two at the end
        self.in_frame = Signal(name="in_frame")    # a header was taken, and words are to follow
        self.left = Signal(17, init=-1, name="left")    # words that the frame still needs, minus one; -1 (all ones): none
        self.over = Signal(name="over")    # a word came that was not needed
        self.bare = Signal(name="bare")    # no word came after the header
        super().__init__({
            "s_axis": In(stream.Signature(Word)), "m_axis": Out(stream.Signature(Word)),
            **source_ports(layers[0]),
            "job": Out(stream.Signature(job_layout(self.outputs))), "result": In(stream.Signature(Result)),
            "access": Out(stream.Signature(access_layout(len(layers) - 1))), "access_reply": In(stream.Signature(32)),
            "links_rate_shift": Out(rate_shift_bits(links_rate_shifts)),
            "bias_rate_shift": Out(rate_shift_bits(bias_rate_shifts)), "idle": In(1),
            **({"K_rate_shift": Out(rate_shift_bits(K_rate_shifts))} if K_rate_shifts else {})})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.images = self.images = images = ImageBuffer(self.layers[0])
        m.submodules.jobs = self.jobs = jobs = ShiftQueue(job_layout(self.outputs), self.flight)
        m.submodules.owed = self.owed = ShiftQueue(1, self.flight)    # images to be answered: learnt or not
        m.submodules.written = written = memory.Memory(shape=32, depth=256, init=[], attrs={"no_rw_check": 1})
        self.put, self.get = put, get = write_port(written, "put"), read_port(written, "get")
        for name in ("available", "learn"):
            m.d.comb += getattr(self, name).eq(getattr(images, name))
        for name in ("start", "release"):
            m.d.comb += getattr(images, name).eq(getattr(self, name))
        wiring.connect(m, wiring.flipped(self.items), images.items)
        wiring.connect(m, wiring.flipped(self.job), jobs.o)

        # of the next word after the header; position in a loop
        self.number = number = Signal(max(8, bits_for(self.words)), name="number")
        self.status = Signal(Status, name="status")
        self.frame = frame = _Frame(max(map(self._parameters, range(len(self.shapes)))), self.most_neurons)
        # of an image: its label; it needs one word more
        self.label_fits, self.one_left = Signal(name="label_fits"), Signal(name="one_left")
        self.rate_shifts = self._rate_shifts()
        self.judged = self._judged(m, frame)
        self.report = report = _Report()
        self.clear = Signal(name="clear")    # soft reset
        m.d.comb += [each.port.eq(each.register) for each in self.rate_shifts if each.register is not None]
        m.d.sync += report.cycles.eq(report.cycles + 1)
        # a reply word can be said; nothing is under way
        self.free, self.quiet = Signal(name="free"), Signal(name="quiet")
        self.say, self.speech = Signal(name="say"), Signal(Word, name="said")    # what the state machine says
        self._replies(m)

        # what is wired to the frame in hand
        word, is_ = self.s_axis.payload, frame.is_
        fetched = Signal(32, reset_less=True, name="fetched")
        m.d.comb += [
            images.number.eq(number), images.word.eq(word.data), images.committed_learn.eq(is_[Opcode.LEARN]),
            jobs.i.payload.learn.eq(is_[Opcode.LEARN]), jobs.i.payload.label.eq(frame.argument),
            jobs.i.payload.want_outputs.eq(frame.option[0]),
            self.owed.i.payload.eq(is_[Opcode.LEARN]),
            put.addr.eq(number), put.data.eq(word.data),
            get.addr.eq(number),
            self.access.payload.write.eq(is_[Opcode.WRITE]), self.access.payload.layer.eq(frame.option),
            self.access.payload.neuron.eq(frame.neuron), self.access.payload.index.eq(frame.index),
            self.access.payload.data.eq(self._word(m, fetched)),
        ]
        m.d.sync += fetched.eq(get.data)      # a block memory's word comes late in the clock

        with m.FSM(name="phase") as phase:
            self._take(m)
            self._judge(m)
            self._answer(m)
            self._carry_out(m)
        with m.If(self.clear):
            inferred, learnt, changed, refused, cycles = report.counters
            m.d.sync += [counter.eq(0) for counter in (inferred, learnt, changed, refused, cycles)]
            m.d.sync += report.last_error.eq(Status.OK)
            m.d.sync += [each.register.eq(each.initial) for each in self.rate_shifts if each.register is not None]
        m.d.comb += [self.in_frame.eq(phase.ongoing("WORDS")), get.en.eq(phase.ongoing("FETCH"))]
        return m

    def _rate_shifts(self) -> list[_RateShift]:
        """In the order of their bytes in RATE and STATUS; that of K only if they learn."""
        own = [_RateShift("links", self.links_rate_shifts, self.initial_links, self.links_rate_shift),
               _RateShift("bias", self.bias_rate_shifts, self.initial_bias, self.bias_rate_shift)]
        return own + ([_RateShift("K", self.K_rate_shifts, self.initial_K, self.K_rate_shift)] if self.K_rate_shifts else [])

    def _replies(self, m: Module) -> None:
        """What goes out: what the network says while it owes replies, else what the state machine says."""
        owed, say, speech, result = self.owed, self.say, self.speech, self.result.payload
        inferred, learnt, changed = self.report.inferred, self.report.learnt, self.report.changed
        free = ~self.m_axis.valid | self.m_axis.ready
        m.d.comb += [self.free.eq(free), self.result.ready.eq(free & owed.o.valid),
                     owed.o.ready.eq(self.result.valid & self.result.ready & result.last)]
        with m.If(free):
            m.d.sync += self.m_axis.valid.eq(Mux(owed.o.valid, self.result.valid, say))
            with m.If(~owed.o.valid):
                m.d.sync += self.m_axis.payload.eq(speech)
            with m.Else():
                learnt_opcode = Mux(owed.o.payload, Opcode.LEARN, Opcode.INFER)
                header = _reply_header(learnt_opcode, Status.OK, result.value[:16])
                m.d.sync += [self.m_axis.payload.data.eq(Mux(result.first, header, result.value)),
                             self.m_axis.payload.last.eq(result.last)]
        with m.If(owed.o.ready):
            with m.If(owed.o.payload):
                m.d.sync += learnt.eq(learnt + 1)
            with m.Else():
                m.d.sync += inferred.eq(inferred + 1)
        with m.If(self.result.valid & self.result.ready & result.first & result.changed & owed.o.payload):
            m.d.sync += changed.eq(changed + 1)
        # idle of one clock ago: while an image has yet to make it low, it is owed
        resting = Signal(name="resting")
        m.d.sync += resting.eq(self.idle)
        quiet = ~owed.o.valid & resting
        m.d.comb += self.quiet.eq(quiet)

    def _take(self, m: Module) -> None:
        """A frame's words come in; that of an image, if it is right, is done with when its last word has come."""
        frame, images, owed, jobs, put, number = self.frame, self.images, self.owed, self.jobs, self.put, self.number
        left, over, word, is_ = self.left, self.over, self.s_axis.payload, self.frame.is_
        label_fits, one_left = self.label_fits, self.one_left
        image = is_[Opcode.INFER] | (is_[Opcode.LEARN] if self.learns else 0)
        with m.State("HEADER"):
            m.d.comb += self.s_axis.ready.eq(1)
            m.d.sync += [Cat(frame.opcode, frame.option, frame.argument).eq(word.data), number.eq(0), over.eq(0),
                         self.bare.eq(word.last)]
            m.d.sync += [flag.eq(word.data[:8] == code) for code, flag in is_.items()]
            m.d.sync += [label_fits.eq((word.data[:8] != Opcode.LEARN) | (word.data[16:] < self.outputs)),
                         one_left.eq(self.words == 1)]
            with m.Switch(word.data[:8]):
                with m.Case(Opcode.INFER, Opcode.LEARN):
                    m.d.sync += left.eq(self.words - 1)
                with m.Case(Opcode.WRITE):
                    m.d.sync += left.eq(word.data[16:])               # the address, too
                with m.Case(Opcode.READ, Opcode.RATE):
                    m.d.sync += left.eq(0)
                with m.Default():
                    m.d.sync += left.eq(-1)
            with m.If(self.s_axis.valid):
                with m.If(word.last):
                    m.next = "COMPARE"
                with m.Else():
                    m.next = "WORDS"
        with m.State("WORDS"):
            m.d.comb += self.s_axis.ready.eq(~image | (images.ready & owed.i.ready))
            with m.If(self.s_axis.valid & self.s_axis.ready):
                needed = ~left[-1]
                m.d.sync += [left.eq(left - needed), number.eq(number + needed), over.eq(~needed), one_left.eq(left == 1)]
                m.d.comb += [images.write.eq(image & needed), put.en.eq(is_[Opcode.WRITE] & needed)]
                with m.If(number == 0):
                    m.d.sync += frame.operand.eq(word.data)
                with m.If(word.last):
                    m.next = "COMPARE"
                    with m.If(image & one_left & label_fits):
                        m.d.comb += [images.commit.eq(1), jobs.i.valid.eq(1), owed.i.valid.eq(1)]
                        m.next = "HEADER"

    def _judge(self, m: Module) -> None:
        """The status of every other frame; when all images before it are answered, what it changes at once."""
        images, status, is_, operand = self.images, self.status, self.frame.is_, self.frame.operand
        refused, last_error = self.report.refused, self.report.last_error
        with m.State("COMPARE"):                                      # the comparisons of addresses and rate shifts get a clock
            m.next = "CHECK"
        with m.State("CHECK"):                                        # no complete image comes here
            m.d.comb += images.discard.eq(1)
            m.d.sync += status.eq(self.judged)
            m.next = "WAIT"
        with m.State("WAIT"):
            m.d.sync += self.number.eq(1)
            with m.If(self.quiet):
                m.next = "REPLY"
                with m.If(status != Status.OK):
                    m.d.sync += [refused.eq(refused + 1), last_error.eq(status)]
                with m.Else():
                    with m.If(is_[Opcode.WRITE]):
                        m.next = "FETCH"
                    if self.learns:
                        with m.If(is_[Opcode.RATE]):
                            m.d.sync += [each.register.eq(operand.word_select(place, 8))
                                         for place, each in enumerate(self.rate_shifts) if each.register is not None]
                    with m.If(is_[Opcode.RESET]):
                        m.d.comb += self.clear.eq(1)

    def _answer(self, m: Module) -> None:
        """The header of a reply, and the words of STATUS."""
        frame, status, is_, say, speech, number = self.frame, self.status, self.frame.is_, self.say, self.speech, self.number
        with m.State("REPLY"):
            more = (status == Status.OK) & (is_[Opcode.STATUS] | is_[Opcode.READ])
            value = Mux((status == Status.OK) & (is_[Opcode.READ] | is_[Opcode.WRITE]), frame.count, 0)
            m.d.comb += [say.eq(1), speech.data.eq(_reply_header(frame.opcode, status, value)), speech.last.eq(~more)]
            with m.If(self.free):
                m.next = "HEADER"
                with m.If(more):
                    m.next = "ACCESS"
                    with m.If(is_[Opcode.STATUS]):
                        m.next = "REPORT"
        with m.State("REPORT"):
            report = [Const(frames.MAGIC, 32), *(Const(self.digest >> shift & 0xFFFFFFFF, 32) for shift in (0, 32)),
                      *self.report.counters, Cat(each.word for each in self.rate_shifts), self.report.last_error,
                      *(Const(word, 32) for word in frames.capabilities(self.learns, self.programmable, self.links_rate_shifts,
                                                                        self.bias_rate_shifts, self.K_rate_shifts))]
            m.d.comb += [say.eq(1), speech.last.eq(number == frames.STATUS_WORDS)]
            with m.Switch(number[:4]):
                for position, entry in enumerate(report, 1):
                    with m.Case(position):
                        m.d.comb += speech.data.eq(entry)
            with m.If(self.free):
                m.d.sync += number.eq(number + 1)
                with m.If(speech.last):
                    m.next = "HEADER"

    def _carry_out(self, m: Module) -> None:
        """The parameters of READ and WRITE, one access after the other."""
        frame, is_, say, speech, number = self.frame, self.frame.is_, self.say, self.speech, self.number
        with m.State("FETCH"):
            m.next = "FETCHED"
        with m.State("FETCHED"):
            m.next = "ACCESS"
        with m.State("ACCESS"):
            m.d.comb += self.access.valid.eq(1)
            with m.If(self.access.ready):
                m.next = "ACKNOWLEDGE"
        with m.State("ACKNOWLEDGE"):
            m.d.comb += [self.access_reply.ready.eq(self.free), say.eq(self.access_reply.valid & is_[Opcode.READ]),
                         speech.data.eq(self.access_reply.payload), speech.last.eq(number[:8] == frame.count)]
            with m.If(self.access_reply.valid & self.access_reply.ready):
                m.d.sync += [number.eq(number + 1), frame.index.eq(frame.index + 1)]
                m.next = "ACCESS"
                with m.If(is_[Opcode.WRITE]):
                    m.next = "FETCH"
                with m.If(speech.last):
                    m.next = "HEADER"
                    with m.If(is_[Opcode.WRITE]):
                        m.next = "REPLY"

    def _word(self, m: Module, written: Value) -> Value:
        """What is kept of a written word: as many low bits as the parameter's format has, sign-extended."""
        links, bias, coupling = (written[:bits].as_signed() for bits in self.parameter_bits)
        frame, inputs = self.frame, Signal(range(max(self.outputs, *(count for _, count in self.shapes)) + 1),
                                           name="inputs_of_layer")
        is_bias, is_coupling = Signal(name="is_bias"), Signal(name="is_coupling")
        with m.Switch(frame.option):
            for layer, (_, count) in enumerate(self.shapes):
                with m.Case(layer):
                    m.d.comb += inputs.eq(count)
        with m.If(self.get.en):
            m.d.sync += [is_bias.eq(frame.index == inputs), is_coupling.eq(frame.index > inputs)]
        word: Value = links if len(bias) == len(links) else Mux(is_bias, bias, links).as_signed()
        if self.programmable and not len(coupling) == len(bias) == len(links):
            word = Mux(is_coupling, coupling, word).as_signed()
        return word

    def _parameters(self, layer: int) -> int:
        """Parameters of a neuron: links, bias, and 15 couplings if they are programmable."""
        return self.shapes[layer][1] + 1 + (15 if self.programmable else 0)

    def _judged(self, m: Module, frame: _Frame) -> Signal:
        """The status of the frame that has lain in the registers for a clock: the first of what is wrong with it."""
        is_, argument, option, operand = frame.is_, frame.argument, frame.option, frame.operand
        known = Signal(name="known")
        m.d.comb += known.eq(Cat(is_.values()).any())

        # address: compared in as few bits as the greatest allowed value has, all others must be zero
        layers = range(len(self.layers) - 1)
        last_neuron = Signal(range(self.most_neurons), name="last_neuron")
        parameters = Signal(range(max(self._parameters(layer) for layer in layers) + 1), name="parameters")
        named, address_fits, rate_fits = Signal(name="named"), Signal(name="address_fits"), Signal(name="rate_fits")
        with m.Switch(option):
            for layer in layers:
                with m.Case(layer):
                    m.d.comb += [named.eq(1), last_neuron.eq(self.shapes[layer][0] - 1),
                                 parameters.eq(self._parameters(layer))]
        index, neuron, count = operand[:len(parameters)], operand[16:16 + len(last_neuron)], argument[:8]
        beyond = Cat(operand[len(parameters):16], operand[16 + len(last_neuron):], argument[8:])
        m.d.sync += address_fits.eq(named & ~beyond.any() & (neuron <= last_neuron) & (index + count <= parameters)
                                    & count.any())
        m.d.sync += rate_fits.eq(Cat(operand.word_select(place, 8).matches(*(each.allowed or [frames.NO_RATE_SHIFT]))
                                     for place, each in enumerate(self.rate_shifts)).all())

        judged = Signal(Status, name="judged")
        with m.If(~known):
            m.d.comb += judged.eq(Status.UNKNOWN)
        with m.Elif(Const(not self.learns) & (is_[Opcode.LEARN] | is_[Opcode.RATE])):
            m.d.comb += judged.eq(Status.NO_LEARNING)
        with m.Elif(is_[Opcode.LEARN] & self.bare):
            m.d.comb += judged.eq(Status.NO_IMAGE)
        with m.Elif(~self.left[-1]):
            m.d.comb += judged.eq(Status.SHORT)
        with m.Elif(self.over):
            m.d.comb += judged.eq(Status.LONG)
        with m.Elif((is_[Opcode.READ] | is_[Opcode.WRITE]) & ~address_fits):
            m.d.comb += judged.eq(Status.ADDRESS)
        with m.Elif(is_[Opcode.LEARN]):                               # of the right length, and yet not committed
            m.d.comb += judged.eq(Status.LABEL)
        with m.Elif(is_[Opcode.RATE] & ~rate_fits):
            m.d.comb += judged.eq(Status.RATE)
        return judged


def _reply_header(opcode: Any, status: Any, value: Value) -> Value:
    return Cat(Value.cast(opcode) | frames.REPLY, Value.cast(status), Const(0, 4), value)


def _check(layers: Sequence[int], digest: int, rate_shifts: dict[str, tuple[range, int | None]]) -> None:
    if not isinstance(layers, tuple) or not 2 <= len(layers) <= MOST_LAYERS + 1:
        raise InputError(f"layers must be a tuple of 2 to {MOST_LAYERS + 1} sizes, not {layers!r}")
    for size in layers:
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= MOST_INPUTS:
            raise InputError(f"each size in layers must be a whole number from 1 to {MOST_INPUTS}, not {size!r}")
    if not 0 <= digest < 1 << 64:
        raise InputError(f"digest must be a number of 64 bits, not {digest!r}")
    for name, (allowed, initial) in rate_shifts.items():
        if allowed.step != 1 or (allowed and not 0 <= allowed.start < allowed.stop <= frames.NO_RATE_SHIFT):
            raise InputError(f"{name}_rate_shifts must be a range within 0 to {frames.NO_RATE_SHIFT - 1}, or empty, not "
                             f"{allowed!r}")
        if (initial not in allowed) if allowed else (initial is not None):
            raise InputError(f"initial_{name} must be one of the rate shifts {allowed.start} to {allowed.stop - 1}, "
                             f"not {initial!r}" if allowed else
                             f"initial_{name} must be None, because these parameters are not learnt, not {initial!r}")
