"""Links of layers whose neurons hear all inputs, both ways, and how they learn. Weights are [input, neuron]."""
from __future__ import annotations

from golden_model.compiling import kernel
from golden_model.kernels import change, words
from golden_model.kernels.plan import LANES, PROPORTIONAL, SIGN
from golden_model.kernels.words import cast


@kernel
def sums(x, weights, weight_at, inputs, lanes, chunk, narrow, total, active):
    """total[n] = sum_m C[n, m] x[m], exact, over the inputs that are not zero, four rows at a time.

    ``narrow`` accumulates up to ``chunk`` rows in the width of the signals, ``total`` adds the chunks.
    ``x`` (inputs,), ``weights`` (weights,), ``narrow`` and ``total`` (lanes,), ``active`` (inputs,) at least.
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
def drives(signals, here, inputs, const, store, work):
    """Drives of the neurons of a layer that sees ``signals`` from the first of them on, in its lanes of ``work.drives``.

    ``signals`` (inputs,) at least; ``inputs``: those links of a neuron that are not reciprocal.
    """
    lanes, unit_at, shift, least, high = (here.blocks * LANES, here.unit_at, here.link_shift, const.drive_least,
                                          const.drive_high)
    total, drive, bias = work.total, work.drives, store.bias[unit_at:unit_at + lanes]
    sums(signals, store.weights, here.weight_at, inputs, lanes, here.chunk, work.narrow, total, work.active)
    for n in range(lanes):
        drive[n] = words.drive(total[n], bias[n], shift, least, high)


@kernel
def reverse(r, weights, here, const, errors, like):
    """errors[m] = narrow(sum_n C[n, m] r[n]) for the layer before; padding gets zeros. ``like``: a word of the wide type.

    ``r`` (lanes,), ``errors`` (lanes of the layer before,).
    """
    inputs, lanes, weight_at = here.inputs, here.blocks * LANES, here.weight_at
    shift, least, high = here.reverse_shift, const.error_least, const.error_high
    links = weights[weight_at:weight_at + inputs * lanes].reshape((inputs, lanes))
    for m in range(inputs):
        row = links[m]
        total = cast(0, like)
        for n in range(lanes):
            total += cast(row[n], like) * r[n]
        errors[m] = words.error(total, shift, least, high)
    for m in range(inputs, len(errors)):
        errors[m] = 0


@kernel
def update(signals, r, erring, here, store, instinct, const, sums):
    """Links from the inputs that were not zero in an erring image learn from the sums of r[n] x[m] over the images.

    ``signals`` and ``r``: one row per image. ``erring``: which images had an error; r of the others is zero.
    ``signals`` (images, signals), ``r`` (images, lanes), ``erring`` (images,), ``sums`` (lanes,) in the type of words.
    """
    inputs, lanes, weight_at, at = here.inputs, here.blocks * LANES, here.weight_at, here.signal_at
    places = slice(weight_at, weight_at + inputs * lanes)
    links = store.weights[places].reshape((inputs, lanes))
    kind, rate, step, least, high = instinct.kind, instinct.rate, instinct.step, const.weight_least, const.weight_high
    masked = len(store.mask) > 0
    products = sums[:lanes]
    if len(erring) == 1 and kind == PROPORTIONAL and not masked:
        only, values = r[0], signals[0, at:at + inputs]
        for m in range(inputs):
            if values[m] != 0:
                change.change_row(links[m], only, values[m], rate, least, high)
        return
    for m in range(inputs):
        active = False
        for image in range(len(erring)):
            x = signals[image, at + m]
            if x != 0 and erring[image]:
                back = r[image]
                if not active:
                    for n in range(lanes):
                        products[n] = 0
                active = True
                for n in range(lanes):
                    products[n] = cast(products[n] + back[n] * x, x)
        if not active:
            continue
        first = weight_at + m * lanes                             # from here as ``change.learn_row``, which is dear for a row
        if masked:
            exists = store.mask[first:first + lanes]
            for n in range(lanes):
                products[n] = cast(products[n] * exists[n], products[n])
        if kind == PROPORTIONAL:
            change.change_row(links[m], products, cast(1, least), rate, least, high)
        elif kind == SIGN:
            change.sign_row(links[m], products, step, least, high)
        else:
            change.pid_row(links[m], products, store.links_memory[0, first:first + lanes],
                           store.links_memory[1, first:first + lanes], instinct, least, high)


@kernel
def spread_errors(sums, here, before, const, errors):
    """Errors of the layer ``before``, in its lanes, from what comes back to each input of ``here``; padding gets zeros.

    ``sums`` (inputs,), ``errors`` (lanes,).
    """
    channels, lanes, shift, least, high = (before.neurons, before.blocks * LANES, here.reverse_shift, const.error_least,
                                           const.error_high)
    m = 0
    for position in range(before.own * before.tied * before.emissions):
        for n in range(lanes):
            errors[position * lanes + n] = 0
            if n < channels:
                errors[position * lanes + n] = words.error(sums[m], shift, least, high)
                m += 1
