"""Tables that can be read at any width: drawn where there is room, a `name: value` a line where there is not."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.table import Table as DrawnTable
from rich.text import Text

from ocrdeploy.plain_text import plain

Cell = str | Text
BESIDE_CELL = 3
"""Columns that a cell takes beside its text: a border and a blank at either side."""
INDENT = "  "


@dataclass(frozen=True)
class Table:
    """A table whose cells come from outside as well, so that they are escaped; a `Text` may have several lines.

    Numbers stand on one line or are not shown in the table's form at all; other cells may be broken at blanks.

    Attributes:
        title: Stands above it; may be empty.
        header: The columns' titles.
        numeric_from: The first column that holds numbers; it and those after it are aligned to the right.
    """

    title: str
    header: tuple[str, ...]
    numeric_from: int
    _rows: list[tuple[Text, ...]] = field(init=False, default_factory=list)
    _sections: set[int] = field(init=False, default_factory=set)

    def add_row(self, *cells: Cell) -> None:
        """Add a row, a cell a column."""
        self._rows.append(tuple(_text(cell) for cell in cells))

    def add_section(self) -> None:
        """Part what follows from what stands there already."""
        self._sections.add(len(self._rows))

    def drawn(self, width: int) -> DrawnTable | None:
        """Return the table with borders, without its title, or None where so many columns of a terminal are too few."""
        widths = self._widths(width)
        if widths is None:
            return None
        table = DrawnTable()
        for index, (title, column_width) in enumerate(zip(self.header, widths, strict=True)):
            is_text = index < self.numeric_from
            table.add_column(_text(title), justify="left" if is_text else "right", width=column_width, overflow="fold")
        for index, row in enumerate(self._rows):
            if index in self._sections:
                table.add_section()
            table.add_row(*row)
        return table

    def log_lines(self) -> Iterator[str]:
        """Yield the table as Markdown with aligned columns, as wide as it takes, for a pipe or a log."""
        if self.title:
            yield plain(self.title)
        rows = [tuple(map(_text, self.header)), *self._rows]
        widths = [max(map(_natural_width, column)) for column in zip(*rows, strict=True)]
        for index, row in enumerate(rows):
            parts = [cell.plain.split("\n") for cell in row]
            for place in range(max(map(len, parts))):
                cells = [each[place] if place < len(each) else "" for each in parts]
                yield f"| {' | '.join(map(self._padded, cells, widths, range(len(cells))))} |"
            if index == 0:
                ends = ("-" if column < self.numeric_from else ":" for column in range(len(widths)))
                yield "|" + "|".join("-" * (width + 1) + end for width, end in zip(widths, ends, strict=True)) + "|"

    def narrow_lines(self, width: int) -> Iterator[str]:
        """Yield the table as lines, for a terminal that is too narrow for it: a row's name, then a value a line."""
        if self.title:
            yield plain(self.title)
        for row in self._rows:
            name, *values = ("\n".join(" ".join(line.split()) for line in cell.plain.split("\n")) for cell in row)
            if len(values) == 1:
                yield from _named_value(name, values[0], width)
                continue
            if name:
                yield name
            for title, value in zip(self.header[1:], values, strict=True):
                if value:
                    yield from (INDENT + line for line in _named_value(title, value, width - len(INDENT)))

    def _padded(self, text: str, width: int, column: int) -> str:
        """Return a cell's text with blanks, up to a width."""
        blanks = " " * (width - cell_len(text))
        return text + blanks if column < self.numeric_from else blanks + text

    def _widths(self, width: int) -> list[int] | None:
        """Return the columns' widths, the widest broken at blanks until all fit; None where they do not."""
        columns = [list(column) for column in zip(map(_text, self.header), *self._rows, strict=True)]
        widths = [max(map(_natural_width, column)) for column in columns]
        least = [
            max(_natural_width(cell) if number and cell is not cells[0] else _word_width(cell) for cell in cells)
            for cells, number in zip(
                columns, (index >= self.numeric_from for index in range(len(columns))), strict=True
            )
        ]
        while sum(widths) + BESIDE_CELL * len(widths) + 1 > width:
            spare = [each - smallest for each, smallest in zip(widths, least, strict=True)]
            if not any(spare):
                return None
            widest = max((column for column, room in enumerate(spare) if room), key=widths.__getitem__)
            widths[widest] -= 1
        return widths


def make_table(title: str, columns: Sequence[str], numeric_from: int = 1) -> Table:
    """Return an empty table whose columns from `numeric_from` on are aligned to the right."""
    return Table(title, tuple(columns), numeric_from)


def _text(cell: Cell) -> Text:
    """Return a cell that cannot control a terminal."""
    if isinstance(cell, Text):
        return Text("\n".join(plain(line) for line in cell.plain.split("\n")), cell.style)
    return Text(plain(cell))


def _natural_width(cell: Text) -> int:
    """Return how wide a cell's longest line is."""
    return max(map(cell_len, cell.plain.split("\n")))


def _word_width(cell: Text) -> int:
    """Return how wide a cell's longest word is."""
    return max(map(cell_len, cell.plain.split()), default=0)


def _named_value(name: str, value: str, width: int) -> Iterator[str]:
    """Yield a name and its value on one line, or, where that is too long, the value broken at blanks beneath it.

    A value of several lines, each a fact, keeps them apart.
    """
    line = f"{name}: {value}"
    if cell_len(line) <= width and "\n" not in value:
        yield line
        return
    yield f"{name}:"
    room = max(1, width - len(INDENT))
    for fact in value.split("\n"):
        for part in textwrap.wrap(fact, room, break_long_words=False, break_on_hyphens=False):
            yield INDENT + part
