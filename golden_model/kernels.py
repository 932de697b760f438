"""Compiled loops of the engine: settling, links, learning, for integers of 32 or 64 bits and for reals alike.

Layout. Neurons come in blocks of ``LANES``, one vector register or two, padded with silent ones. The state of a layer is
[block, element, lane], so that a step of a block stays in the innermost cache. Weights are [input, neuron]: an input
that is zero is a row that is never touched. The element that is driven is always row 0: the ring is relabelled by
rotation for the forward circuit and by rotation and reflection for the reverse circuit (``rows``), which are therefore
one and the same function.
"""
from __future__ import annotations

import numpy as np
from numba import njit

from golden_model import words
from golden_model.compiling import kernel
from golden_model.plan import LANES, PID, PROPORTIONAL, ROWS, SIGN
from golden_model.robustness import upsets
from golden_model.words import cast, clamp


@njit(forceinline=True)
def _bracket(x0, x1, x2, x3, x4, drive, coupling, rows, unit):
    """The five brackets, exact, scaled like the products K x (by adders: twice the bracket)."""
    if coupling is None:
        return (cast(x4 - x1 + x2 - x3 - x0 - x0 + drive, drive), cast(x0 - x2 + x3 - x4 - x1 - x1, drive),
                cast(x1 - x3 + x4 - x0 - x2 - x2, drive), cast(x2 - x4 + x0 - x1 - x3 - x3, drive),
                cast(x3 - x0 + x1 - x2 - x4 - x4, drive))
    g, o, k = rows
    g0, g1, g2, g3, g4 = (coupling[0, g[0], unit], coupling[0, g[1], unit], coupling[0, g[2], unit],
                          coupling[0, g[3], unit], coupling[0, g[4], unit])
    o0, o1, o2, o3, o4 = (coupling[1, o[0], unit], coupling[1, o[1], unit], coupling[1, o[2], unit],
                          coupling[1, o[3], unit], coupling[1, o[4], unit])
    return (cast(g0 * x4 - g1 * x1 + o0 * x2 - o3 * x3 - coupling[2, k[0], unit] * x0 + drive, drive),
            cast(g1 * x0 - g2 * x2 + o1 * x3 - o4 * x4 - coupling[2, k[1], unit] * x1, drive),
            cast(g2 * x1 - g3 * x3 + o2 * x4 - o0 * x0 - coupling[2, k[2], unit] * x2, drive),
            cast(g3 * x2 - g4 * x4 + o3 * x0 - o1 * x1 - coupling[2, k[3], unit] * x3, drive),
            cast(g4 * x3 - g0 * x0 + o4 * x1 - o2 * x2 - coupling[2, k[4], unit] * x4, drive))


@njit(forceinline=True)
def _half(s, x, gate, b, rate, low, high, rounding):
    return words.half_step(s, x, gate, words.rounded(b, rounding), rate, low, high)


