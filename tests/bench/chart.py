"""Draw the report as a chart of speed ratios: each value relative to its peer or limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any

from tests.bench.callbacks import growth

WIDTH, LEFT, RIGHT, PITCH, TOP = 860, 400, 70, 40, 64
LOWEST, HIGHEST = 0.1, 10.0
"""The ends of the logarithmic scale."""


@dataclass(frozen=True)
class Bar:
    """One bar: ``ratio`` is 1 at equal speed, 2 where this site is twice as fast."""

    name: str
    beside: str
    ratio: float


def bars(found: dict[str, Any]) -> list[Bar]:
    """Return the bars of a report, of the parts it has."""
    parts = (("journeys", _of_walk), ("callbacks", _of_calls), ("releases", _of_releases))
    return [bar for name, read in parts if name in found for bar in read(found[name])]


def _of_walk(walk: dict[str, Any]) -> Iterator[Bar]:
    for peer, words in (("minimal", "a minimal Flask-WTF app"), ("bare", "a bare callable with a ready page")):
        yield Bar("Walks a second", words, walk["ratios"][f"journeys: site / {peer}"]["median"])


def _of_calls(calls: dict[str, Any]) -> Iterator[Bar]:
    for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        ratio = calls["sending"]["ratios"][kind]["median"]
        yield Bar(f"Requests for a call a second, {name}", "a minimal contact form", ratio)
    most, fewest = (f"{calls['queue']['sizes'][place]:,}" for place in (-1, 0))
    for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        yield Bar(
            f"The team’s pages with {most} requests, {name}",
            f"the same with {fewest}",
            1 / growth(calls["queue"], kind),
        )


def _of_releases(releases: dict[str, Any]) -> Iterator[Bar]:
    book = releases["workbook"]
    for kind, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
        done = releases["create"].get(f"{kind} {book['rows']}")
        if done:
            yield Bar(
                f"A release of {book['rows']:,} copies, {name}",
                "xlsxwriter, only writing them",
                book["xlsxwriter"]["seconds"] / done["seconds"],
            )
    for kind, peer in (("sqlite", "sqlite3 -csv"), ("postgresql", "psql COPY")):
        yield Bar("Download of its CSV over HTTP", peer, 1 / releases["download"][kind]["ratio"]["median"])
    yield Bar("Its workbook", "xlsxwriter", book["xlsxwriter"]["seconds"] / book["ours"]["seconds"])


def draw(shown: list[Bar]) -> str:
    """Return the chart as SVG with a background of its own, so that it is legible on any page."""
    height = TOP + PITCH * len(shown) + 12
    description = ". ".join(f"{bar.name}, beside {bar.beside}: {bar.ratio:.2f} times as fast" for bar in shown)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="t d" '
        f'font-family="system-ui, sans-serif">',
        f'<title id="t">How many times as fast as its peer or limit</title><desc id="d">{escape(description)}.</desc>',
        f'<rect width="{WIDTH}" height="{height}" rx="14" fill="#faf6ef"/>',
        '<text x="24" y="34" font-size="17" font-weight="600" fill="#1f2d2e">Times as fast as its peer or limit</text>',
    ]
    for mark in (LOWEST, 1.0, HIGHEST):
        x = _across(mark)
        stroke = 'stroke="#7c776a" stroke-width="2"' if mark == 1 else 'stroke="#e0d6c4"'
        lines.append(f'<line x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{height - 10}" {stroke}/>')
        lines.append(
            f'<text x="{x:.1f}" y="{TOP - 16}" font-size="13" text-anchor="middle" fill="#414d4b">{mark:g}</text>'
        )
    for number, bar in enumerate(shown):
        lines += _drawn(bar, TOP + PITCH * number)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _drawn(bar: Bar, y: int) -> list[str]:
    one, end = _across(1), _across(min(max(bar.ratio, LOWEST), HIGHEST))
    fill = "#0e525c" if bar.ratio >= 1 else "#609ea4"
    beyond = max(one, end) + 8
    return [
        f'<text x="24" y="{y + 14}" font-size="14" fill="#1f2d2e">{escape(bar.name)}</text>',
        f'<text x="24" y="{y + 30}" font-size="13" fill="#414d4b">beside {escape(bar.beside)}</text>',
        f'<rect x="{min(one, end):.1f}" y="{y + 8}" width="{abs(end - one):.1f}" height="18" rx="3" fill="{fill}"/>',
        f'<text x="{beyond:.1f}" y="{y + 22}" font-size="14" font-weight="600" fill="#1f2d2e">{bar.ratio:.2f}</text>',
    ]


def _across(ratio: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * log10(ratio / LOWEST) / log10(HIGHEST / LOWEST)
