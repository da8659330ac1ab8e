"""k-anonymity by full-domain generalization with record suppression. Pure: counts in, a plan out.

Every combination of levels is tried. The loss of one is the normalized certainty penalty (Xu et al., "Utility-based
anonymization using local recoding", KDD 2006) with weights. Levels are ordered by k alone, never by sensitive answers
(minimality attack: Wong et al., VLDB 2007).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product

ANY = "any"
"""The code of a fully generalized value."""

SUPPRESSED = "masked"
"""The code of every quasi-identifier in a suppressed row."""

Generalized = tuple[str, ...]
"""The generalized quasi-identifiers of a row, in the order of the hierarchies."""


@dataclass(frozen=True)
class Level:
    """One level of a hierarchy: what each possible value is generalized to."""

    id: str
    generalized: Mapping[str, str]


@dataclass(frozen=True)
class Hierarchy:
    """The generalization hierarchy of one quasi-identifier, finest level first. ``weight``: its weight in the penalty.

    ``holds_back``: rows with a value that has fewer than k rows at the finest level are held back for a later release.
    """

    name: str
    weight: int
    levels: tuple[Level, ...]
    holds_back: bool = False

    def index(self, level: str) -> int:
        """Return the place of a level by its id. Raises ValueError."""
        return [each.id for each in self.levels].index(level)


@dataclass(frozen=True)
class Rules:
    """The requirements on every equivalence class ("group").

    It has at least ``k`` rows. Among its rows whose sensitive answer is in ``answered``, at least one is in ``noticed``
    and one is not, and the share of ``strongest`` is at most ``max_strongest``. At most ``max_suppressed`` of all rows
    are suppressed, which removes at most ``max_lost`` of the distinct values of any quasi-identifier.
    """

    k: int
    answered: frozenset[str]
    noticed: frozenset[str]
    strongest: str
    max_strongest: Fraction = Fraction(1, 2)
    max_suppressed: Fraction = Fraction(1, 20)
    max_lost: Fraction = Fraction(1, 5)

    def met_by(self, answers: Counter[str]) -> bool:
        """Return whether a group with these sensitive answers meets the requirements."""
        counted = _only(answers, self.answered)
        noticed = _only(counted, self.noticed).total()
        diverse = 0 < noticed < counted.total() and counted[self.strongest] <= self.max_strongest * counted.total()
        return answers.total() >= self.k and diverse


@dataclass(frozen=True)
class Plan:
    """How a release generalizes, and the resulting measures.

    ``generalized`` maps each combination of original values to what is released. ``held_back``: the combinations that
    are held back. ``k`` is the size of the smallest group, ``ncp`` the mean penalty of a row (0: no loss, 1: total
    loss). ``values`` and ``strongest``: the fewest distinct sensitive answers of a group, and the greatest share of
    the strongest answer in a group.
    """

    levels: tuple[str, ...]
    generalized: Mapping[Generalized, Generalized]
    held_back: frozenset[Generalized]
    rows: int
    suppressed: int
    groups: int
    k: int
    ncp: Fraction
    values: int
    strongest: Fraction


class GroupTooSmallError(Exception):
    """There are fewer rows than k."""


class InsufficientDiversityError(Exception):
    """No combination of levels meets the rules."""


Groups = dict[Generalized, Counter[str]]
"""The sensitive answers of each group, by its generalized quasi-identifiers."""

Counts = Mapping[tuple[Generalized, str], int]
"""The number of responses with each combination of quasi-identifiers and sensitive answer."""

Passes = Callable[[Counter[str]], bool]


@dataclass(frozen=True)
class _Candidate:
    """A combination of levels that meets k: its penalty, the index of each level, its groups."""

    ncp: Fraction
    vector: tuple[int, ...]
    groups: Groups


def search(counts: Counts, hierarchies: tuple[Hierarchy, ...], rules: Rules) -> Plan:
    """Return the plan with the least penalty that meets the rules.

    The quasi-identifiers of ``counts`` are in the order of ``hierarchies``. Raises GroupTooSmallError and
    InsufficientDiversityError; ValueError for a value that a hierarchy does not contain.
    """
    cells: Groups = defaultdict(Counter)
    for (details, answer), number in counts.items():
        _check(details, hierarchies)
        cells[details][answer] += number
    held_back = _held_back(cells, hierarchies, rules.k)
    cells = {details: answers for details, answers in cells.items() if details not in held_back}
    rows = _rows(cells)
    if rows < rules.k:
        raise GroupTooSmallError
    for candidate in sorted(_by_k(cells, hierarchies, rules), key=lambda found: (found.ncp, found.vector)):
        suppressed = _suppressed(candidate.groups, rules, rules.met_by)
        if suppressed is not None:
            return _plan(candidate, suppressed, cells, hierarchies, rules, held_back)
    raise InsufficientDiversityError


def refine(counts: Counts, hierarchies: tuple[Hierarchy, ...], rules: Rules, plan: Plan) -> Plan:
    """Return the plan with the least penalty in which no quasi-identifier has a coarser level than in ``plan``.

    ``hierarchies`` contain the levels of ``plan``, and finer ones. The same rows are released: exactly those that
    ``plan`` holds back are held back. Its own levels are tried, too, and meet the rules, so a result always exists.
    """
    bounded = tuple(
        replace(hierarchy, levels=hierarchy.levels[: hierarchy.index(level) + 1], holds_back=False)
        for hierarchy, level in zip(hierarchies, plan.levels, strict=True)
    )
    released = {cell: number for cell, number in counts.items() if cell[0] in plan.generalized}
    return replace(search(released, bounded, rules), held_back=plan.held_back)


def measure_loss(counts: Counts, hierarchies: tuple[Hierarchy, ...], plan: Plan) -> Fraction:
    """Return the penalty that a plan has in other hierarchies, which contain its levels, such as finer ones."""
    vector = tuple(hierarchy.index(level) for hierarchy, level in zip(hierarchies, plan.levels, strict=True))
    released = ((plan.generalized[details], n) for (details, _), n in counts.items() if details in plan.generalized)
    return _penalty(released, hierarchies, vector)


def _check(details: Generalized, hierarchies: tuple[Hierarchy, ...]) -> None:
    for value, hierarchy in zip(details, hierarchies, strict=True):
        for level in hierarchy.levels:
            if value not in level.generalized:
                raise ValueError(f"{hierarchy.name}: the level {level.id} does not contain {value!r}")


def _held_back(cells: Groups, hierarchies: tuple[Hierarchy, ...], k: int) -> frozenset[Generalized]:
    """Return the combinations to hold back: those with a rare value (fewer than k rows) in a hierarchy that does so."""
    found: set[Generalized] = set()
    for place, hierarchy in enumerate(hierarchies):
        if hierarchy.holds_back:
            finest = hierarchy.levels[0].generalized
            rows: Counter[str] = Counter()
            for details, answers in cells.items():
                rows[finest[details[place]]] += answers.total()
            found |= {details for details in cells if rows[finest[details[place]]] < k}
    return frozenset(found)


def _by_k(cells: Groups, hierarchies: tuple[Hierarchy, ...], rules: Rules) -> Iterator[_Candidate]:
    """Yield every combination of levels that can meet k, with its penalty under k alone."""
    for vector in product(*(range(len(hierarchy.levels)) for hierarchy in hierarchies)):
        groups: Groups = defaultdict(Counter)
        for details, answers in cells.items():
            groups[_generalize(details, hierarchies, vector)].update(answers)
        suppressed = _suppressed(groups, rules, lambda answers: answers.total() >= rules.k)
        if suppressed is not None:
            hidden = (SUPPRESSED,) * len(hierarchies)
            released = ((hidden if to in suppressed else to, answers.total()) for to, answers in groups.items())
            yield _Candidate(_penalty(released, hierarchies, vector), vector, groups)


def _generalize(details: Generalized, hierarchies: tuple[Hierarchy, ...], vector: tuple[int, ...]) -> Generalized:
    steps = zip(details, hierarchies, vector, strict=True)
    return tuple(hierarchy.levels[number].generalized[value] for value, hierarchy, number in steps)


def _suppressed(groups: Groups, rules: Rules, passes: Passes) -> frozenset[Generalized] | None:
    """Return the groups to suppress so that all others pass; None when too much would be lost.

    The suppressed rows form a group, which must pass, too: until it does, the smallest other group is added to it.
    """
    suppressed = {generalized for generalized, answers in groups.items() if not passes(answers)}
    together: Counter[str] = Counter()
    for generalized in suppressed:
        together.update(groups[generalized])
    others = sorted(groups.keys() - suppressed, key=lambda generalized: (groups[generalized].total(), generalized))
    most = rules.max_suppressed * _rows(groups)
    while suppressed and together.total() <= most and not passes(together):
        if not others:
            return None
        suppressed.add(others[0])
        together.update(groups[others.pop(0)])
    if together.total() > most or _loses_values(groups.keys(), set(others), rules.max_lost):
        return None
    return frozenset(suppressed)


def _loses_values(before: Collection[Generalized], left: Collection[Generalized], most: Fraction) -> bool:
    """Return whether more than a share ``most`` of any quasi-identifier's distinct values occurs in no group left."""
    for values, remaining in zip(zip(*before, strict=True), zip(*left, strict=True), strict=True):
        if len(set(values)) - len(set(remaining)) > most * len(set(values)):
            return True
    return False


