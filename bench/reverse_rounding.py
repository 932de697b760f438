"""What rounding adds to reverse signals, by the size of the errors: its mean does not fall out of a sum over positions.

Neurons of the default description with drives |u| < 1.4, errors normally distributed about 0. The reverse signal of integers
minus that of reals with the same populations and errors, in steps of the word of ``displacement``.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from golden_model import circuits
from golden_model.arithmetic import create_arithmetic
from golden_model.network import Formats, Network


def added(fraction: int, deviation: float, neurons: int, seed: int) -> dict[str, float]:
    """``signal``, ``mean``, ``rms``: of the reverse signals of reals, and of what integers have more, in steps.

    ``fraction``: of displacement, drive and error; ``deviation`` of the errors, which lie in [-1, 1).
    """
    rng = np.random.default_rng(seed)
    network = Network(layers=(1, 1), formats=Formats(displacement=f"Q1.{fraction}", drive=f"Q4.{fraction}",  # type: ignore[arg-type]
                                                     error=f"Q1.{fraction}"))                            # type: ignore[arg-type]
    fixed, reals = (create_arithmetic(network, name) for name in ("fixed", "float"))
    one, row = 1 << fraction, network.neuron.input_population
    K = np.repeat(np.array([network.neuron.K1, network.neuron.K2, network.neuron.K3])[:, :, None], neurons, axis=2)
    words_of_K = (K * network.formats.coupling.one).astype(np.int64)
    drives = np.rint(rng.uniform(-1.4, 1.4, (1, neurons)) * one).astype(np.int64)
    errors = np.rint(rng.normal(0, deviation, (1, neurons)) * one).astype(np.int64)
    s = circuits.settle(fixed, drives, words_of_K)
    r = circuits.settle_reverse(fixed, s, errors, words_of_K)[row]
    exact = circuits.settle_reverse(reals, s / one, errors / one, K)[row] * one
    return {"signal": float(exact.std()), "mean": float((r - exact).mean()), "rms": float((r - exact).std())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fractions", type=int, nargs="+", default=[12, 15], help="bits behind the point")
    parser.add_argument("--deviations", type=float, nargs="+", default=[0.0016, 0.0065, 0.03, 0.1], help="of the errors")
    parser.add_argument("--neurons", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    report = {f"Q1.{fraction}": {str(deviation): added(fraction, deviation, options.neurons, options.seed)
                                 for deviation in options.deviations} for fraction in options.fractions}
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
