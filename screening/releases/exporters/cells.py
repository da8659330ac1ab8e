"""Cells as CSV: written so that every program reads the same, and that none runs a cell as a formula."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

FORMULA = re.compile("[=+@\t\r\n＝＋－＠-]")
"""How a cell starts that a spreadsheet may take for a formula (OWASP, "CSV Injection")."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@lru_cache(maxsize=4096)
def escape_formula(cell: str) -> str:
    """The cell with an apostrophe before it where it could be run as a formula; a number stays what it is."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


class _Line:
    """Hands back what it is given to write."""

    def write(self, line: str) -> str:
        return line


_writer = csv.writer(_Line(), lineterminator="\r\n")


def csv_record(cells: Iterable[str]) -> str:
    """One record of RFC 4180: safe cells, quotes only where needed, CRLF at its end."""
    line: str = _writer.writerow([escape_formula(cell) for cell in cells])
    return line


def write_csv(rows: Iterable[Iterable[str]]) -> bytes:
    """A whole small file, as UTF-8 without a byte order mark."""
    return "".join(map(csv_record, rows)).encode()


def parse_csv(parts: Iterable[bytes]) -> Iterator[list[str]]:
    """The rows of a file that comes in parts, cut anywhere. Raises csv.Error and UnicodeDecodeError."""
    return csv.reader(_lines(codecs.iterdecode(parts, "utf-8")), strict=True)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """The same text, cut after each line feed."""
    waiting = ""
    for text in texts:
        *lines, waiting = (waiting + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if waiting:
        yield waiting
