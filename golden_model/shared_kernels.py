"""Compiled loops for networks in which layers share links between positions; the same bits as ``golden_model.model``.

Every layer is a convolution here: a full one has one position, which sees all inputs. The parameters of a layer are laid out
as in ``golden_model.kernels``, with taps for inputs and channels for neurons; of its neurons each position has its own
blocks. Inner loops run over the lanes of one block, a number known to the compiler.
"""
from __future__ import annotations

import numpy as np

from golden_model import kernels, words
from golden_model.compiling import kernel
from golden_model.plan import LANES, PID, PROPORTIONAL, ROWS, SIGN
from golden_model.words import add_product, cast, clamp, item


@kernel
def _settle(drive, gate, state, rows, plan, positions, blocks, unit_at, const, coupling, rounding):
    """``kernels.settle`` at each position, where the channels have the same K."""
    if coupling is None:
        kernels.settle(drive, gate, state, rows, plan.steps, positions * blocks, 0, const, coupling, rounding)
        return
    lanes = blocks * LANES
    for position in range(positions):
        part = slice(position * lanes * ROWS, (position + 1) * lanes * ROWS)
        kernels.settle(drive[position * lanes:(position + 1) * lanes], None if gate is None else gate[part], state[part],
                       rows, plan.steps, blocks, unit_at, const, coupling, rounding)


@kernel
def _link_sums(x, taps, weights, weight_at, blocks, chunk, narrow, total, active, values):
    """total[n] = sum_t C[n, t] x[taps[t]], exact, over the inputs that are not zero; see ``kernels.link_sums``."""
    count, lanes = 0, blocks * LANES
    for tap in range(len(taps)):
        value = item(x, item(taps, tap))
        active[count], values[count] = weight_at + tap * lanes, value
        count += value != 0
    for n in range(lanes):
        total[n] = 0
    start = 0
    while start < count:
        end = min(start + chunk, count)
        for at in range(0, lanes, LANES):
            for n in range(LANES):
                narrow[n] = 0
            i = start
            while i + 4 <= end:
                add_product(narrow, 0, weights, item(active, i) + at, item(values, i))
                add_product(narrow, 0, weights, item(active, i + 1) + at, item(values, i + 1))
                add_product(narrow, 0, weights, item(active, i + 2) + at, item(values, i + 2))
                add_product(narrow, 0, weights, item(active, i + 3) + at, item(values, i + 3))
                i += 4
            while i < end:
                add_product(narrow, 0, weights, item(active, i) + at, item(values, i))
                i += 1
            for n in range(LANES):
                total[at + n] += narrow[n]
        start = end


@kernel
def _links(weights, plan, layer):
    """The links of a layer (taps, lanes of its channels)."""
    at, taps, lanes = plan.weight_at[layer], plan.inputs[layer], plan.blocks[layer] * LANES
    return weights[at:at + taps * lanes].reshape((taps, lanes))


