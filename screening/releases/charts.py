"""Geometry of a release's charts, on a grid of 300 units, from the stored counts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext

from screening.i18n.locale import localized
from screening.questionnaires.model import NOT_ANSWERED, Questionnaire
from screening.releases.anonymise import SUPPRESSED
from screening.releases.chart_counts import UNCLEAR
from screening.releases.display import period

CHART_WIDTH, GAP = 300, 2
COLUMN_HEIGHT = 124
MAX_SHADE = 3
"""The index of the darkest fill."""

OTHER, SUPPRESSED_CELLS, SUPPRESSED_ROWS = "rest", "hidden", "masked"
"""Fills of a bar's last parts: other answers, or other answers including suppressed counts; suppressed rows."""

CODES = {NOT_ANSWERED: lazy_gettext("Left open"), SUPPRESSED: lazy_gettext("Masked")}

CYCLE = {
    "both": lazy_gettext("Pain and mood"),
    "pain_only": lazy_gettext("Pain only"),
    "mood_only": lazy_gettext("Mood only"),
    "neither": lazy_gettext("Neither"),
    UNCLEAR: lazy_gettext("Not clear"),
}


@dataclass(frozen=True)
class Block:
    """A part of a bar: ``fill`` is an index from 0 or a fill of the last parts; ``share`` is of all rows."""

    fill: int | str
    text: str
    x: float
    width: float
    share: float


@dataclass(frozen=True)
class Bar:
    """How often one sign was noticed: the parts drawn, and the counts by code (None if suppressed)."""

    label: str
    blocks: tuple[Block, ...]
    counts: Mapping[str, int | None]


@dataclass(frozen=True)
class FrequencyChart:
    """How often each sign was noticed. ``levels``: fill and text of each frequency; ``heads``: all answers by code."""

    rows: int
    levels: tuple[tuple[int, str], ...]
    heads: Mapping[str, str]
    bars: tuple[Bar, ...]

    @property
    def empty(self) -> bool:
        """Whether every count is suppressed."""
        return not any(isinstance(block.fill, int) for bar in self.bars for block in bar.blocks)

    def has(self, fill: str) -> bool:
        """Return whether any bar has a part with this fill."""
        return any(block.fill == fill for bar in self.bars for block in bar.blocks)


@dataclass(frozen=True)
class Column:
    """The number of rows (``count``) with ``label`` noticed signs."""

    label: str
    count: int | None
    x: float
    height: float


@dataclass(frozen=True)
class PeriodChart:
    """How many signs were noticed. ``open``: rows in which an answer is missing; None if suppressed."""

    rows: int
    columns: tuple[Column, ...]
    width: float
    open: int | None

    @property
    def empty(self) -> bool:
        """Whether every count is suppressed."""
        return all(column.count is None for column in self.columns)

    @property
    def largest(self) -> int:
        """The largest count shown."""
        return max((column.count or 0 for column in self.columns), default=0)


@dataclass(frozen=True)
class CycleShare:
    """``count`` of all rows (``of``); None if suppressed."""

    label: str
    count: int | None
    of: int

    @property
    def share(self) -> float | None:
        """Between 0 and 1."""
        return None if self.count is None else self.count / self.of

    @property
    def width(self) -> float:
        """Width of the filled part of the bar."""
        return round(CHART_WIDTH * (self.share or 0), 1)


@dataclass(frozen=True)
class Periods:
    """How many noticed each sign by period; the parts are in the order of ``signs``."""

    signs: tuple[str, ...]
    rows: tuple[tuple[str, int, tuple[CycleShare, ...]], ...]

    @property
    def empty(self) -> bool:
        """Whether every count is suppressed."""
        return all(part.count is None for _, _, parts in self.rows for part in parts)


@dataclass(frozen=True)
class Charts:
    """The charts of one release."""

    shares: FrequencyChart
    columns: PeriodChart
    cycle: tuple[CycleShare, ...]
    periods: Periods | None


