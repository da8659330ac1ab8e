"""Checks of an XLSX release: only the specified sheets and parts; yields the rows as lines of CSV."""

import csv
import io
import re
from collections.abc import Callable, Iterator

from screening.releases.verify import pii_patterns
from screening.releases.verify.archive import Archive
from screening.releases.verify.rows import Tally
from screening.releases.verify.sheet import Sheet
from screening.releases.verify.spec import Finding, UnreadableError, shown
from screening.releases.verify.xml_reader import XmlPart, feed

SHEET_NAME = r"(?:responses(?: [2-9]| [1-9]\d+)?|about|codebook)"
PARTS = re.compile(
    r"\[Content_Types\]\.xml|_rels/\.rels|docProps/(?:app|core)\.xml|xl/_rels/workbook\.xml\.rels"
    r"|xl/(?:workbook|styles|sharedStrings|theme/theme1|worksheets/sheet\d{1,2})\.xml"
)
"""The parts that a workbook may have: no comments, pictures, macros, links or custom properties."""

STRING_ELEMENTS = frozenset(("sst", "si", "t"))
FIXED_TIME = "1980-01-01T00:00:00Z"

PROPERTIES = {
    "Application": r"Microsoft Excel",
    "DocSecurity": r"0",
    "ScaleCrop": r"false",
    "LinksUpToDate": r"false",
    "SharedDoc": r"false",
    "HyperlinksChanged": r"false",
    "AppVersion": r"[\d.]{1,9}",
    "lpstr": rf"Worksheets|Named Ranges|{SHEET_NAME}(?:!_FilterDatabase)?",
    "i4": r"\d{1,2}",
    "created": FIXED_TIME,
    "modified": FIXED_TIME,
}
"""Allowed values of document properties; every other property must be empty."""

FILTER = rf"'?{SHEET_NAME}'?!\$A\$1:\$[A-Z]{{1,2}}\$\d{{1,7}}"


def parse(archive: Archive, name: str) -> XmlPart:
    """Parse a small part."""
    part = XmlPart()
    for _ in feed(io.BytesIO(archive.read(name)), part):
        pass
    return part


