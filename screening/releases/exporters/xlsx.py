"""The Excel workbook of a release: its rows, what to know about them, and its codebook.

Codes that are digits are number cells and all others texts, so Excel converts none to a date. The sheets are written
as XML here, since equal rows, of which a release has many, differ in their numbers only.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape
from itertools import chain, islice
from math import ceil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

MAX_SHEET_ROWS = 1_048_575
"""Most rows of a sheet below its header (Excel, "Specifications and limits")."""

DIGITS = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)
"""Codes that a number cell shows unchanged."""

COMPRESSION_LEVEL = 1
"""Three times as fast as the default level, for a file a quarter larger."""

BATCH_ROWS = 2000
"""Rows compressed at a time."""

ABOUT = "about"
WIDTHS = {ABOUT: (44, 110)}
"""Column widths in characters of the sheets that differ from ``WIDTH``."""

WIDTH = 18
HEADER_STYLE, TEXT_STYLE = ' s="1"', ' s="2"'
"""Styles of a header's cells (bold) and of the sheet ``about`` (wrapped)."""

XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
FORMATS = "application/vnd.openxmlformats-officedocument.spreadsheetml"

STYLES = (
    f'{XML}<styleSheet xmlns="{MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill'
    ' patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border>'
    '<left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0"'
    ' fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"'
    ' xfId="0"/><xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/><xf numFmtId="0" fontId="0"'
    ' fillId="0" borderId="0" xfId="0" applyAlignment="1"><alignment horizontal="left" vertical="top" wrapText="1"/>'
    '</xf></cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)

Table = Iterable[list[str]]


def write_workbook(target: Path, rows: Iterator[list[str]], count: int, about: Table, codebook: Table) -> None:
    """Write a workbook. All tables begin with a header; ``count`` is the number of rows after it in ``rows``.

    Rows beyond a full sheet continue in ``responses 2`` and so on. Raises ValueError when there are more than ``count``
    rows; errors of the iterators propagate, and then there is no file.
    """
    sheets = ["responses", *(f"responses {n}" for n in range(2, ceil(count / MAX_SHEET_ROWS) + 1))]
    tables: dict[str, Table] = {}
    header = next(rows)
    for name in sheets:
        tables[name] = chain([header], islice(rows, MAX_SHEET_ROWS))
    tables |= {ABOUT: about, "codebook": codebook}
    try:
        with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as book:
            _Book(book).write(tables)
        if next(rows, None) is not None:
            raise ValueError(f"there are more than {count} rows")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Book:
    """Writes the parts of a workbook; ``ZipFile.open`` dates all of them 1980."""

    def __init__(self, archive: ZipFile) -> None:
        self.archive = archive
        self.strings: dict[str, int] = {}
        self._cell = cache(self._new_cell)

    def write(self, tables: dict[str, Table]) -> None:
        for number, (name, table) in enumerate(tables.items(), 1):
            with self.archive.open(f"xl/worksheets/sheet{number}.xml", "w") as part:
                for piece in self._sheet(name, iter(table), name == ABOUT):
                    part.write(piece)
        for part_name, text in _frame(list(tables)).items():
            self._part(part_name, text)
        texts = "".join(f'<si><t xml:space="preserve">{escape(text, quote=False)}</t></si>' for text in self.strings)
        self._part("xl/sharedStrings.xml", f'{XML}<sst xmlns="{MAIN}">{texts}</sst>')

    def _part(self, name: str, text: str) -> None:
        with self.archive.open(name, "w") as part:
            part.write(text.encode())

    def _sheet(self, name: str, table: Iterator[list[str]], wrapped: bool) -> Iterator[bytes]:
        """Yield the XML of a sheet in pieces."""
        header = next(table)
        widths = WIDTHS.get(name, (WIDTH,) * len(header))
        columns = "".join(
            f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>'
            for place, width in enumerate(widths, 1)
        )
        selected = ' tabSelected="1"' if name == ABOUT else ""
        yield (
            f'{XML}<worksheet xmlns="{MAIN}"><sheetViews><sheetView{selected} workbookViewId="0"><pane ySplit="1"'
            ' topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
            f"<cols>{columns}</cols><sheetData>{self._template(header, HEADER_STYLE).replace('#', '1')}"
        ).encode()
        style, before, template = TEXT_STYLE if wrapped else "", [""], ""
        number = 2
        while several := list(islice(table, BATCH_ROWS)):
            lines = []
            for row in several:
                if row != before:
                    before, template = row, self._template(row, style)
                lines.append(template.replace("#", str(number)))
                number += 1
            yield "".join(lines).encode()
        yield b"</sheetData></worksheet>"

    def _template(self, row: list[str], style: str) -> str:
        """Return the XML of a row, with ``#`` in place of its number; an empty cell is left out."""
        cells = [self._cell(place, cell, style) for place, cell in enumerate(row)]
        return f'<row r="#">{"".join(cells)}</row>'

    def _new_cell(self, place: int, cell: str, style: str) -> str:
        if not cell:
            return ""
        where = f'<c r="{column(place)}#"{style}'
        if DIGITS.fullmatch(cell):
            return f"{where}><v>{cell}</v></c>"
        return f'{where} t="s"><v>{self.strings.setdefault(cell, len(self.strings))}</v></c>'


@cache
def column(place: int) -> str:
    """Return the name of a column by its place from 0: ``A``, ``Z``, ``AA``."""
    before, letter = divmod(place, 26)
    return (column(before - 1) if before else "") + chr(ord("A") + letter)


def _frame(names: list[str]) -> dict[str, str]:
    """Return the parts that list the sheets."""
    numbers = range(1, len(names) + 1)
    sheets = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in zip(numbers, names, strict=True)
    )
    parts = [("worksheet", f"worksheets/sheet{number}.xml") for number in numbers]
    parts += [("styles", "styles.xml"), ("sharedStrings", "sharedStrings.xml")]
    kinds = [("sheet.main", "workbook.xml"), *parts]
    overrides = "".join(f'<Override PartName="/xl/{part}" ContentType="{FORMATS}.{kind}+xml"/>' for kind, part in kinds)
    return {
        "[Content_Types].xml": f'{XML}<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType='
        f'"application/xml"/>{overrides}</Types>',
        "_rels/.rels": _links([("officeDocument", "xl/workbook.xml")]),
        "xl/_rels/workbook.xml.rels": _links(parts),
        "xl/styles.xml": STYLES,
        "xl/workbook.xml": f'{XML}<workbook xmlns="{MAIN}" xmlns:r="{LINKS}"><bookViews><workbookView activeTab='
        f'"{names.index(ABOUT)}"/></bookViews><sheets>{sheets}</sheets></workbook>',
    }


def _links(parts: list[tuple[str, str]]) -> str:
    links = "".join(
        f'<Relationship Id="rId{number}" Type="{LINKS}/{kind}" Target="{part}"/>'
        for number, (kind, part) in enumerate(parts, 1)
    )
    return f'{XML}<Relationships xmlns="{PACKAGE}/relationships">{links}</Relationships>'