def _penalty(
    released: Iterable[tuple[Generalized, int]], hierarchies: tuple[Hierarchy, ...], vector: tuple[int, ...]
) -> Fraction:
    """Return the mean penalty of a row, between 0 and 1, from the released values and their numbers of rows."""
    costs = [_costs(hierarchy, number) for hierarchy, number in zip(hierarchies, vector, strict=True)]
    total, rows = Fraction(0), 0
    for generalized, number in released:
        rows += number
        for value, cost, hierarchy in zip(generalized, costs, hierarchies, strict=True):
            total += number * hierarchy.weight * cost[value]
    return total / sum(hierarchy.weight for hierarchy in hierarchies) / rows


def _costs(hierarchy: Hierarchy, number: int) -> dict[str, Fraction]:
    """Return the penalty of each value of a level: the share of the finest values that it represents."""
    finest = hierarchy.levels[0].generalized
    stands_for: dict[str, set[str]] = defaultdict(set)
    for value, generalized in hierarchy.levels[number].generalized.items():
        stands_for[generalized].add(finest[value])
    all_values = len(set(finest.values()))
    costs = {to: Fraction(len(of), all_values) if len(of) > 1 else Fraction(0) for to, of in stands_for.items()}
    return costs | {SUPPRESSED: Fraction(1)}


