"""From a table of 10,000 samples to a model in integers and its Verilog by three commands: how long each of them takes.

    python bench/own_table.py [--json FILE]

Each command is a process of its own, in an empty folder with an empty store; what the toolkit compiles once for all is there
already. The last line is the accuracy on a fifth of the samples, which the choice of settings does not see.
"""
from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from speed import processor

from golden_model.storage import model_file
from golden_model.storage.atomic_write import write_atomically

SAMPLES, VALUES, CLASSES = 10_000, 20, 5
COMMANDS = ("wuxing tune --dataset parts.csv --workers 0", "wuxing train --dataset parts.csv --config tuned.toml -o parts.npz",
            "wuxing verilog parts.npz -o parts")


def write_table(path: Path) -> None:
    """Ten thousand samples of twenty values, ten of which say something, in five classes; one label in a hundred is wrong."""
    from sklearn.datasets import make_classification
    X, y = make_classification(SAMPLES, VALUES, n_informative=10, n_classes=CLASSES, random_state=0)
    header = ",".join([*(f"v{n}" for n in range(VALUES)), "class"])
    np.savetxt(path, np.column_stack([X, y]), fmt=["%.4f"] * VALUES + ["%d"], delimiter=",", header=header, comments="")


def measured() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "parts.csv")
        seconds = []
        for command in COMMANDS:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-m", *command.split()], cwd=folder, check=True, capture_output=True)
            seconds.append(round(time.perf_counter() - began, 1))
            print(f"{seconds[-1]:7.1f} s  {command}", flush=True)
        usual = [sys.executable, "-m", *COMMANDS[1].replace("--config tuned.toml -o parts.npz", "-o usual.npz").split()]
        subprocess.run(usual, cwd=folder, check=True, capture_output=True)
        reached, unchosen = (model_file.load(Path(folder) / name).record["accuracy"] for name in ("parts.npz", "usual.npz"))
    print(f"{sum(seconds):7.1f} s  together; {reached:.2f} % of the test samples, {unchosen:.2f} % without tune")
    return {"samples": SAMPLES, "values": VALUES, "classes": CLASSES, "commands": list(COMMANDS), "seconds": seconds,
            "accuracy": reached, "usual_accuracy": unchosen, "cores": os.cpu_count(), "processor": processor()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    path = parser.parse_args().json
    result = measured()
    if path is not None:
        write_atomically(path, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
