"""The verifier: valid releases pass in every format, and every planted leak is reported."""

from __future__ import annotations

import copy
import io
import json
import random
import re
import struct
import tracemalloc
import zipfile
from collections import Counter
from dataclasses import replace
from datetime import datetime

import openpyxl
import openpyxl.utils
import pytest
import rustpy_xlsxwriter
from hypothesis import example, given, settings
from hypothesis import strategies as st

from screening.releases import verify
from screening.releases.verify import pii_patterns
from screening.releases.verify.sheet import Sheet
from tests.support import reference_release as plain
from tests.support.absence import assert_absent
from tests.support.reference_release import EXPECTED, QI, K

ROWS = plain.usual()
MANIFEST = plain.manifest(ROWS)
DETAILS = ("signs", "full")


def found(name, data, manifest=None):
    """Return the findings on a file, as text; each must be a single line, fit for a log."""
    raw = manifest if manifest is None or isinstance(manifest, bytes) else plain.manifest_bytes(manifest)
    lines = [str(finding) for finding in verify.check_open_file(name, io.BytesIO(data), EXPECTED, raw)]
    assert all(len(line.splitlines()) == 1 and line.isprintable() and len(line) < 250 for line in lines)
    return lines


def of_table(table, manifest=None):
    return found("R-0001-full.csv", plain.csv_bytes(table), manifest)


def of_rows(rows, manifest=None):
    return of_table(plain.table(rows), manifest)


def assert_reported(findings, what):
    assert any(re.search(what, line) for line in findings), findings


@pytest.mark.parametrize("detail", DETAILS)
@pytest.mark.parametrize("manifest", [None, MANIFEST], ids=["alone", "with manifest"])
def test_sound_csv_passes(detail, manifest):
    assert found("R-0001.csv", plain.csv_bytes(plain.table(ROWS, detail)), manifest) == []


@pytest.mark.parametrize("detail", DETAILS)
def test_sound_workbook_passes(detail):
    assert found("R-0001.xlsx", plain.workbook(plain.table(ROWS, detail)), MANIFEST) == []


@pytest.mark.parametrize("detail", DETAILS)
def test_sound_package_passes(detail):
    assert found("R-0001.zip", plain.package(plain.entries(ROWS, detail))) == []
    assert found("R-0001.zip", plain.package(plain.entries(ROWS, detail)), MANIFEST) == []


def timeless(core):
    return re.sub(rb"\d{4}-\d\d-\d\dT[\d:]+Z", b"1980-01-01T00:00:00Z", core)


@pytest.mark.parametrize("shared", [True, False], ids=["shared texts", "texts in cells"])
def test_workbook_of_another_writer_passes_without_a_timestamp(shared):
    header, *rows = plain.table(ROWS)
    file = io.BytesIO()
    records = [dict(zip(header, row, strict=True)) for row in rows]
    book = rustpy_xlsxwriter.FastExcel(file).freeze(row=1)
    book.sheet("responses", records, dedupe_strings=shared, autofilter=True)
    book.sheet("codebook", [{"column": "sleep"}]).save()
    assert found("R-0001.xlsx", plain.repacked(file.getvalue(), **{"docProps/core.xml": timeless}), MANIFEST) == []
    assert_reported(found("R-0001.xlsx", file.getvalue(), MANIFEST), "core.xml: contains created")


def test_rows_on_a_second_sheet_are_verified():
    header, *rows = plain.table(ROWS)

    def change(book):
        sheet = book.add_worksheet("responses 2")
        for number, row in enumerate([header, *rows[100:]]):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell)

    assert found("R-0001.xlsx", plain.workbook([header, *rows[:100]], change=change), MANIFEST) == []


def test_numeric_cells_are_read_as_in_a_csv():
    rows = [row for row in ROWS if row["period"] == "2026"]

    def change(book):
        sheet = book.get_worksheet_by_name("responses")
        for number in range(1, len(rows) + 1):
            sheet.write_number(number, 0, 2026)

    (line,) = found("R-0001.xlsx", plain.workbook(plain.table(rows), change=change), plain.manifest(rows))
    assert "texts that no cell shows" in line, "only the first text remains"


@pytest.mark.parametrize(("claimed", "detail"), [("signs", "full"), ("full", "signs")])
@pytest.mark.parametrize("manifest", [None, MANIFEST], ids=["alone", "with manifest"])
def test_detail_that_differs_from_the_file_name_is_reported(claimed, detail, manifest):
    table = plain.table(ROWS, detail)
    for name, data in (
        (f"R-0001-{claimed}.csv", plain.csv_bytes(table)),
        (f"R-0001-{claimed}.xlsx", plain.workbook(table)),
    ):
        assert_reported(found(name, data, manifest), "not of the detail its name says")
        assert found(name.replace(claimed, detail), data, manifest) == []


def test_manifest_in_the_same_folder_is_used(tmp_path):
    file = tmp_path / "R-0001-full.csv"
    file.write_bytes(plain.csv_bytes(plain.table(ROWS)))
    assert verify.check_file(file, EXPECTED) == []
    wrong = tmp_path / "R-0001-manifest.json"
    wrong.write_bytes(plain.manifest_bytes(MANIFEST | {"rows": 1}))
    assert_reported(map(str, verify.check_file(file, EXPECTED)), "manifest rows: the rows say 165")
    right = tmp_path / "other.json"
    right.write_bytes(plain.manifest_bytes(MANIFEST))
    assert verify.check_file(file, EXPECTED, right) == []
    assert_reported(map(str, verify.check_file(tmp_path / "none.csv", EXPECTED)), "cannot be opened")


def with_cell(column, cell, where=lambda row: True):
    """Return the rows with one cell changed."""
    rows = copy.deepcopy(ROWS)
    next(row for row in rows if where(row))[column] = cell
    return rows


def of_group(row):
    return row["period"] == "2026" and row["age_band"] == "18_to_24" and row["pain_duration"] == "over_a_year"