def _plan(
    found: _Candidate,
    suppressed: frozenset[Generalized],
    cells: Groups,
    hierarchies: tuple[Hierarchy, ...],
    rules: Rules,
    held_back: frozenset[Generalized],
) -> Plan:
    hidden = (SUPPRESSED,) * len(hierarchies)
    generalized = {details: _generalize(details, hierarchies, found.vector) for details in cells}
    generalized = {details: hidden if released in suppressed else released for details, released in generalized.items()}
    groups: Groups = defaultdict(Counter)
    for details, answers in cells.items():
        groups[generalized[details]].update(answers)
    answered = [_only(answers, rules.answered) for answers in groups.values()]
    return Plan(
        levels=tuple(hierarchy.levels[number].id for hierarchy, number in zip(hierarchies, found.vector, strict=True)),
        generalized=generalized,
        held_back=held_back,
        rows=_rows(groups),
        suppressed=groups[hidden].total() if hidden in groups else 0,
        groups=len(groups),
        k=min(answers.total() for answers in groups.values()),
        ncp=_penalty(((to, answers.total()) for to, answers in groups.items()), hierarchies, found.vector),
        values=min(len(answers) for answers in answered),
        strongest=max(Fraction(answers[rules.strongest], answers.total()) for answers in answered),
    )


def _only(answers: Counter[str], codes: frozenset[str]) -> Counter[str]:
    return Counter({code: number for code, number in answers.items() if code in codes and number})


def _rows(groups: Groups) -> int:
    return sum(answers.total() for answers in groups.values())
