"""Reciprocal links: recurrent layers through all frames and back, and how they learn.

The links between the neurons of a layer are held twice more, exactly, in a type whose sums need no care (float64 for integers,
as long as they stay below 2**53): [pre, post] and [post, pre], because each step sends signals both ways. The reverse circuit
is the forward circuit with these two exchanged, on the mirrored ring.

A course is the state of a layer before each step and after the last: course[t * words] is the first word before step t.
"""
from __future__ import annotations

import numpy as np

from golden_model.compiling import kernel
from golden_model.kernels import change, circuit, links, words
from golden_model.kernels.plan import LANES, PID, PROPORTIONAL, ROWS
from golden_model.kernels.words import add_product, cast, item
from golden_model.robustness import upsets


@kernel
def _exchange(x, row, links, neurons, lanes, shift, const, values, total, wide, out):
    """out[n] = narrow(sum_m links[m, n] x[m]), what reciprocal links bring from population ``row`` of each neuron."""
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
def _half(s, x, to, gate, drive, gained, lost, row, rate, rows, blocks, unit_at, const, coupling,
          rounding):
    """Half a step of all neurons: ``to`` from the state ``s`` at the point of evaluation ``x``."""
    e0, e1, e2, e3, e4 = const.rest
    high, low, scale, first = const.high, const.least, const.drive_scale, np.uint64(unit_at)      # unsigned: never from the end
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
            b0, b1, b2, b3, b4 = circuit.bracket(x0, x1, x2, x3, x4, u, coupling, rows, first + np.uint64(n))
            zero = cast(0, v)
            b0, b1 = cast(b0 - (v if row == 0 else zero), v), cast(b1 - (v if row == 1 else zero), v)
            b2, b3 = cast(b2 - (v if row == 2 else zero), v), cast(b3 - (v if row == 3 else zero), v)
            b4 = cast(b4 - (v if row == 4 else zero), v)
            to[i0] = circuit.half(s[i0], x0, g0, b0, rate, l0, high, rounding)
            to[i1] = circuit.half(s[i1], x1, g1, b1, rate, l1, high, rounding)
            to[i2] = circuit.half(s[i2], x2, g2, b2, rate, l2, high, rounding)
            to[i3] = circuit.half(s[i3], x3, g3, b3, rate, l3, high, rounding)
            to[i4] = circuit.half(s[i4], x4, g4, b4, rate, l4, high, rounding)


@kernel
def _step(s, to, gates, drive, row, there, back, rows, neurons, blocks, unit_at, shift, const, coupling, rounding, work, wide):
    """One step from ``s`` to ``to``. Row 0 is driven over the links ``there`` from ``row``, which loses over ``back``.

    ``gates``: None, or those of the predictor and of the corrector.
    """
    gained, lost, values, total, predictor = work
    lanes = blocks * LANES
    first = None if gates is None else gates[0]
    second = None if gates is None else gates[1]
    _exchange(s, row, there, neurons, lanes, shift, const, values, total, wide, gained)
    _exchange(s, 0, back, neurons, lanes, shift, const, values, total, wide, lost)
    _half(s, s, predictor, first, drive, gained, lost, row, const.predictor, rows, blocks, unit_at, const, coupling, rounding)
    _exchange(predictor, row, there, neurons, lanes, shift, const, values, total, wide, gained)
    _exchange(predictor, 0, back, neurons, lanes, shift, const, values, total, wide, lost)
    _half(s, predictor, to, second, drive, gained, lost, row, const.corrector, rows, blocks, unit_at, const, coupling,
          rounding)


@kernel
def _struck(state, step, hit, blocks, forward, const):
    """``state`` before a step, struck by upsets; no population of a recurrent layer falls below the floor."""
    if hit is None:
        return
    low, floor = const.least, const.floor
    e0, e1, e2, e3, e4 = const.rest
    l0, l1, l2, l3, l4 = low, low, low, low, low
    if forward:
        l0, l1, l2 = cast(floor - e0, low), cast(floor - e1, low), cast(floor - e2, low)
        l3, l4 = cast(floor - e3, low), cast(floor - e4, low)
    for block in range(blocks):
        upsets.strike(state, block * ROWS * LANES, block, step, hit, (l0, l1, l2, l3, l4), const.high)


@kernel
def work_for(plan, frames, like, exact):
    """Work space of a step: what links bring and take, signals, sums, the predictor. None without recurrent layers.

    Shapes: (lanes,) thrice, (LANES,), (lanes * ROWS,).
    """
    if frames is None:
        return None
    lanes = max(plan.blocks) * LANES
    return (np.zeros(lanes, like.dtype), np.zeros(lanes, like.dtype), np.zeros(lanes, exact.dtype),
            np.zeros(LANES, exact.dtype), np.zeros(lanes * ROWS, like.dtype))


@kernel
def course_for(frames, like):
    """Room for the courses of all recurrent layers and one image. Its shape is (words,)."""
    return np.zeros(0 if frames is None else frames.course_at[-1], like.dtype)


@kernel
def pair_of(plan, frames, store, exact):
    """The reciprocal links of all layers, exactly: [pre, post] and [post, pre]. None without recurrent layers.

    Each (links,).
    """
    if frames is None:
        return None
    there, back = np.zeros(frames.pair_at[-1], exact.dtype), np.zeros(frames.pair_at[-1], exact.dtype)
    for layer in range(len(plan.inputs)):
        if frames.number[layer] > 0:
            neurons, lanes, at = plan.neurons[layer], plan.blocks[layer] * LANES, frames.pair_at[layer]
            for m in range(neurons):
                row = plan.weight_at[layer] + (plan.inputs[layer] - neurons + m) * lanes
                _copy_row(there, back, at, store.weights, row, neurons, lanes, m)
    return there, back


@kernel
def _copy_row(there, back, at, weights, row, neurons, lanes, m):
    """The links from neuron ``m``, from ``row`` of the weights on, into both copies of its layer, which begin at ``at``."""
    for n in range(neurons):
        there[at + m * lanes + n] = back[at + n * lanes + m] = weights[row + n]