def is_masked(row):
    return row["period"] == "masked"


def without(rows, column):
    return [{name: cell for name, cell in row.items() if name != column} for row in rows]


def in_group(**cells):
    return [row | (cells if of_group(row) else {}) for row in ROWS]


def few(where, left):
    """Return the rows with only ``left`` of the matching ones."""
    return [row for row in ROWS if not where(row)] + [row for row in ROWS if where(row)][:left]


ROW_LEAKS = {
    "a group under k": (few(of_group, K - 1), r"1 group has fewer than 5 rows, least 4"),
    "nobody hopeless in a group": (in_group(hopelessness="0"), "in 1 group no row has hopelessness noticed"),
    "everybody hopeless in a group": (in_group(hopelessness="1"), "in 1 group no row has hopelessness noticed"),
    "nobody in a group answered": (in_group(hopelessness="declined"), "in 1 group no row has hopelessness noticed"),
    "most in a group hopeless every day": (
        [row | ({"hopelessness": "3" if n % 4 else "0"} if of_group(row) else {}) for n, row in enumerate(ROWS)],
        "more than half answered hopelessness with the strongest answer",
    ),
    "few masked rows": (few(is_masked, K - 1), "4 masked rows, fewer than 5"),
    "many masked rows": (ROWS + [row for row in ROWS if is_masked(row)], r"10 of 170 rows are masked, more than 5%"),
    "pain told in a masked row": (with_cell("pain", "2", is_masked), "pain is stated although its duration is hidden"),
    "average pain told in a masked row": (with_cell("pain_average", "not_shown", is_masked), "pain is stated although"),
    "an age told in a masked row": (with_cell("age_band", "18_to_24", is_masked), "only partly masked"),
    "pain masked in a told row": (
        with_cell("pain", "masked", of_group),
        "pain is masked although its duration is stated",
    ),
    "pain told in two ways": (with_cell("pain", "0", of_group), "the cells about pain contradict each other"),
    "a month": (
        with_cell("period", "2026-11"),
        "column period: not a period of the stated level and looks like a date",
    ),
    "a quarter": (with_cell("period", "2026-Q4"), "column period: not a period of the stated level"),
    "a day": (
        with_cell("sleep", "2026-11-03"),
        "column sleep: not a code of this column and looks like a date or time",
    ),
    "a time": (with_cell("sleep", "14:05"), "column sleep: .* a date or time"),
    "seconds since 1970": (with_cell("sleep", "1795460400"), "column sleep: .* a date or time"),
    "a person's age": (with_cell("age_band", "47"), "column age_band: not a code of this column"),
    "a code of another level": (with_cell("age_band", "45_to_64"), "column age_band: not a code|several levels"),
    "an unknown code": (with_cell("sleep", "4"), "column sleep: not a code of this column"),
    "a masked sign": (with_cell("sleep", "masked"), "column sleep: not a code of this column"),
    "a sign's detail": (with_cell("sleep", "noticed"), "column sleep: not a code of this column"),
    "an e-mail address": (with_cell("sleep", "maria@clinic.example.org"), "column sleep: .* an e-mail address"),
    "a phone number": (with_cell("sleep", "(555) 010-4477"), "column sleep: .* a phone number"),
    "a formula": (with_cell("sleep", "=1+1"), "column sleep: .* a formula"),
    "a formula that looks negative": (with_cell("sleep", "-1+cmd"), "column sleep: .* a formula"),
    "a uuid": (with_cell("sleep", "0f8fad5b-d9cb-469f-a165-70867728950e"), "column sleep: .* an id"),
    "a free text": (with_cell("sleep", "my knee hurts"), "column sleep: not a code of this column"),
    "an empty cell": (with_cell("sleep", ""), "column sleep: not a code of this column"),
    "two periods' levels": (with_cell("period", "any"), "column period: .*levels? "),
}


@pytest.mark.parametrize("leak", ROW_LEAKS)
@pytest.mark.parametrize("manifest", ["alone", "honest"])
def test_leak_in_rows_is_reported_with_and_without_manifest(leak, manifest):
    rows, what = ROW_LEAKS[leak]
    generalized = MANIFEST | {
        name: plain.manifest(rows)[name] for name in ("rows", "files", "masked_rows", "groups", "k")
    }
    assert_reported(of_rows(rows, None if manifest == "alone" else generalized), what)


@pytest.mark.parametrize("leak", ROW_LEAKS)
def test_leak_in_workbook_rows_is_reported(leak):
    rows, what = ROW_LEAKS[leak]
    assert_reported(found("R-0001.xlsx", plain.workbook(plain.table(rows))), what)


def test_findings_never_repeat_cell_contents():
    for cell in ("zentinelapatient@clinic.example.org", "(555) 010-4477", "my left knee hurts"):
        assert_absent([cell], *of_rows(with_cell("sleep", cell)))
    table = [[*row, "id" if not n else str(n)] for n, row in enumerate(plain.table(ROWS))]
    table[0][-1] = "zentinelapatient@clinic.example.org"
    assert_absent(["zentinelapatient"], *of_table(table))


def added(name, cells):
    """Return the table with one more column."""
    header, *rows = plain.table(ROWS)
    return [[*header, name], *([*row, cells(n)] for n, row in enumerate(rows))]


def swapped(table, one, other):
    for row in table:
        row[one], row[other] = row[other], row[one]
    return table


