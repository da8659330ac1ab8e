"""The anonymizer: whatever the responses, a release satisfies the rules and accounts for every row."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from screening.releases.anonymise import (
    ANY,
    SUPPRESSED,
    GroupTooSmallError,
    Hierarchy,
    InsufficientDiversityError,
    Level,
    Plan,
    Rules,
    measure_loss,
    refine,
    search,
)

MONTHS = ("2025-11", "2025-12", "2026-01")
AGES = ("18", "30", "50", "70", "declined")
LENGTHS = ("none", "short", "long")


def hierarchy(
    name: str, values: tuple[str, ...], *coarser: dict[str, str], weight: int = 1, holds_back: bool = False
) -> Hierarchy:
    levels = [Level("as_asked", {value: value for value in values})]
    levels += [
        Level(f"level{n}", {v: generalized.get(v, v) for v in values}) for n, generalized in enumerate(coarser, 1)
    ]
    return Hierarchy(name, weight, (*levels, Level(ANY, dict.fromkeys(values, ANY))), holds_back)


YEARS = Level("year", {month: month[:4] for month in MONTHS})
PERIOD = Hierarchy("period", 1, (YEARS, Level(ANY, dict.fromkeys(MONTHS, ANY))), holds_back=True)
AGE = hierarchy("age", AGES, {"18": "young", "30": "young", "50": "old", "70": "old"}, weight=2)
LENGTH = hierarchy("length", LENGTHS, {"short": "pain", "long": "pain"}, weight=2)
LADDERS = (PERIOD, AGE, LENGTH)
BY_MONTH = Level("month", {month: month for month in MONTHS})
FINER = (Hierarchy("period", 1, (BY_MONTH, *PERIOD.levels), holds_back=True), AGE, LENGTH)
"""The same with months."""

RULES = Rules(5, frozenset("0123"), frozenset("123"), "3")

Counts = dict[tuple[tuple[str, ...], str], int]

a_copy = st.tuples(
    st.tuples(st.sampled_from(MONTHS), st.sampled_from(AGES), st.sampled_from(LENGTHS)),
    st.sampled_from(["0", "0", "1", "2", "3", "declined"]),
)
some_copies = st.dictionaries(a_copy, st.integers(1, 40), max_size=25)
many_copies = st.dictionaries(a_copy, st.integers(1, 40), min_size=6, max_size=25)
"""Examples of which over nine in ten can be released."""


def planned(counts: Counts) -> Plan:
    """Return the plan of responses that can be released; reject other examples."""
    try:
        return search(counts, LADDERS, RULES)
    except (GroupTooSmallError, InsufficientDiversityError):
        reject()


def finer(counts: Counts) -> tuple[Plan, Plan]:
    """Return the plan of years, and the one of months that it bounds; reject other examples."""
    by_year = planned(counts)
    return by_year, refine(counts, FINER, RULES, by_year)


def released(counts: Counts, made: Plan) -> dict[tuple[str, ...], Counter[str]]:
    """Return the rows of a plan, assembled without the anonymizer's code."""
    groups: dict[tuple[str, ...], Counter[str]] = {}
    for (details, answer), number in counts.items():
        if details not in made.held_back:
            groups.setdefault(made.generalized[details], Counter())[answer] += number
    return groups


@given(many_copies)
def test_plan_satisfies_the_rules_and_accounts_for_every_row(counts):
    assert_sound(counts, planned(counts))


def assert_sound(counts: Counts, made: Plan) -> None:
    """Assert that a plan satisfies the rules and accounts for every row."""
    groups = released(counts, made)
    assert all(answers.total() >= 5 for answers in groups.values())
    for answers in groups.values():
        answered = {code: n for code, n in answers.items() if code != "declined"}
        assert len(answered) >= 2 and "0" in answered
        assert 2 * answered.get("3", 0) <= sum(answered.values())
    rows = sum(answers.total() for answers in groups.values())
    waiting = sum(number for (details, _), number in counts.items() if details in made.held_back)
    assert rows + waiting == sum(counts.values()) and rows == made.rows
    suppressed = groups.get((SUPPRESSED,) * 3, Counter()).total()
    assert suppressed == made.suppressed and 20 * suppressed <= rows
    assert made.k == min(answers.total() for answers in groups.values()) and made.groups == len(groups)