@kernel
def run(signals, course, plan, frames, layer, const, store, pair, work, scratch, wide, hit):
    """A recurrent layer from rest through all frames; leaves its ``course`` and what it says after the frames it passes on.

    ``signals`` (inputs,), ``course`` (words,).
    """
    narrow, total, drives, active, _ = scratch
    blocks, neurons, unit_at = plan.blocks[layer], plan.neurons[layer], plan.unit_at[layer]
    lanes, inputs, size = blocks * LANES, plan.inputs[layer] - neurons, blocks * LANES * ROWS
    coupling, rounding = store.coupling, store.rounding
    there, back = pair
    there, back = there[frames.pair_at[layer]:], back[frames.pair_at[layer]:]
    for n in range(size):
        course[n] = 0
    t = 0
    for frame in range(frames.number[layer]):
        links.sums(signals[plan.signal_at[layer] + frame * inputs:], store.weights, plan.weight_at[layer], inputs, lanes,
                   plan.chunk[layer], narrow, total, active)
        for n in range(lanes):
            drives[n] = words.drive(total[n], store.bias[unit_at + n], plan.link_shift[layer], const.drive_least,
                                    const.drive_high)
        for _ in range(frames.steps[layer]):
            now, then = course[t * size:(t + 1) * size], course[(t + 1) * size:(t + 2) * size]
            _struck(now, t, hit, blocks, True, const)
            _step(now, then, None, drives, plan.output_row, there, back, plan.forward_rows, neurons, blocks, unit_at,
                  frames.exchange_shift, const, coupling, rounding, work, wide)
            t += 1
    to, first = plan.signal_at[layer + 1], frames.number[layer] - plan.emissions[layer] + 1
    for frame in range(first, frames.number[layer] + 1):
        after = course[frame * frames.steps[layer] * size:]
        for n in range(neurons):
            signals[to] = after[(n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
            to += 1


@kernel
def room_for(plan, frames, like, exact):
    """What learning of recurrent layers needs besides: circuits and gates, signals of every step, sums of products.

    Circuits (lanes * ROWS,), signals (instants * lanes,), sums (inputs * lanes,).
    """
    if frames is None:
        return None
    lanes, most, instants, number = max(plan.blocks) * LANES, max(plan.inputs), 0, 0
    for layer in range(len(plan.inputs)):
        instants, number = max(instants, frames.number[layer] * frames.steps[layer]), max(number, frames.number[layer])
    circuits = (np.zeros(lanes * ROWS, like.dtype), np.zeros(lanes * ROWS, like.dtype), np.zeros(lanes * ROWS, like.dtype),
                np.zeros(lanes * ROWS, like.dtype), np.zeros(lanes, like.dtype))
    signals = (np.zeros(instants * lanes, exact.dtype), np.zeros(instants * lanes, exact.dtype),
               np.zeros(instants * lanes, exact.dtype), np.zeros(instants * lanes, exact.dtype),
               np.zeros(instants * lanes, exact.dtype), np.zeros(number * lanes, exact.dtype))
    sums = np.zeros(most * lanes, exact.dtype), np.zeros(lanes, exact.dtype), np.zeros(most, np.bool_)
    return circuits, signals, sums


@kernel
def _reverse(course, errors, plan, frames, layer, const, store, pair, work, room, wide, hit):
    """A recurrent layer backwards; of the instant after step t ``driven[t]`` is r_a, ``entered[t]`` r_b."""
    there, back = pair
    there, back = there[frames.pair_at[layer]:], back[frames.pair_at[layer]:]
    neurons, unit_at, coupling, rounding = plan.neurons[layer], plan.unit_at[layer], store.coupling, store.rounding
    circuits, of_steps, _ = room
    after, before, now, then, silent = circuits
    driven, entered, _, _, _, of_frames = of_steps
    blocks, like, steps = plan.blocks[layer], wide[0], frames.steps[layer]
    lanes, size, last = blocks * LANES, blocks * LANES * ROWS, frames.number[layer] * frames.steps[layer]
    circuit.reverse_gates(course[last * size:], after, blocks, plan.gate_rows, const)
    for n in range(size):
        now[n] = 0
    emitted = frames.number[layer] - plan.emissions[layer]
    for n in range(frames.number[layer] * lanes):
        of_frames[n] = 0
    for t in range(last - 1, -1, -1):
        frame = t // steps - emitted
        if (t + 1) % steps == 0 and frame >= 0:
            for n in range(lanes):
                place = n // LANES * ROWS * LANES + n % LANES
                now[place] = words.kick(now[place], cast(after[place], like) * errors[frame * lanes + n], frames.kick_shift,
                                        const.least, const.high)
        _struck(now, last - 1 - t, hit, blocks, False, const)
        frame = t // steps * lanes
        for n in range(lanes):
            place = n // LANES * ROWS * LANES + n % LANES
            entered[t * lanes + n] = now[place]
            driven[t * lanes + n] = now[place + plan.output_row * LANES]
            of_frames[frame + n] += driven[t * lanes + n]
        if t == 0:
            return
        circuit.reverse_gates(course[t * size:], before, blocks, plan.gate_rows, const)
        _step(now, then, (after, before), silent, plan.output_row, back, there, plan.reverse_rows, neurons, blocks, unit_at,
              frames.exchange_shift, const, coupling, rounding, work, wide)
        now, then = then, now
        after, before = before, after


@kernel
def _reverse_sums(of_frames, plan, frames, layer, store, sums):
    """sums[f M + m]: what comes back to each input over the steps of its frame, as an integral over time."""
    neurons, lanes, like = plan.neurons[layer], plan.blocks[layer] * LANES, sums[0]
    inputs = plan.inputs[layer] - neurons
    for frame in range(frames.number[layer]):
        for m in range(inputs):
            row = plan.weight_at[layer] + m * lanes
            total = cast(0, like)
            for n in range(neurons):
                total += cast(store.weights[row + n], like) * cast(of_frames[frame * lanes + n], like)
            sums[frame * inputs + m] = total * frames.hold


@kernel
def _add_products(signals, course, plan, frames, layer, room):
    """Add the local products of one image: of input links, of reciprocal links, of biases."""
    _, of_steps, of_images = room
    driven, entered, options, taken, minus, of_frames = of_steps
    products, of_bias, heard = of_images
    lanes, neurons = plan.blocks[layer] * LANES, plan.neurons[layer]
    inputs, instants, size = plan.inputs[layer] - neurons, frames.number[layer] * frames.steps[layer], lanes * ROWS
    for frame in range(frames.number[layer]):
        for n in range(lanes):
            of_bias[n] += of_frames[frame * lanes + n]
        for m in range(inputs):
            x = signals[plan.signal_at[layer] + frame * inputs + m]
            if x != 0:
                heard[m] = True
                for at in range(0, lanes, LANES):
                    add_product(products, m * lanes + at, of_frames, frame * lanes + at, x)
    for t in range(instants):
        for n in range(lanes):
            place = t * size + n // LANES * ROWS * LANES + n % LANES
            taken[t * lanes + n] = course[place]
            options[n * instants + t] = course[place + plan.output_row * LANES]
            minus[n * instants + t] = -entered[t * lanes + n]
    for m in range(neurons):
        for at in range(0, lanes, LANES):
            place = (inputs + m) * lanes + at
            for t in range(instants):
                add_product(products, place, driven, t * lanes + at, item(options, m * instants + t))
                add_product(products, place, taken, t * lanes + at, item(minus, m * instants + t))


@kernel
def _update(plan, frames, layer, const, store, instincts, pair, room, products):
    """Links and biases of a recurrent layer learn from their exact sums."""
    _, _, of_images = room
    exact, of_bias, heard = of_images
    lanes, neurons, like = plan.blocks[layer] * LANES, plan.neurons[layer], products[0]
    inputs, weights, instinct, rate = plan.inputs[layer] - neurons, store.weights, instincts.links, instincts.links.rate[layer]
    there, back = pair
    pair_at, weight_at, sums = frames.pair_at[layer], plan.weight_at[layer], products[:lanes]
    least, high = cast(const.weight_least, like), cast(const.weight_high, like)
    if instinct.trains[layer]:
        for m in range(inputs + neurons):
            if m < inputs and not heard[m]:
                continue
            at = weight_at + m * lanes
            for n in range(lanes):
                sums[n] = cast(exact[m * lanes + n], like)
            if instinct.kind == PROPORTIONAL:
                change.change_row(weights[at:at + lanes], sums, cast(1, like), rate, least, high)
            else:
                change.learn_row(store, at, sums, instinct, layer, const)
            if m >= inputs:
                _copy_row(there, back, pair_at, weights, at, neurons, lanes, m - inputs)
    if instincts.bias.trains[layer]:
        memory, unit_at = store.bias_memory, plan.unit_at[layer]
        for n in range(neurons):
            change.learn_bias(store.bias, unit_at + n, cast(of_bias[n], like),
                              memory[:, unit_at + n] if instincts.bias.kind == PID else products, instincts.bias, layer,
                              const.drive_least, const.drive_high)


@kernel
def learn(signals, courses, errors, erring, plan, frames, layer, const, store, instincts, pair, work, room, sums, wide):
    """A recurrent layer back and one update of it; leaves in ``errors`` those of the layer before, if that one is trained.

    ``signals`` (images, inputs), ``courses`` (images, words), ``errors`` (images, lanes), ``erring`` (images,).
    """
    _, of_steps, of_images = room
    _, _, _, _, _, of_frames = of_steps
    products, of_bias, heard = of_images
    lanes, batch = plan.blocks[layer] * LANES, len(erring)
    for n in range(plan.inputs[layer] * lanes):
        products[n] = 0
    for n in range(lanes):
        of_bias[n] = 0
    for m in range(plan.inputs[layer]):
        heard[m] = False
    for image in range(batch):
        if erring[image]:
            course = courses[image, frames.course_at[layer]:frames.course_at[layer + 1]]
            _reverse(course, errors[image], plan, frames, layer, const, store, pair, work, room, wide,
                     upsets.struck(store.upsets, batch - image, upsets.REVERSE, layer, plan.neurons[layer],
                                   plan.blocks[layer]))
            _add_products(signals[image], course, plan, frames, layer, room)
            if layer > plan.frozen:
                _reverse_sums(of_frames, plan, frames, layer, store, sums)
                links.spread_errors(sums, plan, layer, const, errors[image])
    _update(plan, frames, layer, const, store, instincts, pair, room, sums)