TABLE_LEAKS = {
    "numbered rows": (added("n", lambda n: str(n)), "column 12: all values differ, as ids do"),
    "an unknown column": (added("nurse", lambda n: "x"), "column 12, nurse: no release has this column"),
    "an e-mail column": (added("contact", lambda n: "a@b.org"), "column 12: looks like an e-mail address"),
    "a version that splits groups": (added("version", lambda n: str(n % 7)), r"groups have fewer than 5 rows"),
    "a column twice": (added("sleep", lambda n: "0"), "column 12, sleep: this column occurs twice"),
    "a missing column": ([row[:4] + row[5:] for row in plain.table(ROWS)], "column sleep: is missing"),
    "columns in another order": (swapped(plain.table(ROWS), 3, 4), "the columns stand in another order"),
    "unsorted rows": ([plain.table(ROWS)[0], *plain.table(ROWS)[:0:-1]], r"line 3: not sorted"),
    "a ragged row": ([*plain.table(ROWS), ["masked", "masked"]], "line 167: not as many cells as the header"),
    "quotes": (
        [*plain.table(ROWS)[:-1], [f'"{cell}"' for cell in plain.table(ROWS)[-1]]],
        "quotes, which no code needs",
    ),
    "no rows": ([plain.table(ROWS)[0]], "there are no rows"),
}


@pytest.mark.parametrize("leak", TABLE_LEAKS)
def test_leak_in_the_table_layout_is_reported(leak):
    table, what = TABLE_LEAKS[leak]
    assert_reported(of_table(table), what)


def test_presence_of_pain_counts_as_a_quasi_identifier():
    rows = [
        row | {"pain_duration": "any", "pain": "masked", "pain_average": "masked"} for row in ROWS if not is_masked(row)
    ]
    assert of_rows(rows) == []
    generalized = [row | ({"pain": "2"} if n < 3 else {"pain": "0"}) for n, row in enumerate(rows)]
    assert_reported(of_rows(generalized), "by whether pain was named, 1 group has fewer than 5 rows, least 3")


VALID = plain.csv_bytes(plain.table(ROWS))
BYTES_LEAKS = {
    "a byte order mark": (b"\xef\xbb\xbf" + VALID, "line 1: begins with a byte order mark"),
    "line feeds only": (VALID.replace(b"\r\n", b"\n"), "line 1: does not end with CR LF"),
    "an unended last line": (VALID[:-2], "line 166: does not end with CR LF"),
    "a lone carriage return": (VALID.replace(b"\r\n", b"\r\r\n", 3), "control or invisible characters"),
    "an invisible character": (VALID.replace(b"declined", "declined\u200b".encode(), 1), "invisible characters"),
    "Latin-1": (VALID.replace(b"declined", b"declin\xe9", 1), "not UTF-8"),
    "a zero byte": (VALID.replace(b"declined", b"declined\0", 1), "control or invisible characters"),
    "an endless line": (VALID + b"x" * 100_000, "does not end with CR LF"),
    "a blank line": (VALID + b"\r\n", "not as many cells"),
    "other rows than the manifest's": (
        plain.csv_bytes(plain.table(with_cell("sleep", "1", lambda r: r["sleep"] == "0"))),
        "full.csv.sha256: not that",
    ),
    "nothing": (b"", "is empty"),
}


@pytest.mark.parametrize("leak", BYTES_LEAKS)
def test_invalid_csv_bytes_are_reported(leak):
    data, what = BYTES_LEAKS[leak]
    assert_reported(found("R-0001-full.csv", data, MANIFEST), what)


def changed(path, value):
    """Return the manifest with one value changed, or one key added."""
    generalized = copy.deepcopy(MANIFEST)
    *way, last = path.split("/")
    inside = generalized
    for key in way:
        inside = inside[key]
    inside[last] = value
    return generalized


MANIFEST_LEAKS = {
    "a name": (changed("made_by", "Maria"), "manifest made_by: no manifest has this key"),
    "a name further down": (changed("k/made_by", "Maria"), "manifest k.made_by: no manifest has this key"),
    "a name as a key": (changed("maria@clinic.example.org", 1), r"manifest \(a name not shown\): no manifest"),
    "a month": (changed("made", "2026-11"), "manifest made: finer than a year without an expert"),
    "an exact time": (changed("made", "2026-11-23T12:00:00"), "manifest made: not a valid value"),
    "a time in a sentence": (changed("limits", "It was made at 14:05 by the night shift."), "a date or time"),
    "a month in a sentence": (changed("limits", "It was made in 2026-11, by the night shift."), "a date or time"),
    "a month's name": (changed("limits", "It was made in November 2026 by all of us."), "a date or time"),
    "an address in a sentence": (changed("limits", "Ask maria@clinic.example.org about it."), "an e-mail address"),
    "a phone in a sentence": (changed("limits", "Ask us at 555-010-4477 about it all."), "a phone number"),
    "an id in a sentence": (changed("limits", "It came from job 00deadbeef00112233."), "an id"),
    "months without an expert": (changed("levels/period", "month"), "levels.period: finer than a year without"),
    "another number of rows": (changed("rows", 164), "manifest rows: the rows say 165"),
    "another k": (changed("k/reached", 21), "manifest k.reached: the rows say 5"),
    "a k that was not reached": (changed("k/asked", 11), "manifest k.asked: the smallest group has 5 rows"),
    "a k under the floor": (changed("k/asked", 2), "manifest k.asked: under the floor of 5"),
    "another smallest group": (changed("groups/smallest", 6), "manifest groups.smallest: the rows say 5"),
    "another number of groups": (changed("groups/number", 8), "manifest groups.number: the rows say 9"),
    "another number of masked rows": (changed("masked_rows", 0), "manifest masked_rows: the rows say 5"),
    "another period": (changed("periods", ["2026"]), "manifest periods: not that of the rows"),
    "another level": (changed("levels/age_band", "four_groups"), "column age_band: not a code of this column"),
    "a level of no ladder": (changed("levels/age_band", "by_name"), "levels.age_band: no hierarchy has this level"),
    "fewer unique patterns": (changed("unique_patterns/full/unique", 1), "unique_patterns.full.unique: the rows say"),
    "a smaller unique share": (changed("unique_patterns/full/share", 0.01), "unique_patterns.full.share: the rows say"),
    "more patterns of signs": (
        changed("unique_patterns/signs/patterns", 3),
        "unique_patterns.signs.patterns: the rows",
    ),
    "more values": (changed("sensitive/values_reached", 4), "sensitive.values_reached: the rows say"),
    "another greatest share": (changed("sensitive/most_reached", 0.01), "sensitive.most_reached: the rows say"),
    "a weaker rule": (changed("sensitive/most_asked", 0.9), "sensitive.most_asked: over 0.5"),
    "a rule of one value": (changed("sensitive/values_asked", 1), "sensitive.values_asked: under 2"),
    "a rule on another question": (changed("sensitive/question", "sleep"), "question: not the sensitive question"),
    "another hash": (changed("files/full.csv/sha256", "0" * 64), "files.full.csv.sha256: not that of the rows"),
    "another size": (changed("files/full.csv/bytes", 1), "files.full.csv.bytes: the rows say"),
    "another file": (changed("files/notes.csv", {}), "files.notes.csv: no manifest has this key"),
    "an impossible penalty": (changed("ncp", 1.5), "manifest ncp: not a valid value"),
    "a penalty as text": (changed("ncp", "0.1"), "manifest ncp: not a valid value"),
    "a key left out": ({k: v for k, v in MANIFEST.items() if k != "limits"}, "manifest limits: is missing"),
    "another writing": (json.dumps(MANIFEST).encode(), "manifest: not formatted as specified"),
    "a key twice": (plain.manifest_bytes(MANIFEST).replace(b"{", b'{\n "rows": 7,', 1), "manifest: not formatted as"),
    "no JSON": (b"{", "cannot be read: the manifest is not JSON"),
    "a list": (b"[]", "cannot be read: the manifest is not a JSON object"),
    "a well without bottom": (b"[" * 100_000, "cannot be read: the manifest is not JSON"),
}


