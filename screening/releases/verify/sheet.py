"""Parses one sheet of a workbook: rows as lists of cell texts, and faults for everything else."""

import re
from dataclasses import dataclass, field

from screening.releases.verify import pii_patterns
from screening.releases.verify.spec import UnreadableError, shown

LAYOUT = re.compile(
    r"worksheet|sheetPr|pageSetUpPr|outlinePr|dimension|sheetViews?|pane|selection|sheetFormatPr|cols?|sheetData"
    r"|autoFilter|pageMargins|ignoredErrors?"
)
"""Elements that a sheet may have besides its rows."""

INSIDE = frozenset(("is", "t", "v"))
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
COLUMNS = ALPHABET + "".join(first + second for first in ALPHABET for second in ALPHABET)
"""The names of the first 702 columns, ``A`` to ``ZZ``, one after the other."""
DIGITS = str.maketrans("", "", "0123456789")


@dataclass
class Sheet:
    """A SAX-style handler for a sheet's XML. ``ready`` are the complete rows, which the caller consumes.

    Text belongs to the cell that started last, so text hidden between cells is checked as part of a cell.
    """

    strings: list[str]
    """The shared strings."""

    used: bytearray
    """For each shared string: 1 if a cell refers to it."""

    faults: set[str] = field(default_factory=set)
    gaps: bool = False
    """Whether a row omits cells or has them out of order."""

    ready: list[list[str]] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    pointing: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        if name in INSIDE:
            return
        if name == "c":
            kind = attributes.get("t")
            if kind == "s":
                self.pointing.append(len(self.row))
            elif kind in ("n", None):
                self.numbers.append(len(self.row))
            elif kind != "inlineStr":
                self.faults.add("a cell of another kind than text or number")
            self.places.append(attributes.get("r", ""))
            self.row.append("")
        else:
            self.finish()
            if name != "row" or "hidden" in attributes:
                self.other(name, attributes)

    def text(self, text: str) -> None:
        """Add text to the last cell."""
        if self.row:
            self.row[-1] += text
        else:
            self.faults.add("text outside its cells")

    def finish(self) -> None:
        """Complete a row: resolve its shared strings; a number such as ``1.0`` is the code ``1``."""
        for place in self.pointing:
            pointer = self.row[place]
            if not (pointer.isascii() and pointer.isdigit() and int(pointer) < len(self.strings)):
                raise UnreadableError("a cell refers to a missing shared string")
            self.used[int(pointer)] = 1
            self.row[place] = self.strings[int(pointer)]
        self.pointing.clear()
        for place in self.numbers:
            self.row[place] = self.row[place].removesuffix(".0")
        self.numbers.clear()
        if self.row:
            self.gaps = (
                self.gaps
                or "".join(self.places).translate(DIGITS) != COLUMNS[: max(len(self.row), 2 * len(self.row) - 26)]
            )
            self.ready.append(self.row)
            self.row = []
            self.places.clear()

    def other(self, name: str, attributes: dict[str, str]) -> None:
        """Check an element that is not a cell: only layout is allowed, and nothing hidden."""
        if name != "row" and not LAYOUT.fullmatch(name):
            self.faults.add(f"holds {shown(name)}, which no release has")
        if "hidden" in attributes:
            self.faults.add("a hidden row or column")
        for value in attributes.values():
            self.faults.update(f"an attribute that looks like {leak}" for leak in pii_patterns.pattern_of(value))
