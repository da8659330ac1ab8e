"""Reads the lines of a release's CSV file: UTF-8 without BOM, CRLF after every record."""

import codecs
from collections.abc import Iterator
from functools import partial
from itertools import groupby, repeat
from typing import BinaryIO

from screening.releases.verify.rows import Tally

MAX_LINE_BYTES = 4096
"""Most bytes of a line; those of a release have under 300."""


def csv_lines(file: BinaryIO, tally: Tally) -> Iterator[str]:
    """Yield each line without its line end; faults are added to ``tally``."""
    number = 1
    for line, run in groupby(iter(partial(file.readline, MAX_LINE_BYTES), b"")):
        rows = sum(1 for _ in run)
        if number == 1 and line.startswith(codecs.BOM_UTF8):
            tally.note("", "begins with a byte order mark", number)
            line = line.removeprefix(codecs.BOM_UTF8)
        if not line.endswith(b"\r\n"):
            tally.note("", "does not end with CR LF", number, rows)
        content = line.removesuffix(b"\n").removesuffix(b"\r")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            tally.note("", "not UTF-8", number, rows)
            text = content.decode(errors="replace")
        if "\r" in text or not text.isprintable():
            tally.note("", "control or invisible characters", number, rows)
        yield from repeat(text, rows)
        number += rows
