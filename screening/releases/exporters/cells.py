"""CSV writing and reading, with cells escaped so that no spreadsheet runs one as a formula."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

FORMULA = re.compile("[=+@\t\r\n＝＋－＠-]")
"""First characters of cells that a spreadsheet may run as a formula (OWASP, "CSV Injection")."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@lru_cache(maxsize=4096)
def escape_formula(cell: str) -> str:
    """Return the cell, with a leading apostrophe if a spreadsheet could run it as a formula; numbers are unchanged."""
    return f"'{cell}" if FORMULA.match(cell) and not NUMBER.fullmatch(cell) else cell


class _Line:
    """A file object whose ``write`` returns the line, and so does ``csv.writer.writerow``."""

    def write(self, line: str) -> str:
        return line


_writer = csv.writer(_Line(), lineterminator="\r\n")


def csv_record(cells: Iterable[str]) -> str:
    """Return one RFC 4180 record: cells escaped against formulas, quotes only where needed, ending with CRLF."""
    line: str = _writer.writerow([escape_formula(cell) for cell in cells])
    return line


def write_csv(rows: Iterable[Iterable[str]], encoding: str = "utf-8") -> bytes:
    """Return a complete small file. ``utf-8-sig`` begins it with a byte order mark."""
    return "".join(map(csv_record, rows)).encode(encoding)


def parse_csv(parts: Iterable[bytes]) -> Iterator[list[str]]:
    """Yield the rows of a file given in parts, split at any byte. Raises csv.Error and UnicodeDecodeError."""
    return csv.reader(_lines(codecs.iterdecode(parts, "utf-8")), strict=True)


def _lines(texts: Iterable[str]) -> Iterator[str]:
    """Yield the text line by line, each with its line feed."""
    rest = ""
    for text in texts:
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest
