"""Links of layers whose neurons see the inputs through windows: own links at each position, or tied ones.

In a network that has such a layer every layer is taken so; one that sees all its inputs has one position. Of its neurons each
position has its own blocks. Inner loops run over the lanes of one block, a number known to the compiler.
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
def drives(signals, plan, windows, layer, const, store, scratch):
    """Drives of the neurons of all positions, in their lanes. ``signals`` (inputs,); drives (lanes,), of all positions."""
    narrow, total, drive, active, values = scratch
    lanes, links, tied = plan.blocks[layer] * LANES, plan.inputs[layer] * plan.blocks[layer] * LANES, plan.tied[layer]
    taps = windows.taps[windows.tap_at[layer]:windows.tap_at[layer + 1]]
    for position in range(plan.own[layer] * tied):
        own = position // tied
        base = plan.signal_at[layer] + windows.bases[windows.base_at[layer] + position]
        _link_sums(signals[base:], taps, store.weights, plan.weight_at[layer] + own * links, plan.blocks[layer],
                   plan.chunk[layer], narrow, total, active, values)
        unit = plan.unit_at[layer] + own * lanes
        for n in range(lanes):
            drive[position * lanes + n] = words.drive(total[n], store.bias[unit + n], plan.link_shift[layer],
                                                      const.drive_least, const.drive_high)


@kernel
def reverse_sums(r, plan, windows, layer, store, sums):
    """sums[m]: exactly what comes back to each input from r of every position.

    ``r`` (lanes,) of all positions, ``sums`` (inputs,).
    """
    lanes, tied, weights = plan.blocks[layer] * LANES, plan.tied[layer], store.weights
    taps = windows.taps[windows.tap_at[layer]:windows.tap_at[layer + 1]]
    for m in range(plan.signal_at[layer + 1] - plan.signal_at[layer]):
        sums[m] = 0
    like = sums[0]
    for position in range(plan.own[layer] * tied):
        back = r[position * lanes:(position + 1) * lanes]
        base = windows.bases[windows.base_at[layer] + position]
        at = plan.weight_at[layer] + position // tied * len(taps) * lanes
        for tap in range(len(taps)):
            row = weights[at + tap * lanes:at + (tap + 1) * lanes]
            total = cast(0, like)
            for n in range(lanes):
                total += cast(row[n], like) * back[n]
            sums[base + taps[tap]] += total


@kernel
def update(signals, r, erring, plan, windows, layer, store, instinct, const, narrow, sums):
    """Links that met an input that was not zero, in an erring image, learn from the sums over images and tied positions.

    ``signals`` (images, inputs), ``r`` (images, lanes), ``erring`` (images,).
    """
    blocks, tied = plan.blocks[layer], plan.tied[layer]
    lanes, back, x, limit = blocks * LANES, r.reshape(-1), signals.reshape(-1), windows.chunk[layer]
    products, taps = sums[:lanes], windows.tap_at[layer + 1] - windows.tap_at[layer]
    for row in range(plan.own[layer] * taps):
        own, tap = row // taps, row % taps
        start = windows.base_at[layer] + own * tied
        bases, behind = windows.bases[start:start + tied], own * tied * lanes
        at = plan.signal_at[layer] + windows.taps[windows.tap_at[layer] + tap]
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
            change.learn_row(store, plan.weight_at[layer] + row * lanes, products, instinct, layer, const)
