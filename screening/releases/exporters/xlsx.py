"""The Excel workbook of a release, with its codebook. Every cell is text, so Excel converts none to dates."""

import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from math import ceil
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from rustpy_xlsxwriter import FastExcel

MAX_SHEET_ROWS = 1_048_575
"""Most rows of a sheet below its header (Excel, "Specifications and limits")."""

PROPERTIES = "docProps/core.xml"
NO_PROPERTIES = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"/>'
)
"""Replaces the properties of the library, which contain author and times."""

COMPRESSION_LEVEL = 1
"""Three times as fast as the default level, for a file a quarter larger."""

COLUMN_WIDTH = 18.0
"""In characters."""


def write_workbook(target: Path, rows: Iterator[list[str]], count: int, codebook: Iterator[list[str]]) -> None:
    """Write a workbook. Both iterators begin with a header; ``count`` is the number of rows after it in ``rows``.

    Rows beyond a full sheet continue in ``responses 2`` and so on. Rows are buffered on disk, not in memory.
    Raises ValueError when there are more than ``count`` rows; errors of the iterators propagate.
    """
    header, explained = next(rows), next(codebook)
    draft = target.with_name(f"{target.name}.draft")
    book = FastExcel(draft).format(bold_headers=True).freeze(row=1)
    for number in range(1, max(1, ceil(count / MAX_SHEET_ROWS)) + 1):
        name = f"responses {number}" if number > 1 else "responses"
        book.sheet(name, _named(header, islice(rows, MAX_SHEET_ROWS)), column_width=COLUMN_WIDTH, ignore_errors=header)
    book.sheet("codebook", _named(explained, codebook), column_width=COLUMN_WIDTH, ignore_errors=explained)
    try:
        book.save()
        _without_properties(draft, target)
    finally:
        draft.unlink(missing_ok=True)
    if next(rows, None) is not None:
        raise ValueError(f"there are more than {count} rows")


def _named(header: list[str], rows: Iterable[list[str]]) -> Iterator[dict[str, str]]:
    """Return the rows as dicts, as the library expects them."""
    return (dict(zip(header, row, strict=True)) for row in rows)


def _without_properties(draft: Path, target: Path) -> None:
    """Copy the workbook without author and times; ``ZipFile.open`` dates all parts 1980."""
    with ZipFile(draft) as source, ZipFile(target, "w", ZIP_DEFLATED, compresslevel=COMPRESSION_LEVEL) as copy:
        for name in source.namelist():
            with copy.open(name, "w") as part:
                if name == PROPERTIES:
                    part.write(NO_PROPERTIES.encode())
                else:
                    with source.open(name) as original:
                        shutil.copyfileobj(original, part, 1 << 20)
