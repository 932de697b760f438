"""Links of layers whose neurons see the inputs through windows: own links at each position, or tied ones.

Of its neurons each position has its own blocks. Inner loops run over the lanes of one block, a number known to the compiler.
``reverse_sums`` also serves a layer that sees all its inputs, at its only position, if the layer before it has several.
"""
from __future__ import annotations

from golden_model.compiling import kernel
from golden_model.kernels import change, words
from golden_model.kernels.plan import LANES
from golden_model.kernels.words import add_product, cast, item


@kernel
def _link_sums(x, taps, weights, weight_at, blocks, chunk, narrow, total, active, values):
    """total[n] = sum_t C[n, t] x[taps[t]], exact, over the inputs that are not zero; see ``links.sums``."""
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
def drives(signals, here, const, store, work):
    """Drives of the neurons of all positions, in their lanes of ``work.drives``. ``signals`` (signals,)."""
    narrow, total, drive, active, values = work.narrow, work.total, work.drives, work.active, work.values
    lanes, links, tied = here.blocks * LANES, here.inputs * here.blocks * LANES, here.tied
    shift, least, high, bias = here.link_shift, const.drive_least, const.drive_high, store.bias
    taps, bases = store.taps[here.tap_at:here.tap_at + here.taps], store.bases[here.base_at:]
    for position in range(here.own * tied):
        own = position // tied
        base = here.signal_at + bases[position]
        _link_sums(signals[base:], taps, store.weights, here.weight_at + own * links, here.blocks, here.chunk, narrow, total,
                   active, values)
        unit = here.unit_at + own * lanes
        for n in range(lanes):
            drive[position * lanes + n] = words.drive(total[n], bias[unit + n], shift, least, high)


@kernel
def reverse_sums(r, here, store, sums):
    """sums[m]: exactly what comes back to each input from r of every position.

    ``r`` (lanes,) of all positions, ``sums`` (inputs,).
    """
    lanes, tied, weights = here.blocks * LANES, here.tied, store.weights
    taps, bases = store.taps[here.tap_at:here.tap_at + here.taps], store.bases[here.base_at:]
    for m in range(here.output_at - here.signal_at):
        sums[m] = 0
    like = sums[0]
    for position in range(here.own * tied):
        back = r[position * lanes:(position + 1) * lanes]
        base = bases[position]
        at = here.weight_at + position // tied * len(taps) * lanes
        for tap in range(len(taps)):
            row = weights[at + tap * lanes:at + (tap + 1) * lanes]
            total = cast(0, like)
            for n in range(lanes):
                total += cast(row[n], like) * back[n]
            sums[base + taps[tap]] += total


@kernel
def update(signals, r, erring, here, store, instinct, const, narrow, sums):
    """Links that met an input that was not zero, in an erring image, learn from the sums over images and tied positions.

    ``signals`` (images, signals), ``r`` (images, lanes), ``erring`` (images,), ``narrow`` (LANES,), ``sums`` (lanes,).
    """
    blocks, tied = here.blocks, here.tied
    lanes, back, x, limit = blocks * LANES, r.reshape(-1), signals.reshape(-1), here.chunk_of_products
    products, taps = sums[:lanes], here.taps
    for row in range(here.own * taps):
        own, tap = row // taps, row % taps
        start = here.base_at + own * tied
        bases, behind = store.bases[start:start + tied], own * tied * lanes
        at = here.signal_at + store.taps[here.tap_at + tap]
        active = False
        for block in range(blocks):
            first = block * LANES
            for n in range(LANES):
                narrow[n] = 0
                products[first + n] = 0
            for image in range(len(erring)):
                if not erring[image]:
                    continue
                inputs, place, start = image * signals.shape[1] + at, image * r.shape[1] + behind + first, 0
                while start < tied:
                    end, position = min(start + limit, tied), start
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
        if active:
            change.learn_row(store, here.weight_at + row * lanes, products, instinct, const)
