"""Compiled loops for networks whose first layer is recurrent; the same bits as ``golden_model.model``.

The layers behind it are those of ``golden_model.kernels``. The reciprocal links are held twice more, exactly, in a type whose
sums need no care (float64 for integers, as long as they stay below 2**53): [pre, post] and [post, pre], because each step
sends signals both ways. The reverse circuit is the forward circuit with these two exchanged, on the mirrored ring.
"""
from __future__ import annotations

import numpy as np

from golden_model import kernels, words
from golden_model.compiling import kernel
from golden_model.plan import LANES, PID, PROPORTIONAL, ROWS, SIGN
from golden_model.words import add_product, cast, clamp, item


@kernel
def _exchange(x, row, links, neurons, lanes, shift, const, values, total, wide, out):
    """out[n] = narrow(sum_m links[m, n] x[m]), what reciprocal links bring from element ``row`` of every neuron."""
    like = wide[0]
    for m in range(neurons):
        values[m] = x[(m // LANES * ROWS + row) * LANES + m % LANES]
    for at in range(0, lanes, LANES):
        for n in range(LANES):
            total[n] = 0
        m = 0
        while m + 4 <= neurons:
            add_product(total, 0, links, m * lanes + at, item(values, m))
            add_product(total, 0, links, (m + 1) * lanes + at, item(values, m + 1))
            add_product(total, 0, links, (m + 2) * lanes + at, item(values, m + 2))
            add_product(total, 0, links, (m + 3) * lanes + at, item(values, m + 3))
            m += 4
        while m < neurons:
            add_product(total, 0, links, m * lanes + at, item(values, m))
            m += 1
        for n in range(LANES):
            out[at + n] = words.error(cast(total[n], like), shift, const.drive_least, const.drive_high)


@kernel
def _half(s, x, to, gate, drive, gained, lost, row, rate, rows, blocks, const, coupling, rounding):
    """Half a step of all neurons: ``to`` from the state ``s`` at the point of evaluation ``x``."""
    e0, e1, e2, e3, e4 = const.rest
    high, low, scale = const.high, const.least, const.drive_scale
    l0, l1, l2, l3, l4 = low, low, low, low, low
    if gate is None:
        floor = const.floor
        l0, l1, l2 = cast(floor - e0, low), cast(floor - e1, low), cast(floor - e2, low)
        l3, l4 = cast(floor - e3, low), cast(floor - e4, low)
    for block in range(blocks):
        for lane in range(LANES):
            n = block * LANES + lane
            i0 = block * ROWS * LANES + lane
            i1, i2, i3, i4 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES, i0 + 4 * LANES
            x0, x1, x2, x3, x4 = x[i0], x[i1], x[i2], x[i3], x[i4]
            if gate is None:
                g0, g1, g2 = cast(e0 + x0, x0), cast(e1 + x1, x0), cast(e2 + x2, x0)
                g3, g4 = cast(e3 + x3, x0), cast(e4 + x4, x0)
            else:
                g0, g1, g2, g3, g4 = gate[i0], gate[i1], gate[i2], gate[i3], gate[i4]
            u, v = cast((drive[n] + gained[n]) * scale, scale), cast(lost[n] * scale, scale)
            b0, b1, b2, b3, b4 = kernels._bracket(x0, x1, x2, x3, x4, u, coupling, rows, n)
            zero = cast(0, v)
            b0, b1 = cast(b0 - (v if row == 0 else zero), v), cast(b1 - (v if row == 1 else zero), v)
            b2, b3 = cast(b2 - (v if row == 2 else zero), v), cast(b3 - (v if row == 3 else zero), v)
            b4 = cast(b4 - (v if row == 4 else zero), v)
            to[i0] = kernels._half(s[i0], x0, g0, b0, rate, l0, high, rounding)
            to[i1] = kernels._half(s[i1], x1, g1, b1, rate, l1, high, rounding)
            to[i2] = kernels._half(s[i2], x2, g2, b2, rate, l2, high, rounding)
            to[i3] = kernels._half(s[i3], x3, g3, b3, rate, l3, high, rounding)
            to[i4] = kernels._half(s[i4], x4, g4, b4, rate, l4, high, rounding)


@kernel
def step(s, to, gates, drive, row, links, back, rows, neurons, blocks, shift, const, coupling, rounding, scratch, wide):
    """One step from ``s`` to ``to``. Row 0 is driven over ``links`` from ``row``, which loses over ``back``.

    ``gates``: None, or those of the predictor and of the corrector.
    """
    gained, lost, values, total, predictor = scratch
    lanes = blocks * LANES
    first = None if gates is None else gates[0]
    second = None if gates is None else gates[1]
    _exchange(s, row, links, neurons, lanes, shift, const, values, total, wide, gained)
    _exchange(s, 0, back, neurons, lanes, shift, const, values, total, wide, lost)
    _half(s, s, predictor, first, drive, gained, lost, row, const.predictor, rows, blocks, const, coupling, rounding)
    _exchange(predictor, row, links, neurons, lanes, shift, const, values, total, wide, gained)
    _exchange(predictor, 0, back, neurons, lanes, shift, const, values, total, wide, lost)
    _half(s, predictor, to, second, drive, gained, lost, row, const.corrector, rows, blocks, const, coupling, rounding)


@kernel
def scratch_of(lanes, like, exact):
    """Work space of ``step``: what links bring and take, signals, sums, the predictor."""
    return (np.zeros(lanes, like.dtype), np.zeros(lanes, like.dtype), np.zeros(lanes, exact.dtype),
            np.zeros(LANES, exact.dtype), np.zeros(lanes * ROWS, like.dtype))


@kernel
def _exact_links(weights, inputs, neurons, lanes, exact):
    """The reciprocal links of the first layer [pre, post] and [post, pre], flat, exactly."""
    links, back = np.zeros(neurons * lanes, exact.dtype), np.zeros(neurons * lanes, exact.dtype)
    for m in range(neurons):
        for n in range(neurons):
            links[m * lanes + n] = back[n * lanes + m] = weights[(inputs + m) * lanes + n]
    return links, back


@kernel
def _first_layer(image, course, plan, frames, const, store, links, back, scratch, sums, wide):
    """Run the recurrent layer through all frames of an image (bytes); ``course[t]`` is its state before step t."""
    blocks, neurons = plan.blocks[0], plan.neurons[0]
    lanes, inputs = blocks * LANES, plan.inputs[0] - neurons
    narrow, total, drives, active, x = sums
    course[0] = 0
    t = 0
    for frame in range(frames.number):
        for m in range(inputs):
            x[m] = const.decode[image[frame * inputs + m]]
        kernels.link_sums(x, store.weights, 0, inputs, lanes, plan.chunk[0], narrow, total, active)
        for n in range(lanes):
            drives[n] = words.drive(total[n], store.bias[n], plan.link_shift[0], const.drive_least, const.drive_high)
        for _ in range(frames.steps):
            step(course[t], course[t + 1], None, drives, plan.output_row, links, back, plan.forward_rows, neurons, blocks,
                 frames.exchange_shift, const, store.coupling, store.rounding, scratch, wide)
            t += 1


@kernel
def _forward_image(image, signals, states, course, plan, frames, const, store, links, back, scratch, sums, wide):
    """All layers for one image; leaves the course of the first, and signals and states of the others."""
    narrow, total, drives, active, _ = sums
    _first_layer(image, course, plan, frames, const, store, links, back, scratch, sums, wide)
    states[:plan.blocks[0] * LANES * ROWS] = course[len(course) - 1]
    for layer in range(len(plan.inputs)):
        lanes, unit_at = plan.blocks[layer] * LANES, plan.unit_at[layer]
        state = states[unit_at * ROWS:(unit_at + lanes) * ROWS]
        if layer > 0:
            kernels.link_sums(signals[plan.signal_at[layer]:], store.weights, plan.weight_at[layer], plan.inputs[layer], lanes,
                              plan.chunk[layer], narrow, total, active)
            for n in range(lanes):
                drives[n] = words.drive(total[n], store.bias[unit_at + n], plan.link_shift[layer], const.drive_least,
                                        const.drive_high)
            kernels.settle(drives, None, state, plan.forward_rows, plan.steps, plan.blocks[layer], unit_at, const,
                           store.coupling, store.rounding)
        to = plan.signal_at[layer + 1]
        for n in range(plan.neurons[layer]):
            signals[to + n] = state[(n // LANES * ROWS + plan.output_row) * LANES + n % LANES]


@kernel
def _sums(plan, store, outputs, wide):
    units, most = len(store.bias), max(max(plan.inputs), plan.signal_at[1]) + 1
    return (np.empty(units, outputs.dtype), np.empty(units, wide.dtype), np.zeros(units, outputs.dtype),
            np.empty(most, np.int64), np.empty(most, outputs.dtype))


@kernel
def infer(images, outputs, wide, exact, plan, frames, const, store):
    """Outputs (images, classes) of bytes (images, inputs). ``exact``: any array of the type of exact sums of signals."""
    lanes = plan.blocks[0] * LANES
    signals = np.empty(plan.signal_at[-1] + plan.neurons[-1], outputs.dtype)
    states = np.empty(len(store.bias) * ROWS, outputs.dtype)
    course = np.empty((frames.number * frames.steps + 1, lanes * ROWS), outputs.dtype)
    links, back = _exact_links(store.weights, plan.inputs[0] - plan.neurons[0], plan.neurons[0], lanes, exact)
    scratch, sums = scratch_of(lanes, outputs, exact), _sums(plan, store, outputs, wide)
    for image in range(len(images)):
        _forward_image(images[image], signals, states, course, plan, frames, const, store, links, back, scratch, sums, wide)
        outputs[image] = signals[plan.signal_at[-1]:]


@kernel
def _reverse_first(course, errors, plan, frames, const, store, links, back, scratch, gates, r, driven, entered, wide):
    """Run the recurrent layer backwards; of the instant after step t ``driven[t]`` is r_a, ``entered[t]`` r_b."""
    blocks, neurons, like = plan.blocks[0], plan.neurons[0], wide[0]
    lanes, last = blocks * LANES, len(course) - 1
    after, before = gates
    now, then = r
    kernels.reverse_gates(course[last], after, blocks, plan.gate_rows, const)
    now[:] = 0
    for n in range(lanes):
        place = n // LANES * ROWS * LANES + n % LANES
        now[place] = words.error(cast(after[place], like) * errors[n], frames.kick_shift, const.least, const.high)
    silent = np.zeros(lanes, errors.dtype)
    for t in range(last - 1, -1, -1):
        for n in range(lanes):
            place = n // LANES * ROWS * LANES + n % LANES
            entered[t * lanes + n] = now[place]
            driven[t * lanes + n] = now[place + plan.output_row * LANES]
        if t == 0:
            return
        kernels.reverse_gates(course[t], before, blocks, plan.gate_rows, const)
        step(now, then, (after, before), silent, plan.output_row, back, links, plan.reverse_rows, neurons, blocks,
             frames.exchange_shift, const, store.coupling, store.rounding, scratch, wide)
        now, then = then, now
        after, before = before, after


@kernel
def _add_products(image, course, plan, frames, const, driven, entered, signals_of, products, of_bias, heard_inputs, exact):
    """Add the local products of one image: of input links, of reciprocal links, of biases."""
    lanes, neurons = plan.blocks[0] * LANES, plan.neurons[0]
    inputs, instants = plan.inputs[0] - neurons, frames.number * frames.steps
    given, taken, minus = signals_of
    of_frame = np.zeros(lanes, exact.dtype)
    for frame in range(frames.number):
        of_frame[:] = 0
        for t in range(frame * frames.steps, (frame + 1) * frames.steps):
            for n in range(lanes):
                of_frame[n] += driven[t * lanes + n]
        for n in range(lanes):
            of_bias[n] += of_frame[n]
        for m in range(inputs):
            x = const.decode[image[frame * inputs + m]]
            if x != 0:
                heard_inputs[m] = True
                for at in range(0, lanes, LANES):
                    add_product(products, m * lanes + at, of_frame, at, x)
    for t in range(instants):
        for n in range(lanes):
            place = n // LANES * ROWS * LANES + n % LANES
            taken[t * lanes + n] = course[t, place]
            given[n * instants + t] = course[t, place + plan.output_row * LANES]
            minus[n * instants + t] = -entered[t * lanes + n]
    for m in range(neurons):
        for at in range(0, lanes, LANES):
            place = (inputs + m) * lanes + at
            for t in range(instants):
                add_product(products, place, driven, t * lanes + at, item(given, m * instants + t))
                add_product(products, place, taken, t * lanes + at, item(minus, m * instants + t))


@kernel
def _update_first(products, of_bias, heard_inputs, plan, store, links, back, instincts, const, wide):
    """Links and biases of the recurrent layer learn from their exact sums."""
    lanes, neurons, like, instinct = plan.blocks[0] * LANES, plan.neurons[0], wide[0], instincts.links
    inputs = plan.inputs[0] - neurons
    least, high, step_ = cast(const.weight_least, like), cast(const.weight_high, like), cast(instinct.step[0], like)
    exact = np.zeros(lanes, wide.dtype)
    if instinct.trains[0]:
        for m in range(inputs + neurons):
            if m < inputs and not heard_inputs[m]:
                continue
            at = m * lanes
            row = store.weights[at:at + lanes]
            for n in range(lanes):
                exact[n] = cast(products[at + n], like)
            if instinct.kind == PROPORTIONAL:
                kernels.change_row(row, exact, cast(1, like), instinct.rate[0], least, high)
            elif instinct.kind == SIGN:
                kernels.sign_row(row, exact, step_, least, high)
            else:
                kernels.pid_row(row, exact, store.links_memory[0, at:at + lanes], store.links_memory[1, at:at + lanes],
                                instinct.gains[0], instinct.product_shift[0], instinct.leak, instinct.limits,
                                instinct.rate[0], least, high)
            if m >= inputs:
                for n in range(neurons):
                    links[(m - inputs) * lanes + n] = back[n * lanes + m - inputs] = row[n]
    if instincts.bias.trains[0]:
        for n in range(neurons):
            memory = store.bias_memory[:, n] if instincts.bias.kind == PID else wide
            new = kernels.changed(cast(store.bias[n], like), cast(of_bias[n], like), memory, instincts.bias, 1)
            if clamp(new, const.drive_least, const.drive_high) == new:
                store.bias[n] = new


@kernel
def learn(images, labels, predictions, outputs, wide, exact, batch_size, plan, frames, const, store, instincts):
    """Learn images in order, updating after every ``batch_size``; see ``kernels.learn``."""
    units, last, first = len(store.bias), len(plan.inputs) - 1, plan.blocks[0] * LANES
    instants, neurons = frames.number * frames.steps, plan.neurons[0]
    signals = np.zeros((batch_size, plan.signal_at[-1] + plan.neurons[-1]), outputs.dtype)
    states, reverse_state = np.zeros((batch_size, units * ROWS), outputs.dtype), np.zeros(units * ROWS, outputs.dtype)
    courses = np.zeros((batch_size, instants + 1, first * ROWS), outputs.dtype)
    errors, r = np.zeros((batch_size, units), outputs.dtype), np.zeros((batch_size, units), outputs.dtype)
    gates, narrow_sums = np.zeros(units * ROWS, outputs.dtype), np.zeros(units, outputs.dtype)
    heard, heard_inputs = np.zeros(batch_size, np.bool_), np.zeros(plan.inputs[0], np.bool_)
    links, back = _exact_links(store.weights, plan.inputs[0] - neurons, neurons, first, exact)
    scratch, sums = scratch_of(first, outputs, exact), _sums(plan, store, outputs, wide)
    pair = (np.zeros(first * ROWS, outputs.dtype), np.zeros(first * ROWS, outputs.dtype))
    circuit = (np.zeros(first * ROWS, outputs.dtype), np.zeros(first * ROWS, outputs.dtype))
    driven, entered = np.zeros(instants * first, exact.dtype), np.zeros(instants * first, exact.dtype)
    signals_of = (np.zeros(instants * first, exact.dtype), np.zeros(instants * first, exact.dtype),
                  np.zeros(instants * first, exact.dtype))
    products, of_bias = np.zeros(plan.inputs[0] * first, exact.dtype), np.zeros(first, exact.dtype)
    for start in range(0, len(images), batch_size):
        batch = min(batch_size, len(images) - start)
        any_heard = False
        for b in range(batch):
            _forward_image(images[start + b], signals[b], states[b], courses[b], plan, frames, const, store, links, back,
                           scratch, sums, wide)
            found = signals[b, plan.signal_at[-1]:]
            predictions[start + b] = np.argmax(found)
            errors[b] = 0
            heard[b] = kernels.output_errors(found, labels[start + b], errors[b], const)
            any_heard = any_heard or heard[b]
        if not any_heard:
            continue
        for layer in range(last, max(plan.frozen, 1) - 1, -1):
            lanes, unit_at, blocks = plan.blocks[layer] * LANES, plan.unit_at[layer], plan.blocks[layer]
            weight_at, at = plan.weight_at[layer], plan.signal_at[layer]
            for b in range(batch):
                if not heard[b]:
                    r[b, :lanes] = 0
                    continue
                kernels.reverse_gates(states[b, unit_at * ROWS:(unit_at + lanes) * ROWS], gates, blocks, plan.gate_rows, const)
                kernels.settle(errors[b], gates, reverse_state, plan.reverse_rows, plan.steps, blocks, unit_at, const,
                               store.coupling, store.rounding)
                for n in range(lanes):
                    r[b, n] = reverse_state[(n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
                if layer > plan.frozen:
                    kernels.reverse_links(r[b], store.weights, weight_at, plan.inputs[layer], lanes, plan.reverse_shift, const,
                                          errors[b, :plan.blocks[layer - 1] * LANES], wide)
            if instincts.links.trains[layer]:
                kernels.update_links(signals, r, heard[:batch], at, plan.inputs[layer], lanes, store, weight_at, layer,
                                     instincts.links, const, narrow_sums)
            if instincts.bias.trains[0]:
                kernels.update_bias(r, batch, unit_at, plan.neurons[layer], store, instincts.bias, const, wide)
        if plan.frozen:
            continue
        products[:] = 0
        of_bias[:] = 0
        heard_inputs[:] = False
        for b in range(batch):
            if heard[b]:
                _reverse_first(courses[b], errors[b], plan, frames, const, store, links, back, scratch, pair, circuit, driven,
                               entered, wide)
                _add_products(images[start + b], courses[b], plan, frames, const, driven, entered, signals_of, products,
                              of_bias, heard_inputs, exact)
        _update_first(products, of_bias, heard_inputs, plan, store, links, back, instincts, const, wide)
