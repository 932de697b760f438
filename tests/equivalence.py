"""Whether two texts of Verilog are the same circuit, where a change of the program changes names or the order of expressions.

    PYTHONPATH=tests python tests/equivalence.py --save FOLDER      # the Verilog of the designs of emitted_designs.py
    PYTHONPATH=tests python tests/equivalence.py FOLDER             # after a change: is what they give now the same circuit?

Modules whose text is the same need no proof. Of each other one, flattened, Yosys pairs registers and wires by name, except
those that it named itself, and proves every pair equal by induction, whatever the inputs are. A register that only one of the
two has must not matter to any pair.
"""
from __future__ import annotations

import argparse
import re
import sys
import tempfile
from pathlib import Path

from boards import tools
from emitted_designs import designs
from hdl import emit

MODULE = re.compile(r"^(?:\(\* keep_hierarchy \*\)\n)?module (\\\S+ |\w+)\s*\(.*?^endmodule$", re.MULTILINE | re.DOTALL)
INITIAL = re.compile(r"^\s*(?:initial|reg (?:signed )?(?:\[[^]]*\] )?)\s*(\\\S+ |[A-Za-z]\w*)\s*=\s*(\S+);", re.MULTILINE)
COMPLAINT = re.compile(r"(always @\(posedge \w+\)\s+)?if \([^;]*\) begin\s+\$display\(.*\);\s+\$finish;\s+end\n")
CLOCKS = 8                                # of induction: more than any chain of registers that only one side has
SIDE = """read_verilog -sv {side}.v models.v
hierarchy -top {top}
proc
flatten
memory_map -formal
opt_clean
rename -hide w:_*_ w:*._*_
rename {top} {side}
design -stash {side}
"""
JOINED = f"""design -copy-from old -as old old
design -copy-from new -as new new
equiv_make old new both
hierarchy -top both
equiv_struct
equiv_simple -undef
equiv_induct -undef -seq {CLOCKS}
equiv_status
"""


def modules(text: str) -> dict[str, str]:
    return {match[1].strip().removeprefix("\\"): match[0] for match in MODULE.finditer(text)}


def models() -> str:
    """What a target's blocks do, without the complaints of their models, which Yosys does not read."""
    names = [name for files in emit.CELLS.values() for name in files]
    return "\n".join(COMPLAINT.sub("", (emit.SOURCES / name).read_text("utf-8")) for name in names)


def changed(old: str, new: str) -> list[str]:
    """Modules of the new text that differ, without those that another one of them has inside; all there is if one is gone."""
    before, after = modules(old), modules(new)
    names = [name for name in after if before.get(name) != after[name]]
    if set(before) != set(after):
        return [next(iter(after))]
    return [name for name in names if not any(name != other and name.startswith(f"{other}.") for other in names)]


def unproven(old: str, new: str) -> dict[str, int]:
    """Of each module that differs, how many pairs of bits were not proven equal, and how many registers begin otherwise; 0 is a
    proof that they are the same circuit."""
    results = {}
    for top in changed(old, new):
        with tempfile.TemporaryDirectory(prefix="wuxing-equivalence-", dir=Path.cwd()) as name:
            folder = Path(name)
            (folder / "old.v").write_text(old, "utf-8")
            (folder / "new.v").write_text(new, "utf-8")
            (folder / "models.v").write_text(models(), "utf-8")
            sides = "".join(SIDE.format(side=side, top=top) for side in ("old", "new"))
            (folder / "prove.ys").write_text(sides + JOINED, "utf-8")
            log = tools.run("yosys", ["-s", "prove.ys"], folder).output
        counts = re.search(r"Of those cells (\d+) are proven and (\d+) are unproven", log)
        assert counts is not None, f"Yosys must say how many cells are proven, not {log[-300:]!r}"
        results[top] = int(counts[2]) + begin_otherwise(modules(old), modules(new), top)
    return results


def begin_otherwise(old: dict[str, str], new: dict[str, str], top: str) -> int:
    """Registers of a module, and of those inside it, whose initial values differ: induction does not look at these."""
    different = 0
    for name in (each for each in new if each == top or each.startswith(f"{top}.")):
        before, after = (dict(INITIAL.findall(side.get(name, ""))) for side in (old, new))
        different += sum(before[register] != after[register] for register in before.keys() & after.keys())
    return different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--save", action="store_true", help="write the Verilog there")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    different = 0
    for name, design in designs().items():
        text, file = emit.to_verilog(design), arguments.folder / f"{name.replace(' ', '_')}.v"
        if arguments.save:
            file.write_text(text, "utf-8")
            continue
        left = unproven(file.read_text("utf-8"), text)
        different += any(left.values())
        sys.stdout.write(f"{name}: {left or 'the same text'}\n")
        sys.stdout.flush()
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