@kernel
def settle(drive, gate, state, rows, steps, blocks, unit_at, const, coupling, rounding, hit=None):
    """Improved Euler from rest for one layer, in place in ``state`` [block, row, lane].

    ``gate`` None: the forward circuit, gated by its own populations; else gates laid out like ``state``. ``hit``: None, or
    what of ``golden_model.robustness.upsets`` strikes words before each step.
    """
    e0, e1, e2, e3, e4 = const.rest
    high, low, p, c, scale = const.high, const.least, const.predictor, const.corrector, const.drive_scale
    l0, l1, l2, l3, l4 = low, low, low, low, low
    if gate is None:
        l0, l1, l2, l3, l4 = cast(-e0, low), cast(-e1, low), cast(-e2, low), cast(-e3, low), cast(-e4, low)
    for block in range(blocks):
        at = block * ROWS * LANES
        for lane in range(ROWS * LANES):
            state[at + lane] = 0
        for step in range(steps):
            if hit is not None:
                upsets.strike(state, at, block, step, hit, (l0, l1, l2, l3, l4), high)
            for lane in range(LANES):
                i0 = at + lane
                i1, i2, i3, i4 = i0 + LANES, i0 + 2 * LANES, i0 + 3 * LANES, i0 + 4 * LANES
                unit = unit_at + block * LANES + lane
                u = cast(drive[block * LANES + lane] * scale, scale)
                s0, s1, s2, s3, s4 = state[i0], state[i1], state[i2], state[i3], state[i4]
                if gate is None:
                    g0, g1, g2 = cast(e0 + s0, s0), cast(e1 + s1, s0), cast(e2 + s2, s0)
                    g3, g4 = cast(e3 + s3, s0), cast(e4 + s4, s0)
                else:
                    g0, g1, g2, g3, g4 = gate[i0], gate[i1], gate[i2], gate[i3], gate[i4]
                b0, b1, b2, b3, b4 = _bracket(s0, s1, s2, s3, s4, u, coupling, rows, unit)
                w0 = _half(s0, s0, g0, b0, p, l0, high, rounding)
                w1 = _half(s1, s1, g1, b1, p, l1, high, rounding)
                w2 = _half(s2, s2, g2, b2, p, l2, high, rounding)
                w3 = _half(s3, s3, g3, b3, p, l3, high, rounding)
                w4 = _half(s4, s4, g4, b4, p, l4, high, rounding)
                if gate is None:
                    g0, g1, g2 = cast(e0 + w0, s0), cast(e1 + w1, s0), cast(e2 + w2, s0)
                    g3, g4 = cast(e3 + w3, s0), cast(e4 + w4, s0)
                b0, b1, b2, b3, b4 = _bracket(w0, w1, w2, w3, w4, u, coupling, rows, unit)
                state[i0] = _half(s0, w0, g0, b0, c, l0, high, rounding)
                state[i1] = _half(s1, w1, g1, b1, c, l1, high, rounding)
                state[i2] = _half(s2, w2, g2, b2, c, l2, high, rounding)
                state[i3] = _half(s3, w3, g3, b3, c, l3, high, rounding)
                state[i4] = _half(s4, w4, g4, b4, c, l4, high, rounding)


@kernel
def reverse_gates(state, gates, blocks, gate_rows, const):
    """Settled populations in mirrored order; the floor where extinct or at the upper limit."""
    floor, high = const.floor, const.high
    for row in range(ROWS):
        source = gate_rows[row]
        rest = const.rest[source]
        for block in range(blocks):
            to, at = (block * ROWS + row) * LANES, (block * ROWS + source) * LANES
            for lane in range(LANES):
                s = state[at + lane]
                population = cast(rest + s, s)
                gates[to + lane] = floor if s >= high or population < floor else population


@kernel
def link_sums(x, weights, weight_at, inputs, lanes, chunk, narrow, total, active):
    """total[n] = sum_m C[n, m] x[m], exact, over the inputs that are not zero, four rows at a time.

    ``narrow`` accumulates up to ``chunk`` rows in the width of the signals, ``total`` adds the chunks.
    """
    links = weights[weight_at:weight_at + inputs * lanes].reshape((inputs, lanes))
    count = 0
    for m in range(inputs):
        active[count] = m
        count += x[m] != 0
    for n in range(lanes):
        total[n] = 0
    start = 0
    while start < count:
        end = min(start + chunk, count)
        for n in range(lanes):
            narrow[n] = 0
        i = start
        while i + 4 <= end:
            m0, m1, m2, m3 = active[i], active[i + 1], active[i + 2], active[i + 3]
            x0, x1, x2, x3 = x[m0], x[m1], x[m2], x[m3]
            row0, row1, row2, row3 = links[m0], links[m1], links[m2], links[m3]
            for n in range(lanes):
                narrow[n] = cast(narrow[n] + x0 * row0[n] + x1 * row1[n] + x2 * row2[n] + x3 * row3[n], x0)
            i += 4
        while i < end:
            x0, row0 = x[active[i]], links[active[i]]
            for n in range(lanes):
                narrow[n] = cast(narrow[n] + x0 * row0[n], x0)
            i += 1
        for n in range(lanes):
            total[n] += narrow[n]
        start = end


