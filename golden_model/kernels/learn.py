"""One ``infer`` and one ``learn`` for networks of all kinds of layers. Order of operations: the arithmetic contract's.

Silence is skipped, which changes no bit: an image whose outputs are right by the margin has errors of zero, and with those
every reverse signal and every change of a parameter is zero.
"""
from __future__ import annotations

from golden_model.compiling import entry, kernel
from golden_model.kernels import change, circuit, links
from golden_model.kernels.calls import call
from golden_model.kernels.plan import LANES, ROWS
from golden_model.kernels.words import clamp
from golden_model.robustness import upsets


@kernel
def _forward(image, signals, states, course, plan, const, store, work, calls):
    """Settle all layers for one image (bytes); leaves every layer's input signals, states and courses.

    ``image`` (inputs,), ``signals`` (signals of all layers,), ``states`` (lanes * ROWS,), ``course`` (words,).
    """
    decode, row, strikes = const.decode, const.output_row, len(store.upsets) > 0
    for m in range(len(image)):
        signals[m] = decode[image[m]]
    for layer in range(len(plan)):
        here = plan[layer]
        if strikes:
            upsets.aim(work.hit, store.upsets, 0, upsets.FORWARD, layer, here.neurons, here.blocks)
        if here.frames > 0:
            call(calls.run, (signals, course[here.course_at:here.course_end], here, const, store, work, calls.half))
            continue
        if here.windowed:
            call(calls.drives, (signals, here, const, store, work))
        else:
            links.drives(signals[here.signal_at:], here, here.inputs, const, store, work)
        lanes, positions, neurons, to = here.blocks * LANES, here.own * here.tied, here.neurons, here.output_at
        first = here.lane_at * ROWS
        state = states[first:first + positions * lanes * ROWS]
        call(calls.settle, (work.drives, state, state, here, const, store.coupling, work.hit))
        for position in range(positions):
            for n in range(neurons):
                lane = position * lanes + n
                signals[to] = state[(lane // LANES * ROWS + row) * LANES + lane % LANES]
                to += 1
    if strikes:
        store.upsets[upsets.NUMBER] += upsets.ONE


@entry
def infer(images, outputs, signals, states, course, plan, const, store, work, calls):
    """Outputs (images, classes) of bytes (images, inputs); room for one image as for ``_forward``."""
    first = plan[len(plan) - 1].output_at
    for image in range(len(images)):
        _forward(images[image], signals, states, course, plan, const, store, work, calls)
        for n in range(outputs.shape[1]):
            outputs[image, n] = signals[first + n]


@kernel
def _output_errors(outputs, label, errors, here, const):
    """Hinge errors of one image, in the lanes of the last layer; returns whether any is not zero.

    ``outputs`` (classes,), ``errors`` (lanes,).
    """
    n, result, margin, least, high = 0, False, const.margin, const.error_least, const.error_high
    for position in range(here.own * here.tied):
        at = position * here.blocks * LANES
        for channel in range(here.neurons):
            if n == label:
                missing = max(margin - outputs[n], 0)
            else:
                missing = min(-margin - outputs[n], 0)
            errors[at + channel] = clamp(missing, least, high)
            result = result or missing != 0
            n += 1
    return result


@kernel
def _back(layer, batch, plan, const, store, work, room, calls):
    """A layer that is not recurrent back for the images of a batch: r of its neurons, and the errors of the layer before it."""
    here, row = plan[layer], const.output_row
    first, blocks = here.lane_at * ROWS, here.own * here.tied * here.blocks
    lanes = blocks * LANES
    for b in range(batch):
        r, reverse_state, errors = room.r[b], room.reverse_states[b], room.errors[b]
        if not room.erring[b]:
            for n in range(lanes):
                r[n] = 0
            for n in range(lanes * ROWS):
                reverse_state[n] = 0
            continue
        if len(store.upsets):
            upsets.aim(work.hit, store.upsets, batch - b, upsets.REVERSE, layer, here.neurons, here.blocks)
        circuit.reverse_gates(room.states[b, first:first + lanes * ROWS], room.gates, blocks, const)
        call(calls.settle_back, (errors, room.gates, reverse_state, here, const, store.coupling, work.hit))
        for n in range(lanes):
            r[n] = reverse_state[(n // LANES * ROWS + row) * LANES + n % LANES]
        if layer > const.frozen:
            before = plan[layer - 1]
            if here.windowed or here.spread:
                call(calls.sums_back, (r, here, store, room.sums))
                links.spread_errors(room.sums, here, before, const, errors)
            else:
                links.reverse(r[:lanes], store.weights, here, const, errors[:before.blocks * LANES], work.total[0])


@entry
def learn(images, labels, predictions, plan, const, store, instincts, work, room, calls):
    """Learn images (images, inputs) in order, updating after each batch; ``room`` has as many rows as a batch has images.

    ``labels`` and ``predictions`` (images,): the class that each was given just before it was learnt.
    """
    last, size, erring, errors = len(plan) - 1, len(room.erring), room.erring, room.errors
    first, trains_K = plan[last].output_at, instincts.K[0].trains + instincts.K[1].trains + instincts.K[2].trains > 0
    for start in range(0, len(images), size):
        batch, any_erring = min(size, len(images) - start), False
        for b in range(batch):
            _forward(images[start + b], room.signals[b], room.states[b], room.courses[b], plan, const, store, work, calls)
            outputs, answer = room.signals[b, first:], 0
            for n in range(1, len(outputs)):
                if outputs[n] > outputs[answer]:
                    answer = n
            predictions[start + b] = answer
            for n in range(errors.shape[1]):
                errors[b, n] = 0
            erring[b] = _output_errors(outputs, labels[start + b], errors[b], plan[last], const)
            any_erring = any_erring or erring[b] != 0
        if not any_erring:
            continue
        for layer in range(last, const.frozen - 1, -1):
            here = plan[layer]
            if here.frames > 0:
                call(calls.learn, (batch, layer, plan, const, store, instincts, work, room, calls.half_back))
                continue
            _back(layer, batch, plan, const, store, work, room, calls)
            if instincts.links[layer].trains:
                if here.windowed:
                    call(calls.update, (room.signals, room.r, erring[:batch], here, store, instincts.links[layer], const,
                                        work.narrow, room.sums))
                else:
                    links.update(room.signals, room.r, erring[:batch], here, store, instincts.links[layer], const, work.narrow)
            if instincts.bias[layer].trains:
                change.update_bias(room.r, batch, here, store, instincts.bias[layer], const, work.total[0])
            if trains_K:
                call(calls.coupling, (room.states, room.reverse_states, batch, here, store, instincts.K, const, room.sums))
