"""One sheet of a workbook: its rows as lists of cell texts, and whatever else it holds."""

import re
from dataclasses import dataclass, field

from screening.releases.verify import pii_patterns
from screening.releases.verify.spec import UnreadableError, shown

LAYOUT = re.compile(
    r"worksheet|sheetPr|pageSetUpPr|outlinePr|dimension|sheetViews?|pane|selection|sheetFormatPr|cols?|sheetData"
    r"|autoFilter|pageMargins|ignoredErrors?"
)
"""What may stand in a sheet beside its rows."""

INSIDE = frozenset(("is", "t", "v"))
COLUMNS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = str.maketrans("", "", "0123456789")
CELL_TYPES = frozenset(("s", "inlineStr", "n", None))


@dataclass
class Sheet:
    """Takes in a sheet's XML. ``ready`` are the rows so far, to be fetched and forgotten.

    Text counts to the cell begun last: where a sheet hides text between its cells, a cell shows it.
    """

    strings: list[str]
    """The texts that cells may point at."""

    used: bytearray
    """A mark for each of these that a cell points at."""

    faults: set[str] = field(default_factory=set)
    gaps: bool = False
    """Whether a row leaves out a cell or has one elsewhere than after the one before it."""

    ready: list[list[str]] = field(default_factory=list)
    row: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    pointing: list[int] = field(default_factory=list)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A row, a cell, its text or something else begins."""
        if name in INSIDE:
            return
        if name == "c":
            kind = attributes.get("t")
            if kind == "s":
                self.pointing.append(len(self.row))
            elif kind not in CELL_TYPES:
                self.faults.add("a cell of another kind than text or number")
            self.places.append(attributes.get("r", ""))
            self.row.append("")
        else:
            self.finish()
            if name != "row" or "hidden" in attributes:
                self.other(name, attributes)

    def text(self, text: str) -> None:
        """Text of the last cell."""
        if self.row:
            self.row[-1] += text
        else:
            self.faults.add("text outside its cells")

    def finish(self) -> None:
        """A row is whole: put in the texts it points at."""
        for place in self.pointing:
            pointer = self.row[place]
            if not (pointer.isascii() and pointer.isdigit() and int(pointer) < len(self.strings)):
                raise UnreadableError("a cell points at no text")
            self.used[int(pointer)] = 1
            self.row[place] = self.strings[int(pointer)]
        self.pointing.clear()
        if self.row:
            self.gaps = self.gaps or "".join(self.places).translate(DIGITS) != COLUMNS[: len(self.row)]
            self.ready.append(self.row)
            self.row = []
            self.places.clear()

    def other(self, name: str, attributes: dict[str, str]) -> None:
        """Whatever is no cell: only what lays out a sheet may be there, and hide nothing."""
        if name != "row" and not LAYOUT.fullmatch(name):
            self.faults.add(f"holds {shown(name)}, which no release has")
        if "hidden" in attributes:
            self.faults.add("a hidden row or column")
        for value in attributes.values():
            self.faults.update(f"an attribute that looks like {leak}" for leak in pii_patterns.pattern_of(value))