@kernel
def forward_image(image, signals, states, plan, const, store, scratch):
    """Settle all layers for one image (bytes); leaves every layer's input signals and states."""
    narrow, total, drives, active = scratch
    for m in range(plan.inputs[0]):
        signals[m] = const.decode[image[m]]
    for layer in range(len(plan.inputs)):
        lanes, unit_at = plan.blocks[layer] * LANES, plan.unit_at[layer]
        link_sums(signals[plan.signal_at[layer]:], store.weights, plan.weight_at[layer], plan.inputs[layer], lanes,
                  plan.chunk[layer], narrow, total, active)
        for n in range(lanes):
            drives[n] = words.drive(total[n], store.bias[unit_at + n], plan.link_shift[layer], const.drive_least,
                                    const.drive_high)
        state = states[unit_at * ROWS:(unit_at + lanes) * ROWS]
        settle(drives, None, state, plan.forward_rows, plan.steps, plan.blocks[layer], unit_at, const, store.coupling,
               store.rounding, upsets.struck(store.upsets, 0, upsets.FORWARD, layer, plan.neurons[layer]))
        to = plan.signal_at[layer + 1]
        for n in range(plan.neurons[layer]):
            signals[to + n] = state[(n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
    upsets.counted(store.upsets)


@kernel
def scratch_for(plan, store, outputs, wide):
    """Work space of ``forward_image``: narrow and wide sums, drives, list of active inputs."""
    units = len(store.bias)
    return (np.empty(units, outputs.dtype), np.empty(units, wide.dtype), np.empty(units, outputs.dtype),
            np.empty(max(plan.inputs) + 1, np.int64))


@kernel
def infer(images, outputs, wide, plan, const, store):
    """Outputs (images, classes) of bytes (images, inputs). ``wide``: any array of the type of exact sums."""
    classes = plan.neurons[-1]
    signals = np.empty(plan.signal_at[-1] + classes, outputs.dtype)
    states = np.empty(len(store.bias) * ROWS, outputs.dtype)
    scratch = scratch_for(plan, store, outputs, wide)
    for image in range(len(images)):
        forward_image(images[image], signals, states, plan, const, store, scratch)
        outputs[image] = signals[plan.signal_at[-1]:]


@kernel
def output_errors(outputs, label, errors, const):
    """Hinge errors of one image; returns whether any is not zero."""
    found = False
    for n in range(len(outputs)):
        if n == label:
            missing = max(const.margin - outputs[n], 0)
        else:
            missing = min(-const.margin - outputs[n], 0)
        errors[n] = clamp(missing, const.error_least, const.error_high)
        found = found or missing != 0
    return found


@kernel
def reverse_links(r, weights, weight_at, inputs, lanes, shift, const, errors, wide):
    """errors[m] = narrow(sum_n C[n, m] r[n]) for the layer before; padding gets zeros."""
    like = wide[0]
    links = weights[weight_at:weight_at + inputs * lanes].reshape((inputs, lanes))
    for m in range(inputs):
        row = links[m]
        total = cast(0, like)
        for n in range(lanes):
            total += cast(row[n], like) * r[n]
        errors[m] = words.error(total, shift, const.error_least, const.error_high)
    errors[inputs:] = 0


@kernel
def change_row(row, r, x, rate, least, high):
    """row[n] += rate * (r[n] x); a weight that would overflow is held."""
    for n in range(len(row)):
        old = cast(row[n], least)
        new = cast(old + words.change(cast(r[n] * x, least), rate), least)
        row[n] = new if clamp(new, least, high) == new else old


@kernel
def sign_row(row, products, step, least, high):
    """row[n] += step * sign of products[n]; a weight that would overflow is held."""
    for n in range(len(row)):
        old = cast(row[n], least)
        new = cast(old + step * (cast(products[n] > 0, step) - cast(products[n] < 0, step)), least)
        row[n] = new if clamp(new, least, high) == new else old


@njit(forceinline=True)
def _controlled(product, integral, previous, gains, shift, leak, limits):
    """A pid instinct: the exact change before the rate, the new integral and the word to be remembered."""
    word = words.local_product(product, shift, limits[0], limits[1])
    total = words.integral(integral, word, leak, limits[2], limits[3])
    return gains[0] * product + gains[1] * total + gains[2] * (word - previous), total, word


@kernel
def pid_row(row, products, integral, previous, gains, shift, leak, limits, rate, least, high):
    """As ``sign_row``, for a pid instinct, which brings its memory up to date whether or not a weight is held."""
    for n in range(len(row)):
        product = cast(products[n], gains[0])
        exact, integral[n], previous[n] = _controlled(product, integral[n], previous[n], gains, shift, leak, limits)
        old = cast(row[n], gains[0])
        new = old + words.change(exact, rate)
        if clamp(new, least, high) == new:
            row[n] = new


@kernel
def update_links(signals, r, erring, at, inputs, lanes, store, weight_at, layer, instinct, const, sums):
    """Links from the inputs that were not zero in an erring image learn from the sums of r[n] x[m] over the images.

    ``signals`` and ``r``: one row per image; ``at``: where the layer's inputs begin in a row of signals. ``erring``: which
    images had an error; r of the others is zero.
    """
    places = slice(weight_at, weight_at + inputs * lanes)
    links = store.weights[places].reshape((inputs, lanes))
    rate, least, high = instinct.rate[layer], const.weight_least, const.weight_high
    masked = len(store.mask) > 0
    products = sums[:lanes]
    if len(erring) == 1 and instinct.kind == PROPORTIONAL and not masked:
        only, values = r[0], signals[0, at:at + inputs]
        for m in range(inputs):
            if values[m] != 0:
                change_row(links[m], only, values[m], rate, least, high)
        return
    for m in range(inputs):
        active = False
        for image in range(len(erring)):
            x = signals[image, at + m]
            if x != 0 and erring[image]:
                if not active:
                    products[:] = 0
                active = True
                back = r[image]
                for n in range(lanes):
                    products[n] = cast(products[n] + back[n] * x, x)
        if not active:
            continue
        first = weight_at + m * lanes
        if masked:
            exists = store.mask[first:first + lanes]
            for n in range(lanes):
                products[n] = cast(products[n] * exists[n], products[n])
        if instinct.kind == PROPORTIONAL:
            change_row(links[m], products, cast(1, least), rate, least, high)
        elif instinct.kind == SIGN:
            sign_row(links[m], products, instinct.step[layer], least, high)
        else:
            pid_row(links[m], products, store.links_memory[0, first:first + lanes],
                     store.links_memory[1, first:first + lanes], instinct.gains[layer], instinct.product_shift[layer],
                     instinct.leak, instinct.limits, rate, least, high)


@njit(forceinline=True)
def changed(old, product, memory, instinct, entry):
    """A bias or a K before it is held or not, in the wide type. ``memory``: its two words, if the instinct is pid."""
    if instinct.kind == PROPORTIONAL:
        return old + words.change(product, instinct.rate[entry])
    if instinct.kind == SIGN:
        return old + instinct.step[entry] * (cast(product > 0, old) - cast(product < 0, old))
    exact, memory[0], memory[1] = _controlled(product, memory[0], memory[1], instinct.gains[entry],
                                              instinct.product_shift[entry], instinct.leak, instinct.limits)
    return old + words.change(exact, instinct.rate[entry])


@kernel
def update_bias(r, batch, unit_at, neurons, store, instinct, const, wide):
    """Biases learn from the sums of r[n] over the images; a bias that would overflow is held."""
    like, memory = wide[0], store.bias_memory
    for n in range(unit_at, unit_at + neurons):
        total = cast(0, like)
        for image in range(batch):
            total += r[image, n - unit_at]
        new = changed(cast(store.bias[n], like), total, memory[:, n] if instinct.kind == PID else wide, instinct, 0)
        if clamp(new, const.drive_least, const.drive_high) == new:
            store.bias[n] = new


@kernel
def update_coupling(states, reverse_states, batch, unit_at, neurons, coupling, remembered, output_row, instinct, const,
                    wide):
    """K1, K2, K3 of one layer learn from their local products, summed over the images.

    Row j of the forward ring is row ``output_row - j`` of the reverse ring.
    """
    if coupling is None:
        return
    like = wide[0]
    for n in range(neurons):
        back = n // LANES * LANES * ROWS + n % LANES
        at = unit_at * ROWS + back
        for kind in range(3):
            if not instinct.trains[kind]:
                continue
            for i in range(ROWS):
                other = (i + 4) % ROWS if kind == 0 else (i + 2) % ROWS
                ri, ro = back + (output_row - i) % ROWS * LANES, back + (output_row - other) % ROWS * LANES
                si, so = at + i * LANES, at + other * LANES
                total = cast(0, like)
                for image in range(batch):
                    if kind == 2:
                        total -= cast(reverse_states[image, ri], like) * states[image, si]
                    else:
                        total += (cast(reverse_states[image, ri], like) * states[image, so]
                                  - cast(reverse_states[image, ro], like) * states[image, si])
                memory = remembered[:, kind, i, unit_at + n] if instinct.kind == PID else wide
                new = changed(cast(coupling[kind, i, unit_at + n], like), total, memory, instinct, kind)
                fits = const.coupling_least <= new and new <= const.coupling_high
                if fits and not (kind == 2 and new < const.coupling_minimum):
                    coupling[kind, i, unit_at + n] = new


@kernel
def learn(images, labels, predictions, outputs, wide, batch_size, plan, const, store, instincts):
    """Learn images in order, updating after every ``batch_size``. Order of operations: the arithmetic contract's.

    Silence is skipped, which changes no bit: an image whose outputs are right by the margin has errors of zero, and
    with those every reverse signal and every change of a parameter is zero.
    """
    units, classes, last = len(store.bias), plan.neurons[-1], len(plan.inputs) - 1
    signals = np.zeros((batch_size, plan.signal_at[-1] + classes), outputs.dtype)
    states = np.zeros((batch_size, units * ROWS), outputs.dtype)
    reverse_states = np.zeros((batch_size, units * ROWS), outputs.dtype)
    errors, r = np.zeros((batch_size, units), outputs.dtype), np.zeros((batch_size, units), outputs.dtype)
    gates, sums = np.zeros(units * ROWS, outputs.dtype), np.zeros(units, outputs.dtype)
    heard = np.zeros(batch_size, np.bool_)
    scratch = scratch_for(plan, store, outputs, wide)
    for start in range(0, len(images), batch_size):
        batch = min(batch_size, len(images) - start)
        any_heard = False
        for b in range(batch):
            forward_image(images[start + b], signals[b], states[b], plan, const, store, scratch)
            found = signals[b, plan.signal_at[-1]:]
            predictions[start + b] = np.argmax(found)
            errors[b] = 0
            heard[b] = output_errors(found, labels[start + b], errors[b], const)
            any_heard = any_heard or heard[b]
        if not any_heard:
            continue
        for layer in range(last, plan.frozen - 1, -1):
            lanes, unit_at, blocks = plan.blocks[layer] * LANES, plan.unit_at[layer], plan.blocks[layer]
            weight_at, at = plan.weight_at[layer], plan.signal_at[layer]
            for b in range(batch):
                if not heard[b]:
                    r[b, :lanes] = 0
                    reverse_states[b, :lanes * ROWS] = 0
                    continue
                reverse_gates(states[b, unit_at * ROWS:(unit_at + lanes) * ROWS], gates, blocks, plan.gate_rows, const)
                settle(errors[b], gates, reverse_states[b], plan.reverse_rows, plan.steps, blocks, unit_at, const,
                       store.coupling, store.rounding,
                       upsets.struck(store.upsets, batch - b, upsets.REVERSE, layer, plan.neurons[layer]))
                for n in range(lanes):
                    r[b, n] = reverse_states[b, (n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
                if layer > plan.frozen:
                    below = plan.blocks[layer - 1] * LANES
                    reverse_links(r[b], store.weights, weight_at, plan.inputs[layer], lanes, plan.reverse_shift, const,
                                  errors[b, :below], wide)
            if instincts.links.trains[layer]:
                update_links(signals, r, heard[:batch], at, plan.inputs[layer], lanes, store, weight_at, layer,
                             instincts.links, const, sums)
            if instincts.bias.trains[0]:
                update_bias(r, batch, unit_at, plan.neurons[layer], store, instincts.bias, const, wide)
            update_coupling(states, reverse_states, batch, unit_at, plan.neurons[layer], store.coupling,
                            store.coupling_memory, plan.output_row, instincts.K, const, wide)