@pytest.mark.parametrize("leak", MANIFEST_LEAKS)
def test_leak_or_false_value_in_the_manifest_is_reported(leak):
    manifest, what = MANIFEST_LEAKS[leak]
    assert_reported(of_rows(ROWS, manifest), what)


FALSE_SIGNS = {
    "sensitive/most_reached": 1.0,
    "sensitive/values_reached": 5,
    "unique_patterns/full/patterns": 1,
    "unique_patterns/full/unique": 166,
    "unique_patterns/signs/unique": 0,
}


@pytest.mark.parametrize("path", FALSE_SIGNS)
def test_signs_rows_reveal_false_frequencies_in_the_manifest(path):
    lines = found("R-0001-signs.csv", plain.csv_bytes(plain.table(ROWS, "signs")), changed(path, FALSE_SIGNS[path]))
    assert_reported(lines, "manifest " + path.replace("/", r"\."))


def test_months_require_an_expert_determination():
    rows = [row | ({} if is_masked(row) else {"period": f"{row['period']}-11"}) for row in ROWS]
    manifest = plain.manifest(rows) | {"made": "2026-12", "expert_determination": "2026-10-01"}
    manifest["levels"] = manifest["levels"] | {"period": "month"}
    assert of_rows(rows, manifest) == []
    assert_reported(of_rows(rows, manifest | {"expert_determination": None}), "without an expert determination")
    assert_reported(of_rows(rows), "not a period of the stated level")
    sentence = manifest | {"limits": "Made 2026-12 as found on 2026-10-01; begun 2026-11-30."}
    assert_reported(of_rows(rows, sentence), "a date or time")


def test_k_comes_from_the_caller_and_not_from_the_manifest():
    data = plain.csv_bytes(plain.table(ROWS))
    lines = verify.check_open_file("R-0001.csv", io.BytesIO(data), replace(EXPECTED, k=11))
    assert_reported(map(str, lines), "fewer than 11 rows, least 5")


def defined(book):
    book.define_name("Author", '="Maria Lopez"')


def commented(book):
    book.get_worksheet_by_name("responses").write_comment("A2", "Mrs Lopez")


def hidden_sheet(book):
    book.get_worksheet_by_name("codebook").hide()


def another_sheet(book):
    book.add_worksheet("people").write_string(0, 0, "Maria")


def formula(book):
    book.get_worksheet_by_name("responses").write_formula("D2", "=1+1")


def hidden_row(book):
    book.get_worksheet_by_name("responses").set_row(3, None, None, {"hidden": True})


def hidden_column(book):
    book.get_worksheet_by_name("responses").set_column("D:D", None, None, {"hidden": True})


def link(book):
    book.get_worksheet_by_name("codebook").write_url("A5", "https://example.org/?id=1")


def header_text(book):
    book.get_worksheet_by_name("responses").set_header("&LMaria Lopez")


def validation(book):
    book.get_worksheet_by_name("responses").data_validation("A1", {"validate": "any", "input_message": "Mrs Lopez"})


def properties(**more):
    return lambda book: book.set_properties({"created": datetime(1980, 1, 1)} | more)


BOOK_LEAKS = {
    "an author": (properties(author="Maria"), "docProps/core.xml: contains creator"),
    "a company": (properties(company="Clinic"), "docProps/app.xml: contains Company"),
    "a manager": (properties(manager="Maria"), "docProps/app.xml: contains Manager"),
    "a comment of the file": (properties(comments="for Maria"), "docProps/core.xml: contains description"),
    "the time it was made": (properties(created=datetime(2026, 11, 23, 12, 0)), "docProps/core.xml: contains created"),
    "a custom property": (lambda book: book.set_custom_property("by", "Maria"), "docProps/custom.xml: no release has"),
    "a defined name": (defined, "workbook: holds a defined name"),
    "a cell's comment": (commented, "part xl/comments1.xml: no release has this part"),
    "a hidden sheet": (hidden_sheet, "sheet codebook: is hidden"),
    "another sheet": (another_sheet, "sheet people: no release has this sheet"),
    "a formula": (formula, "sheet responses: holds f, which no release has"),
    "a hidden row": (hidden_row, "sheet responses: a hidden row"),
    "a hidden column": (hidden_column, "sheet responses: a hidden row or column"),
    "a link": (link, "sheet codebook: holds hyperlink"),
    "a page header": (header_text, "sheet responses: holds headerFooter"),
    "an input message": (validation, "sheet responses: holds dataValidation"),
}


@pytest.mark.parametrize("leak", BOOK_LEAKS)
def test_leak_in_workbook_features_is_reported(leak):
    change, what = BOOK_LEAKS[leak]
    assert_reported(found("R-0001.xlsx", plain.workbook(plain.table(ROWS), change=change), MANIFEST), what)


def put(old, new):
    return lambda data: data.replace(old, new, 1)


SHEET, BOOK, STRINGS = "xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/sharedStrings.xml"
ENTITY_EXPANSION = b'?>\n<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
XML_LEAKS = {
    "entities": (SHEET, put(b"?>", ENTITY_EXPANSION), "cannot be read: XML with a document type"),
    "an XML comment": (BOOK, put(b"<sheets>", b"<!-- Maria --><sheets>"), "cannot be read: XML with"),
    "CDATA": (STRINGS, put(b"<si><t>", b"<si><t><![CDATA[Maria]]>"), "cannot be read: XML with"),
    "a text nobody shows": (STRINGS, put(b"</sst>", b"<si><t>Maria</t></si></sst>"), "holds texts that no cell shows"),
    "phonetic text": (STRINGS, put(b"</si>", b"<rPh><t>Maria</t></rPh></si>"), "sharedStrings.xml: holds rPh"),
    "text between cells": (SHEET, put(b"</c><c", b"</c>Maria<c"), "a cell refers to a missing shared string"),
    "text before the cells": (SHEET, put(b"<sheetData>", b"<sheetData>Maria"), "text outside its cells"),
    "a true-or-false cell": (SHEET, put(b't="s"', b't="b"'), "a cell of another kind"),
    "a text that is not there": (
        SHEET,
        put(b"<v>0</v>", b"<v>99999</v>"),
        "cannot be read: a cell refers to a missing shared string",
    ),
    "a cell left out": (SHEET, lambda d: re.sub(rb'<c r="D9".*?</c>', b"", d), "cells left out or out of order"),
    "rubbish": (SHEET, lambda d: d[: len(d) // 2], "cannot be read: damaged"),
    "a sheet's own id": (
        SHEET,
        put(b"<sheetData>", b'<sheetPr codeName="0f8fad5b-d9cb-469f-a165-70867728950e"/><sheetData>'),
        "an attribute that looks like an id",
    ),
}


@pytest.mark.parametrize("leak", XML_LEAKS)
def test_leak_in_workbook_xml_is_reported(leak):
    part, change, what = XML_LEAKS[leak]
    data = plain.repacked(plain.workbook(plain.table(ROWS)), **{part: change})
    assert_reported(found("R-0001.xlsx", data, MANIFEST), what)


def test_leak_in_codebook_cells_is_reported():
    for cell, what in (("=HYPERLINK(1)", "a formula"), ("2026-11-03", "a date"), ("a@b.org", "an e-mail")):
        book = plain.workbook(plain.table(ROWS), [["column"], [cell]])
        assert_reported(found("R-0001.xlsx", book, MANIFEST), f"sheet codebook: a cell looks like {what}")


def test_workbook_saved_by_another_program_is_reported():
    book = openpyxl.load_workbook(io.BytesIO(plain.workbook(plain.table(ROWS))))
    file = io.BytesIO()
    book.save(file)
    lines = found("R-0001.xlsx", file.getvalue(), MANIFEST)
    assert_reported(lines, "contains modified")
    assert_reported(lines, "has a date other than 1980-01-01")
    assert not any("line" in line for line in lines), "the rows are unchanged"


ENTRIES = plain.entries(ROWS)


def entries(**changes):
    """Return the package's files with some of them changed: ``readme=b'…'`` for README.md."""
    names = {name.split(".")[0].lower(): name for name in ENTRIES}
    return ENTRIES | {names[key]: data for key, data in changes.items()}


def with_tables(change):
    tables = plain.tables(ROWS)
    change(tables)
    return entries(tables=json.dumps(tables).encode())


def small_count(tables):
    tables["signs"]["sleep"]["1"] = 4


def lone_null(tables):
    tables["signs"]["sleep"]["2"] = None


def wrong_cycle(tables):
    code = next(code for code, rows in tables["cycle"].items() if rows is not None)
    tables["cycle"][code] += 1


def wrong_count(tables):
    tables["signs"]["sleep"] |= {"0": 100, "1": 65}


def wrong_sum(tables):
    tables["noticed"] = dict.fromkeys([*(str(n) for n in range(8)), "open"], 0) | {"7": 165}


def small_period(tables):
    tables["periods"]["2026"]["noticed"]["sleep"] = 3


def missing_period(tables):
    del tables["periods"]["2026"]


def lone_period(tables):
    """Suppressed rows do not state pain, so they protect no hidden count of it."""
    tables["periods"]["2026"]["noticed"]["pain"] = None


def needless_periods(tables):
    for period in tables["periods"].values():
        period["noticed"]["pain"] = None


PACKAGE_LEAKS = {
    "both details": (ENTRIES | {"signs.csv": plain.entries(ROWS, "signs")["signs.csv"]}, "holds 2 data files"),
    "no data": ({n: d for n, d in ENTRIES.items() if n != "full.csv"}, "holds 0 data files"),
    "the other detail": (
        {**{n: d for n, d in ENTRIES.items() if n != "full.csv"}, "signs.csv": ENTRIES["full.csv"]},
        "not of the detail",
    ),
    "a file of another kind": (ENTRIES | {"notes.txt": b"x"}, "entry notes.txt: no release has this entry"),
    "a file named after a person": (ENTRIES | {"maria@lopez.org": b"x"}, r"entry \(a name not shown\): no release"),
    "a file left out": ({n: d for n, d in ENTRIES.items() if n != "README.md"}, "entry README.md: is missing"),
    "a date in the README": (entries(readme=b"Made 23/11/2026."), "README.md: holds what looks like a date"),
    "an address in the README": (entries(readme=b"Ask a@b.org"), "README.md: holds what looks like an e-mail"),
    "a phone in the README": (entries(readme=b"+1 555 010 4477"), "README.md: holds what looks like a phone"),
    "a time in the description": (
        entries(datapackage=b'{"created": "2026-11-23T12:00:00Z"}'),
        "datapackage.json: .*a date",
    ),
    "a time as a number": (entries(datapackage=b'{"created": 1795460400}'), "datapackage.json: .*a date"),
    "a description that is none": (entries(datapackage=b"{"), "datapackage.json: cannot be read"),
    "a formula in the codebook": (entries(codebook=b"column\r\n@SUM(A1)\r\n"), "codebook.csv: .*a formula"),
    "a formula in the dictionary": (entries(redcap_data_dictionary=b"a\r\n=1+1\r\n"), "redcap.*a formula"),
    "another manifest": (entries(manifest=plain.manifest_bytes(MANIFEST | {"ncp": 0.5})), "not the manifest of the"),
    "a name in the manifest": (
        entries(manifest=plain.manifest_bytes(MANIFEST | {"by": "M"})),
        "manifest by: no manifest",
    ),
    "a small count in a table": (with_tables(small_count), "signs.sleep: 1 count under 5 shown"),
    "a count to be worked out": (with_tables(lone_null), "signs.sleep: the only hidden count can be computed"),
    "a wrong count": (with_tables(wrong_count), "signs.sleep: [12] counts? (is|are) wrong"),
    "a wrong count of signs noticed": (with_tables(wrong_sum), "tables.json noticed: 5 counts are wrong"),
    "a small count in a period": (with_tables(small_period), "periods.*1 count under 5 shown"),
    "a period left out": (with_tables(missing_period), "periods.*: not a table of counts"),
    "a count of pain to be worked out": (with_tables(lone_period), "periods, pain: the only hidden count can be"),
    "counts of pain hidden": (with_tables(needless_periods), "periods, pain: 2 counts are hidden without need"),
    "another count of the cycle": (with_tables(wrong_cycle), "tables.json cycle: 1 count is wrong"),
    "other rows in the tables": (with_tables(lambda t: t.update(rows=164)), "tables.json rows: the rows say 165"),
    "a period nobody was told": (
        with_tables(lambda t: t.update(periods={"2024": {"rows": 80, "noticed": {}}})),
        r"periods.*: not a table of counts",
    ),
    "a table too many": (
        with_tables(lambda t: t.update(by_nurse={})),
        "tables.json: by_nurse is no table of a release",
    ),
    "tables that are none": (entries(tables=b"[]"), "tables.json: not an object"),
    "rows left out": (entries(full=plain.csv_bytes(plain.table(ROWS)[:-1])), "manifest rows: the rows say 164"),
}


def test_package_chart_counts_are_recomputed_from_signs():
    files = plain.entries(ROWS, "signs")
    tables = json.loads(files["tables.json"])
    sure = tables["signs"]["interest"]
    assert None not in sure.values(), "no count of this table is suppressed"
    sure["1"], sure["0"] = sure["1"] + 1, sure["0"] - 1
    lines = found("R-0001.zip", plain.package(files | {"tables.json": json.dumps(tables).encode()}), MANIFEST)
    assert_reported(lines, "tables.json signs.interest: 2 counts are wrong")


@pytest.mark.parametrize("leak", PACKAGE_LEAKS)
def test_leak_in_a_package_is_reported(leak):
    files, what = PACKAGE_LEAKS[leak]
    assert_reported(found("R-0001.zip", plain.package(files), MANIFEST), what)


def zip_comment(archive):
    archive.comment = b"for Maria"


def extra_entry(**more):
    return lambda archive: archive.writestr(plain.entry("README.md", **more), b"x")


def prefixed(data):
    return b"PK-Maria" + data


def suffixed(data):
    return data + b"Maria Lopez, 555-010-4477"


def gap(data):
    """Return the zip with bytes between its entries and its central directory."""
    end = data.rindex(b"PK\x05\x06")
    start = struct.unpack_from("<L", data, end + 16)[0]
    return data[:start] + b"Maria" + data[start : end + 16] + struct.pack("<L", start + 5) + data[end + 20 :]


def second_header(data):
    """Return the zip with another name in an entry's own header than in the central directory."""
    return data.replace(b"README.md", b"MARIA.md!", 1)


UNIX_TIMES = struct.pack("<HHBL", 0x5455, 5, 1, 1_795_460_400)
ZIP_LEAKS = {
    "a comment": (lambda: plain.package(ENTRIES, zip_comment), "zip comment: is not empty"),
    "an entry's comment": (
        lambda: plain.package(ENTRIES, extra_entry(comment=b"Maria")),
        "entry README.md: has a comment",
    ),
    "an entry's date": (
        lambda: plain.package(ENTRIES, extra_entry(date_time=(2026, 11, 23, 12, 0, 0))),
        "has a date other",
    ),
    "an entry's extra field": (lambda: plain.package(ENTRIES, extra_entry(extra=UNIX_TIMES)), "has an extra field"),
    "an entry twice": (lambda: plain.package(ENTRIES, extra_entry()), "entry README.md: occurs more than once"),
    "bytes before the zip": (
        lambda: prefixed(plain.package(ENTRIES)),
        "bytes before it belong to no entry|cannot be read",
    ),
    "bytes after the zip": (lambda: suffixed(plain.package(ENTRIES)), "bytes that belong to no entry|cannot be read"),
    "bytes inside the zip": (lambda: gap(plain.package(ENTRIES)), "bytes that belong to no entry"),
    "another name in front": (lambda: second_header(plain.package(ENTRIES)), "its local header differs|cannot be read"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("leak", ZIP_LEAKS)
def test_leak_in_the_zip_structure_is_reported(leak):
    make, what = ZIP_LEAKS[leak]
    assert_reported(found("R-0001.zip", make(), MANIFEST), what)


def zip_bomb(method):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, archive.open("full.csv", "w") as entry:
        for _ in range(256):
            entry.write(bytes(1 << 20))
    return file.getvalue()


def declared_size(size):
    """Return a package whose central directory says that an entry unpacks to ``size``."""
    data = bytearray(plain.package(ENTRIES))
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, size)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        zip_bomb(zipfile.ZIP_DEFLATED),
        zip_bomb(zipfile.ZIP_BZIP2),
        declared_size(2**32 - 2),
        plain.package({f"{n}": b"" for n in range(200)}),
    ],
    ids=["deflated", "bzip2", "huge by its list", "many entries"],
)
def test_zip_bomb_is_refused_without_unpacking(data):
    (line,) = found("R-0001.zip", data)
    assert re.search("would unpack to|compressed with an unsupported", line)


VALID_FILES = {
    "R-0001.zip": plain.package(ENTRIES),
    "R-0001.xlsx": plain.workbook(plain.table(ROWS)),
    "R-0001.csv": VALID,
}


def test_encrypted_zip_entry_is_refused():
    data = bytearray(plain.package(ENTRIES))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (line,) = found("R-0001.zip", bytes(data))
    assert "encrypted" in line


@pytest.mark.parametrize("name", ["R-0001.zip", "R-0001.xlsx"])
def test_csv_content_under_another_file_type_is_refused(name):
    assert found(name, VALID) == [f"{name}: cannot be read: damaged, or not a release's file"]


def test_cell_with_a_comma_is_not_split():
    header, first, *rows = plain.table(ROWS)
    joined = [*first[:3], ",".join(first[3:5]), *first[5:]]
    assert_reported(
        found("R-0001.xlsx", plain.workbook([header, joined, *rows]), MANIFEST), "line 2: quotes, which no code"
    )


@pytest.mark.parametrize("name", VALID_FILES)
def test_every_truncated_file_is_reported(name):
    whole = VALID_FILES[name]
    for length in [*range(60), *range(60, len(whole), max(1, len(whole) // 60))]:
        assert found(name, whole[:length], MANIFEST), length


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(VALID_FILES)), seed=st.integers(0, 2**32))
def test_damaged_file_never_crashes_the_verifier(name, seed):
    rng = random.Random(seed)
    data = bytearray(VALID_FILES[name])
    for _ in range(rng.randint(1, 20)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    found(name, bytes(data), MANIFEST)


def is_text(pattern):
    return lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


SENTENCE = r"[^\r\n\t]{10,2000}"
NOT_DETERMINED_BY_ROWS = {
    "rows_are": is_text(SENTENCE),
    "self_selected": is_text(SENTENCE),
    "limits": is_text(SENTENCE),
    "ncp": lambda value: type(value) in (int, float) and 0 <= value <= 1,
    "ladders": is_text("[0-9a-f]{64}"),
    "release": is_text(r"R-\d{4,9}"),
    "questionnaire": is_text("[a-z][a-z0-9_]{0,59}"),
    "version": lambda value: type(value) is int and value > 0,
}
"""Keys that rows do not determine, and the values of them that a manifest may have."""

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.floats(0, 1) | st.text("ab_", min_size=1),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(sorted(MANIFEST)) | st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=100)
@given(json_values, st.sampled_from(sorted(MANIFEST)))
@example("A sentence of another wording.", "limits")
@example("f" * 64, "ladders")
@example(True, "version")
def test_any_manifest_value_of_another_kind_is_reported(value, key):
    text = json.dumps(MANIFEST | {key: value}, sort_keys=True, indent=1, ensure_ascii=False)
    lines = of_rows(ROWS, text.encode("utf-8", "replace"))
    may_be = NOT_DETERMINED_BY_ROWS.get(key, lambda value: False)
    same = type(value) is type(MANIFEST[key]) and value == MANIFEST[key]
    assert lines or same or may_be(value)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32), suppressed=st.booleans(), detail=st.sampled_from(DETAILS))
@example(seed=140, suppressed=False, detail="full")  # six rows, no average pain twice
def test_any_sound_release_passes(seed, suppressed, detail):
    rows = plain.rows(seed, suppressed=suppressed)
    table, manifest = plain.table(rows, detail), plain.manifest(rows)
    assert found("R-0001.csv", plain.csv_bytes(table), manifest) == []
    assert found("R-0001.csv", plain.csv_bytes(table)) == []
    assert found("R-0001.xlsx", plain.workbook(table), manifest) == []


def key_of(row):
    return tuple(row[column] for column in QI)


def too_few(rows, rng):
    key = rng.choice([key_of(row) for row in rows])
    inside = [row for row in rows if key_of(row) == key]
    return [row for row in rows if key_of(row) != key] + inside[: rng.randint(1, K - 1)]


def all_alike(rows, rng):
    key, code = key_of(rng.choice(rows)), rng.choice("0123")
    return [row | ({"hopelessness": code} if key_of(row) == key else {}) for row in rows]


def too_many_masked(rows, rng):
    copies = [row for row in rows if is_masked(row)]
    return rows + copies * (1 + len(rows) // 19 // len(copies))


def revealed_pain(rows, rng):
    hiding = [n for n, row in enumerate(rows) if row["pain_duration"] in ("masked", "any")]
    place = rng.choice(hiding)
    cell = rng.choice([{"pain": rng.choice("0123")}, {"pain_average": rng.choice(plain.AVERAGES)}])
    return [row | (cell if n == place else {}) for n, row in enumerate(rows)]


def half_masked(rows, rng):
    place = rng.choice([n for n, row in enumerate(rows) if is_masked(row)])
    return [row | ({"period": "2026"} if n == place else {}) for n, row in enumerate(rows)]


def finer_period(rows, rng):
    place = rng.choice([n for n, row in enumerate(rows) if not is_masked(row)])
    return [row | ({"period": rng.choice(("2026-11", "2026-Q4"))} if n == place else {}) for n, row in enumerate(rows)]


def lone_age(rows, rng):
    place = rng.choice([n for n, row in enumerate(rows) if not is_masked(row)])
    return [row | ({"age_band": "85_or_over"} if n == place else {}) for n, row in enumerate(rows)]


@settings(max_examples=120)
@given(
    seed=st.integers(0, 2**32),
    breach=st.sampled_from([too_few, all_alike, too_many_masked, revealed_pain, half_masked, finer_period, lone_age]),
)
def test_any_breach_is_reported_with_and_without_manifest(seed, breach):
    rows = breach(plain.rows(seed), random.Random(seed))
    assert of_rows(rows), "alone"
    manifest = plain.manifest(rows)
    assert of_rows(rows, manifest), "with its manifest"


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_any_changed_cell_is_reported_against_the_manifest(seed):
    rng = random.Random(seed)
    rows = plain.rows(seed)
    manifest, table = plain.manifest(rows), plain.table(rows)
    place, column = rng.randrange(1, len(table)), rng.randrange(len(table[0]))
    table[place][column] = rng.choice(
        [cell for cell in ("0", "1", "2", "declined", "any", "2026") if cell != table[place][column]]
    )
    assert of_table(table, manifest)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("2026-11-03", "a date or time finer than a year"),
        ("11/3/26", "a date or time finer than a year"),
        ("3.11.2026", "a date or time finer than a year"),
        ("20261103", "a date or time finer than a year"),
        ("2026-W12", "a date or time finer than a year"),
        ("3 de noviembre de 2026", "a date or time finer than a year"),
        ("Nov. 3, 2026", "a date or time finer than a year"),
        ("9:05 am", "a date or time finer than a year"),
        ("+1 555 010 4477", "a phone number"),
        ("555.010.4477", "a phone number"),
        ("(555) 010-4477", "a phone number"),
        ("x.y@clinic.org", "an e-mail address"),
        ("9f86d081884c7d65", "an id"),
        ("2024-2026", None),
        ("45 CFR 164.514(b)(2)", None),
        ("988 or 911, ages 45_to_54, 3 to 12 months", None),
        ("version 2.0, 12.5 %, 0.1234", None),
    ],
)
def test_pii_patterns_are_recognized_in_text(text, what):
    assert list(pii_patterns.pattern_of(text)) == ([what] if what else [])


