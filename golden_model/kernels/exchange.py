"""Reciprocal links: recurrent layers through all frames and back, and how they learn.

The links between the neurons of a layer are held twice more, exactly, in a type whose sums need no care (float64 for integers,
as long as they stay below 2**53): [pre, post] and [post, pre], because each step sends signals both ways. The reverse circuit
is the forward circuit with these two exchanged, on the mirrored ring.

A course is the state of a layer before each step and after the last: course[t * words] is the first word before step t.
"""
from __future__ import annotations

from golden_model.compiling import kernel
from golden_model.kernels import change, circuit, links, words
from golden_model.kernels.calls import call
from golden_model.kernels.plan import LANES, PROPORTIONAL, ROWS
from golden_model.kernels.words import add_product, cast, item
from golden_model.robustness import upsets


@kernel
def _exchange(x, row, pairs, neurons, lanes, const, heard, sums, like, out):
    """out[n] = narrow(sum_m pairs[m, n] x[m]), what reciprocal links bring from population ``row`` of each neuron.

    ``x`` (lanes * ROWS,), ``pairs`` (neurons * lanes,), ``heard`` (lanes,) and ``sums`` (LANES,) exact, ``out`` (lanes,).
    """
    shift, least, high = const.exchange_shift, const.drive_least, const.drive_high
    for m in range(neurons):
        heard[m] = x[(m // LANES * ROWS + row) * LANES + m % LANES]
    for at in range(0, lanes, LANES):
        for n in range(LANES):
            sums[n] = 0
        m = 0
        while m + 4 <= neurons:
            add_product(sums, 0, pairs, m * lanes + at, item(heard, m))
            add_product(sums, 0, pairs, (m + 1) * lanes + at, item(heard, m + 1))
            add_product(sums, 0, pairs, (m + 2) * lanes + at, item(heard, m + 2))
            add_product(sums, 0, pairs, (m + 3) * lanes + at, item(heard, m + 3))
            m += 4
        while m < neurons:
            add_product(sums, 0, pairs, m * lanes + at, item(heard, m))
            m += 1
        for n in range(LANES):
            out[at + n] = words.error(cast(sums[n], like), shift, least, high)


@kernel
def _step(s, to, first, second, drive, there, back, here, const, coupling, work, half):
    """One step from ``s`` to ``to``. Row 0 is driven over the links ``there`` from the output row, which loses over ``back``.

    ``first``, ``second``: gates of the predictor and of the corrector, or any arrays. ``half``: the address of half a step.
    """
    like, neurons, lanes, row = work.total[0], here.neurons, here.blocks * LANES, const.output_row
    gained, lost, predictor = work.gained, work.lost, work.predictor
    _exchange(s, row, there, neurons, lanes, const, work.heard, work.sums, like, gained)
    _exchange(s, 0, back, neurons, lanes, const, work.heard, work.sums, like, lost)
    call(half, (s, s, predictor, first, drive, gained, lost, const.predictor, here, const, coupling))
    _exchange(predictor, row, there, neurons, lanes, const, work.heard, work.sums, like, gained)
    _exchange(predictor, 0, back, neurons, lanes, const, work.heard, work.sums, like, lost)
    call(half, (s, predictor, to, second, drive, gained, lost, const.corrector, here, const, coupling))


@kernel
def _struck(state, step, hit, blocks, forward, const):
    """``state`` before a step, struck by upsets; no population of a recurrent layer falls below the floor.

    ``state`` (lanes * ROWS,), ``hit`` (8,).
    """
    low, floor, rest = const.least, const.floor, const.rest
    l0, l1, l2, l3, l4 = low, low, low, low, low
    if forward:
        l0, l1, l2 = cast(floor - rest[0], low), cast(floor - rest[1], low), cast(floor - rest[2], low)
        l3, l4 = cast(floor - rest[3], low), cast(floor - rest[4], low)
    for block in range(blocks):
        upsets.strike(state, block * ROWS * LANES, block, step, hit, (l0, l1, l2, l3, l4), const.high)


@kernel
def _copy_row(there, back, at, weights, row, neurons, lanes, m):
    """The links from neuron ``m``, from ``row`` of the weights on, into both copies of its layer, which begin at ``at``.

    ``there``, ``back`` (pairs,), ``weights`` (weights,).
    """
    for n in range(neurons):
        there[at + m * lanes + n] = back[at + n * lanes + m] = weights[row + n]


@kernel
def run(signals, course, here, const, store, work, half):
    """A recurrent layer from rest through all frames; leaves its ``course`` and what it says after the frames it passes on.

    ``signals`` (signals of all layers,), ``course`` (words,).
    """
    drives, hit, strikes = work.drives, work.hit, len(store.upsets) > 0
    blocks, neurons, steps = here.blocks, here.neurons, here.steps
    inputs, size = here.inputs - neurons, blocks * LANES * ROWS
    there, back = work.there[here.pair_at:], work.back[here.pair_at:]
    for n in range(size):
        course[n] = 0
    t = 0
    for frame in range(here.frames):
        links.drives(signals[here.signal_at + frame * inputs:], here, inputs, const, store, work)
        for _ in range(steps):
            now, then = course[t * size:(t + 1) * size], course[(t + 1) * size:(t + 2) * size]
            if strikes:
                _struck(now, t, hit, blocks, True, const)
            _step(now, then, now, now, drives, there, back, here, const, store.coupling, work, half)
            t += 1
    to = here.output_at
    for frame in range(here.frames - here.emissions + 1, here.frames + 1):
        after = course[frame * steps * size:]
        for n in range(neurons):
            signals[to] = after[(n // LANES * ROWS + const.output_row) * LANES + n % LANES]
            to += 1


@kernel
def _reverse(course, errors, here, const, store, work, room, half):
    """A recurrent layer backwards; of the instant after step t ``driven[t]`` is r_a, ``entered[t]`` r_b.

    ``course`` (words,), ``errors`` (lanes,).
    """
    there, back, hit, strikes = work.there[here.pair_at:], work.back[here.pair_at:], work.hit, len(store.upsets) > 0
    after, before, now, then = room.circuits[0], room.circuits[1], room.circuits[2], room.circuits[3]
    driven, entered, of_frames = room.of_steps[0], room.of_steps[1], room.of_frames
    blocks, like, steps, row = here.blocks, work.total[0], here.steps, const.output_row
    lanes, size, last = blocks * LANES, blocks * LANES * ROWS, here.frames * here.steps
    circuit.reverse_gates(course[last * size:], after, blocks, const)
    for n in range(size):
        now[n] = 0
    emitted = here.frames - here.emissions
    for n in range(here.frames * lanes):
        of_frames[n] = 0
    for t in range(last - 1, -1, -1):
        frame = t // steps - emitted
        if (t + 1) % steps == 0 and frame >= 0:
            for n in range(lanes):
                place = n // LANES * ROWS * LANES + n % LANES
                now[place] = words.kick(now[place], cast(after[place], like) * errors[frame * lanes + n], const.kick_shift,
                                        const.least, const.high)
        if strikes:
            _struck(now, last - 1 - t, hit, blocks, False, const)
        frame = t // steps * lanes
        for n in range(lanes):
            place = n // LANES * ROWS * LANES + n % LANES
            entered[t * lanes + n] = now[place]
            driven[t * lanes + n] = now[place + row * LANES]
            of_frames[frame + n] += driven[t * lanes + n]
        if t == 0:
            return
        circuit.reverse_gates(course[t * size:], before, blocks, const)
        _step(now, then, after, before, room.silent, back, there, here, const, store.coupling, work, half)
        now, then = then, now
        after, before = before, after


@kernel
def _reverse_sums(here, const, store, of_frames, sums):
    """sums[f M + m]: what comes back to each input over the steps of its frame, as an integral over time.

    ``of_frames`` (frames * lanes,), ``sums`` (frames * inputs,).
    """
    neurons, lanes, like = here.neurons, here.blocks * LANES, sums[0]
    inputs = here.inputs - neurons
    for frame in range(here.frames):
        for m in range(inputs):
            row = here.weight_at + m * lanes
            total = cast(0, like)
            for n in range(neurons):
                total += cast(store.weights[row + n], like) * cast(of_frames[frame * lanes + n], like)
            sums[frame * inputs + m] = total * const.hold


@kernel
def _add_products(signals, course, here, const, room):
    """Add the local products of one image: of input links, of reciprocal links, of biases.

    ``signals`` (signals of all layers,), ``course`` (words,).
    """
    driven, entered, options, taken, minus = (room.of_steps[0], room.of_steps[1], room.of_steps[2], room.of_steps[3],
                                              room.of_steps[4])
    of_frames, products, of_bias, heard, row = room.of_frames, room.products, room.of_bias, room.of_inputs, const.output_row
    lanes, neurons = here.blocks * LANES, here.neurons
    inputs, instants, size = here.inputs - neurons, here.frames * here.steps, lanes * ROWS
    for frame in range(here.frames):
        for n in range(lanes):
            of_bias[n] += of_frames[frame * lanes + n]
        for m in range(inputs):
            x = signals[here.signal_at + frame * inputs + m]
            if x != 0:
                heard[m] = 1
                for at in range(0, lanes, LANES):
                    add_product(products, m * lanes + at, of_frames, frame * lanes + at, x)
    for t in range(instants):
        for n in range(lanes):
            place = t * size + n // LANES * ROWS * LANES + n % LANES
            taken[t * lanes + n] = course[place]
            options[n * instants + t] = course[place + row * LANES]
            minus[n * instants + t] = -entered[t * lanes + n]
    for m in range(neurons):
        for at in range(0, lanes, LANES):
            place = (inputs + m) * lanes + at
            for t in range(instants):
                add_product(products, place, driven, t * lanes + at, item(options, m * instants + t))
                add_product(products, place, taken, t * lanes + at, item(minus, m * instants + t))


@kernel
def _update(here, const, store, instinct, instinct_of_bias, work, room):
    """Links and biases of a recurrent layer learn from their exact sums."""
    exact, of_bias, heard, products = room.products, room.of_bias, room.of_inputs, room.sums
    lanes, neurons, like = here.blocks * LANES, here.neurons, products[0]
    inputs, weights, sums = here.inputs - neurons, store.weights, products[:lanes]
    least, high = cast(const.weight_least, like), cast(const.weight_high, like)
    if instinct.trains:
        for m in range(inputs + neurons):
            if m < inputs and not heard[m]:
                continue
            at = here.weight_at + m * lanes
            for n in range(lanes):
                sums[n] = cast(exact[m * lanes + n], like)
            if instinct.kind == PROPORTIONAL:
                change.change_row(weights[at:at + lanes], sums, cast(1, like), instinct.rate, least, high)
            else:
                change.learn_row(store, at, sums, instinct, const)
            if m >= inputs:
                _copy_row(work.there, work.back, here.pair_at, weights, at, neurons, lanes, m - inputs)
    if instinct_of_bias.trains:
        for n in range(neurons):
            change.learn_bias(store, here.unit_at + n, cast(of_bias[n], like), instinct_of_bias, const)


@kernel
def learn(batch, layer, plan, const, store, instincts, work, room, half):
    """A recurrent layer back and one update of it; leaves in ``room.errors`` those of the layer before, if that is trained.

    ``batch`` and ``layer`` are scalars; the arrays are those of the records ``plan``, ``store``, ``work`` and ``room``.
    """
    here = plan[layer]
    lanes, products, of_bias, heard = here.blocks * LANES, room.products, room.of_bias, room.of_inputs
    for n in range(here.inputs * lanes):
        products[n] = 0
    for n in range(lanes):
        of_bias[n] = 0
    for m in range(here.inputs):
        heard[m] = 0
    for image in range(batch):
        if room.erring[image]:
            course = room.courses[image, here.course_at:here.course_end]
            if len(store.upsets):
                upsets.aim(work.hit, store.upsets, batch - image, upsets.REVERSE, layer, here.neurons, here.blocks)
            _reverse(course, room.errors[image], here, const, store, work, room, half)
            _add_products(room.signals[image], course, here, const, room)
            if layer > const.frozen:
                _reverse_sums(here, const, store, room.of_frames, room.sums)
                links.spread_errors(room.sums, here, plan[layer - 1], const, room.errors[image])
    _update(here, const, store, instincts.links[layer], instincts.bias[layer], work, room)
