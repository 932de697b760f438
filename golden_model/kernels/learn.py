"""One ``infer`` and one ``learn`` for networks of all kinds of layers. Order of operations: the arithmetic contract's.

Silence is skipped, which changes no bit: an image whose outputs are right by the margin has errors of zero, and with those
every reverse signal and every change of a parameter is zero.
"""
from __future__ import annotations

import numpy as np

from golden_model.compiling import entry, kernel
from golden_model.kernels import change, circuit, exchange, links, taps, words
from golden_model.kernels.plan import LANES, ROWS
from golden_model.kernels.words import clamp
from golden_model.robustness import upsets


@kernel
def _scratch(plan, like, wide):
    """Work space of ``_forward``: narrow and wide sums, drives, list of active inputs and their values."""
    lanes, most = max(plan.blocks) * LANES, max(plan.inputs) + 1
    return (np.empty(lanes, like.dtype), np.empty(lanes, wide.dtype), np.zeros(plan.lanes, like.dtype),
            np.empty(most, np.int64), np.empty(most, like.dtype))


@kernel
def _forward(image, signals, states, course, plan, windows, frames, const, store, pair, work, scratch, wide):
    """Settle all layers for one image (bytes); leaves every layer's input signals, states and courses."""
    narrow, total, drives, active, _ = scratch
    for m in range(plan.signal_at[1]):
        signals[m] = const.decode[image[m]]
    for layer in range(len(plan.inputs)):
        lanes, unit_at, positions = plan.blocks[layer] * LANES, plan.unit_at[layer], plan.own[layer] * plan.tied[layer]
        first = plan.lane_at[layer] * ROWS
        state = states[first:first + positions * lanes * ROWS]
        hit = upsets.struck(store.upsets, 0, upsets.FORWARD, layer, plan.neurons[layer], plan.blocks[layer])
        recurrent = False
        if frames is not None:
            recurrent = frames.number[layer] > 0
            if recurrent:
                exchange.run(signals, course[frames.course_at[layer]:frames.course_at[layer + 1]], plan, frames, layer, const,
                             store, pair, work, scratch, wide, hit)
        if not recurrent:
            if windows is None:
                links.sums(signals[plan.signal_at[layer]:], store.weights, plan.weight_at[layer], plan.inputs[layer], lanes,
                           plan.chunk[layer], narrow, total, active)
                for n in range(lanes):
                    drives[n] = words.drive(total[n], store.bias[unit_at + n], plan.link_shift[layer], const.drive_least,
                                            const.drive_high)
            else:
                taps.drives(signals, plan, windows, layer, const, store, scratch)
            circuit.settle_positions(drives, None, state, plan.forward_rows, plan, layer, const, store, hit)
            to = plan.signal_at[layer + 1]
            for position in range(positions):
                for n in range(plan.neurons[layer]):
                    lane = position * lanes + n
                    signals[to] = state[(lane // LANES * ROWS + plan.output_row) * LANES + lane % LANES]
                    to += 1
    upsets.counted(store.upsets)


@entry
def infer(images, outputs, wide, exact, plan, windows, frames, const, store):
    """Outputs (images, classes) of bytes (images, inputs). ``wide``, ``exact``: any arrays of the types of exact sums."""
    signals, states = np.empty(plan.signals, outputs.dtype), np.empty(plan.lanes * ROWS, outputs.dtype)
    course, pair = exchange.course_for(frames, outputs), exchange.pair_of(plan, frames, store, exact)
    scratch, work = _scratch(plan, outputs, wide), exchange.work_for(plan, frames, outputs, exact)
    for image in range(len(images)):
        _forward(images[image], signals, states, course, plan, windows, frames, const, store, pair, work, scratch, wide)
        outputs[image] = signals[plan.signal_at[-1]:]


@kernel
def _output_errors(outputs, label, errors, plan, const):
    """Hinge errors of one image, in the lanes of the last layer; returns whether any is not zero."""
    n, result = 0, False
    for position in range(plan.own[-1] * plan.tied[-1]):
        at = position * plan.blocks[-1] * LANES
        for channel in range(plan.neurons[-1]):
            if n == label:
                missing = max(const.margin - outputs[n], 0)
            else:
                missing = min(-const.margin - outputs[n], 0)
            errors[at + channel] = clamp(missing, const.error_least, const.error_high)
            result = result or missing != 0
            n += 1
    return result


@entry
def learn(images, labels, predictions, like, wide, exact, batch_size, plan, windows, frames, const, store, instincts):
    """Learn images (images, inputs) in order, updating after every ``batch_size``. ``like``: any array of signals."""
    last, lanes_of_all = len(plan.inputs) - 1, plan.lanes
    signals, states = np.zeros((batch_size, plan.signals), like.dtype), np.zeros((batch_size, lanes_of_all * ROWS), like.dtype)
    reverse_states = np.zeros((batch_size, lanes_of_all * ROWS), like.dtype)
    errors, r = np.zeros((batch_size, lanes_of_all), like.dtype), np.zeros((batch_size, lanes_of_all), like.dtype)
    gates, erring = np.zeros(lanes_of_all * ROWS, like.dtype), np.zeros(batch_size, np.bool_)
    sums, narrow = np.zeros(max(plan.signals, lanes_of_all), wide.dtype), np.zeros(max(plan.blocks) * LANES, like.dtype)
    course, pair = exchange.course_for(frames, like), exchange.pair_of(plan, frames, store, exact)
    courses = np.zeros((batch_size, len(course)), like.dtype)
    scratch, work, room = (_scratch(plan, like, wide), exchange.work_for(plan, frames, like, exact),
                           exchange.room_for(plan, frames, like, exact))
    for start in range(0, len(images), batch_size):
        batch, any_erring = min(batch_size, len(images) - start), False
        for b in range(batch):
            _forward(images[start + b], signals[b], states[b], courses[b], plan, windows, frames, const, store, pair, work,
                     scratch, wide)
            outputs = signals[b, plan.signal_at[-1]:]
            predictions[start + b] = np.argmax(outputs)
            errors[b] = 0
            erring[b] = _output_errors(outputs, labels[start + b], errors[b], plan, const)
            any_erring = any_erring or erring[b]
        if not any_erring:
            continue
        for layer in range(last, plan.frozen - 1, -1):
            if frames is not None and frames.number[layer] > 0:
                exchange.learn(signals, courses, errors, erring[:batch], plan, frames, layer, const, store, instincts, pair,
                               work, room, sums, wide)
                continue
            blocks, first = plan.blocks[layer], plan.lane_at[layer] * ROWS
            positions = plan.own[layer] * plan.tied[layer]
            lanes = positions * blocks * LANES
            for b in range(batch):
                if not erring[b]:
                    r[b, :lanes] = 0
                    reverse_states[b, :lanes * ROWS] = 0
                    continue
                circuit.reverse_gates(states[b, first:first + lanes * ROWS], gates, positions * blocks, plan.gate_rows, const)
                circuit.settle_positions(errors[b], gates, reverse_states[b], plan.reverse_rows, plan, layer, const, store,
                                         upsets.struck(store.upsets, batch - b, upsets.REVERSE, layer, plan.neurons[layer],
                                                       blocks))
                for n in range(lanes):
                    r[b, n] = reverse_states[b, (n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
                if layer > plan.frozen:
                    if windows is None:
                        links.reverse(r[b], store.weights, plan.weight_at[layer], plan.inputs[layer], lanes,
                                      plan.reverse_shift[layer], const, errors[b, :plan.blocks[layer - 1] * LANES], wide)
                    else:
                        taps.reverse_sums(r[b], plan, windows, layer, store, sums)
                        links.spread_errors(sums, plan, layer, const, errors[b])
            if instincts.links.trains[layer]:
                whole = True
                if windows is not None:
                    whole = windows.whole[layer] == 1
                    if not whole:
                        taps.update(signals, r, erring[:batch], plan, windows, layer, store, instincts.links, const, narrow,
                                    sums)
                if whole:
                    links.update(signals, r, erring[:batch], plan, layer, store, instincts.links, const, narrow)
            if instincts.bias.trains[layer]:
                change.update_bias(r, batch, plan, layer, store, instincts.bias, const, wide)
            change.update_coupling(states, reverse_states, batch, plan, layer, store.coupling, store.coupling_memory,
                                   instincts.K, const, wide)
