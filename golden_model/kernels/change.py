"""From an exact sum of local products to a change: the instincts, of a row of links, of biases and of K."""
from __future__ import annotations

from numba import njit

from golden_model.compiling import kernel
from golden_model.kernels import words
from golden_model.kernels.plan import LANES, PID, PROPORTIONAL, ROWS, SIGN
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
def _controlled(product, integral, previous, gains, shift, leak, limits):
    """A pid instinct: the exact change before the rate, the new integral and the word to be remembered."""
    word = words.local_product(product, shift, limits[0], limits[1])
    total = words.integral(integral, word, leak, limits[2], limits[3])
    return gains[0] * product + gains[1] * total + gains[2] * (word - previous), total, word


@kernel
def pid_row(row, products, integral, previous, gains, shift, leak, limits, rate, least, high):
    """As ``sign_row``, for a pid instinct, which brings its memory up to date whether or not a weight is held.

    Rows (lanes,); ``gains`` (3,), ``limits`` (4,).
    """
    for n in range(len(row)):
        product = cast(products[n], gains[0])
        exact, integral[n], previous[n] = _controlled(product, integral[n], previous[n], gains, shift, leak, limits)
        old = cast(row[n], gains[0])
        new = old + words.change(exact, rate)
        if clamp(new, least, high) == new:
            row[n] = new


@njit(forceinline=True)
def learn_row(store, at, products, instinct, layer, const):
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
        change_row(row, products, cast(1, like), instinct.rate[layer], least, high)
    elif instinct.kind == SIGN:
        sign_row(row, products, cast(instinct.step[layer], like), least, high)
    else:
        pid_row(row, products, store.links_memory[0, at:at + lanes], store.links_memory[1, at:at + lanes],
                instinct.gains[layer], instinct.product_shift[layer], instinct.leak, instinct.limits, instinct.rate[layer],
                least, high)


@njit(forceinline=True)
def changed(old, product, memory, instinct, entry):
    """A bias or a K before it is held or not, in the wide type. ``memory``: its two words, if the instinct is pid.

    ``memory`` (2,).
    """
    if instinct.kind == PROPORTIONAL:
        return old + words.change(product, instinct.rate[entry])
    if instinct.kind == SIGN:
        return old + instinct.step[entry] * (cast(product > 0, old) - cast(product < 0, old))
    exact, memory[0], memory[1] = _controlled(product, memory[0], memory[1], instinct.gains[entry],
                                              instinct.product_shift[entry], instinct.leak, instinct.limits)
    return old + words.change(exact, instinct.rate[entry])


@njit(forceinline=True)
def learn_bias(bias, n, total, memory, instinct, layer, least, high):
    """Bias ``n`` learns from an exact sum of products; one that would overflow is held. ``memory``: its two words, if pid.

    ``n`` and ``total`` are scalars.
    """
    new = changed(cast(bias[n], total), total, memory, instinct, layer)
    if clamp(new, least, high) == new:
        bias[n] = new


@kernel
def update_bias(r, batch, plan, layer, store, instinct, const, wide):
    """Biases learn from the sums of r over the images and over the positions that have them in common.

    ``r`` (images, lanes).
    """
    lanes, tied, like, memory, bias = plan.blocks[layer] * LANES, plan.tied[layer], wide[0], store.bias_memory, store.bias
    least, high, unit_at, neurons = const.drive_least, const.drive_high, plan.unit_at[layer], plan.neurons[layer]
    for own in range(plan.own[layer]):
        for n in range(unit_at + own * lanes, unit_at + own * lanes + neurons):
            total, lane = cast(0, like), n - unit_at - own * lanes
            for image in range(batch):
                for position in range(own * tied, (own + 1) * tied):
                    total += r[image, position * lanes + lane]
            learn_bias(bias, n, total, memory[:, n] if instinct.kind == PID else wide, instinct, layer, least, high)


@kernel
def update_coupling(states, reverse_states, batch, plan, layer, coupling, remembered, instinct, const, wide):
    """K1, K2, K3 of one layer learn from their local products, summed over the images and over positions in common.

    Row j of the forward ring is row ``output_row - j`` of the reverse ring.
    States (images, words), ``remembered`` (2, 3, 5, units).
    """
    if coupling is None:
        return
    like, output_row, lanes, tied = wide[0], plan.output_row, plan.blocks[layer] * LANES, plan.tied[layer]
    for unit in range(plan.own[layer] * lanes):
        own, channel = unit // lanes, unit % lanes
        if channel >= plan.neurons[layer]:
            continue
        for kind in range(3):
            if not instinct.trains[kind]:
                continue
            for i in range(ROWS):
                other = (i + 4) % ROWS if kind == 0 else (i + 2) % ROWS
                total = cast(0, like)
                for position in range(own * tied, (own + 1) * tied):
                    lane = position * lanes + channel
                    back = lane // LANES * LANES * ROWS + lane % LANES
                    at = plan.lane_at[layer] * ROWS + back
                    ri, ro = back + (output_row - i) % ROWS * LANES, back + (output_row - other) % ROWS * LANES
                    si, so = at + i * LANES, at + other * LANES
                    for image in range(batch):
                        if kind == 2:
                            total -= cast(reverse_states[image, ri], like) * states[image, si]
                        else:
                            total += (cast(reverse_states[image, ri], like) * states[image, so]
                                      - cast(reverse_states[image, ro], like) * states[image, si])
                n = plan.unit_at[layer] + unit
                memory = remembered[:, kind, i, n] if instinct.kind == PID else instinct.limits
                new = changed(cast(coupling[kind, i, n], like), total, memory, instinct, kind)
                fits = const.coupling_least <= new and new <= const.coupling_high
                if fits and not (kind == 2 and new < const.coupling_minimum):
                    coupling[kind, i, n] = new
