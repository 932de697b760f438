"""From an exact sum of local products to a change: the instincts, of a row of links, of biases and of K."""
from __future__ import annotations

from numba import njit

from golden_model.compiling import kernel
from golden_model.kernels import words
from golden_model.kernels.plan import LANES, PROPORTIONAL, ROWS, SIGN
from golden_model.kernels.words import cast, clamp


@kernel
def change_row(row, r, x, rate, least, high):
    """row[n] += rate * (r[n] x); a weight that would overflow is held. ``row``, ``r`` (lanes,)."""
    for n in range(len(row)):
        old = cast(row[n], least)
        new = cast(old + words.change(cast(r[n] * x, least), rate), least)
        row[n] = new if clamp(new, least, high) == new else old


@kernel
def sign_row(row, products, step, least, high):
    """row[n] += step * sign of products[n]; a weight that would overflow is held. ``row``, ``products`` (lanes,)."""
    for n in range(len(row)):
        old = cast(row[n], least)
        new = cast(old + step * (cast(products[n] > 0, step) - cast(products[n] < 0, step)), least)
        row[n] = new if clamp(new, least, high) == new else old


@njit(forceinline=True)
def _parts(instinct):
    """What ``_controlled`` reads, as scalars: a loop would read the record at every turn."""
    return (instinct.gain_P, instinct.gain_I, instinct.gain_D, instinct.product_shift, instinct.leak,
            (instinct.product_least, instinct.product_high), (instinct.integral_least, instinct.integral_high))


@njit(forceinline=True)
def _controlled(product, integral, previous, parts):
    """A pid instinct: the exact change before the rate, the new integral and the word to be remembered. Scalars."""
    gain_P, gain_I, gain_D, shift, leak, limits, limits_of_integral = parts
    word = words.local_product(product, shift, limits[0], limits[1])
    total = words.integral(integral, word, leak, limits_of_integral[0], limits_of_integral[1])
    return gain_P * product + gain_I * total + gain_D * (word - previous), total, word


@kernel
def pid_row(row, products, integral, previous, instinct, least, high):
    """As ``sign_row``, for a pid instinct, which brings its memory up to date whether or not a weight is held.

    All rows (lanes,).
    """
    like, rate, parts = instinct.gain_P, instinct.rate, _parts(instinct)
    for n in range(len(row)):
        product = cast(products[n], like)
        exact, integral[n], previous[n] = _controlled(product, integral[n], previous[n], parts)
        old = cast(row[n], like)
        new = old + words.change(exact, rate)
        if clamp(new, least, high) == new:
            row[n] = new


@njit(forceinline=True)
def learn_row(store, at, products, instinct, const):
    """The weights from ``at`` learn from as many sums of products, in whose type they are computed; absent links do not.

    For loops of few rows: handing over tables costs as much as a short row.
    ``products`` (lanes,).
    """
    lanes, like = len(products), products[0]
    row = store.weights[at:at + lanes]
    least, high = cast(const.weight_least, like), cast(const.weight_high, like)
    if len(store.mask):
        exists = store.mask[at:at + lanes]
        for n in range(lanes):
            products[n] = cast(products[n] * exists[n], like)
    if instinct.kind == PROPORTIONAL:
        change_row(row, products, cast(1, like), instinct.rate, least, high)
    elif instinct.kind == SIGN:
        sign_row(row, products, cast(instinct.step, like), least, high)
    else:
        pid_row(row, products, store.links_memory[0, at:at + lanes], store.links_memory[1, at:at + lanes], instinct, least,
                high)


@njit(forceinline=True)
def _changed(old, product, integral, previous, n, instinct):
    """A bias or a K before it is held or not, in the wide type, and its memory, entry ``n`` of two rows, if it is pid.

    ``integral``, ``previous`` (units,), without entries for other instincts.
    """
    if instinct.kind == PROPORTIONAL:
        return old + words.change(product, instinct.rate)
    if instinct.kind == SIGN:
        return old + instinct.step * (cast(product > 0, old) - cast(product < 0, old))
    exact, integral[n], previous[n] = _controlled(product, integral[n], previous[n], _parts(instinct))
    return old + words.change(exact, instinct.rate)


@kernel
def learn_bias(store, n, total, instinct, const):
    """Bias ``n`` learns from an exact sum of products; one that would overflow is held. ``n`` and ``total`` are scalars."""
    new = _changed(cast(store.bias[n], total), total, store.bias_memory[0], store.bias_memory[1], n, instinct)
    if clamp(new, const.drive_least, const.drive_high) == new:
        store.bias[n] = new


@kernel
def update_bias(r, batch, here, store, instinct, const, like):
    """Biases learn from the sums of r over the images and over the positions that have them in common.

    ``r`` (images, lanes), ``like``: a word of the wide type.
    """
    lanes, tied, unit_at, neurons = here.blocks * LANES, here.tied, here.unit_at, here.neurons
    for own in range(here.own):
        for n in range(unit_at + own * lanes, unit_at + own * lanes + neurons):
            total, lane = cast(0, like), n - unit_at - own * lanes
            for image in range(batch):
                for position in range(own * tied, (own + 1) * tied):
                    total += r[image, position * lanes + lane]
            learn_bias(store, n, total, instinct, const)


@kernel
def update_coupling(states, reverse_states, batch, here, store, instincts, const, sums):
    """K1, K2, K3 of one layer learn from their local products, summed over the images and over positions in common.

    Row j of the forward ring is row ``output_row - j`` of the reverse ring.
    States (images, lanes * ROWS), ``instincts`` (3,), ``sums`` any array of the wide type.
    """
    like, output_row, lanes, tied, coupling = sums[0], const.output_row, here.blocks * LANES, here.tied, store.coupling
    least, high, minimum = const.coupling_least, const.coupling_high, const.coupling_minimum
    for unit in range(here.own * lanes):
        own, channel = unit // lanes, unit % lanes
        if channel >= here.neurons:
            continue
        for kind in range(3):
            instinct = instincts[kind]
            if not instinct.trains:
                continue
            for i in range(ROWS):
                other = (i + 4) % ROWS if kind == 0 else (i + 2) % ROWS
                total = cast(0, like)
                for position in range(own * tied, (own + 1) * tied):
                    lane = position * lanes + channel
                    back = lane // LANES * LANES * ROWS + lane % LANES
                    at = here.lane_at * ROWS + back
                    ri, ro = back + (output_row - i) % ROWS * LANES, back + (output_row - other) % ROWS * LANES
                    si, so = at + i * LANES, at + other * LANES
                    for image in range(batch):
                        if kind == 2:
                            total -= cast(reverse_states[image, ri], like) * states[image, si]
                        else:
                            total += (cast(reverse_states[image, ri], like) * states[image, so]
                                      - cast(reverse_states[image, ro], like) * states[image, si])
                n, memory = here.unit_at + unit, store.coupling_memory
                new = _changed(cast(coupling[kind, i, n], like), total, memory[0, kind, i], memory[1, kind, i], n, instinct)
                if least <= new and new <= high and not (kind == 2 and new < minimum):
                    coupling[kind, i, n] = new