class Workbook:
    """The sheets of an XLSX release. ``rows`` must be exhausted before ``findings`` is called."""

    def __init__(self, name: str, archive: Archive) -> None:
        self.name, self.archive = name, archive
        self.found: list[tuple[str, str]] = list(archive.findings())
        self.strings = self.shared() if "xl/sharedStrings.xml" in archive.names else []
        self.used = bytearray(len(self.strings))
        self.sheets = self.listed()

    def listed(self) -> dict[str, str]:
        """Return the part of each sheet by name, in order; collect faults of the workbook part."""
        links = parse(self.archive, "xl/_rels/workbook.xml.rels")
        targets = {link["Id"]: f"xl/{link['Target']}" for link, _ in links.all("Relationship")}
        book = parse(self.archive, "xl/workbook.xml")
        sheets = {}
        for sheet, _ in book.all("sheet"):
            if not re.fullmatch(SHEET_NAME, sheet["name"]):
                self.found.append((f"sheet {shown(sheet['name'])}", "no release has this sheet"))
            if sheet.get("state", "visible") != "visible":
                self.found.append((f"sheet {shown(sheet['name'])}", "is hidden"))
            sheets[sheet["name"]] = targets[sheet["id"]].replace("xl//xl/", "xl/")
        for defined, text in book.all("definedName"):
            if defined.get("name") != "_xlnm._FilterDatabase" or not re.fullmatch(FILTER, text):
                self.found.append(("workbook", "holds a defined name"))
        return sheets

    def shared(self) -> list[str]:
        """Return the shared strings."""
        part, strings = parse(self.archive, "xl/sharedStrings.xml"), []
        for name, _, text in part.elements:
            if name not in STRING_ELEMENTS:
                self.found.append(("xl/sharedStrings.xml", f"holds {shown(name)}, which no release has"))
            if name == "si":
                strings.append("")
            if name == "t" and strings:
                strings[-1] += "".join(text)
        return strings

    def rows(self, tally: Tally) -> Iterator[str]:
        """Yield the rows as lines of CSV, header first; the header of further sheets must be equal and is skipped."""
        header, line = None, 0
        numbered = [name for name in self.sheets if name.startswith("responses")]
        if numbered != ["responses", *(f"responses {n}" for n in range(2, len(numbered) + 1))]:
            raise UnreadableError("the sheets of responses are not numbered from one")
        for name in numbered:
            for first, text in enumerate(self.lines(name)):
                line += 1
                if first == 0 and header is not None:
                    if text != header:
                        tally.note(f"sheet {name}", "has another header", line)
                    continue
                header = text if header is None else header
                yield text

    def lines(self, name: str) -> Iterator[str]:
        """Yield the rows of a sheet as lines of CSV."""
        for row in self.cells(name):
            line = ",".join(row)
            if '"' in line or line.count(",") >= len(row) or not line.isprintable():
                text = io.StringIO()
                csv.writer(text, lineterminator="").writerow(row)
                line = text.getvalue()
            yield line

    def cells(self, name: str) -> Iterator[list[str]]:
        """Yield the rows of a sheet."""
        sheet = Sheet(self.strings, self.used)
        with self.archive.open(self.sheets[name]) as file:
            for _ in feed(file, sheet):
                yield from sheet.ready
                sheet.ready.clear()
        sheet.finish()
        yield from sheet.ready
        if sheet.gaps and name.startswith("responses"):
            sheet.faults.add("cells left out or out of order")
        self.found.extend((f"sheet {shown(name)}", fault) for fault in sorted(sheet.faults))

    def findings(self, leaks: Callable[[str], Iterator[str]]) -> Iterator[Finding]:
        """Yield the faults outside the rows; ``leaks`` yields the kinds of personal data in a codebook cell."""
        self.others(leaks)
        for name in self.archive.names:
            if not PARTS.fullmatch(name):
                self.found.append((f"part {shown(name)}", "no release has this part"))
            elif not name.startswith("xl/worksheets/"):
                self.found.extend((f"part {name}", what) for what in self.properties(name))
        if not all(self.used):
            self.found.append(("xl/sharedStrings.xml", "holds texts that no cell shows"))
        for where, what in dict.fromkeys(self.found):
            yield Finding(f"{self.name} {where}", what)

    def others(self, leaks: Callable[[str], Iterator[str]]) -> None:
        """Check every sheet without rows: the codebook, and unlisted or unspecified ones."""
        listed = set(self.sheets.values())
        for part in (name for name in self.archive.names if name.startswith("xl/worksheets/") and name not in listed):
            self.found.append((f"part {shown(part)}", "a sheet that is not listed"))
        if "codebook" not in self.sheets:
            self.found.append(("workbook", "has no codebook"))
        for name in self.sheets:
            if name.startswith("responses"):
                continue
            texts = {cell for row in self.cells(name) for cell in row}
            found = {leak for cell in texts for leak in leaks(cell)}
            self.found.extend((f"sheet {shown(name)}", f"a cell looks like {leak}") for leak in sorted(found))

    def properties(self, name: str) -> Iterator[str]:
        """Yield metadata and links of a part."""
        part = parse(self.archive, name)
        if name.startswith("docProps/"):
            for key, _, text in part.elements:
                value = "".join(text).strip()
                if value and not re.fullmatch(PROPERTIES.get(key, ""), value):
                    yield f"contains {shown(key)}"
        if name.endswith(".rels") and any(link.get("TargetMode") for link, _ in part.all("Relationship")):
            yield "links to somewhere else"
        for _, attributes, _ in part.elements:
            for key, value in attributes.items():
                if key != "panose":
                    yield from (f"an attribute that looks like {leak}" for leak in pii_patterns.pattern_of(value))
