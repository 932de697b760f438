"""Measures the figures of the documents, and keeps what they need in docs/figures, one JSON file a record.

    python bench/figures.py                    # lists the records, and which are there
    python bench/figures.py NAME ...           # measures these, in build/figures
    python bench/figures.py --all              # everything: about two hours on two cores, without the bitstreams
    python bench/figures.py --keep NAME ...    # no new run: takes over what lies in build/figures

The commands of a record are those that the documents print. They need MNIST, and PyTorch for `speed`. No record but that one
holds a time, so that the same program gives the same bytes. What is measured elsewhere: bench/synthesis.json (`python
bench/synthesis.py ... --json bench/synthesis.json`) and docs/reports (`wuxing build`). `make documents` puts all of it into the
tables.
"""
from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from golden_model.storage.atomic_write import write_atomically

ROOT = Path(__file__).resolve().parents[1]
KEPT, RUNS = ROOT / "docs/figures", ROOT / "build/figures"
SEEDS = (0, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Record:
    """One file of docs/figures.

    ``command``: as the documents print it, run in build/figures; S stands for each of ``seeds``. ``adds``: what the run also
    needs to leave a JSON file there (S as above), which ``file`` names. ``needs``: records whose runs leave the model that it
    takes. ``first``: models that are copied or made before it. ``keep``: from what those JSON files hold to what is kept.
    """

    command: str
    file: str
    keep: Callable[[list[dict[str, Any]]], dict[str, Any]]
    adds: str = ""
    seeds: tuple[int, ...] = (0,)
    needs: tuple[str, ...] = ()
    first: tuple[str, ...] = ()


def compared(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of ``wuxing compare``: accuracies with their spreads, each seed's, and the test accuracies over epochs of the first."""
    whole = runs[0]
    names = [name for name in whole if name.endswith("_accuracy")]
    return {"layers": whole["network"]["layers"], "dataset_sha256": whole["dataset_sha256"], "seeds": whole["seeds"],
            **{name: whole[name] for name in (*names, "gap_points", "agreement")},
            "spread": {name: whole["spread"][name] for name in names},
            "runs": [{"seed": run["seed"], **{name: run[name] for name in names},
                      "p_value": run["mcnemar"]["float_fixed"]["p_value"]} for run in whole["runs"]],
            "curves": {name: [round(epoch["test_accuracy"], 4) for epoch in curve]
                       for name, curve in whole["runs"][0]["curves"].items()}}


def trained(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of ``wuxing train`` with several seeds: each seed's accuracy."""
    return {"layers": runs[0]["network"]["layers"], "dataset_sha256": runs[0]["dataset_sha256"],
            "epochs": runs[0]["complete_epochs"], "accuracies": [run["accuracy"] for run in runs]}


def simulated(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of ``wuxing cosim``: what was compared, and clocks."""
    return {name: runs[0][name] for name in ("words_compared", "mismatches", "images", "learnt", "cycles_per_image",
                                             "cycles_per_learnt_image", "units")}


def ran(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of ``wuxing run`` on a virtual board: what was compared, and bytes on the line."""
    whole = runs[0]
    return {**{name: whole[name] for name in ("board", "baud", "words_compared", "mismatches")},
            **{phase: {name: whole[phase][name] for name in ("images", "bytes_per_image")} for phase in ("inferred", "learnt")}}


def experiment(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Of ``wuxing experiment``: the means of all methods by data set."""
    [whole] = runs[0]["experiments"]
    return {"seeds": whole["settings"]["seeds"], "values": whole["values"]}


def everything(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return runs[0]


SMALL = "wuxing train --config examples/icebreaker.toml --layers 784,{},10 --arithmetic fixed --epochs 30"
TIME_SHARED = "--arrangement time-shared --target ice40 --images 200 --learn 100"
HEADLINE = "--images 10000 --learn 2000"

RECORDS = {
    "tables": Record(command="python bench/tables.py", adds="--json tables.json", file="tables.json", keep=everything),
    "compare-784-128-10": Record(
        command="wuxing compare --dataset mnist --seeds 3", adds="--json compare-784-128-10.json -q",
        file="compare-784-128-10.json", keep=compared),
    "compare-784-256-128-10": Record(
        command="wuxing compare --dataset mnist --layers 784,256,128,10 --dropout 0.25 --epochs 50 --seeds 3",
        adds="--json compare-784-256-128-10.json -q", file="compare-784-256-128-10.json", keep=compared),
    "train-784-32-10": Record(
        command="wuxing train --dataset mnist --layers 784,32,10 --dropout 0.1 --seed S", seeds=SEEDS,
        adds="-o small-S.npz --json small-S.json -q", file="small-S.json", keep=trained),
    "train-784-256-128-10-shifted": Record(
        command="wuxing train --dataset mnist --layers 784,256,128,10 --dropout 0 --shift 1 --epochs 40 --seed S", seeds=SEEDS,
        adds="-o shifted-S.npz --json shifted-S.json -q", file="shifted-S.json", keep=trained),
    "train-784-128-10": Record(
        command="wuxing train --dataset mnist --layers 784,128,10 --arithmetic fixed -o model.npz",
        adds="--json model.json -q", file="model.json", keep=trained),
    "train-icebreaker-784-32-10": Record(
        command=f"{SMALL.format(32)} --seed S", seeds=SEEDS, adds="-o m32-S.npz --json m32-S.json -q", file="m32-S.json",
        keep=trained),
    "train-icebreaker-784-64-10": Record(
        command=f"{SMALL.format(64)} --seed S", seeds=SEEDS, adds="-o m64-S.npz --json m64-S.json -q", file="m64-S.json",
        keep=trained),
    "cosim-784-128-10": Record(
        command=f"wuxing cosim model.npz {HEADLINE}", adds="--json cosim.json -q", file="cosim.json", keep=simulated,
        needs=("train-784-128-10",)),
    "cosim-784-128-10-untrained": Record(
        command=f"wuxing cosim untrained.npz --dataset mnist {HEADLINE}", adds="--json cosim-untrained.json "
                                                                               "-q", file="cosim-untrained.json",
        keep=simulated, first=("untrained 784-128-10 untrained.npz",)),
    **{f"cosim-784-{hidden}-10-time-shared": Record(
        command=f"wuxing cosim m{hidden}.npz {TIME_SHARED}", adds=f"--json cosim-m{hidden}.json -q",
        file=f"cosim-m{hidden}.json", keep=simulated, needs=(f"train-icebreaker-784-{hidden}-10",),
        first=(f"copy m{hidden}-0.npz m{hidden}.npz",))
       for hidden in (32, 64)},
    **{f"cosim-784-{hidden}-10-time-shared-untrained": Record(
        command=f"wuxing cosim u{hidden}.npz --dataset mnist {TIME_SHARED}", adds=f"--json cosim-u{hidden}.json -q",
        file=f"cosim-u{hidden}.json", keep=simulated, first=(f"untrained 784-{hidden}-10 u{hidden}.npz",))
       for hidden in (32, 64)},
    "train-convolutions": Record(
        command="wuxing train --config examples/convolutions.toml --shift 1 -o convolutions.npz",
        adds="--json convolutions.json -q", file="convolutions.json", keep=trained),
    "cosim-convolutions": Record(
        command="wuxing cosim convolutions.npz --board ulx3s-85f --images 1000 --learn 200",
        adds="--json cosim-convolutions.json -q", file="cosim-convolutions.json", keep=simulated,
        needs=("train-convolutions",)),
    "train-small-convolutions": Record(
        command="wuxing train --config examples/small-convolutions.toml --arithmetic fixed --shift 1 --seed S",
        seeds=SEEDS, adds="-o small-convolutions-S.npz --json small-convolutions-S.json -q", file="small-convolutions-S.json",
        keep=trained),
    "cosim-small-convolutions": Record(
        command="wuxing cosim small.npz --board ulx3s-12f --images 1000 --learn 200",
        adds="--json cosim-small-convolutions.json -q", file="cosim-small-convolutions.json", keep=simulated,
        needs=("train-small-convolutions",), first=("copy small-convolutions-0.npz small.npz",)),
    "train-recurrent": Record(
        command="wuxing train --config examples/recurrent.toml --arithmetic fixed -o recurrent.npz",
        adds="--json recurrent.json -q", file="recurrent.json", keep=trained),
    "cosim-recurrent": Record(
        command="wuxing cosim recurrent.npz --board ulx3s-85f --images 1000 --learn 200",
        adds="--json cosim-recurrent.json -q", file="cosim-recurrent.json", keep=simulated, needs=("train-recurrent",)),
    "train-couplings": Record(
        command="wuxing train --config examples/couplings.toml --train-images 12000 -o couplings.npz",
        adds="--json couplings.json -q", file="couplings.json", keep=trained),
    "cosim-couplings": Record(
        command="wuxing cosim couplings.npz --board ulx3s-85f --images 1000 --learn 200",
        adds="--json cosim-couplings.json -q", file="cosim-couplings.json", keep=simulated, needs=("train-couplings",)),
    "run-ulx3s-85f": Record(
        command="wuxing run model.npz --board ulx3s-85f --baud 33333333 --images 200 --learn "
                "100", adds="--json run-ulx3s.json -q",
        file="run-ulx3s.json", keep=ran, needs=("train-784-128-10",)),
    "run-icebreaker": Record(
        command="wuxing run m32.npz --board icebreaker --images 200 --learn 100", adds="--json run-icebreaker.json -q",
        file="run-icebreaker.json", keep=ran, needs=("train-icebreaker-784-32-10",), first=("copy m32-0.npz m32.npz",)),
    "brightness": Record(
        command="python bench/brightness.py", adds="--json brightness.json", file="brightness.json", keep=everything),
    "alternatives": Record(
        command="python bench/alternatives.py", adds="--json alternatives.json", file="alternatives.json", keep=everything),
    "own-table": Record(
        command="python bench/own_table.py", adds="--json own-table.json", file="own-table.json", keep=everything),
    **{name: Record(command=f"wuxing experiment {name}", adds=f"-q --store ../experiments --json {name}.json",
                    file=f"{name}.json", keep=experiment)
       for name in ("pictures", "recordings")},
    "speed": Record(command="python bench/speed.py", adds="--json speed.json", file="speed.json", keep=everything),
}


def measure(name: str) -> None:
    """Run what a record takes, in build/figures."""
    record = RECORDS[name]
    RUNS.mkdir(parents=True, exist_ok=True)
    for folder in ("examples", "bench", "build/recordings"):  # the commands name files as seen from the top of the project
        (RUNS / folder).parent.mkdir(exist_ok=True)
        if not (RUNS / folder).is_symlink():              # where it leads may not be there yet
            (RUNS / folder).symlink_to(ROOT / folder)
    for needed in record.needs:
        if not all((RUNS / RECORDS[needed].file.replace("S", str(seed))).exists() for seed in RECORDS[needed].seeds):
            measure(needed)
    for step in record.first:
        prepare(*step.split())
    for seed in record.seeds:
        words = [word.replace("S", str(seed)) if word in ("S", *record.adds.split()) else word
                 for word in shlex.split(f"{record.command} {record.adds}")]
        print(shlex.join(words), flush=True)
        here = str(Path(sys.executable).parent)
        subprocess.run(words, cwd=RUNS, check=True, env=os.environ | {"PATH": f"{here}{os.pathsep}{os.environ['PATH']}"})


def prepare(what: str, source: str, result: str) -> None:
    """A copy of a model, or a network as it is before it learnt anything."""
    from boards import fit
    from golden_model import parameters
    from golden_model.network import Network
    from golden_model.storage import model_file
    if what == "copy":
        shutil.copyfile(RUNS / source, RUNS / result)
        return
    layers = tuple(map(int, source.split("-")))
    network = Network(layers=layers) if layers[1] == 128 else fit.network_for("ice40", layers)
    model_file.save(RUNS / result, network, "fixed", parameters.initial(network, "fixed"), {})


def keep(name: str) -> None:
    """Take over what the runs of a record left."""
    record = RECORDS[name]
    runs = [json.loads((RUNS / record.file.replace("S", str(seed))).read_text("utf-8")) for seed in record.seeds]
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = {"command": record.command, **record.keep(runs)}
    if len(kept.get("accuracies", ())) > 1:
        kept |= {"mean": statistics.fmean(kept["accuracies"]), "spread": statistics.stdev(kept["accuracies"])}
    write_atomically(KEPT / f"{name}.json", json.dumps(kept, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*RECORDS, []], help="records to measure")
    parser.add_argument("--all", action="store_true", help="measure all of them")
    parser.add_argument("--keep", action="store_true", help="measure nothing, take over what lies in build/figures")
    arguments = parser.parse_args()
    for name in RECORDS if arguments.all else arguments.names:
        if not arguments.keep:
            measure(name)
        keep(name)
    if not arguments.all and not arguments.names:
        for name, record in RECORDS.items():
            print(f"{'there  ' if (KEPT / f'{name}.json').exists() else 'missing'}  {name}: {record.command}")


if __name__ == "__main__":
    sys.exit(main())
