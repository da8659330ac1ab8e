"""From copies to rows that hide each in a group: which levels, which rows masked, and what it cost.

Pure: it is given counts and gives back a plan; it reads no clock, no database and throws no dice.

The method is full-domain generalisation with a few masked rows. Every combination of levels is tried.
What a combination costs is the normalised certainty penalty (NCP) of Xu, Wang, Pei, Wang, Shi and Fu,
"Utility-based anonymization using local recoding", KDD 2006: a value that stands for u of the
A possible values of its detail costs u/A, one that stands for itself costs nothing; details are weighted.
Levels are put in order by k alone, never by the sensitive answers: a choice that looked at them would tell
something of them (the minimality attack of Wong, Fu, Wang and Pei, VLDB 2007).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

ANY = "any"
"""What a value is called when its detail is not told at all."""

MASKED = "masked"
"""What a value is called in a row that is masked."""

Told = tuple[str, ...]
"""The values of one row's details as they are released, in the order of the ladders."""


@dataclass(frozen=True)
class Level:
    """One way to tell a detail: what each possible value becomes."""

    id: str
    told: Mapping[str, str]


@dataclass(frozen=True)
class Ladder:
    """The ways to tell one detail, finest first. ``weight``: how much its loss counts beside the others'.

    ``waits``: a value of the finest level with fewer than k rows is not released at all, but waits.
    """

    name: str
    weight: int
    levels: tuple[Level, ...]
    waits: bool = False


@dataclass(frozen=True)
class Rules:
    """What every group must meet.

    ``k``: rows, at least. Among the rows whose sensitive answer is in ``answered`` there must be one in ``noticed`` and
    one that is not, and ``strongest`` may be at most ``most_strongest`` of them. At most ``most_masked`` of all rows
    may be masked, and at most ``most_lost`` of the different values of any detail may be lost by it.
    """

    k: int
    answered: frozenset[str]
    noticed: frozenset[str]
    strongest: str
    most_strongest: Fraction = Fraction(1, 2)
    most_masked: Fraction = Fraction(1, 20)
    most_lost: Fraction = Fraction(1, 5)

    def met_by(self, answers: Counter[str]) -> bool:
        """Whether a group with these sensitive answers may be released."""
        counted = _only(answers, self.answered)
        noticed = _only(counted, self.noticed).total()
        diverse = 0 < noticed < counted.total() and counted[self.strongest] <= self.most_strongest * counted.total()
        return answers.total() >= self.k and diverse


@dataclass(frozen=True)
class Plan:
    """How a release tells its details, and what that reached and cost.

    ``told``: for each combination of original values what is released instead. ``waiting``: the combinations that
    are not released yet. ``k`` is the size of the smallest group, ``ncp`` the mean penalty of a row (0: nothing is
    lost, 1: all is). ``values`` and ``strongest``: the fewest different sensitive answers of a group, and the
    greatest share that the strongest one has in any.
    """

    levels: tuple[str, ...]
    told: Mapping[Told, Told]
    waiting: frozenset[Told]
    rows: int
    masked: int
    groups: int
    k: int
    ncp: Fraction
    values: int
    strongest: Fraction


class TooFewError(Exception):
    """There are fewer rows than k."""


class TooAlikeError(Exception):
    """No combination of levels meets the rules."""


Groups = dict[Told, Counter[str]]
"""The sensitive answers of the rows of each group, by what is told of the group."""

Passes = Callable[[Counter[str]], bool]


@dataclass(frozen=True)
class _Candidate:
    """A combination of levels that can meet k: its penalty, its levels by number, its groups."""

    ncp: Fraction
    vector: tuple[int, ...]
    groups: Groups


def plan(counts: Mapping[tuple[Told, str], int], ladders: tuple[Ladder, ...], rules: Rules) -> Plan:
    """The plan with the least penalty that meets the rules.

    ``counts``: how many copies have each combination of details (in the order of ``ladders``) and sensitive answer.
    Raises TooFewError and TooAlikeError; ValueError for a value that a ladder does not know.
    """
    cells: Groups = defaultdict(Counter)
    for (details, answer), number in counts.items():
        _check(details, ladders)
        cells[details][answer] += number
    waiting = _waiting(cells, ladders, rules.k)
    cells = {details: answers for details, answers in cells.items() if details not in waiting}
    rows = _rows(cells)
    if rows < rules.k:
        raise TooFewError
    for candidate in sorted(_by_k(cells, ladders, rules), key=lambda found: (found.ncp, found.vector)):
        masked = _masked(candidate.groups, rules, rules.met_by)
        if masked is not None:
            return _plan(candidate, masked, cells, ladders, rules, waiting)
    raise TooAlikeError


def _check(details: Told, ladders: tuple[Ladder, ...]) -> None:
    for value, ladder in zip(details, ladders, strict=True):
        for level in ladder.levels:
            if value not in level.told:
                raise ValueError(f"{ladder.name}: the level {level.id} does not say what {value!r} becomes")


