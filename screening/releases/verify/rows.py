"""One pass over the sorted rows of a release; memory grows only with the distinct groups and answer patterns."""

import csv
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from sys import intern

from screening.releases.verify.columns import Columns
from screening.releases.verify.spec import ANY, NOT_SHOWN, NOTICED, SUPPRESSED, Finding, ReleaseSpec, number

ID_SAMPLE_ROWS = 10_000
"""An unspecified column contains ids if this many first values all differ."""


@dataclass
class Group:
    """The rows that share their quasi-identifiers."""

    rows: int = 0
    named: Counter[bool | None] = field(default_factory=Counter)
    """Rows by whether pain was named (None: unknown)."""

    sensitive: Counter[str] = field(default_factory=Counter)
    """Rows by the answer to the sensitive question."""


@dataclass
class Figures:
    """Counts of the rows of a data file."""

    layout: Columns
    rows: int = 0
    bytes: int = 0
    sha256: str = ""
    groups: dict[tuple[str, ...], Group] = field(default_factory=dict)
    patterns: Counter[tuple[str, ...]] = field(default_factory=Counter)
    periods: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """For each period, and for suppressed rows: ``rows``, and in how many each sign was noticed."""

    @property
    def complete(self) -> bool:
        """Whether no column is missing, so that the counts are meaningful."""
        return not self.layout.missing()

    @property
    def suppressed(self) -> int:
        """Number of suppressed rows."""
        return sum(group.rows for key, group in self.groups.items() if key[0] == SUPPRESSED)

    @property
    def smallest(self) -> int:
        """Rows of the smallest group, including the suppressed one."""
        return min((group.rows for group in self.groups.values()), default=0)

    def codes(self, column: int) -> set[str]:
        """Return the codes of a quasi-identifier in rows that are not suppressed."""
        return {key[column] for key in self.groups} - {SUPPRESSED}

    def sign_patterns(self) -> Counter[tuple[str, ...]]:
        """Return the answer patterns in detail ``signs``, with the rows of each."""
        if self.layout.detail == "signs":
            return self.patterns
        signs: Counter[tuple[str, ...]] = Counter()
        names = [self.layout.expected.in_signs[sign] for sign in self.layout.expected.signs]
        for pattern, rows in self.patterns.items():
            signs[tuple([name.get(code, code) for name, code in zip(names, pattern, strict=False)])] += rows
        return signs


@dataclass
class Tally:
    """Collects faults; those of the same kind and place become one finding with their number and first line."""

    seen: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def note(self, where: str, what: str, line: int, rows: int = 1) -> None:
        """Count a fault."""
        self.seen.setdefault((where, what), [line, 0])[1] += rows

    def findings(self, name: str) -> Iterator[Finding]:
        """Yield one finding for each kind and place."""
        for (where, what), (line, rows) in self.seen.items():
            place = f"{name} line {line}, {where}" if where else f"{name} line {line}"
            yield Finding(place, f"{what} ({number(rows, 'row', 'rows')})")


def digest(lines: Iterable[str]) -> str:
    """Return the SHA-256 of a data file with these lines, given without line ends."""
    sha256 = hashlib.sha256()
    for text, run in groupby(lines):
        sha256.update(f"{text}\r\n".encode() * sum(1 for _ in run))
    return sha256.hexdigest()


def count(
    name: str, lines: Iterable[str], expected: ReleaseSpec, levels: Mapping[str, str]
) -> tuple[Figures, list[Finding]]:
    """Count and check the rows of a data file, given as lines without line ends, the header first."""
    sha256, size = hashlib.sha256(), 0
    lines = iter(lines)
    header = next(lines, "")
    figures = Figures(Columns(tuple(cells(header) or ()), levels, expected))
    scan = Scan(figures)
    found = [Finding(f"{name} {where}", what) for where, what in figures.layout.findings()]
    sha256.update(header.encode() + b"\r\n")
    line, before = 2, ""
    for text, run in groupby(lines):
        rows = sum(1 for _ in run)
        if text < before:
            scan.tally.note("", "not sorted", line, rows)
        scan.add_rows(text, line, rows)
        data = f"{text}\r\n".encode()
        for _ in range(rows):
            sha256.update(data)
        size += len(data) * rows
        line, before = line + rows, text
    figures.sha256, figures.bytes = sha256.hexdigest(), size + len(header.encode()) + 2
    return figures, [*found, *scan.tally.findings(name), *scan.ids(name)]


