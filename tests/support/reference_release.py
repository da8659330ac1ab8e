"""Reference releases: built as simply as possible, from the specification of a release's files only."""

from __future__ import annotations

import hashlib
import io
import json
import random
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import chain, combinations
from typing import Any

import xlsxwriter

from screening.releases.verify import ReleaseSpec

K = 5
SIGNS = ("sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain")
QI = ("period", "age_band", "pain_duration")
AGES = {
    "as_asked": frozenset(("18_to_24", "25_to_34", "45_to_54", "55_to_64", "declined")),
    "four_groups": frozenset(("18_to_24", "25_to_44", "45_to_64", "declined")),
}
DURATIONS = {
    "as_asked": frozenset(("under_3_months", "3_to_12_months", "over_a_year", "declined", "not_shown")),
    "up_to_a_year_or_more": frozenset(("up_to_a_year", "over_a_year", "declined", "not_shown")),
    "pain_or_none": frozenset(("pain", "not_shown")),
}
CODES = ("0", "1", "2", "3", "declined", "not_answered")
CYCLE = ("both", "pain_only", "mood_only", "neither", "open")
MOOD = ("sadness", "hopelessness", "interest", "motivation")
EXPECTED = ReleaseSpec(
    signs=SIGNS,
    age_bands=AGES,
    pain_durations=DURATIONS,
    codes={sign: {"0": 0, "1": 1, "2": 2, "3": 3, "declined": None} for sign in SIGNS}
    | {"pain_average": dict.fromkeys((*(str(n) for n in range(11)), "declined"))},
    mood=MOOD,
    pain_named=frozenset("123"),
    k=K,
)
AVERAGES = (*(str(n) for n in range(11)), "declined", "not_answered")
SENTENCE = "These are rows, not people: one person may have answered more than once."

Row = dict[str, str]
Rows = list[Row]
Table = list[list[str]]
Sets = Iterable[set[str]]


def columns(detail: str) -> list[str]:
    return [*QI, *SIGNS, *(["pain_average"] if detail == "full" else [])]


def answers(rng: random.Random, duration: str, hopelessness: str) -> Row:
    row = {sign: rng.choice(CODES) for sign in SIGNS} | {"hopelessness": hopelessness}
    if duration in ("masked", "any"):
        return row | {"pain": "masked", "pain_average": "masked"}
    if duration == "not_shown":
        return row | {"pain": rng.choice(("0", "declined", "not_answered")), "pain_average": "not_shown"}
    return row | {"pain": rng.choice("123"), "pain_average": rng.choice(AVERAGES)}


def group(rng: random.Random, key: tuple[str, str, str], rows: int) -> Rows:
    """Return rows with the same quasi-identifiers and as diverse hopelessness as the rule requires."""
    generalized = [
        "0",
        rng.choice("12"),
        *(rng.choice(("0", "1", "declined", "not_answered")) for _ in range(rows - 2)),
    ]
    if generalized.count("0") + generalized.count("1") > 2:
        generalized[1] = rng.choice("123")
    return [dict(zip(QI, key, strict=True)) | answers(rng, key[2], answer) for answer in generalized]


def rows(seed: int = 1, k: int = K, suppressed: bool = True) -> Rows:
    """Return random rows of a release for this seed: levels, groups and answers."""
    rng = random.Random(seed)
    periods = rng.choice((["2025", "2026"], ["2026"], ["any"]))
    ages = rng.choice((*(sorted(codes) for codes in AGES.values()), ["any"]))
    durations = rng.choice((*(sorted(codes) for codes in DURATIONS.values()), ["any"]))
    keys = [(period, age, duration) for period in periods for age in ages for duration in durations]
    keys = rng.sample(keys, rng.randint(1, len(keys)))
    found = [row for key in keys for row in group(rng, key, rng.randint(k, 4 * k))]
    if suppressed:
        found += group(rng, keys[0], 20 * k)
        found += group(rng, ("masked", "masked", "masked"), k)
    return found


def usual() -> Rows:
    """Return rows to plant leaks in: two years, ungeneralized ages and pain durations, and a suppressed group."""
    rng = random.Random(7)
    keys = [
        (period, age, d)
        for period in ("2025", "2026")
        for age in ("18_to_24", "45_to_54")
        for d in ("not_shown", "over_a_year")
    ]
    return [row for key in keys for row in group(rng, key, 20)] + group(rng, ("masked",) * 3, K)