def build_charts(tables: Mapping[str, Any], asked: Questionnaire) -> Charts:
    """Return the charts of a release from its stored ``tables``; codes unknown to ``asked`` are shown as they are."""
    rows = tables["rows"]
    return Charts(
        shares=_shares(tables["signs"], rows, asked),
        columns=_columns(tables["noticed"], rows),
        cycle=tuple(CycleShare(str(text), tables["cycle"][code], rows) for code, text in CYCLE.items()),
        periods=_periods(tables["periods"], asked),
    )


def mood(asked: Questionnaire) -> list[str]:
    """Return the chart names of the mood signs."""
    return [_sign(asked, question.id) for question in asked.signs if question.id in asked.roles.mood]


def _shares(signs: Mapping[str, Mapping[str, int | None]], rows: int, asked: Questionnaire) -> FrequencyChart:
    codes: dict[str, tuple[int | None, str]] = {}
    for sign, cells in signs.items():
        for code in cells:
            codes.setdefault(code, _answer(asked, sign, code))
    levels = {code: (min(points, MAX_SHADE), text) for code, (points, text) in codes.items() if points is not None}
    bars = (Bar(_sign(asked, sign), _blocks(cells, levels, rows), cells) for sign, cells in signs.items())
    return FrequencyChart(rows, tuple(levels.values()), {code: text for code, (_, text) in codes.items()}, tuple(bars))


def _blocks(cells: Mapping[str, int | None], levels: Mapping[str, tuple[int, str]], rows: int) -> tuple[Block, ...]:
    """Return one part for each frequency with a shown count, one for the rest, and one for suppressed rows."""
    parts: list[tuple[int | str, str, int]] = []
    for code, (fill, text) in levels.items():
        count = cells.get(code)
        if count:
            parts.append((fill, text, count))
    suppressed = cells.get(SUPPRESSED) or 0
    rest = rows - suppressed - sum(count for _, _, count in parts)
    if rest:
        parts.append((SUPPRESSED_CELLS if None in cells.values() else OTHER, "", rest))
    if suppressed:
        parts.append((SUPPRESSED_ROWS, "", suppressed))
    room, x, found = CHART_WIDTH - GAP * (len(parts) - 1), 0.0, []
    for part, text, count in parts:
        width = room * count / rows
        found.append(Block(part, text, round(x, 1), round(width, 1), count / rows))
        x += width + GAP
    return tuple(found)


def _columns(noticed: Mapping[str, int | None], rows: int) -> PeriodChart:
    counts = {label: count for label, count in noticed.items() if label != UNCLEAR}
    pitch = (CHART_WIDTH + 8) / len(counts)
    largest = max((count or 0 for count in counts.values()), default=0)
    columns = (
        Column(label, count, round(number * pitch, 1), round(COLUMN_HEIGHT * (count or 0) / (largest or 1), 1))
        for number, (label, count) in enumerate(counts.items())
    )
    return PeriodChart(rows, tuple(columns), round(pitch - 8.5, 1), noticed[UNCLEAR])


def _periods(periods: Mapping[str, Any], asked: Questionnaire) -> Periods | None:
    if not periods:
        return None
    signs = {sign: _sign(asked, sign) for sign in next(iter(periods.values()))["noticed"]}
    rows = tuple(
        (
            period(code),
            generalized["rows"],
            tuple(CycleShare(signs[sign], generalized["noticed"][sign], generalized["rows"]) for sign in signs),
        )
        for code, generalized in sorted(periods.items())
    )
    return Periods(tuple(signs.values()), rows)


def _sign(asked: Questionnaire, sign: str) -> str:
    question = asked.by_id.get(sign)
    return localized(question.short) if question and question.short else sign


def _answer(asked: Questionnaire, sign: str, code: str) -> tuple[int | None, str]:
    """Return points (None if it has none) and text of an answer."""
    question = asked.by_id.get(sign)
    choice = question.by_code.get(code) if question else None
    if choice is None:
        return (int(code) if code.isdecimal() else None), str(CODES.get(code, code))
    return choice.points, localized(choice.brief or choice.text)