def cells(line: str) -> list[str] | None:
    """Return the cells of one CSV record; None when it is invalid."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], strict=True))
    except (csv.Error, StopIteration):
        return None


class Scan:
    """Adds distinct rows to the figures and collects their faults."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.tally = Tally()
        layout = figures.layout
        self.complete = figures.complete
        self.names, self.keys = layout.names, layout.keys
        self.answers = layout.answers if self.complete else []
        self.valid: list[set[str]] = [set() for _ in self.names]
        self.specified = [name in layout.columns for name in self.names]
        self.distinct: dict[int, set[str]] = {place: set() for place, known in enumerate(self.specified) if not known}
        self.sensitive = self.place(layout.expected.sensitive)
        self.pain = [self.place(name) for name in ("pain_duration", layout.expected.pain)]
        self.average = self.place(layout.expected.pain_average) if layout.detail == "full" else None
        self.named = layout.expected.pain_named | {NOTICED}
        self.noticed = [
            (sign, self.place(sign), {NOTICED} | {code for code, name in names.items() if name == NOTICED})
            for sign, names in layout.expected.in_signs.items()
        ]

    def place(self, column: str) -> int:
        """Return the position of a column; 0 if missing, when nothing is counted."""
        return self.names.index(column) if column in self.names else 0

    def add_rows(self, text: str, line: int, rows: int) -> None:
        """Add ``rows`` equal rows, the first of which is in ``line``."""
        self.figures.rows += rows
        row = cells(text)
        if '"' in text:
            self.tally.note("", "quotes, which no code needs", line, rows)
        if row is None or len(row) != len(self.names):
            self.tally.note("", "not as many cells as the header", line, rows)
            return
        row = list(map(intern, row))
        if not all(map(set.__contains__, self.valid, row)):
            for place, (cell, valid) in enumerate(zip(row, self.valid, strict=True)):
                if cell not in valid:
                    self.check_cell(place, cell, line, rows)
        if self.distinct:
            self.track_distinct(row, rows)
        if self.complete:
            self.count_row(row, line, rows)

    def check_cell(self, place: int, cell: str, line: int, rows: int) -> None:
        """Check a cell; cache a valid code."""
        column = self.names[place]
        fault = self.figures.layout.fault(column, cell)
        if fault is not None:
            self.tally.note(f"column {column}" if self.specified[place] else f"column {place + 1}", fault, line, rows)
        elif self.specified[place]:
            self.valid[place].add(cell)

    def track_distinct(self, row: list[str], rows: int) -> None:
        """Drop the unspecified columns that repeat a value; ids never do."""
        for place, cell in enumerate(row):
            values = self.distinct.get(place)
            if values is None or len(values) == ID_SAMPLE_ROWS:
                continue
            if rows > 1 or cell in values:
                del self.distinct[place]
            else:
                values.add(cell)

    def ids(self, name: str) -> Iterator[Finding]:
        """Yield a finding for each unspecified column whose values all differ."""
        for place in self.distinct if self.figures.rows > 1 else ():
            yield Finding(f"{name} column {place + 1}", "all values differ, as ids do")

    def count_row(self, row: list[str], line: int, rows: int) -> None:
        """Add the row to its group and answer pattern, and check it as a whole."""
        figures = self.figures
        key = tuple([row[place] for place in self.keys])
        group = figures.groups.get(key)
        if group is None:
            group = figures.groups[key] = Group()
        duration, pain = row[self.pain[0]], row[self.pain[1]]
        average = None if self.average is None else row[self.average]
        group.rows += rows
        group.named[was_named(duration, pain, average, self.named)] += rows
        group.sensitive[row[self.sensitive]] += rows
        figures.patterns[tuple([row[place] for place in self.answers])] += rows
        period = figures.periods[key[0]]
        period["rows"] += rows
        for sign, place, codes in self.noticed:
            if row[place] in codes:
                period[sign] += rows
        for fault in faults(key[:3], pain, average, self.named):
            self.tally.note("", fault, line, rows)


@lru_cache(maxsize=4096)
def was_named(duration: str, pain: str, average: str | None, named: frozenset[str]) -> bool | None:
    """Return whether pain was named, by the first cell that discloses it; None if no cell does."""
    if duration not in (SUPPRESSED, ANY):
        return duration != NOT_SHOWN
    if pain != SUPPRESSED:
        return pain in named
    if average not in (SUPPRESSED, None):
        return average != NOT_SHOWN
    return None


@lru_cache(maxsize=4096)
def faults(key: tuple[str, ...], pain: str, average: str | None, named: frozenset[str]) -> tuple[str, ...]:
    """Return the faults of a row as a whole: partly suppressed, or answers about pain that its duration hides."""
    about_pain = [cell for cell in (pain, average) if cell is not None]
    hidden = key[2] in (SUPPRESSED, ANY)
    found = []
    if 0 < key.count(SUPPRESSED) < len(key):
        found.append("only partly masked")
    if hidden and any(cell != SUPPRESSED for cell in about_pain):
        found.append("pain is stated although its duration is hidden")
    if not hidden and SUPPRESSED in about_pain:
        found.append("pain is masked although its duration is stated")
    elif not hidden and not agree(key[2], pain, average, named):
        found.append("the cells about pain contradict each other")
    return tuple(found)


def agree(duration: str, pain: str, average: str | None, named: frozenset[str]) -> bool:
    """Return whether all cells about pain agree on whether it was named."""
    stated = duration != NOT_SHOWN
    return (pain in named) == stated and (average is None or (average != NOT_SHOWN) == stated)