def in_signs(code: str) -> str:
    return "not_noticed" if code == "0" else "noticed" if code in ("1", "2", "3") else code


def table(rows: Rows, detail: str = "full") -> Table:
    """Return header and sorted rows, as lists of cells."""
    lines = []
    for row in rows:
        generalized = row if detail == "full" else {c: in_signs(v) if c in SIGNS else v for c, v in row.items()}
        lines.append(",".join(generalized[column] for column in columns(detail)))
    return [columns(detail), *(line.split(",") for line in sorted(lines))]


def csv_bytes(table: Table) -> bytes:
    return "".join(",".join(cells) + "\r\n" for cells in table).encode()


def level(generalized: set[str], hierarchy: dict[str, frozenset[str]]) -> str:
    return next((name for name, codes in hierarchy.items() if generalized <= codes), "any")


def unique(table: Table) -> dict[str, Any]:
    patterns = Counter(tuple(cells[3:]) for cells in table[1:])
    alone = sum(times == 1 for times in patterns.values())
    return {"patterns": len(patterns), "unique": alone, "share": round(alone / (len(table) - 1), 4)}


def manifest(rows: Rows) -> dict[str, Any]:
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[column] for column in QI)].append(row["hopelessness"])
    generalized = [[code for code in group if code in "0123"] for group in groups.values()]
    seen = {column: {row[column] for row in rows} - {"masked"} for column in QI}
    least = min(map(len, groups.values()))
    files = {f"{detail}.csv": csv_bytes(table(rows, detail)) for detail in ("signs", "full")}
    return {
        "release": "R-0001",
        "format": 1,
        "questionnaire": "warning_signs",
        "version": 1,
        "made": "2026",
        "rows": len(rows),
        "rows_are": SENTENCE,
        "self_selected": "Visitors chose themselves to answer: this is not a sample.",
        "limits": "Somebody who knows several answers may still recognise a row.",
        "periods": sorted(seen["period"]),
        "levels": {
            "period": "any" if "any" in seen["period"] else "year",
            "age_band": level(seen["age_band"], AGES),
            "pain_duration": level(seen["pain_duration"], DURATIONS),
        },
        "k": {"asked": K, "reached": least},
        "groups": {"number": len(groups), "smallest": least},
        "masked_rows": sum(row["period"] == "masked" for row in rows),
        "ncp": 0.1234,
        "weights": {"period": 1, "age_band": 2, "pain_duration": 2},
        "sensitive": {
            "question": "hopelessness",
            "values_asked": 2,
            "values_reached": min(len(set(codes)) for codes in generalized),
            "most_asked": 0.5,
            "most_reached": round(max(codes.count("3") / max(len(codes), 1) for codes in generalized), 4),
        },
        "unique_patterns": {detail: unique(table(rows, detail)) for detail in ("signs", "full")},
        "ladders": hashlib.sha256(b"ladders").hexdigest(),
        "expert_determination": None,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "rows": len(rows)}
            for name, data in files.items()
        },
    }


def manifest_bytes(manifest: dict[str, Any]) -> bytes:
    return json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False).encode()


def hidden(counts: dict[str, int], known: Sets = (), rows: dict[str, int] | None = None) -> dict[str, int | None]:
    """Return the counts of a table with the fewest suppressed that protect all small ones, found by trying all sets.

    ``rows``: the known rows of each cell; what remains of them is protected, too.
    """
    tables = [counts, {c: rows[c] - counts[c] for c in counts}] if rows else [counts]
    small = {code for code in counts if any(table[code] < K for table in tables)}
    others = sorted(set(counts) - small)

    def is_safe(some: set[str]) -> bool:
        parts = [(some & set(cells), set(cells)) for cells in (*known, counts)]
        return all(
            not part or part == cells or (len(part) > 1 and all(sum(t[c] for c in part) >= K for t in tables))
            for part, cells in parts
        )

    extra = chain.from_iterable(combinations(others, n) for n in range(len(others) + 1))
    some = next(small | set(more) for more in extra if is_safe(small | set(more)))
    return {code: None if code in some else count for code, count in counts.items()}


