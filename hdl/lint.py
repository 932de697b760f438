"""What makes the Verilog agree with a lint: unread wires left out, constants as wide as what they meet, and waivers.

Yosys names every signal of the generator in every module that it passes through, read or not, writes constants as short as
their value, and asks ``! word`` whether a word is zero. Text in, text out; what the modules compute stays the same.
``lint.vlt`` waives what every module has; what is left is waived here, module by module.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping

from hdl.verilog_text import MODULE

CONSTANT = r"\d+'h[0-9a-f]+"
NAME = r"(?:\\\S+ |[A-Za-z_]\w*)(?:\[\d+(?::\d+)?\])?"
OPERAND = rf"{CONSTANT}|{NAME}|\{{[^{{}}]*\}}"
# Neither numbers nor the ports of instances.
TOKEN = re.compile(r"\d+'[bdh][0-9a-fxz]+|\.(?:\\\S+ |\w+)\(|(\\\S+|[A-Za-z_]\w*)")
DECLARED = re.compile(r"  (wire|reg|input|output) (?:\[(\d+):0\] )?(\\\S+|\w+) ?(?: = [^;]*)?;")
ASSIGNED = re.compile(r"  assign (\\\S+|\w+) ? = ([^;]*);")
FIELD = re.compile(r"\\([^.\[]+)[.\[].*")
WATCHED = re.compile(r"point_\d|step_\d+")                 # what the comparison with the golden model's states reads
ZERO = re.compile(rf"! (?:\$signed\(({OPERAND})\)|({NAME}))")
SIDES = re.compile(rf"({OPERAND}) (==|!=|<=|>=|<|>|\+|-) ({OPERAND})")
SIGNED = re.compile(rf"\$signed\(({OPERAND})\) (==|!=|<=|>=|<|>|\+|-) \$signed\(({OPERAND})\)")

HEADER = re.compile(r"module (\S+?)\s*\([^)]*\);\n")

ACCESS = "UNUSEDSIGNAL", "words of parameters are as wide as those of the host, and wider than what this core has"
ANSWERS = "UNUSEDSIGNAL", "modules below have answers that other layers, other designs or simulators need"
CARRIED = "UNUSEDSIGNAL", "words that go from stage to stage are whole, whatever the last stage needs of them"
DROPPED = "UNUSEDSIGNAL", "rounding and saturation drop bits; points of a step are named for simulators"
EXTENDED = "WIDTHEXPAND", "operands of a sum or comparison are extended, those with a sign by their sign"
ALWAYS = "UNUSEDSIGNAL", "ports are the same whether a core learns or not"
PICKED = "WIDTHTRUNC", "one place is picked from a word by shifting it"
WAIVED = {                                                 # by the last part of a module's name, without its number
    "wuxing_core": (ACCESS,), "commands": (ACCESS, EXTENDED), "images": (PICKED,), "list": (PICKED,),
    "output_unit": (ALWAYS,), "wuxing_control": (CARRIED,), "layer": (ANSWERS,), "array": (ANSWERS,),
    "sequencer": (CARRIED, EXTENDED), "pipeline": (CARRIED, EXTENDED),
    "tree": (DROPPED, EXTENDED), "wuxing_unit": (DROPPED, EXTENDED), "wuxing_time_shared_unit": (DROPPED, EXTENDED)}


def agreeing(text: str) -> str:
    """Modules as Yosys writes them, one statement a line, with plain names: the same modules in fewer lines; see above."""
    return MODULE.sub(lambda match: _agreeing(match[0]), text)


def _agreeing(module: str) -> str:
    lines = _read(module.split("\n"))
    widths = {match[3]: int(match[2] or 0) + 1 for line in lines if (match := DECLARED.fullmatch(line))}
    return _waived("\n".join(_widened(line, widths) for line in lines))


# ----------------------------------------------------------------- wires that nobody reads

def _read(lines: list[str]) -> list[str]:
    """The lines without wires that are given a value but never read, nor those that only such wires read.

    Fields of words stay where the module takes the word in as a port: waveforms show them by name there.
    """
    declarations = [(number, match) for number, line in enumerate(lines) if (match := DECLARED.fullmatch(line))]
    inputs = {match[3].removeprefix("\\") for _, match in declarations if match[1] == "input"}
    declared = {match[3]: number for number, match in declarations if match[1] == "wire"}
    assigned = {match[1]: number for number, line in enumerate(lines) if (match := ASSIGNED.fullmatch(line))}
    uses = Counter(_names(lines))

    def unread(name: str) -> bool:                            # it is in its declaration and its assignment only
        field = FIELD.fullmatch(name)
        return (uses[name] == 2 and name in declared and name in assigned and not WATCHED.fullmatch(name)
                and not (field and field[1] in inputs))
    gone: set[int] = set()
    waiting = [name for name in assigned if unread(name)]
    while waiting:
        name = waiting.pop()
        gone |= {declared[name], assigned[name]}
        for number in range(declared[name] - 1, 0, -1):       # its attributes
            if not lines[number].startswith("  (*"):
                break
            gone.add(number)
        for other in _names([lines[assigned[name]]]):
            uses[other] -= 1
            if other != name and unread(other):
                waiting.append(other)
    return [line for number, line in enumerate(lines) if number not in gone]


def _names(lines: Iterable[str]) -> list[str]:
    """What the statements of these lines name, each as often as it stands there."""
    return [name for name in TOKEN.findall("\n".join(line for line in lines if not line.lstrip().startswith("(*"))) if name]


# ----------------------------------------------------------------- widths

def _widened(line: str, widths: Mapping[str, int]) -> str:
    """The statement with each constant as wide as the word that it meets, and with zero as a word where one is meant."""
    statement = ASSIGNED.fullmatch(line)
    if statement is None:
        return line
    value = statement[2]
    start = line[:len(line) - len(value) - 1]
    if (match := ZERO.fullmatch(value)) and (width := _width(word := match[1] or match[2], widths)) > 1:
        return f"{start}{word} == {width}'h{0:0{-(-width // 4)}x};"
    for pattern, signed in ((SIDES, False), (SIGNED, True)):
        if match := pattern.fullmatch(value):
            left, right = (_as_wide(match[side], _width(match[other], widths), signed) for side, other in ((1, 3), (3, 1)))
            sides = f"$signed({left}) {match[2]} $signed({right})" if signed else f"{left} {match[2]} {right}"
            return f"{start}{sides};"
    return line


def _as_wide(operand: str, width: int, signed: bool) -> str:
    """A constant in at least ``width`` bits, of the same value; anything else as it is."""
    if not re.fullmatch(CONSTANT, operand):
        return operand
    bits, digits = operand.split("'h")
    value, own = int(digits, 16), int(bits)
    if own >= width:
        return operand
    if signed and value >> own - 1:
        value += (1 << width) - (1 << own)
    return f"{width}'h{value:0{-(-width // 4)}x}"


def _width(operand: str, widths: Mapping[str, int]) -> int:
    """Bits of an operand; 0 if not known."""
    if operand.startswith("{"):
        parts = [_width(part, widths) for part in operand[1:-1].strip().split(", ")]
        return sum(parts) if all(parts) else 0
    if re.fullmatch(CONSTANT, operand):
        return int(operand.split("'")[0])
    name, _, places = operand.rstrip("]").partition("[")
    if not places:
        return widths.get(name.strip(), 0)
    first, _, last = places.partition(":")
    return int(first) - int(last or first) + 1 if name.strip() in widths else 0


# ----------------------------------------------------------------- waivers

def _waived(module: str) -> str:
    """The module with a comment for Verilator for each rule that is waived in it, in force up to its end."""
    header = HEADER.match(module)
    assert header is not None, f"a module must begin with its ports, not with {module[:40]!r}"
    rules = WAIVED.get(re.sub(r"_\d+$", "", header[1].lstrip("\\").rpartition(".")[2]), ())
    if not rules:
        return module
    begun = "".join(f"  /* verilator lint_off {rule} */  // {reason}\n" for rule, reason in rules)
    body = module[header.end():].removesuffix("endmodule")
    return f"{header[0]}  /* verilator lint_save */\n{begun}{body}  /* verilator lint_restore */\nendmodule"
