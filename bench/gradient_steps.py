"""How far the local products are from the exact gradient after a finite number of improved-Euler steps.

Neurons with random rates (K1, K2 in 0.3..0.7, K3 in 0.8..1.2) and drives (|u| < 1), each settled forward and in
reverse from rest in float64; the error is that of an output wanted at 1/2. Compared with the products at the exact
equilibrium, which are the gradient: the norm of the difference over all products, relative to the norm of the gradient.
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from golden_model.theory.integrators import integrate
from golden_model.theory.neuron import Ring, adjoint, derivative, equilibrium, local_products, reverse_derivative

TARGET = 0.5


def relative_errors(steps: list[int], dt: float, neurons: int, seed: int) -> dict[str, float]:
    """For each number of steps the relative distance of the products from the gradient."""
    rng = np.random.default_rng(seed)
    ring = Ring(K1=rng.uniform(0.3, 0.7, (5, neurons)), K2=rng.uniform(0.3, 0.7, (5, neurons)),
                K3=rng.uniform(0.8, 1.2, (5, neurons)))
    u = ring.drive(rng.uniform(-1, 1, neurons))
    settled = equilibrium(ring, u)
    output = ring.output_population
    exact = np.stack(local_products(adjoint(ring, settled, ring.error(TARGET - settled[output])), settled))
    errors = {}
    for count in steps:
        s = integrate(lambda x: derivative(ring, x, u), np.zeros((5, neurons)), dt, count)
        e = ring.error(TARGET - s[output])
        r = integrate(lambda x, s=s, e=e: reverse_derivative(ring, x, e, s), np.zeros((5, neurons)), dt, count)
        errors[str(count)] = float(np.linalg.norm(np.stack(local_products(r, s)) - exact) / np.linalg.norm(exact))
    return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[4, 6, 8, 16, 32, 64])
    parser.add_argument("--dt", type=float, default=0.5)
    parser.add_argument("--neurons", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there as well")
    options = parser.parse_args()
    report = {"dt": options.dt, "neurons": options.neurons, "seed": options.seed,
              "relative_error": relative_errors(options.steps, options.dt, options.neurons, options.seed)}
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