@kernel
def _forward_image(image, signals, states, plan, places, const, store, scratch):
    """Settle all layers for one image (bytes); leaves every layer's input signals and states."""
    narrow, total, drives, active, values = scratch
    for m in range(plan.signal_at[1]):
        signals[m] = const.decode[image[m]]
    for layer in range(len(plan.inputs)):
        blocks, unit_at, positions = plan.blocks[layer], plan.unit_at[layer], places.positions[layer]
        lanes, lane_at = blocks * LANES, places.lane_at[layer]
        taps = places.taps[places.tap_at[layer]:places.tap_at[layer] + plan.inputs[layer]]
        for position in range(positions):
            base = plan.signal_at[layer] + places.bases[places.base_at[layer] + position]
            _link_sums(signals[base:], taps, store.weights, plan.weight_at[layer], blocks, plan.chunk[layer], narrow, total,
                       active, values)
            for n in range(lanes):
                drives[position * lanes + n] = words.drive(total[n], store.bias[unit_at + n], plan.link_shift[layer],
                                                           const.drive_least, const.drive_high)
        state = states[lane_at * ROWS:(lane_at + positions * lanes) * ROWS]
        _settle(drives, None, state, plan.forward_rows, plan, positions, blocks, unit_at, const, store.coupling,
                store.rounding)
        to = plan.signal_at[layer + 1]
        for position in range(positions):
            for n in range(plan.neurons[layer]):
                lane = position * lanes + n
                signals[to] = state[(lane // LANES * ROWS + plan.output_row) * LANES + lane % LANES]
                to += 1


@kernel
def _scratch(plan, places, outputs, wide):
    return (np.empty(LANES, outputs.dtype), np.empty(max(plan.blocks) * LANES, wide.dtype),
            np.empty(places.lanes, outputs.dtype), np.empty(max(plan.inputs) + 1, np.int64),
            np.empty(max(plan.inputs) + 1, outputs.dtype))


@kernel
def infer(images, outputs, wide, plan, places, const, store):
    """Outputs (images, classes) of bytes (images, inputs). ``wide``: any array of the type of exact sums."""
    signals = np.empty(places.signals, outputs.dtype)
    states = np.empty(places.lanes * ROWS, outputs.dtype)
    scratch = _scratch(plan, places, outputs, wide)
    for image in range(len(images)):
        _forward_image(images[image], signals, states, plan, places, const, store, scratch)
        outputs[image] = signals[plan.signal_at[-1]:]


@kernel
def _reverse_links(r, plan, places, layer, const, store, errors, sums):
    """Errors of the layer below, in its lanes, from r of every position of ``layer``; padding gets zeros."""
    links, lanes = _links(store.weights, plan, layer), plan.blocks[layer] * LANES
    inputs = plan.signal_at[layer + 1] - plan.signal_at[layer]
    for m in range(inputs):
        sums[m] = 0
    taps = places.taps[places.tap_at[layer]:places.tap_at[layer] + plan.inputs[layer]]
    like = sums[0]
    for position in range(places.positions[layer]):
        back = r[position * lanes:(position + 1) * lanes]
        base = places.bases[places.base_at[layer] + position]
        for tap in range(len(taps)):
            row = links[tap]
            total = cast(0, like)
            for n in range(lanes):
                total += cast(row[n], like) * back[n]
            sums[base + taps[tap]] += total
    channels, below = plan.neurons[layer - 1], plan.blocks[layer - 1] * LANES
    m = 0
    for position in range(places.positions[layer - 1]):
        for n in range(below):
            if n < channels:
                errors[position * below + n] = words.error(sums[m], plan.reverse_shift, const.error_least, const.error_high)
                m += 1
            else:
                errors[position * below + n] = 0


@kernel
def _update_links(signals, r, erring, plan, places, layer, store, instinct, const, narrow, sums):
    """Links that met an input that was not zero, in an erring image, learn from the sums over images and positions."""
    blocks, positions = plan.blocks[layer], places.positions[layer]
    lanes, weight_at = blocks * LANES, plan.weight_at[layer]
    links, back = _links(store.weights, plan, layer), r.reshape(-1)
    x = signals.reshape(-1)
    products, like = sums[:lanes], sums[0]
    least, high, step = cast(const.weight_least, like), cast(const.weight_high, like), cast(instinct.step[layer], like)
    limit, bases = places.chunk[layer], places.bases[places.base_at[layer]:places.base_at[layer] + positions]
    for tap in range(plan.inputs[layer]):
        at = plan.signal_at[layer] + places.taps[places.tap_at[layer] + tap]
        active = False
        for block in range(blocks):
            first = block * LANES
            for n in range(LANES):
                narrow[n] = 0
                products[first + n] = 0
            for image in range(len(erring)):
                if not erring[image]:
                    continue
                inputs, place, start = image * signals.shape[1] + at, image * r.shape[1] + first, 0
                while start < positions:
                    end, position = min(start + limit, positions), start
                    while position + 4 <= end:
                        x0, x1 = item(x, inputs + item(bases, position)), item(x, inputs + item(bases, position + 1))
                        x2, x3 = item(x, inputs + item(bases, position + 2)), item(x, inputs + item(bases, position + 3))
                        if (x0 != 0) | (x1 != 0) | (x2 != 0) | (x3 != 0):
                            active = True
                            add_product(narrow, 0, back, place + position * lanes, x0)
                            add_product(narrow, 0, back, place + (position + 1) * lanes, x1)
                            add_product(narrow, 0, back, place + (position + 2) * lanes, x2)
                            add_product(narrow, 0, back, place + (position + 3) * lanes, x3)
                        position += 4
                    while position < end:
                        x0 = item(x, inputs + item(bases, position))
                        active = active or x0 != 0
                        add_product(narrow, 0, back, place + position * lanes, x0)
                        position += 1
                    for n in range(LANES):
                        products[first + n] += narrow[n]
                        narrow[n] = 0
                    start = end
        if not active:
            continue
        start = weight_at + tap * lanes
        if len(store.mask):
            exists = store.mask[start:start + lanes]
            for n in range(lanes):
                products[n] = products[n] * exists[n]
        if instinct.kind == PROPORTIONAL:
            kernels.change_row(links[tap], products, cast(1, like), instinct.rate[layer], least, high)
        elif instinct.kind == SIGN:
            kernels.sign_row(links[tap], products, step, least, high)
        else:
            kernels.pid_row(links[tap], products, store.links_memory[0, start:start + lanes],
                            store.links_memory[1, start:start + lanes], instinct.gains[layer], instinct.product_shift[layer],
                            instinct.leak, instinct.limits, instinct.rate[layer], least, high)


@kernel
def _update_bias(r, batch, plan, places, layer, store, instinct, const, wide):
    """Biases learn from the sums of r over images and positions; see ``kernels.update_bias``."""
    like, unit_at, lanes = wide[0], plan.unit_at[layer], plan.blocks[layer] * LANES
    for channel in range(plan.neurons[layer]):
        total = cast(0, like)
        for image in range(batch):
            for position in range(places.positions[layer]):
                total += r[image, position * lanes + channel]
        n = unit_at + channel
        new = kernels.changed(cast(store.bias[n], like), total,
                              store.bias_memory[:, n] if instinct.kind == PID else wide, instinct, 0)
        if clamp(new, const.drive_least, const.drive_high) == new:
            store.bias[n] = new


@kernel
def _update_coupling(states, reverse_states, batch, plan, places, layer, coupling, remembered, instinct, const, wide):
    """K learns from local products summed over images and positions; see ``kernels.update_coupling``."""
    if coupling is None:
        return
    like, lanes, unit_at, output_row = wide[0], plan.blocks[layer] * LANES, plan.unit_at[layer], plan.output_row
    for channel in range(plan.neurons[layer]):
        for kind in range(3):
            if not instinct.trains[kind]:
                continue
            for i in range(ROWS):
                other = (i + 4) % ROWS if kind == 0 else (i + 2) % ROWS
                total = cast(0, like)
                for position in range(places.positions[layer]):
                    lane = position * lanes + channel
                    back = lane // LANES * LANES * ROWS + lane % LANES
                    at = places.lane_at[layer] * ROWS + back
                    ri, ro = back + (output_row - i) % ROWS * LANES, back + (output_row - other) % ROWS * LANES
                    si, so = at + i * LANES, at + other * LANES
                    for image in range(batch):
                        if kind == 2:
                            total -= cast(reverse_states[image, ri], like) * states[image, si]
                        else:
                            total += (cast(reverse_states[image, ri], like) * states[image, so]
                                      - cast(reverse_states[image, ro], like) * states[image, si])
                n = unit_at + channel
                memory = remembered[:, kind, i, n] if instinct.kind == PID else wide
                new = kernels.changed(cast(coupling[kind, i, n], like), total, memory, instinct, kind)
                fits = const.coupling_least <= new and new <= const.coupling_high
                if fits and not (kind == 2 and new < const.coupling_minimum):
                    coupling[kind, i, n] = new


@kernel
def learn(images, labels, predictions, outputs, wide, batch_size, plan, places, const, store, instincts):
    """Learn images in order, updating after every ``batch_size``; see ``kernels.learn``."""
    last, lanes_of_all = len(plan.inputs) - 1, places.lanes
    signals = np.zeros((batch_size, places.signals), outputs.dtype)
    states = np.zeros((batch_size, lanes_of_all * ROWS), outputs.dtype)
    reverse_states = np.zeros((batch_size, lanes_of_all * ROWS), outputs.dtype)
    errors, r = np.zeros((batch_size, lanes_of_all), outputs.dtype), np.zeros((batch_size, lanes_of_all), outputs.dtype)
    gates, sums = np.zeros(lanes_of_all * ROWS, outputs.dtype), np.zeros(max(places.signals, lanes_of_all), wide.dtype)
    heard = np.zeros(batch_size, np.bool_)
    scratch = _scratch(plan, places, outputs, wide)
    narrow, products = scratch[0], np.zeros(max(plan.blocks) * LANES, outputs.dtype)
    for start in range(0, len(images), batch_size):
        batch = min(batch_size, len(images) - start)
        any_heard = False
        for b in range(batch):
            _forward_image(images[start + b], signals[b], states[b], plan, places, const, store, scratch)
            found = signals[b, plan.signal_at[-1]:]
            predictions[start + b] = np.argmax(found)
            errors[b] = 0
            if places.positions[last] == 1:
                heard[b] = kernels.output_errors(found, labels[start + b], errors[b], const)
            else:
                heard[b] = kernels.output_errors(found, labels[start + b], r[b], const)
                _spread(r[b], errors[b], places.positions[last], plan.neurons[last], plan.blocks[last] * LANES)
            any_heard = any_heard or heard[b]
        if not any_heard:
            continue
        for layer in range(last, plan.frozen - 1, -1):
            blocks, positions, unit_at = plan.blocks[layer], places.positions[layer], plan.unit_at[layer]
            lanes, first = positions * blocks * LANES, places.lane_at[layer] * ROWS
            for b in range(batch):
                if not heard[b]:
                    r[b, :lanes] = 0
                    reverse_states[b, :lanes * ROWS] = 0
                    continue
                kernels.reverse_gates(states[b, first:first + lanes * ROWS], gates, positions * blocks, plan.gate_rows, const)
                _settle(errors[b], gates, reverse_states[b], plan.reverse_rows, plan, positions, blocks, unit_at, const,
                        store.coupling, store.rounding)
                for n in range(lanes):
                    r[b, n] = reverse_states[b, (n // LANES * ROWS + plan.output_row) * LANES + n % LANES]
                if layer > plan.frozen:
                    _reverse_links(r[b], plan, places, layer, const, store, errors[b], sums)
            full = positions == 1 and plan.inputs[layer] == plan.signal_at[layer + 1] - plan.signal_at[layer]
            if instincts.links.trains[layer] and full:
                kernels.update_links(signals, r, heard[:batch], plan.signal_at[layer], plan.inputs[layer], lanes, store,
                                     plan.weight_at[layer], layer, instincts.links, const, products)
            elif instincts.links.trains[layer]:
                _update_links(signals, r, heard[:batch], plan, places, layer, store, instincts.links, const, narrow, sums)
            if instincts.bias.trains[0]:
                _update_bias(r, batch, plan, places, layer, store, instincts.bias, const, wide)
            _update_coupling(states, reverse_states, batch, plan, places, layer, store.coupling, store.coupling_memory,
                             instincts.K, const, wide)


@kernel
def _spread(dense, spaced, positions, channels, lanes):
    """Values of neurons one after the other into the lanes of their positions."""
    for position in range(positions):
        for channel in range(channels):
            spaced[position * lanes + channel] = dense[position * channels + channel]
