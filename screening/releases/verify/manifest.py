"""Checks of the manifest: only the specified keys and types, and only numbers that agree with the rows."""

import json
from collections.abc import Iterator
from typing import Any

from screening.releases.verify import k_anonymity, pii_patterns
from screening.releases.verify.columns import PERIODS
from screening.releases.verify.kinds import amount, fraction, percentage, rounded, text, whole
from screening.releases.verify.rows import Figures
from screening.releases.verify.spec import (
    ANY,
    MAX_SENSITIVE_SHARE,
    MIN_K,
    MIN_SENSITIVE_VALUES,
    NOTICED,
    QUASI_IDENTIFIERS,
    Finding,
    ReleaseSpec,
    UnreadableError,
    shown,
)

Manifest = dict[str, Any]

LARGEST = 1 << 20
ROUNDING = 0.00005 + 1e-9
"""Tolerance for shares, which are rounded to four places."""

YEAR = r"\d{4}"
MONTH = PERIODS["month"]
DAY = rf"{MONTH}-(?:0[1-9]|[12]\d|3[01])"


def stated_periods(value: object) -> bool:
    """Return whether a value is a sorted list of distinct periods."""
    right = isinstance(value, list) and all(text("|".join(PERIODS.values()))(period) for period in value)
    return right and isinstance(value, list) and value == sorted(set(value))


SENTENCE = text(r"\S[^\r\n\t]{9,1999}")
ID = text(r"[a-z][a-z0-9_]{0,59}")
SHA256 = text(r"[0-9a-f]{64}")
PATTERNS = {"patterns": whole, "unique": whole, "share": fraction}
ATTACK = {"mean_percent": percentage, "worst_percent": percentage}
FILE = {"sha256": SHA256, "bytes": whole, "rows": whole}
KEYS: dict[str, Any] = {
    "release": text(r"R-\d{4,9}"),
    "format": lambda value: type(value) is int and value == 1,
    "questionnaire": ID,
    "version": lambda value: whole(value) and value > 0,
    "made": text(rf"{YEAR}|{MONTH}"),
    "rows": whole,
    "rows_are": SENTENCE,
    "self_selected": SENTENCE,
    "limits": SENTENCE,
    "periods": stated_periods,
    "levels": dict.fromkeys(QUASI_IDENTIFIERS, ID),
    "k": {"asked": whole, "reached": whole},
    "groups": {"number": whole, "smallest": whole},
    "masked_rows": whole,
    "ncp": rounded,
    "weights": dict.fromkeys(QUASI_IDENTIFIERS, amount),
    "sensitive": {
        "question": ID,
        "values_asked": whole,
        "values_reached": whole,
        "most_asked": fraction,
        "most_reached": fraction,
    },
    "unique_patterns": {"signs": PATTERNS, "full": PATTERNS},
    "ladders": SHA256,
    "expert_determination": lambda value: value is None or text(DAY)(value),
    "measured_attack": {"signs": ATTACK, "full": ATTACK},
    "files": {"signs.csv": FILE, "full.csv": FILE},
}
OPTIONAL = {"measured_attack", "files.full.csv"}
"""Keys that a manifest may lack: older releases were not measured, and from some the file is withheld."""


