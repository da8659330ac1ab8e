"""Checks of k-anonymity, sensitive answers, suppression and levels, from the rows alone."""

from collections.abc import Iterator

from screening.releases.verify.rows import Figures, Group
from screening.releases.verify.spec import ANY, MAX_SENSITIVE_SHARE, MAX_SUPPRESSED_SHARE, Finding, ReleaseSpec, number


def group_findings(name: str, figures: Figures, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield the violations in the rows."""
    if not figures.rows:
        yield Finding(name, "there are no rows")
        return
    yield from check_group_sizes(name, figures, expected.k)
    yield from check_sensitive_answers(name, figures, expected)
    yield from check_suppressed(name, figures, expected.k)
    yield from check_levels(name, figures, expected)


def check_group_sizes(name: str, figures: Figures, k: int) -> Iterator[Finding]:
    """Require k rows for each combination of quasi-identifiers, also combined with whether pain was named."""
    small = [group.rows for group in figures.groups.values() if group.rows < k]
    if small:
        yield Finding(name, f"{number(len(small), 'group has', 'groups have')} fewer than {k} rows, least {min(small)}")
        return
    parts = [rows for group in figures.groups.values() for rows in group.named.values() if rows < k]
    if parts:
        small_parts = f"{number(len(parts), 'group has', 'groups have')} fewer than {k} rows, least {min(parts)}"
        yield Finding(name, f"by whether pain was named, {small_parts}")


def check_sensitive_answers(name: str, figures: Figures, expected: ReleaseSpec) -> Iterator[Finding]:
    """Require in each group rows with and without the sensitive sign, and at most half with its strongest answer."""
    question, strongest = expected.sensitive, expected.strongest
    uniform = sum(1 for group in figures.groups.values() if not both(group, expected))
    if uniform:
        groups = number(uniform, "group", "groups")
        yield Finding(name, f"in {groups} no row has {question} noticed, or every row that answered")
    heavy = sum(1 for group in figures.groups.values() if share(group, expected, strongest) > MAX_SENSITIVE_SHARE)
    if heavy:
        groups = number(heavy, "group", "groups")
        yield Finding(name, f"in {groups} more than half answered {question} with the strongest answer")


def both(group: Group, expected: ReleaseSpec) -> bool:
    """Return whether some rows have the sensitive sign noticed and some not."""
    return len({noticed for code, noticed in expected.answered.items() if group.sensitive[code]}) == 2


def share(group: Group, expected: ReleaseSpec, *codes: str) -> float:
    """Return the share of the codes among the rows that answered the sensitive question, 0 to 1."""
    answered = sum(group.sensitive[code] for code in expected.answered)
    return sum(group.sensitive[code] for code in codes) / answered if answered else 0.0


def values(group: Group, expected: ReleaseSpec) -> int:
    """Return the number of distinct answers to the sensitive question."""
    return sum(1 for code in expected.answered if group.sensitive[code])


def check_suppressed(name: str, figures: Figures, k: int) -> Iterator[Finding]:
    """Require no suppressed rows, or at least k and at most 5 % of the rows."""
    rows = figures.suppressed
    if 0 < rows < k:
        yield Finding(name, f"{number(rows, 'masked row', 'masked rows')}, fewer than {k}")
    if rows > MAX_SUPPRESSED_SHARE * figures.rows:
        yield Finding(name, f"{rows} of {figures.rows} rows are masked, more than {MAX_SUPPRESSED_SHARE:.0%}")


def check_levels(name: str, figures: Figures, expected: ReleaseSpec) -> Iterator[Finding]:
    """Require one level per quasi-identifier in all rows."""
    for place, column in ((1, "age_band"), (2, "pain_duration")):
        found = figures.codes(place)
        levels = expected.levels(column).values()
        if found <= frozenset().union(*levels) and not any(found <= codes for codes in levels):
            yield Finding(f"{name} column {column}", "codes of several levels are mixed")
    periods = figures.codes(0)
    if ANY in periods and len(periods) > 1:
        yield Finding(f"{name} column period", "periods of several levels are mixed")
