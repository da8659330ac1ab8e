"""The manifest: only the agreed keys, of the agreed kind, and no number that the rows do not bear out."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from screening.releases.verify import k_anonymity, pii_patterns
from screening.releases.verify.columns import PERIODS
from screening.releases.verify.rows import Figures
from screening.releases.verify.spec import (
    ANY,
    MAX_SENSITIVE_SHARE,
    MIN_K,
    MIN_SENSITIVE_VALUES,
    NEARLY_EVERY_DAY,
    NOTICED,
    QUASI_IDENTIFIERS,
    Finding,
    ReleaseSpec,
    UnreadableError,
    shown,
)

Manifest = dict[str, Any]
Kind = Callable[[Any], bool]

LARGEST = 1 << 20
ROUNDING = 0.00005 + 1e-9
"""Shares may be rounded to four places."""

YEAR = r"\d{4}"
MONTH = PERIODS["month"]
DAY = rf"{MONTH}-(?:0[1-9]|[12]\d|3[01])"


def text(pattern: str) -> Kind:
    """A text of the pattern."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def whole(value: object) -> bool:
    """A whole number from 0."""
    return type(value) is int and value >= 0


def amount(value: object) -> bool:
    """A number from 0."""
    return type(value) in (int, float) and float(str(value)) >= 0


def fraction(value: object) -> bool:
    """A share, 0 to 1."""
    return amount(value) and float(str(value)) <= 1


def rounded(value: object) -> bool:
    """A share rounded to four places."""
    return fraction(value) and round(float(str(value)), 4) == value


def stated_periods(value: object) -> bool:
    """A sorted list of different periods."""
    right = isinstance(value, list) and all(text("|".join(PERIODS.values()))(period) for period in value)
    return right and isinstance(value, list) and value == sorted(set(value))


SENTENCE = text(r"\S[^\r\n\t]{9,1999}")
ID = text(r"[a-z][a-z0-9_]{0,59}")
SHA256 = text(r"[0-9a-f]{64}")
PATTERNS = {"patterns": whole, "unique": whole, "share": fraction}
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
    "files": {"signs.csv": FILE, "full.csv": FILE},
}


def parse_manifest(raw: bytes) -> Manifest:
    """The manifest's object; UnreadableError when it is none."""
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
    """What is wrong with the manifest in itself, whatever the rows are."""
    manifest = parse_manifest(raw)
    right = json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False)
    if raw.decode().removesuffix("\n") != right:
        yield Finding("manifest", "not written as releases write it (sorted keys, each once, indent 1)")
    for where, what in misfits(manifest, KEYS):
        yield Finding(f"manifest {where}", what)
    known = generalized(manifest)
    for value in sorted(set(words(manifest)) - hashes(manifest)):
        for leak in pii_patterns.pattern_of(value, known):
            yield Finding("manifest", f"a text holds what looks like {leak}")
    yield from levels(manifest, expected)
    yield from bounds(manifest, expected)


