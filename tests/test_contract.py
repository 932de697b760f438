"""docs/arithmetic.md is enough: limits are those of the checks, and faults are drawn as the text says, written anew from it."""
import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden_model.errors import InputError
from golden_model.fixed_point import Format
from golden_model.network import SECTIONS, Network
from golden_model.parameters import initial
from golden_model.robustness import upsets
from golden_model.robustness.faults import Faults, dead, held, mismatched

TEXT = (Path(__file__).parents[1] / "docs/arithmetic.md").read_text("utf-8")


# ------------------------------------------------------------- limits

def rows():
    section = TEXT.split("## Limits of descriptions")[1].split("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if line.startswith("| `"):
            entry = re.match("`([a-zA-Z0-9_.]+)`", cells[0])[1]
            beside = [each.split(" = ", 1) for each in re.findall("`([^`]+)`", cells[2])]
            for cell, accepted in ((cells[3], True), (cells[4], False)):
                for value in re.findall("`([^`]+)`", cell):
                    yield entry, tuple(map(tuple, beside)), value, accepted


ROWS = list(rows())


def described(settings):
    data = {"layers": [784, 10] if not any(name == "wiring.layers" for name, _ in settings) else [8, 4, 3]}
    for name, value in settings:
        section, _, key = name.rpartition(".")
        (data.setdefault(section, {}) if section else data)[key] = json.loads(value)
    return data


@pytest.mark.parametrize(("entry", "beside", "value", "accepted"), ROWS)
def test_limits_are_those_of_the_checks(entry, beside, value, accepted):
    data = described([*beside, (entry, value)])
    if accepted:
        Network.from_dict(data).check_fixed()
    else:
        with pytest.raises(InputError):
            Network.from_dict(data).check_fixed()
    if beside:
        Network.from_dict(described(beside)).check_fixed()    # it is not what stands beside that is refused


def test_the_table_is_read_and_names_real_entries():
    assert len(ROWS) > 80
    assert len({entry for entry, *_ in ROWS}) >= 23
    for entry, *_ in ROWS:
        section, _, key = entry.rpartition(".")
        assert entry in ("layers", "seed") or hasattr(SECTIONS[section](), key)


def test_names_of_the_contract_exist():
    """Functions that the text calls by name are attributes of a network."""
    for name in set(re.findall(r"\b(\w+_shift)\b", TEXT)):
        assert hasattr(Network, name), name


# ------------------------------------------------------------- faults, from the text alone

WORD = 2**64


def mix(x):
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % WORD
    x = (x ^ x >> 27) * 0x94D049BB133111EB % WORD
    return x ^ x >> 31


def flipped_bit(seed, image, way, layer, step, population, neuron, rate, bits):
    """The bit that is flipped, or None."""
    h = seed
    for n in (image, way * 2**32 + layer, step * 2**32 + population, neuron):
        h = mix(((h ^ n) + 0x9E3779B97F4A7C15) % WORD)
    return (h % 2**32) * bits >> 32 if h >> 32 < round(2**32 * rate) else None


@given(st.integers(0, 2**63 - 1), st.integers(0, 1), st.integers(0, 3), st.integers(0, 99), st.sampled_from([0.01, 0.3, 1.0]),
       st.integers(4, 20))
def test_upsets(seed, way, layer, step, rate, bits):
    result = upsets.masks(seed, np.arange(7, 10), way, layer, step, 4, rate, bits)
    for (population, image, neuron), mask in np.ndenumerate(result):
        bit = flipped_bit(seed, 7 + image, way, layer, step, population, neuron, rate, bits)
        assert mask == (0 if bit is None else -(1 << bit) if bit == bits - 1 else 1 << bit)


LAYERS = (6, 9, 5, 4)
NETWORK = Network(layers=LAYERS)


@pytest.mark.parametrize("share", [0, 0.1, 0.25, 0.3, 0.5, 0.9, 1])
@pytest.mark.parametrize("seed", [0, 3])
def test_dead_neurons(share, seed):
    result = {at: set(map(int, who)) for at, who in dead(NETWORK, Faults(dead=share, seed=seed)).items()}
    expected = {}
    for k, size in enumerate(LAYERS[1:-1]):                   # layer k, of which the first with neurons is 0
        count = {0: 0, 1: 1}.get(share * size, int(share * size + 0.5))
        if share * size % 1 == 0.5:
            count = int(share * size) + int(share * size) % 2     # half to even
        if count:
            expected[k + 1] = set(map(int, np.random.default_rng([seed, 11, k + 1]).permutation(size)[:count]))
    assert result == expected


@pytest.mark.parametrize("stuck", [0.05, 0.5])
def test_weights_that_are_read(stuck):
    """Stuck bits and dead neurons together, bit by bit."""
    faults, bits = Faults(stuck=stuck, dead=0.25, seed=5), NETWORK.formats.weight.bits
    for k, (memory, layer) in enumerate(zip(held(NETWORK, faults), initial(NETWORK, "fixed"), strict=True)):
        random, expected = np.random.default_rng([5, 12, k]), layer.weights.copy()
        draws = [random.random(expected.shape) for _ in range(bits)]
        gone = [set(np.random.default_rng([5, 11, at]).permutation(LAYERS[at])[:round(0.25 * LAYERS[at])])
                if 0 < at < len(LAYERS) - 1 else set() for at in (k, k + 1)]
        for (n, m), weight in np.ndenumerate(layer.weights):
            word = int(weight) % 2**bits
            for bit, drawn in enumerate(draws):
                if drawn[n, m] < stuck / 2:
                    word |= 1 << bit
                elif drawn[n, m] < stuck:
                    word &= ~(1 << bit)
            word -= 2**bits * (word >> bits - 1)
            expected[n, m] = 0 if n in gone[1] or m in gone[0] else word
        assert np.array_equal(memory.of(layer.weights), expected)


def test_mismatch():
    coupling = Format.parse("Q2.10")
    _, values = mismatched(NETWORK, initial(NETWORK, "fixed"), Faults(mismatch=0.7, seed=2), coupling)
    for k, layer in enumerate(values):
        z = np.random.default_rng([2, 13, k]).standard_normal((3, 5, LAYERS[k + 1]))
        K = np.array([0.5, 0.5, 1.0])[:, None, None] * (1 + 0.7 * z)
        words = np.clip(np.floor(K * 1024 + 0.5), -2048, 2047)
        words[2] = np.maximum(words[2], 1)
        assert np.array_equal(layer.coupling, words)
