"""The pictures of the README, as SVG files: a neuron, a link, the array, and a learning curve.

    python bench/pictures.py [FOLDER]

FOLDER is docs/pictures unless given. Each file has a sheet of its own below it and changes its colours with the reader's, so
that it can be read on light and on dark pages. Equal figures give equal bytes, on every machine: the files are text made here.
The learning curve is drawn from docs/figures/compare-784-128-10.json.
"""
from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from golden_model.storage.atomic_write import write_atomically

ROOT = Path(__file__).resolve().parents[1]
CURVE = ROOT / "docs/figures/compare-784-128-10.json"
WIDTH, HEIGHT = 560, 400
FONT = "-apple-system, 'Segoe UI', 'Noto Sans', Helvetica, Arial, 'DejaVu Sans', sans-serif"

# Name: on a light page, on a dark one. The two signal colours are told apart by the colour-blind too.
COLOURS = {
    "sheet": ("#ffffff", "#0d1117"), "edge": ("#d0d7de", "#30363d"), "ink": ("#1f2328", "#e6edf3"),
    "dim": ("#59636e", "#9198a1"),
    "box": ("#f6f8fa", "#161b22"), "blue": ("#1f6fb5", "#6cb6ff"), "orange": ("#c2541b", "#f0883e"),
    "green": ("#1a7f5a", "#56c596"), "bluish": ("#ddedfb", "#12304d"), "orangish": ("#fdeadf", "#4a2410"),
    "greenish": ("#dcf3e9", "#0f3a2c"),
}
LINES = ("ink", "dim", "blue", "orange", "green")

Point = tuple[float, float]


def style() -> str:
    """The style sheet of every picture."""
    def colours(which: int) -> str:
        return "".join(f".{name}{{fill:{pair[which]}}}.{name}-line{{stroke:{pair[which]}}}" for name, pair in COLOURS.items())

    return (f"text{{font-family:{FONT};font-size:15px}}.small{{font-size:13px}}.big{{font-size:17px;font-weight:600}}"
            f".line{{fill:none;stroke-width:2}}.thin{{stroke-width:1.2}}.dashed{{stroke-dasharray:5 4}}"
            f"{colours(0)}@media (prefers-color-scheme:dark){{{colours(1)}}}")


def number(value: float) -> str:
    """A coordinate with at most one digit after the point."""
    return f"{round(value, 1):g}"


def text(x: float, y: float, words: str, *, kind: str = "", colour: str = "ink", anchor: str = "middle") -> str:
    classes = " ".join(filter(None, (colour, kind)))
    return f'<text x="{number(x)}" y="{number(y)}" text-anchor="{anchor}" class="{classes}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, *, fill: str = "box", edge: str = "dim", round_by: float = 6) -> str:
    return (f'<rect x="{number(x)}" y="{number(y)}" width="{number(width)}" height="{number(height)}" rx="{number(round_by)}" '
            f'class="{fill} {edge}-line thin"/>')


def circle(at: Point, radius: float, *, fill: str = "box", edge: str = "dim") -> str:
    return f'<circle cx="{number(at[0])}" cy="{number(at[1])}" r="{number(radius)}" class="{fill} {edge}-line thin"/>'


def line(points: Sequence[Point], colour: str, *, kind: str = "", head: bool = True) -> str:
    """A line through these points, with a head at its end."""
    way = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    tip = f' marker-end="url(#{colour})"' if head else ""
    return f'<polyline points="{way}" class="{" ".join(filter(None, ("line", colour + "-line", kind)))}"{tip}/>'


def curve(start: Point, bend: Point, end: Point, colour: str) -> str:
    """A bent arrow."""
    (x, y), (u, v), (w, z) = start, bend, end
    return (f'<path d="M{number(x)},{number(y)} Q{number(u)},{number(v)} {number(w)},{number(z)}" '
            f'class="line {colour}-line" marker-end="url(#{colour})"/>')


def picture(title: str, parts: Iterable[str]) -> str:
    """A whole SVG file: sheet, heading, parts."""
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 10 10" refX="8.5" refY="5" markerWidth="11" markerHeight="11" '
        f'markerUnits="userSpaceOnUse" orient="auto"><path d="M0,0 L10,5 L0,10 z" class="{name}"/></marker>' for name in LINES)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<style>{style()}</style>", f"<defs>{heads}</defs>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" class="sheet edge-line"/>',
        text(WIDTH / 2, 30, title, kind="big"), *parts, "</svg>", ""])


# ----------------------------------------------------------------- the four pictures

def neuron() -> str:
    """Five populations, the cycle that feeds and the cycle that preys."""
    names = ("Wood", "Fire", "Earth", "Metal", "Water")
    centre, radius, size = (196.0, 210.0), 122.0, 33.0
    places = [(centre[0] + radius * math.sin(2 * math.pi * i / 5), centre[1] - radius * math.cos(2 * math.pi * i / 5))
              for i in range(5)]

    def between(start: Point, end: Point) -> tuple[Point, Point]:
        """The same way, without what lies in the two circles."""
        length = math.dist(start, end)
        dx, dy = (end[0] - start[0]) / length, (end[1] - start[1]) / length
        return ((start[0] + dx * (size + 2), start[1] + dy * (size + 2)), (end[0] - dx * (size + 4), end[1] - dy * (size + 4)))

    parts = []
    for i, place in enumerate(places):
        start, end = between(place, places[(i + 1) % 5])
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        out = ((middle[0] - centre[0]) * 1.22 + centre[0], (middle[1] - centre[1]) * 1.22 + centre[1])
        parts.append(curve(start, out, end, "green"))
        parts.append(line(between(place, places[(i + 2) % 5]), "orange"))
    for i, place in enumerate(places):
        fill, edge = ("bluish", "blue") if i < 2 else ("box", "dim")
        parts.append(circle(place, size, fill=fill, edge=edge))
        parts += [text(place[0], place[1] - 1, names[i]), text(place[0], place[1] + 16, f"E{i}", kind="small", colour="dim")]
    wood, fire = places[0], places[1]
    parts += [line([(wood[0] - 150, wood[1]), (wood[0] - size - 4, wood[1])], "blue"),
              text(wood[0] - 152, wood[1] - 10, "input: drive u", colour="blue", anchor="start"),
              line([(fire[0] + size + 2, fire[1]), (fire[0] + 118, fire[1])], "blue"),
              text(fire[0] + size + 8, fire[1] - 10, "output: s of Fire", colour="blue", anchor="start")]
    left = 356.0
    for y, colour, head, caption in ((262, "green", "generation", "each feeds the next"),
                                  (318, "orange", "overcoming", "preys on the next but one")):
        parts += [line([(left, y - 5), (left + 22, y - 5)], colour), text(left + 28, y, head, colour=colour, anchor="start"),
                  text(left + 28, y + 18, caption, kind="small", colour="dim", anchor="start")]
    parts.append(text(WIDTH / 2, 384, "s: how far a population is from rest. Without drive, all return to it.", kind="small",
                      colour="dim"))
    return picture("One neuron: five populations, two cycles", parts)


def ring(centre: Point, radius: float, size: float, chosen: Iterable[int] = ()) -> list[str]:
    """Five populations in a ring, the chosen ones in the colour of signals."""
    parts = []
    for k in range(5):
        before, after = 2 * math.pi * (k + 0.5) / 5 - 0.2, 2 * math.pi * (k + 0.5) / 5 + 0.25
        way = [(centre[0] + radius * math.sin(angle), centre[1] - radius * math.cos(angle)) for angle in (before, after)]
        at = (centre[0] + radius * math.sin(2 * math.pi * k / 5), centre[1] - radius * math.cos(2 * math.pi * k / 5))
        fill, edge = ("bluish", "blue") if k in chosen else ("sheet", "dim")
        parts += [line(way, "dim", kind="thin"), circle(at, size, fill=fill, edge=edge)]
    return parts


def link() -> str:
    """Forward and reverse signals through one link, and the product that changes it."""
    parts = [box(26, 92, 118, 196), text(85, 120, "neuron m"), text(85, 138, "or pixel m", kind="small", colour="dim"),
             box(416, 92, 118, 196), text(475, 120, "neuron n"), text(475, 138, "of the next "
                                                                                "layer", kind="small", colour="dim"),
             box(212, 148, 136, 84, fill="greenish", edge="green"), text(280, 184, "link C", kind="big"),
             text(280, 208, "one wire, one word", kind="small", colour="dim")]
    parts += [line([(144, 168), (208, 168)], "blue"), line([(348, 168), (412, 168)], "blue"),
              text(178, 158, "x", colour="blue", kind="big"), text(380, 158, "C x", colour="blue", kind="big"),
              line([(416, 212), (352, 212)], "orange"), line([(212, 212), (148, 212)], "orange"),
              text(380, 240, "r", colour="orange", kind="big"), text(178, 240, "C r", colour="orange", kind="big")]
    parts += [text(280, 78, "forward: what neuron m says drives neuron n", colour="blue"),
              text(280, 268, "reverse: the error of n goes back", colour="orange", kind="small"),
              text(280, 286, "through the same link", colour="orange", kind="small")]
    parts += [*ring((85, 212), 40, 13, (1,)), *ring((475, 212), 40, 13, (0,))]
    parts += [box(150, 312, 260, 40, fill="greenish", edge="green"), text(280, 338, "C grows by rate × r × x", kind="big"),
              text(WIDTH / 2, 378, "Both are there, at the link's own two ends: nothing comes from further away.", kind="small",
                   colour="dim")]
    return picture("One link: signals both ways, and what it learns", parts)