def test_known_date_does_not_permit_a_finer_date():
    known = ["2026-11", "2026-10-01"]
    assert list(pii_patterns.pattern_of("In 2026-11, as found on 2026-10-01.", known)) == []
    assert list(pii_patterns.pattern_of("On 2026-11-03.", known))
    assert list(pii_patterns.pattern_of("2026-10-01T12:00", known))


def test_memory_grows_only_with_distinct_rows():
    header, *rows = plain.table(ROWS)
    data = plain.csv_bytes([header, *(row for row in rows for _ in range(300))])
    file = io.BytesIO(data)
    tracemalloc.start()
    assert verify.check_open_file("R-0001.csv", file, EXPECTED) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert Counter(data)[10] > 45_000
    assert peak < 1_000_000


def test_packages_have_all_loading_scripts_or_none():
    """Packages of earlier versions have none."""
    scripts = {f"load.{ending}": b"rows\n" for ending in ("py", "R", "sps", "do")}
    assert found("R-0001.zip", plain.package(ENTRIES | scripts)) == []
    del scripts["load.sps"]
    assert_reported(found("R-0001.zip", plain.package(ENTRIES | scripts)), "entry load.sps: is missing")


@pytest.mark.parametrize("count", [26, 27, 60])
def test_sheet_of_many_columns_has_no_gaps(count):
    sheet = Sheet([], bytearray())
    for column in range(1, count + 1):
        sheet.start("c", {"r": f"{openpyxl.utils.get_column_letter(column)}2", "t": "n"})
    sheet.finish()
    assert not sheet.gaps and len(sheet.ready[0]) == count
    sheet.start("c", {"r": "A3", "t": "n"})
    sheet.start("c", {"r": "C3", "t": "n"})
    sheet.finish()
    assert sheet.gaps