@given(many_copies)
def test_refined_plan_is_sound_and_never_tells_less(counts):
    by_year, by_month = finer(counts)
    assert_sound(counts, by_month)
    assert by_month.held_back == by_year.held_back and by_month.rows == by_year.rows
    for fine, coarse, each in zip(by_month.levels, by_year.levels, FINER, strict=True):
        assert each.index(fine) <= each.index(coarse)
    for place, (coarse, each) in enumerate(zip(by_year.levels, FINER, strict=True)):
        wide = each.levels[each.index(coarse)].generalized
        told = {(fine[place], wide[details[place]]) for details, fine in by_month.generalized.items()}
        told = {(fine, known) for fine, known in told if fine != SUPPRESSED}
        assert len(told) == len({fine for fine, _ in told}), "what a row states no longer tells the wider value"


@given(some_copies, st.randoms(use_true_random=False))
def test_plan_is_independent_of_the_order_of_responses(counts: Counts, rng: Random):
    shuffled = list(counts.items())
    rng.shuffle(shuffled)
    assert outcome(counts) == outcome(dict(shuffled))


@given(many_copies, st.dictionaries(a_copy, st.integers(1, 3), min_size=1, max_size=3))
def test_year_under_k_is_held_back_whole(counts, few):
    small = {(("2026-01", *details[1:]), answer): number for (details, answer), number in few.items()}
    counts = {copy: number for copy, number in counts.items() if copy[0][0] != "2026-01"} | small
    made = planned(counts)
    for year in ("2025", "2026"):
        number = sum(n for (details, _), n in counts.items() if details[0].startswith(year))
        waits = {details in made.held_back for details, _ in counts if details[0].startswith(year)}
        assert waits == ({number < 5} if number else set())


def outcome(counts: Counts) -> Any:
    try:
        return search(counts, LADDERS, RULES)
    except (GroupTooSmallError, InsufficientDiversityError) as error:
        return type(error)


# --- The same by brute force: single rows, every combination of levels and every set of suppressed groups ---


def brute_force(
    counts: Counts, ladders: tuple[Hierarchy, ...] = LADDERS, coarsest: tuple[str, ...] = (ANY,) * 3
) -> tuple[Fraction, tuple[int, ...]] | None:
    """Return the cheapest levels by k alone, none above ``coarsest``, computed independently of the search."""
    rows = [details for (details, _), number in counts.items() for _ in range(number)]
    years = Counter(details[0][:4] for details in rows)
    rows = [details for details in rows if years[details[0][:4]] >= 5]
    if len(rows) < 5:
        return None
    best = None
    for vector in product(*(range(len(each.levels)) for each in ladders)):
        if any(
            n > [level.id for level in each.levels].index(most)
            for n, each, most in zip(vector, ladders, coarsest, strict=True)
        ):
            continue
        generalized = [
            tuple(each.levels[n].generalized[v] for v, n, each in zip(row, vector, ladders, strict=True))
            for row in rows
        ]
        sizes = Counter(generalized)
        small = {group for group, size in sizes.items() if size < 5}
        for group in sorted(set(sizes) - small, key=lambda group: (sizes[group], group)):
            if not small or sum(sizes[each] for each in small) >= 5:
                break
            small.add(group)
        if 20 * sum(sizes[group] for group in small) > len(rows):
            continue
        lost = [
            1 - Fraction(len({g[i] for g in sizes if g not in small}), len({g[i] for g in sizes})) for i in range(3)
        ]
        if max(lost) > Fraction(1, 5):
            continue
        cost = sum((n * (penalty(g, vector, ladders) if g not in small else 5) for g, n in sizes.items()), Fraction(0))
        cost = cost / 5 / len(rows)
        best = min(best or (cost, vector), (cost, vector))
    return best


def penalty(generalized: tuple[str, ...], vector: tuple[int, ...], ladders: tuple[Hierarchy, ...]) -> Fraction:
    """Return the cost of one row, of 5: the weights are 1, 2, 2."""
    cost = Fraction(0)
    for value, number, each in zip(generalized, vector, ladders, strict=True):
        leaves = {each.levels[0].generalized[v] for v in each.levels[0].generalized}
        of = {each.levels[0].generalized[v] for v, t in each.levels[number].generalized.items() if t == value}
        cost += each.weight * (Fraction(len(of), len(leaves)) if len(of) > 1 else 0)
    return cost


@given(st.dictionaries(a_copy, st.integers(1, 60), min_size=1, max_size=12))
def test_chosen_levels_match_a_brute_force_search(counts: Counts):
    # every answer is diverse in every group, so that only k matters
    even = {(details, answer): number for (details, _), number in counts.items() for answer in ("0", "1")}
    expected = brute_force(even)
    if expected is None:
        assert outcome(even) in (GroupTooSmallError, InsufficientDiversityError)
        return
    made = search(even, LADDERS, RULES)
    assert made.levels == tuple(each.levels[n].id for each, n in zip(LADDERS, expected[1], strict=True))
    assert made.ncp == expected[0] == measure_loss(even, LADDERS, made)


