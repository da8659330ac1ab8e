"""Reads rows of a sheet that are written in the plainest way, without an XML parser: a hundred times as fast.

A row of any other form is left to the parser. Rows that differ in their number only are read once.
"""

import re
from collections.abc import Sequence

from screening.releases.verify.sheet import COLUMNS

CELL = re.compile(
    rb'<c r="([A-Z]{1,2})"(?: s="\d*")?(?:'
    rb'(?: t="n")?><v>(?P<number>\d{1,15})</v>| t="s"><v>(?P<shared>\d{1,9})</v>'
    rb'| t="inlineStr"><is><t>(?P<text>[A-Za-z0-9_.-]*)</t></is>)'
)
"""A cell up to its end tag, without its row's number; no text in it needs decoding."""

ROW = re.compile(rb'<row r=""(?: spans="\d*:\d*")?>')
END = b"</row>"


class PlainRows:
    """Reads plain rows; ``strings`` and ``used`` are those of ``Sheet``."""

    def __init__(self, strings: Sequence[str], used: bytearray) -> None:
        self.strings, self.used = strings, used
        self.cells: dict[bytes, tuple[str, str] | None] = {}
        self.before = b""
        self.row: list[str] | None = None

    def read(self, part: bytes, number: int) -> list[str] | None:
        """Return the cells of the row ``number``, given up to its end tag; the same list for equal rows in sequence.

        None if the row is not plain, or not complete.
        """
        plain = part.replace(b'%d"' % number, b'"')
        if plain != self.before:
            self.before, self.row = plain, self._read(plain)
        return self.row

    def _read(self, plain: bytes) -> list[str] | None:
        start = plain.find(b">") + 1
        if not ROW.fullmatch(plain[:start]) or not plain.endswith(b"</c>"):
            return None
        found = [self._cell(cell) for cell in plain[start:-4].split(b"</c>")]
        cells = [cell for cell in found if cell is not None]
        names = "".join([name for name, _ in cells])
        if len(cells) < len(found) or names != COLUMNS[: max(len(cells), 2 * len(cells) - 26)]:
            return None
        return [text for _, text in cells]

    def _cell(self, cell: bytes) -> tuple[str, str] | None:
        """Return column and text of a cell; None if it is not plain."""
        if cell not in self.cells:
            self.cells[cell] = self._parsed(cell)
        return self.cells[cell]

    def _parsed(self, cell: bytes) -> tuple[str, str] | None:
        match = CELL.fullmatch(cell)
        if match is None:
            return None
        name, shared = match[1].decode(), match["shared"]
        if shared is None:
            return name, (match["number"] or match["text"] or b"").decode()
        if int(shared) >= len(self.strings):
            return None
        self.used[int(shared)] = 1
        return name, self.strings[int(shared)]