@pytest.mark.parametrize("detail", DETAILS)
def test_formats_are_compared_with_rows_found_sound(monkeypatch, detail):
    """What was counted once is compared by its hash, and what differs is counted again."""
    table, raw = plain.table(ROWS, detail), plain.manifest_bytes(MANIFEST)
    sound = verify.Sound()

    def check(name, data):
        lines = verify.check_open_file(name, io.BytesIO(data), EXPECTED, raw, sound)
        return [str(line) for line in lines]

    assert check(f"R-0001-{detail}.csv", plain.csv_bytes(table)) == []
    swapped = [*table[:-1], [*table[-1][:3], "Maria", *table[-1][4:]]]
    assert_reported(check(f"R-0001-{detail}.xlsx", plain.workbook(swapped)), "not a code of this column")
    other = plain.entries(ROWS, detail) | {f"{detail}.csv": plain.csv_bytes(swapped)}
    assert_reported(check("R-0001.zip", plain.package(other)), "not a code of this column")
    tables = plain.tables(ROWS) | {"rows": 1}
    wrong = plain.entries(ROWS, detail) | {"tables.json": json.dumps(tables).encode()}
    monkeypatch.setattr(verify, "count", None)
    assert check(f"R-0001-{detail}.xlsx", plain.workbook(table)) == []
    assert check("R-0001.zip", plain.package(plain.entries(ROWS, detail))) == []
    assert_reported(check("R-0001.zip", plain.package(wrong)), "tables.json rows")
    some = plain.csv_bytes([table[0], *table[5:9]])
    verify.accept(some, sound)
    assert check(f"R-0001-{detail}.xlsx", plain.workbook([table[0], *table[5:9]])) == []
    claimed = {"signs": "full", "full": "signs"}[detail]
    assert_reported(check(f"R-0001-{claimed}.xlsx", plain.workbook(table)), "not of the detail its name says")
