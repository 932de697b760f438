"""Plant every bug of ``mutants`` in the gateware and report which check caught it: exit code 1 if one survived.

    python bench/mutation.py [--only TEXT] [--json FILE]
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from golden_model.storage.atomic_write import write_atomically

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
import mutation  # noqa: E402
from mutants import MUTANTS  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="only mutants whose name has this text")
    parser.add_argument("--json", type=Path, help="write the outcomes to this file")
    options = parser.parse_args()
    choice = [mutant for mutant in MUTANTS if options.only in mutant.name]
    outcomes = mutation.run(choice, lambda outcome: print(f"{outcome.mutant:45} {', '.join(outcome.caught_by) or 'SURVIVED'}",
                                                          flush=True))
    survived = [outcome.mutant for outcome in outcomes if not outcome.caught_by]
    print(f"{len(outcomes) - len(survived)} of {len(outcomes)} planted bugs were caught")
    if options.json is not None:
        result = {"mutants": len(outcomes), "survived": survived,
                  "caught_by": {outcome.mutant: list(outcome.caught_by) for outcome in outcomes}}
        write_atomically(options.json, json.dumps(result, indent=2) + "\n")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
