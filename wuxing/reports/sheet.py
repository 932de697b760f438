"""A table that stays readable on a narrow screen: it breaks text between words, never a number, and cuts nothing.

Where its columns have no room side by side, each row becomes a paragraph with a line for each of its cells.
"""
from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

WHOLE = 24                                # cells of numbers up to this width are not broken at their spaces
BETWEEN = 2                               # blanks between two columns


class Sheet(Table):
    """As ``rich.table.Table``; columns that are justified to the right hold numbers."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        least, full = ([size(column) for column in self.columns] for size in (_least, _full_width))
        spare = options.max_width - sum(least) - BETWEEN * (len(least) - 1)
        if spare < 0 and len(least) > 1:
            yield from self._paragraphs(options.max_width)
            return
        widths = list(least)
        for _ in range(spare):
            if not (short := [at for at, width in enumerate(widths) if width < full[at]]):
                break
            widths[min(short, key=widths.__getitem__)] += 1   # the narrowest one that can use it
        for column, width in zip(self.columns, widths, strict=True):
            column.width = width
        yield from super().__rich_console__(console, options)

    def _paragraphs(self, width: int) -> Iterator[Text]:
        """Title, rows, caption. A row begins with its first cell, or with heading and cell where there is no header."""
        if self.title:
            yield _text(self.title, "table.title")
        names = [_text(column.header).plain.replace("\n", " ") for column in self.columns]
        for row in zip(*(column.cells for column in self.columns), strict=True):
            cells = [_text(cell) for cell in row]
            if not self.show_header:
                yield _folded(Text(": ").join(cells))
                continue
            yield _folded(Text(" ").join([*([Text(names[0])] if names[0] else []), cells[0]]), "bold")
            for name, cell in zip(names[1:], cells[1:], strict=True):
                if cell.plain:
                    alone = cell_len(name) + cell_len(cell.plain) + 4 > width     # a number is not broken at its spaces
                    yield _folded(Text(f"  {name}:{chr(10) * alone} ").append_text(cell))
        if self.caption:
            yield _text(self.caption, "table.caption")


def _text(cell: object, style: str = "") -> Text:
    text = cell if isinstance(cell, Text) else Text.from_markup(str(cell))
    return _folded(text, style)


def _folded(text: Text, style: str = "") -> Text:
    text.overflow = "fold"
    if style:
        text.stylize(style)
    return text


def _cells(column: Column) -> list[str]:
    return [line for cell in column.cells for line in _text(cell).plain.split("\n")]


def _heading(column: Column) -> list[str]:
    return _text(column.header).plain.split("\n")


def _least(column: Column) -> int:
    """The width that breaks no word and no number."""
    words = [word for line in [*_cells(column), *_heading(column)] for word in line.split()]
    if column.justify == "right":
        words += [cell for cell in _cells(column) if cell_len(cell) <= WHOLE]
    return max(map(cell_len, words), default=0)


def _full_width(column: Column) -> int:
    """The width that breaks nothing at all."""
    return max(map(cell_len, [*_cells(column), *_heading(column)]))