@given(st.dictionaries(a_copy, st.integers(1, 60), min_size=1, max_size=12))
def test_refined_levels_match_a_brute_force_search(counts: Counts):
    even = {(details, answer): number for (details, _), number in counts.items() for answer in ("0", "1")}
    by_year, by_month = finer(even)
    expected = brute_force(even, FINER, by_year.levels)
    assert expected is not None and by_month.ncp == expected[0] <= measure_loss(even, FINER, by_year)
    assert by_month.levels == tuple(each.levels[n].id for each, n in zip(FINER, expected[1], strict=True))


def many(details: tuple[str, str, str], *numbers: int) -> Counts:
    """Return the frequencies of the answers 0, 1, 2, 3."""
    return {(details, code): number for code, number in zip("0123", numbers, strict=False) if number}


ONE, TWO, THREE = ("2025-11", "18", "none"), ("2025-11", "50", "none"), ("2025-12", "70", "long")


def test_large_groups_are_released_without_information_loss():
    made = search(many(ONE, 5, 5) | many(TWO, 5, 5) | many(THREE, 5, 5), LADDERS, RULES)
    assert made.levels == ("year", "as_asked", "as_asked") and made.ncp == 0 and made.suppressed == 0
    assert made.generalized[THREE] == ("2025", "70", "long") and made.k == 10 and made.values == 2


def test_large_months_are_told_and_a_small_one_is_merged():
    large = many(ONE, 50, 50) | many(TWO, 50, 50) | many(THREE, 50, 50)
    by_year, by_month = finer(large)
    assert by_month.levels == ("month", "as_asked", "as_asked") and by_month.ncp == by_month.suppressed == 0
    assert measure_loss(large, FINER, by_year) == Fraction(2, 15), "two of the three months of the scale, weight 1 of 5"
    by_year, by_month = finer(large | many(("2025-12", "18", "none"), 2, 2))
    assert by_month.levels == by_year.levels == ("year", "as_asked", "as_asked") and by_month.held_back == frozenset()


def test_fewer_than_k_responses_are_refused():
    with pytest.raises(GroupTooSmallError):
        search(many(ONE, 2, 2), LADDERS, RULES)


def test_responses_without_diversity_are_refused():
    with pytest.raises(InsufficientDiversityError):
        search(many(ONE, 50), LADDERS, RULES)
    with pytest.raises(InsufficientDiversityError):
        search(many(ONE, 0, 20, 20), LADDERS, RULES)


def test_majority_of_nearly_every_day_answers_is_refused():
    with pytest.raises(InsufficientDiversityError):
        search(many(ONE, 4, 0, 0, 5), LADDERS, RULES)
    assert search(many(ONE, 5, 0, 0, 5), LADDERS, RULES).strongest == Fraction(1, 2)


def test_declined_answers_count_for_k_but_not_for_diversity():
    with pytest.raises(InsufficientDiversityError):
        search(many(ONE, 10) | {(ONE, "declined"): 10}, LADDERS, RULES)
    assert search(many(ONE, 2, 1) | {(ONE, "declined"): 2}, LADDERS, RULES).k == 5


def test_small_group_is_suppressed_with_others_up_to_k():
    groups = {age: ("2025-11", age, "none") for age in AGES}
    counts: Counts = {}
    for number, (age, size) in enumerate({"18": 500, "30": 400, "50": 300, "70": 200}.items()):
        counts |= many(groups[age], size, size, number)
    counts |= many(("2025-11", "18", "short"), 2, 1) | many(("2025-11", "30", "short"), 30, 30)
    counts |= many(("2025-11", "50", "long"), 4, 2)
    made = search(counts, LADDERS, RULES)
    assert made.generalized[("2025-11", "18", "short")] == (SUPPRESSED,) * 3
    assert made.generalized[("2025-11", "50", "long")] == (SUPPRESSED,) * 3 and made.suppressed == 9
    assert made.k == 9


def test_sensitive_rule_selects_the_next_levels_in_cost_order():
    """Sensitive answers do not choose the levels: they only decide which is the first valid vector in cost order."""
    alike = many(("2025-11", "18", "none"), 40) | many(("2025-11", "30", "none"), 20, 20)
    made = search(alike, LADDERS, RULES)
    assert made.levels == ("year", "level1", "as_asked")
    assert released(alike, made) == {("2025", "young", "none"): Counter({"0": 60, "1": 20})}


def test_value_missing_from_the_hierarchy_raises_value_error():
    with pytest.raises(ValueError, match="age: the level as_asked does not contain '19'"):
        search(many(("2025-11", "19", "none"), 9), LADDERS, RULES)