def parse_manifest(raw: bytes) -> Manifest:
    """Return the manifest's JSON object. Raises UnreadableError."""
    if len(raw) > LARGEST:
        raise UnreadableError("the manifest is larger than one can be")
    try:
        value = json.loads(raw.decode(), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("the manifest is not JSON") from error
    if not isinstance(value, dict):
        raise UnreadableError("the manifest is not a JSON object")
    return value


def findings(raw: bytes, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield the faults of the manifest itself, independent of the rows."""
    manifest = parse_manifest(raw)
    right = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False)
    if raw.decode().removesuffix("\n") != right:
        yield Finding("manifest", "not formatted as specified (sorted keys, each once, indent 1)")
    for where, what in misfits(manifest, KEYS):
        yield Finding(f"manifest {where}", what)
    known = allowed_dates(manifest)
    for value in sorted(set(words(manifest)) - hashes(manifest)):
        for leak in pii_patterns.pattern_of(value, known):
            yield Finding("manifest", f"a text holds what looks like {leak}")
    yield from levels(manifest, expected)
    yield from bounds(manifest, expected)


def misfits(value: object, kind: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Yield place and kind of unspecified or missing keys and of invalid values."""
    if not isinstance(kind, dict):
        if not kind(value):
            yield where, "not a valid value"
        return
    if not isinstance(value, dict):
        yield where, "not an object"
        return
    for key in [*kind, *(key for key in value if key not in kind)]:
        place = f"{where}.{shown(key)}".lstrip(".")
        if key not in kind:
            yield place, "no manifest has this key"
        elif key not in value:
            if place in OPTIONAL:
                continue
            yield place, "is missing"
        else:
            yield from misfits(value[key], kind[key], place)


def words(value: object) -> Iterator[str]:
    """Yield all texts of a JSON value, including keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inside in value.items():
            yield key
            yield from words(inside)
    elif isinstance(value, list):
        for inside in value:
            yield from words(inside)


def at(manifest: Manifest, *keys: str) -> Any:
    """Return a value by its path of keys, or None."""
    value: Any = manifest
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def allowed_dates(manifest: Manifest) -> list[str]:
    """Return the dates finer than a year that the manifest may contain; none without an expert determination."""
    day = at(manifest, "expert_determination")
    if not text(DAY)(day):
        return []
    periods = at(manifest, "periods")
    dates = [at(manifest, "made"), *(periods if isinstance(periods, list) else ())]
    stated = list(filter(text("|".join(PERIODS.values())), dates))
    return [day, *stated, *pii_patterns.spelled(stated)]


def hashes(manifest: Manifest) -> set[str]:
    """Return the SHA-256 sums that the manifest may contain."""
    sums = [at(manifest, "ladders"), *(at(manifest, "files", name, "sha256") for name in KEYS["files"])]
    return set(filter(SHA256, sums))


def claimed(manifest: Manifest) -> dict[str, str]:
    """Return the level of each quasi-identifier that the manifest states."""
    levels = at(manifest, "levels")
    return {key: value for key, value in levels.items() if isinstance(value, str)} if isinstance(levels, dict) else {}


def levels(manifest: Manifest, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield unknown levels, and months or quarters without an expert determination."""
    stated = claimed(manifest)
    for column in QUASI_IDENTIFIERS:
        known = PERIODS if column == "period" else expected.levels(column)
        if column in stated and stated[column] not in known:
            yield Finding(f"manifest levels.{column}", "no hierarchy has this level")
    if at(manifest, "expert_determination") is None:
        if stated.get("period") in ("month", "quarter"):
            yield Finding("manifest levels.period", "finer than a year without an expert determination")
        if not text(YEAR)(at(manifest, "made")):
            yield Finding("manifest made", "finer than a year without an expert determination")


def bounds(manifest: Manifest, expected: ReleaseSpec) -> Iterator[Finding]:
    """Yield parameters weaker than any policy allows."""
    asked, values, most = (
        at(manifest, *path) for path in (("k", "asked"), ("sensitive", "values_asked"), ("sensitive", "most_asked"))
    )
    if whole(asked) and asked < MIN_K:
        yield Finding("manifest k.asked", f"under the floor of {MIN_K}")
    if whole(values) and values < MIN_SENSITIVE_VALUES:
        yield Finding("manifest sensitive.values_asked", f"under {MIN_SENSITIVE_VALUES}")
    if fraction(most) and most > MAX_SENSITIVE_SHARE:
        yield Finding("manifest sensitive.most_asked", f"over {MAX_SENSITIVE_SHARE}")
    if at(manifest, "sensitive", "question") not in (None, expected.sensitive):
        yield Finding("manifest sensitive.question", "not the sensitive question")


def against(manifest: Manifest, figures: Figures) -> Iterator[Finding]:
    """Yield statements of the manifest that differ from the rows."""
    if at(manifest, "files", f"{figures.layout.detail}.csv") is None:
        yield Finding("manifest files", "no file of this detail")
    for path, counted in counts(figures).items():
        claim = at(manifest, *path)
        if claim is not None and not same(claim, counted):
            what = "not that of the rows" if isinstance(counted, str | list) else f"the rows say {plain(counted)}"
            yield Finding(f"manifest {'.'.join(path)}", what)
    asked, reached = at(manifest, "k", "asked"), figures.smallest
    if whole(asked) and reached < asked:
        yield Finding("manifest k.asked", f"the smallest group has {reached} rows")
    yield from beyond(manifest, figures)


def counts(figures: Figures) -> dict[tuple[str, ...], Any]:
    """Return the values computed from the rows, by the path of the manifest's key."""
    file, rows = ("files", f"{figures.layout.detail}.csv"), figures.rows
    groups, expected = list(figures.groups.values()), figures.layout.expected
    found: dict[tuple[str, ...], Any] = {
        ("rows",): rows,
        ("files", "signs.csv", "rows"): rows,
        ("files", "full.csv", "rows"): rows,
        (*file, "bytes"): figures.bytes,
        (*file, "sha256"): figures.sha256,
        ("periods",): sorted(figures.codes(0)),
        ("k", "reached"): figures.smallest,
        ("groups", "smallest"): figures.smallest,
        ("groups", "number"): len(groups),
        ("masked_rows",): figures.suppressed,
        **patterns("signs", figures.sign_patterns(), rows),
    }
    if figures.layout.detail == "full":
        found |= patterns("full", figures.patterns, rows)
        found["sensitive", "values_reached"] = min((k_anonymity.values(g, expected) for g in groups), default=0)
        shares = (k_anonymity.share(group, expected, expected.strongest) for group in groups)
        found["sensitive", "most_reached"] = max(shares, default=0.0)
    return found


def patterns(detail: str, patterns: dict[tuple[str, ...], int], rows: int) -> dict[tuple[str, ...], Any]:
    """Return the number of distinct answer patterns and of unique ones, by path of the manifest's key."""
    unique = sum(1 for times in patterns.values() if times == 1)
    here = ("unique_patterns", detail)
    share = unique / rows if rows else 0.0
    return {(*here, "patterns"): len(patterns), (*here, "unique"): unique, (*here, "share"): share}


def beyond(manifest: Manifest, figures: Figures) -> Iterator[Finding]:
    """Yield impossible statements about the frequencies, judged from rows of detail ``signs``."""
    if figures.layout.detail == "full":
        return
    most, signs = at(manifest, "sensitive", "most_reached"), figures.sign_patterns()
    expected = figures.layout.expected
    share = max((k_anonymity.share(group, expected, NOTICED) for group in figures.groups.values()), default=0.0)
    if fraction(most) and most > share + ROUNDING:
        yield Finding("manifest sensitive.most_reached", "more than the share that noticed the sign at all")
    values = at(manifest, "sensitive", "values_reached")
    if whole(values) and not MIN_SENSITIVE_VALUES <= values <= len(expected.in_signs[expected.sensitive]):
        yield Finding("manifest sensitive.values_reached", "an impossible number of answers")
    unique = sum(1 for times in signs.values() if times == 1)
    for key, least in (("patterns", len(signs)), ("unique", unique)):
        claim = at(manifest, "unique_patterns", "full", key)
        if whole(claim) and not least <= claim <= figures.rows:
            yield Finding(f"manifest unique_patterns.full.{key}", "impossible, given the signs")


def same(claim: object, counted: object) -> bool:
    """Return whether a statement equals the count; a share may be rounded, and a single period ``any`` left out."""
    if isinstance(counted, float) and isinstance(claim, int | float):
        return abs(claim - counted) <= ROUNDING
    return claim == counted or (counted == [ANY] and claim == [])


def plain(value: object) -> str:
    """Format a number."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