def tables(rows: Rows) -> dict[str, Any]:
    signs, noticed, cycle = (
        {},
        Counter(dict.fromkeys([*map(str, range(8)), "open"], 0)),
        Counter(dict.fromkeys(CYCLE, 0)),
    )
    for sign in SIGNS:
        counts = Counter(dict.fromkeys(CODES[:-1], 0))
        counts.update(row[sign] for row in rows)
        signs[sign] = hidden(dict(counts), [set("123"), set(counts) - set("123")])
    for row in rows:
        seen = {sign: {"noticed": True, "not_noticed": False}.get(in_signs(row[sign])) for sign in SIGNS}
        noticed["open" if None in seen.values() else str(sum(map(bool, seen.values())))] += 1
        moods = [seen[sign] for sign in MOOD]
        mood = True if True in moods else None if None in moods else False
        pair = (seen["pain"], mood)
        cycle["open" if None in pair else CYCLE[2 * (not pair[0]) + (not mood)]] += 1
    return {
        "rows": len(rows),
        "signs": signs,
        "noticed": hidden(dict(noticed)),
        "cycle": hidden(dict(cycle)),
        "periods": by_period(rows),
    }


def by_period(rows: Rows) -> dict[str, Any]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[row["period"]].append(row)
    periods = sorted(set(found) - {"masked", "any"})
    if len(periods) < 2:
        return {}
    table: dict[str, Any] = {period: {"rows": len(found[period]), "noticed": {}} for period in periods}
    for sign in SIGNS:
        cells = {period: some for period, some in found.items() if sign != "pain" or period != "masked"}
        counts = {period: sum(in_signs(row[sign]) == "noticed" for row in some) for period, some in cells.items()}
        shown = hidden(counts, rows={period: len(some) for period, some in cells.items()})
        for period in periods:
            table[period]["noticed"][sign] = shown[period]
    return table


def workbook(table: Table, codebook: Table | None = None, change: Callable[[Any], None] = lambda _: None) -> bytes:
    """Return an XLSX file of the rows; ``change`` is called with the open workbook."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    book.set_properties({"created": datetime(1980, 1, 1)})
    for name, cells in (("responses", table), ("codebook", codebook or [["column", "code"], ["sleep", "declined"]])):
        sheet = book.add_worksheet(name)
        for number, row in enumerate(cells):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell)
    change(book)
    book.close()
    return repacked(file.getvalue())


def repacked(data: bytes, **changes: Callable[[bytes], bytes]) -> bytes:
    """Return the archive with the specified dates and, by name, changed contents of entries."""
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        files = {name: old.read(name) for name in old.namelist()}
    return package({name: changes.get(name, bytes)(inside) for name, inside in files.items()})


def entries(rows: Rows, detail: str = "full") -> dict[str, bytes]:
    """Return the files of a package by name."""
    data = csv_bytes(table(rows, detail))
    resource = {
        "name": detail,
        "path": f"{detail}.csv",
        "bytes": len(data),
        "hash": f"sha256:{hashlib.sha256(data).hexdigest()}",
    }
    return {
        f"{detail}.csv": data,
        "codebook.csv": b'column,code,text\r\nsleep,1,"Several days, not all"\r\n',
        "redcap_data_dictionary.csv": b'"Field","Choices"\r\n"sleep","0, Not at all | 1, Several days"\r\n',
        "datapackage.json": json.dumps({"name": "r-0001", "resources": [resource]}).encode(),
        "tables.json": json.dumps(tables(rows)).encode(),
        "manifest.json": manifest_bytes(manifest(rows)),
        "README.md": f"# Release R-0001\n\n{SENTENCE} Made in 2026, see 45 CFR 164.514(b)(2).\n".encode(),
    }


def package(entries: dict[str, bytes], change: Callable[[zipfile.ZipFile], None] = lambda _: None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(entry(name), data)
        change(archive)
    return file.getvalue()


def entry(name: str, **more: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, more.pop("date_time", (1980, 1, 1, 0, 0, 0)))
    info.compress_type = zipfile.ZIP_DEFLATED
    for key, value in more.items():
        setattr(info, key, value)
    return info