def misfits(value: object, kind: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """Keys that are not agreed on or missing, and values of the wrong kind: where, and what."""
    if not isinstance(kind, dict):
        if not kind(value):
            yield where, "not the kind of value agreed on"
        return
    if not isinstance(value, dict):
        yield where, "not an object"
        return
    for key in [*kind, *(key for key in value if key not in kind)]:
        place = f"{where}.{shown(key)}".lstrip(".")
        if key not in kind:
            yield place, "no manifest has this key"
        elif key not in value:
            yield place, "is missing"
        else:
            yield from misfits(value[key], kind[key], place)


def words(value: object) -> Iterator[str]:
    """All texts of a JSON value, keys too."""
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
    """A value by its path of keys, None where there is none."""
    value: Any = manifest
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def generalized(manifest: Manifest) -> list[str]:
    """Dates finer than a year that the manifest may tell: only an expert's determination allows any."""
    day = at(manifest, "expert_determination")
    if not text(DAY)(day):
        return []
    periods = at(manifest, "periods")
    dates = [at(manifest, "made"), *(periods if isinstance(periods, list) else ())]
    return [day, *filter(text("|".join(PERIODS.values())), dates)]


def hashes(manifest: Manifest) -> set[str]:
    """The SHA-256 sums that the manifest may tell."""
    sums = [at(manifest, "ladders"), *(at(manifest, "files", name, "sha256") for name in KEYS["files"])]
    return set(filter(SHA256, sums))


def claimed(manifest: Manifest) -> dict[str, str]:
    """The level of each quasi-identifier that the manifest names."""
    levels = at(manifest, "levels")
    return {key: value for key, value in levels.items() if isinstance(value, str)} if isinstance(levels, dict) else {}


def levels(manifest: Manifest, expected: ReleaseSpec) -> Iterator[Finding]:
    """Levels that no ladder has, and months or quarters that no expert allowed."""
    generalized = claimed(manifest)
    for column in QUASI_IDENTIFIERS:
        known = PERIODS if column == "period" else expected.levels(column)
        if column in generalized and generalized[column] not in known:
            yield Finding(f"manifest levels.{column}", "no ladder has this level")
    if at(manifest, "expert_determination") is None:
        if generalized.get("period") in ("month", "quarter"):
            yield Finding("manifest levels.period", "finer than a year without an expert determination")
        if not text(YEAR)(at(manifest, "made")):
            yield Finding("manifest made", "finer than a year without an expert determination")


def bounds(manifest: Manifest, expected: ReleaseSpec) -> Iterator[Finding]:
    """Promises weaker than a release may make."""
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
    """Numbers of the manifest that the rows do not bear out."""
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
    """What the rows say, by the path of the manifest's key that claims it."""
    file, rows = ("files", f"{figures.layout.detail}.csv"), figures.rows
    groups = list(figures.groups.values())
    found: dict[tuple[str, ...], Any] = {
        ("rows",): rows,
        ("files", "signs.csv", "rows"): rows,
        ("files", "full.csv", "rows"): rows,
        (*file, "bytes"): figures.bytes,
        (*file, "sha256"): figures.sha256,
        ("periods",): sorted(figures.generalized(0)),
        ("k", "reached"): figures.smallest,
        ("groups", "smallest"): figures.smallest,
        ("groups", "number"): len(groups),
        ("masked_rows",): figures.suppressed,
        **patterns("signs", figures.sign_patterns(), rows),
    }
    if figures.layout.detail == "full":
        found |= patterns("full", figures.patterns, rows)
        found["sensitive", "values_reached"] = min(map(k_anonymity.values, groups), default=0)
        found["sensitive", "most_reached"] = max((k_anonymity.share(g, NEARLY_EVERY_DAY) for g in groups), default=0.0)
    return found


def patterns(detail: str, patterns: dict[tuple[str, ...], int], rows: int) -> dict[tuple[str, ...], Any]:
    """How many different answer patterns there are and how many stand alone, by path of the manifest's key."""
    unique = sum(1 for times in patterns.values() if times == 1)
    here = ("unique_patterns", detail)
    share = unique / rows if rows else 0.0
    return {(*here, "patterns"): len(patterns), (*here, "unique"): unique, (*here, "share"): share}


def beyond(manifest: Manifest, figures: Figures) -> Iterator[Finding]:
    """Claims about the frequencies that cannot be, judged from rows that tell only the signs."""
    if figures.layout.detail == "full":
        return
    most, signs = at(manifest, "sensitive", "most_reached"), figures.sign_patterns()
    share = max((k_anonymity.share(group, NOTICED) for group in figures.groups.values()), default=0.0)
    if fraction(most) and most > share + ROUNDING:
        yield Finding("manifest sensitive.most_reached", "more than noticed the sign at all")
    values = at(manifest, "sensitive", "values_reached")
    if whole(values) and not MIN_SENSITIVE_VALUES <= values <= 4:
        yield Finding("manifest sensitive.values_reached", "no such number of answers can be")
    unique = sum(1 for times in signs.values() if times == 1)
    for key, least in (("patterns", len(signs)), ("unique", unique)):
        claim = at(manifest, "unique_patterns", "full", key)
        if whole(claim) and not least <= claim <= figures.rows:
            yield Finding(f"manifest unique_patterns.full.{key}", "cannot be, by the signs")


def same(claim: object, counted: object) -> bool:
    """Whether a claim is what was counted; a share may be rounded, and one period `any` may be left out."""
    if isinstance(counted, float) and isinstance(claim, int | float):
        return abs(claim - counted) <= ROUNDING
    return claim == counted or (counted == [ANY] and claim == [])


def plain(value: object) -> str:
    """A number for people."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)