def _waiting(cells: Groups, ladders: tuple[Ladder, ...], k: int) -> frozenset[Told]:
    """The combinations that wait: those with a value too rare in a detail that lets its rare values wait."""
    found: set[Told] = set()
    for place, ladder in enumerate(ladders):
        if ladder.waits:
            finest = ladder.levels[0].told
            rows: Counter[str] = Counter()
            for details, answers in cells.items():
                rows[finest[details[place]]] += answers.total()
            found |= {details for details in cells if rows[finest[details[place]]] < k}
    return frozenset(found)


def _by_k(cells: Groups, ladders: tuple[Ladder, ...], rules: Rules) -> Iterator[_Candidate]:
    """Every combination of levels that can meet k, with what it costs when k is all that is asked."""
    for vector in product(*(range(len(ladder.levels)) for ladder in ladders)):
        groups: Groups = defaultdict(Counter)
        for details, answers in cells.items():
            groups[_tell(details, ladders, vector)].update(answers)
        masked = _masked(groups, rules, lambda answers: answers.total() >= rules.k)
        if masked is not None:
            yield _Candidate(_penalty(groups, masked, ladders, vector), vector, groups)


def _tell(details: Told, ladders: tuple[Ladder, ...], vector: tuple[int, ...]) -> Told:
    steps = zip(details, ladders, vector, strict=True)
    return tuple(ladder.levels[number].told[value] for value, ladder, number in steps)


def _masked(groups: Groups, rules: Rules, passes: Passes) -> frozenset[Told] | None:
    """The groups to mask so that all that is left passes; None when too much would be lost.

    The masked rows are a group themselves and must pass as well: while they do not, the smallest other
    group joins them.
    """
    masked = {told for told, answers in groups.items() if not passes(answers)}
    together: Counter[str] = Counter()
    for told in masked:
        together.update(groups[told])
    others = sorted(groups.keys() - masked, key=lambda told: (groups[told].total(), told))
    most = rules.most_masked * _rows(groups)
    while masked and together.total() <= most and not passes(together):
        if not others:
            return None
        masked.add(others[0])
        together.update(groups[others.pop(0)])
    if together.total() > most or _loses_values(groups.keys(), set(others), rules.most_lost):
        return None
    return frozenset(masked)


def _loses_values(before: Collection[Told], left: Collection[Told], most: Fraction) -> bool:
    """Whether more of any detail's different values than allowed are in no group that is left."""
    for values, kept in zip(zip(*before, strict=True), zip(*left, strict=True), strict=True):
        if len(set(values)) - len(set(kept)) > most * len(set(values)):
            return True
    return False


def _penalty(groups: Groups, masked: frozenset[Told], ladders: tuple[Ladder, ...], vector: tuple[int, ...]) -> Fraction:
    """The mean penalty of a row, between 0 and 1."""
    costs = [_costs(ladder, number) for ladder, number in zip(ladders, vector, strict=True)]
    total, weights = Fraction(0), sum(ladder.weight for ladder in ladders)
    for told, answers in groups.items():
        for value, cost, ladder in zip(told, costs, ladders, strict=True):
            total += answers.total() * ladder.weight * (1 if told in masked else cost[value])
    return total / weights / _rows(groups)


def _costs(ladder: Ladder, number: int) -> dict[str, Fraction]:
    """What each value told at a level costs: the share of the detail's values it may stand for."""
    finest = ladder.levels[0].told
    stands_for: dict[str, set[str]] = defaultdict(set)
    for value, told in ladder.levels[number].told.items():
        stands_for[told].add(finest[value])
    all_values = len(set(finest.values()))
    return {told: Fraction(len(of), all_values) if len(of) > 1 else Fraction(0) for told, of in stands_for.items()}


def _plan(
    found: _Candidate,
    masked: frozenset[Told],
    cells: Groups,
    ladders: tuple[Ladder, ...],
    rules: Rules,
    waiting: frozenset[Told],
) -> Plan:
    hidden = (MASKED,) * len(ladders)
    told = {details: _tell(details, ladders, found.vector) for details in cells}
    told = {details: hidden if released in masked else released for details, released in told.items()}
    groups: Groups = defaultdict(Counter)
    for details, answers in cells.items():
        groups[told[details]].update(answers)
    answered = [_only(answers, rules.answered) for answers in groups.values()]
    return Plan(
        levels=tuple(ladder.levels[number].id for ladder, number in zip(ladders, found.vector, strict=True)),
        told=told,
        waiting=waiting,
        rows=_rows(groups),
        masked=groups[hidden].total() if hidden in groups else 0,
        groups=len(groups),
        k=min(answers.total() for answers in groups.values()),
        ncp=_penalty(found.groups, masked, ladders, found.vector),
        values=min(len(answers) for answers in answered),
        strongest=max(Fraction(answers[rules.strongest], answers.total()) for answers in answered),
    )


def _only(answers: Counter[str], codes: frozenset[str]) -> Counter[str]:
    return Counter({code: number for code, number in answers.items() if code in codes and number})


def _rows(groups: Groups) -> int:
    return sum(answers.total() for answers in groups.values())
