"""The page of ``wuxing build``: one HTML file that needs nothing beside itself, made of the report's data."""
from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

PARTS = {"cells": "logic cells", "flip_flops": "flip-flops", "multipliers": "multipliers", "block_rams": "block RAMs",
         "spram": "SPRAM blocks"}
IMAGES = "Time and energy of an image"
KINDS = {"inferred": "inferred", "learnt": "learnt, with an error", "learnt_without_error": "learnt, without"}
BARS = """
.bar { background: var(--soft); border-radius: 4px; min-width: 8rem; width: 100%; height: 1.1rem; overflow: hidden; }
.bar div { background: var(--accent); height: 100%; }
td.bars { width: 45%; }
""".strip()


def page(found: Mapping[str, Any]) -> str:
    """The HTML of a report as ``boards.report.data`` makes it."""
    from wuxing.reports.comparison_page import STYLE  # needs Matplotlib, which `wuxing --help` is not to wait for
    sizes = "-".join(map(str, found["network"]["layers"]))
    title = f"{sizes} on {found['title']}"
    sections = [_clock(found), _use(found), _images(found), _path(found), _verified(found), _made(found)]
    return (f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{_text(title)}</title>\n'
            f"<style>\n{STYLE}\n{BARS}\n</style>\n</head>\n<body>\n<h1>{_text(title)}</h1>\n"
            f'<p class="faint">{_text(found["device"])}, {_text(found["bitstream"])}; '
            f'{"learns on the chip" if found["design"]["learns"] else "infers"}; processing units '
            f'{_text(", ".join(map(str, found["design"]["units"])))}</p>\n' + "\n".join(sections) + "\n</body>\n</html>\n")


def _clock(found: Mapping[str, Any]) -> str:
    clock, serial = found["clock"], found["serial"]
    rows = [("core", f"{clock['MHz']:g} MHz"), ("reached by place and route", f"{clock['reached_MHz']:.2f} MHz"),
            ("margin", f"{100 * clock['margin']:.1f} %"), ("oscillator of the board", f"{clock['oscillator_MHz']:g} MHz"),
            ("seed and router", f"{found['seed']}, {found['router']}"),
            ("serial line", f"{serial['baud']:,} baud, {serial['divisor']} clocks a bit")]
    if len(found["tried"]) > 1:
        rows.append(("seeds tried", ", ".join(f"{one['seed']}: {one['MHz']:.1f} MHz" for one in found["tried"])))
    return _section("Clock", _table((), rows))


def _use(found: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td>{PARTS[part]}</td><td class="bars"><div class="bar" role="img" aria-label="{100 * use["share"]:.0f} %">'
        f'<div style="width: {min(100, 100 * use["share"]):.1f}%"></div></div></td><td class="number">{use["used"]:,}</td>'
        f'<td class="number">of {use["there"]:,}</td><td class="number">{100 * use["share"]:.1f} %</td></tr>'
        for part, use in found["use"].items())
    return _section("Use of the device", f'<div class="scroll"><table>{rows}</table></div>')


def _images(found: Mapping[str, Any]) -> str:
    rows = [(KINDS[name], f"{each['clocks']:,.1f}", f"{each['us']:,.2f}", f"{each['images_per_second']:,.0f}",
             f"{each['estimated_uJ']:,.2g}") for name, each in found["images"].items()]
    power = found["energy"]
    said = (f"Images one after the other without pause, {found['verified']['nonzero_share']:.0%} of their bytes not zero. "
            f"Means of the co-simulation, whose random images have errors to learn; without an error, as most images that a "
            f"trained network learns, by formula. The serial line is slower. "
            f"Energy is an estimate of its order of magnitude, of the core alone ({power['standing_mW']:,.1f} mW standing, "
            f"{power['working_mW']:,.0f} mW working), nothing of it was measured; sources: {'; '.join(power['sources'])}.")
    return _section(IMAGES, _table(("", "clocks", "us", "images/s", "uJ (estimate)"), rows)
                    + f'<p class="faint">{_text(said)}</p>')


def _path(found: Mapping[str, Any]) -> str:
    path = found["critical_path"]
    rows = [(hop["kind"], hop["signal"] or hop["cell"], f"{hop['ns']:.2f}") for hop in path["hops"]]
    return _section(f"Critical path, {path['ns']:.2f} ns", _table(("", "where", "ns"), rows, wide=(1,)))


def _verified(found: Mapping[str, Any]) -> str:
    rows = [(name.replace("_", " "), value if not isinstance(value, float) else f"{value:,.1f}")
            for name, value in found["verified"].items() if value is not None]
    return _section("Co-simulation of this Verilog with the golden model", _table((), rows))


def _made(found: Mapping[str, Any]) -> str:
    rows = [("network digest", found["network"]["digest"]), *found["versions"].items(),
            *((f"SHA-256 of {name}", digest) for name, digest in found["sha256"].items())]
    return _section("How it was made", _table((), rows, wide=(1,)))


# ----------------------------------------------------------------- pieces

def _section(title: str, body: str) -> str:
    return f"<section>\n<h2>{_text(title)}</h2>\n{body}\n</section>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[Any]], wide: Sequence[int] = ()) -> str:
    """Columns after the first are numbers, but for those that are ``wide``."""
    def cell(kind: str, place: int, value: Any) -> str:
        name = "wide" if place in wide else "number"
        return f'<{kind}{f" class={chr(34)}{name}{chr(34)}" if place else ""}>{_text(value)}</{kind}>'
    head = f"<tr>{''.join(cell('th', place, value) for place, value in enumerate(headings))}</tr>" if headings else ""
    body = "".join(f"<tr>{''.join(cell('td', place, value) for place, value in enumerate(row))}</tr>" for row in rows)
    return f'<div class="scroll"><table>{head}{body}</table></div>'


def _text(value: Any) -> str:
    return html.escape(str(value))