def array() -> str:
    """The core for 784-128-10: streams, commands, two layers of units, and what is in one unit."""
    parts = [text(54, 64, "AXI4-Stream", kind="small", colour="dim"), line([(52, 72), (52, 92)], "ink"),
             box(12, 96, 80, 104), text(52, 152, "commands", kind="small"),
             line([(52, 200), (52, 222)], "ink"), text(54, 238, "AXI4-Stream", kind="small", colour="dim")]
    for x, name, units, way in ((118, "layer 0", "128 units", "errors come in"),
                                (318, "layer 1", "10 units", "tree: errors back")):
        parts += [box(x, 60, 150, 180), text(x + 75, 80, f"{name}: {units}"),
                  box(x + 10, 90, 130, 26, fill="orangish", edge="orange"), text(x + 75, 108, "controller", kind="small")]
        for k in range(5):
            parts.append(line([(x + 22 + 26.5 * k, 116), (x + 22 + 26.5 * k, 130)], "orange", kind="thin", head=False))
            parts.append(box(x + 12 + 26.5 * k, 132, 20, 66, fill="bluish", edge="blue", round_by=3))
            parts.append(box(x + 15 + 26.5 * k, 176, 14, 18, fill="greenish", edge="green", round_by=2))
        parts += [text(x + 86, 226, way, kind="small", colour="orange")]
    parts += [line([(92, 150), (114, 150)], "blue"), line([(268, 150), (314, 150)], "blue"),
              text(291, 142, "list", kind="small"),
              line([(318, 214), (272, 214)], "orange"),
              line([(468, 150), (490, 150)], "blue"), box(494, 96, 54, 104), text(521, 152, "output", kind="small"),
              line([(494, 184), (472, 184)], "orange"),
              line([(521, 96), (521, 48), (105, 48), (105, 112), (96, 112)], "dim", kind="thin")]
    # one unit, enlarged
    parts += [line([(140, 198), (140, 262)], "dim", kind="thin dashed", head=False),
              box(16, 262, 528, 108, fill="bluish", edge="blue"), text(30, 284, "one unit", anchor="start", kind="big"),
              box(30, 298, 104, 56, fill="greenish", edge="green"), text(82, 322, "weight"), text(82, 340, "memory"),
              line([(134, 326), (162, 326)], "ink"), box(166, 298, 92, 56), text(212, 331, "multiplier"),
              line([(258, 326), (286, 326)], "ink"), box(290, 298, 96, 56), text(338, 322, "sums,"), text(338, 340, "rounding"),
              line([(386, 326), (410, 326)], "ink")]
    parts += [*ring((462, 318), 33, 9), line([(432, 361), (212, 361), (212, 357)], "ink", kind="thin")]
    parts += [text(462, 323, "ring", kind="small"),
              text(WIDTH / 2, 389, "One neuron a unit, or several in turn; all units of a layer do the same at "
                                   "once.", kind="small",
                   colour="dim")]
    return picture("The array: it infers and learns on the chip", parts)


def learning(record: dict[str, Any]) -> str:
    """Accuracy of test images over epochs, float and integers, from the record of ``wuxing compare --json``."""
    curves = {name: record["curves"][name] for name in ("float", "fixed")}
    left, right, top, bottom = 66.0, 530.0, 52.0, 330.0
    epochs = len(curves["fixed"])
    low, high = 93.0, 99.0

    def at(epoch: float, accuracy: float) -> Point:
        return left + (right - left) * (epoch - 1) / (epochs - 1), bottom - (bottom - top) * (accuracy - low) / (high - low)

    parts = []
    for tick in range(int(low), int(high) + 1):
        y = at(1, tick)[1]
        parts += [line([(left, y), (right, y)], "edge", kind="thin", head=False),
                  text(left - 10, y + 5, f"{tick} %", kind="small", colour="dim", anchor="end")]
    for epoch in (1, *range(10, epochs + 1, 10)):
        x = at(epoch, low)[0]
        parts.append(text(x, bottom + 20, f"{epoch}", kind="small", colour="dim"))
    parts.append(text((left + right) / 2, bottom + 40, "times all 60,000 images were learnt, one by one", kind="small",
                      colour="dim"))
    for name, colour in (("float", "blue"), ("fixed", "orange")):
        points = [at(epoch, accuracy) for epoch, accuracy in enumerate(curves[name], 1) if accuracy >= low]
        parts.append(line(points, colour, head=False, kind="dashed" if name == "float" else ""))
    for y, name, colour, caption in ((256, "float", "blue", "floating point"),
                                  (276, "fixed", "orange", "integers, as on the chip")):
        parts += [line([(300, y - 5), (336, y - 5)], colour, head=False, kind="dashed" if name == "float" else ""),
                  text(344, y, caption, colour=colour, anchor="start")]
    parts.append(text(WIDTH / 2, 389, "784-128-10 on MNIST's 10,000 test images, seed 0", kind="small", colour="dim"))
    return picture("Learning in floating point and in integers", parts)


def drawings() -> dict[str, Callable[[], str]]:
    """The pictures by name."""
    return {"neuron": neuron, "link": link, "array": array,
            "learning": lambda: learning(json.loads(CURVE.read_text("utf-8")))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs/pictures")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in drawings().items():
        write_atomically(folder / f"{name}.svg", draw())


if __name__ == "__main__":
    sys.exit(main())
