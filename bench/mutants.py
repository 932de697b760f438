"""Mutation score of small cores: how many faults of their netlists does a conversation with the golden model notice?

    python bench/mutants.py [--only CORE] [--count N] [--clocks N] [--json FILE]

Writes bench/mutants.json, a core after the other; one that is there with the same command is not tried again.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from golden_model.storage.atomic_write import write_atomically

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from netlist_mutants import CORES, score  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=CORES, help="this core alone")
    parser.add_argument("--count", type=int, default=2200, metavar="N", help="mutations of each core, about")
    parser.add_argument("--clocks", type=int, default=100_000, metavar="N", help="clocks of the conversation")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of mutations and frames")
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"), metavar="FILE", help="where to write")
    options = parser.parse_args()
    results = json.loads(options.json.read_text("utf-8")) if options.json.exists() else {}
    for name in [options.only] if options.only else CORES:
        command = (f"python bench/mutants.py --only {name} --count {options.count} --clocks {options.clocks} "
                   f"--seed {options.seed}")
        if results.get(name, {}).get("command") == command:
            continue
        start = time.monotonic()

        def say(text: str, name: str = name, start: float = start) -> None:
            print(f"{name}, {time.monotonic() - start:.0f} s: {text}", flush=True)
        result = score(CORES[name], options.count, options.clocks, options.seed, say)
        say(f"{100 * result.caught:.2f} % caught, {len(result.survivors)} survive")
        results[name] = {**asdict(result), "unseen": len(result.unseen), "command": command}
        write_atomically(options.json, json.dumps({core: results[core] for core in CORES if core in results}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
