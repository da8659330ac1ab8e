"""The files of a release: identical cells, a complete codebook, and no author or time."""

from __future__ import annotations

import ast
import codecs
import csv
import html
import io
import json
import re
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import frictionless
import openpyxl
import openpyxl.utils
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from screening.releases import exporters, file_store, hierarchies, service
from screening.releases.exporters import cells, codebook, loaders, redcap, xlsx
from screening.releases.policy import ReleasePolicy
from tests.support import release_factory, sample_responses
from tests.support.absence import assert_absent
from tests.support.clock import NOVEMBER

texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.from_regex(
    "[=+@\t\r-].{0,5}|[+-]?[0-9.,e]{1,6}", fullmatch=True
)

REDCAP = (
    "Variable / Field Name,Form Name,Section Header,Field Type,Field Label,"
    '"Choices, Calculations, OR Slider Labels",Field Note,Text Validation Type OR Show Slider Number,'
    "Text Validation Min,Text Validation Max,Identifier?,Branching Logic (Show field only if...),Required Field?,"
    "Custom Alignment,Question Number (surveys only),Matrix Group Name,Matrix Ranking?,Field Annotation\r\n"
)


@pytest.fixture
def release(commands, questionnaire):
    return release_factory.release(questionnaire)


@pytest.fixture
def build(tmp_path):
    """Return a function that builds a file of a release and returns its path."""

    def built(release, name, folder="built", **options):
        target = tmp_path / folder / name
        target.parent.mkdir(exist_ok=True)
        data = file_store.read_file(release.id, f"{name.partition('.')[0]}.csv")
        exporters.build(release, name, data, target, **options)
        return target

    return built


def stored(release, name) -> list[list[str]]:
    content = b"".join(file_store.read_file(release.id, name)).decode()
    return list(csv.reader(io.StringIO(content, newline="")))


def entries(target) -> dict[str, bytes]:
    with zipfile.ZipFile(target) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def sheet_cells(sheet) -> list[list[str | None]]:
    return [list(row) for row in sheet.iter_rows(values_only=True)]


# Cells


def test_record_is_written_as_rfc_4180_csv():
    assert cells.csv_record(["a", "b,c", 'd"e', "f\r\ng", "", "é"]) == 'a,"b,c","d""e","f\r\ng",,é\r\n'


@given(st.lists(st.lists(texts, min_size=1, max_size=5), max_size=5))
@example([["=1+1", "+1", "-1.5e3", "-x", "@a", "\ta", "\ra", ""]])
def test_written_cells_round_trip_and_contain_no_formula(rows):
    content = cells.write_csv(rows)
    read = list(csv.reader(io.StringIO(content.decode(), newline="")))
    assert read == [[cells.escape_formula(cell) for cell in row] for row in rows]
    for row, original in zip(read, rows, strict=True):
        for cell, was in zip(row, original, strict=True):
            assert cell in (was, f"'{was}")
            if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
                float(cell)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["", "+"]))
def test_numbers_are_not_escaped(number, sign):
    text = f"{number}" if number < 0 or str(number).startswith("-") else f"{sign}{number}"
    assert cells.escape_formula(text) == text


@given(st.lists(st.lists(texts, min_size=1, max_size=4), max_size=5), st.integers(1, 7))
def test_csv_reader_accepts_bytes_split_anywhere(rows, size):
    content = cells.write_csv(rows)
    parts = [content[at : at + size] for at in range(0, len(content), size)]
    assert list(cells.parse_csv(parts)) == list(csv.reader(io.StringIO(content.decode(), newline="")))


def test_csv_reader_refuses_a_truncated_file():
    with pytest.raises(csv.Error):
        list(cells.parse_csv([b'a,"b']))


# Codebook

ALL_LEVELS = [
    {"period": "month", "age_band": "as_asked", "pain_duration": "as_asked"},
    release_factory.LEVELS,
    {"period": "quarter", "age_band": "any", "pain_duration": "pain_or_none"},
    {"period": "any", "age_band": "four_groups", "pain_duration": "any"},
]


def columns(questionnaire, levels=release_factory.LEVELS, suppressed=12, detail="full"):
    manifest = release_factory.manifest_of(questionnaire, {}, 300, levels, suppressed)
    return {
        column.name: column
        for column in codebook.columns(manifest, questionnaire, hierarchies.load(questionnaire), detail)
    }


def codes(column) -> list[str]:
    return [code.code for code in column.codes]


@pytest.mark.parametrize("detail", ["signs", "full"])
@pytest.mark.parametrize("levels", ALL_LEVELS, ids=lambda levels: "-".join(levels.values()))
@pytest.mark.parametrize("suppressed", [0, 12])
def test_codebook_explains_every_code_in_the_rows(commands, questionnaire, levels, suppressed, detail):
    header, *rows = stored(release_factory.release(questionnaire, 300, levels, suppressed), f"{detail}.csv")
    explained = columns(questionnaire, levels, suppressed, detail)
    assert list(explained) == header
    for column, found in zip(explained.values(), zip(*rows, strict=True), strict=True):
        assert set(found) <= set(codes(column)), column.name
        assert len(set(codes(column))) == len(column.codes)


@pytest.mark.parametrize(
    ("name", "levels", "suppressed", "detail", "listed"),
    [
        ("period", release_factory.LEVELS, 0, "full", ["2025", "2026"]),
        ("period", ALL_LEVELS[3], 12, "full", ["any", "masked"]),
        ("age_band", release_factory.LEVELS, 0, "full", ["18_to_24", "25_to_44", "45_to_64", "65_or_over", "declined", "not_answered"]),
        ("age_band", ALL_LEVELS[2], 0, "full", ["any"]),
        ("pain_duration", release_factory.LEVELS, 12, "full", ["up_to_a_year", "over_a_year", "declined", "not_shown", "not_answered", "masked"]),
        ("pain_duration", ALL_LEVELS[2], 0, "full", ["pain", "not_shown"]),
        ("sleep", release_factory.LEVELS, 12, "full", ["0", "1", "2", "3", "declined", "not_answered"]),
        ("sleep", release_factory.LEVELS, 12, "signs", ["not_noticed", "noticed", "declined", "not_answered"]),
        ("pain", release_factory.LEVELS, 12, "signs", ["not_noticed", "noticed", "declined", "not_answered", "masked"]),
        ("pain", ALL_LEVELS[3], 0, "full", ["masked"]),
        ("pain_average", release_factory.LEVELS, 0, "full", [*map(str, range(11)), "declined", "not_shown", "not_answered"]),
        ("pain_average", ALL_LEVELS[3], 0, "full", ["masked"]),
    ],
)  # fmt: skip
def test_codebook_lists_only_codes_that_can_occur(questionnaire, name, levels, suppressed, detail, listed):
    assert codes(columns(questionnaire, levels, suppressed, detail)[name]) == listed


def test_codes_have_a_label_in_every_language(questionnaire):
    explained = columns(questionnaire, ALL_LEVELS[0]) | {"grouped": columns(questionnaire)["pain_duration"]}
    named = {(column, code.code): code.text for column, about in explained.items() for code in about.codes}
    assert named["period", "2026-11"] == {"en": "In November 2026", "es": "En noviembre de 2026"}
    assert named["age_band", "85_or_over"]["es"] == "85 o más"
    assert named["grouped", "up_to_a_year"] == {"en": "Up to a year", "es": "Hasta un año"}
    assert named["sleep", "3"]["en"] == "Nearly every day"
    special = [named["pain_average", code] for code in ("declined", "not_shown", "not_answered", "masked")]
    for locale in questionnaire.locales:
        assert len({text[locale] for text in special}) == 4
    assert all(text["en"] != text["es"] for text in special)


def test_codebook_question_includes_its_time_frame_and_hint(questionnaire):
    explained = columns(questionnaire)
    assert (
        explained["sleep"].question["en"].startswith("Over the last 2 weeks: How often have you had trouble sleeping")
    )
    assert explained["pain_average"].question["en"] == (
        "Over the last week: How bad was your pain on average? "
        "0 means no pain. 10 means the worst pain you can think of."
    )
    assert explained["age_band"].question["es"].startswith("¿Cuántos años tiene?")


@pytest.mark.parametrize(
    ("detail", "name", "english", "spanish"),
    [
        ("full", "sadness", "Sadness or anxiety: how often over the last 2 weeks", "Tristeza o ansiedad: con qué frecuencia en las últimas 2 semanas"),
        ("signs", "sadness", "Sadness or anxiety: noticed over the last 2 weeks", "Tristeza o ansiedad: si se notó en las últimas 2 semanas"),
        ("full", "pain_average", "Average pain in the last week: 0 to 10", "Dolor promedio en la última semana: de 0 a 10"),
        ("full", "pain_duration", "How long the pain has lasted", "Cuánto ha durado el dolor"),
        ("signs", "age_band", "Age group", "Grupo de edad"),
    ],
)  # fmt: skip
def test_column_label_says_what_its_codes_state(questionnaire, detail, name, english, spanish):
    assert columns(questionnaire, detail=detail)[name].label == {"en": english, "es": spanish}


def test_label_of_a_sign_without_a_time_ends_with_its_verb(questionnaire):
    sign = replace(questionnaire.signs[0], caption=None)
    asked = replace(questionnaire, questions=(sign, *questionnaire.questions[1:]))
    assert columns(asked, detail="signs")["sadness"].label["en"] == "Sadness or anxiety: noticed"


@pytest.mark.parametrize(
    ("levels", "label"),
    list(
        zip(ALL_LEVELS, [f"{period} of the response" for period in ("Month", "Year", "Quarter", "Period")], strict=True)
    ),
)
def test_label_of_the_period_says_how_long_it_is(questionnaire, levels, label):
    assert columns(questionnaire, levels)["period"].label["en"] == label


def test_missing_codes_are_worded_alike_in_every_column(questionnaire):
    explained = columns(questionnaire, ALL_LEVELS[0])
    texts = {(code.code, code.text["en"]) for column in explained.values() for code in column.codes}
    missing = {code: text for code, text in texts if code in codebook.MISSING}
    assert missing == {
        "declined": "Chose not to say",
        "not_answered": "Asked, but left blank",
        "not_shown": "Not asked, because of an earlier answer",
        "masked": "Hidden in this row, to protect privacy",
    }
    assert len([code for code, _ in texts if code in missing]) == len(missing)


# Workbook


@pytest.mark.parametrize("detail", ["signs", "full"])
def test_workbook_has_the_cells_of_the_csv(release, build, questionnaire, detail):
    book = openpyxl.load_workbook(build(release, f"{detail}.xlsx"))
    assert book.sheetnames == ["responses", "about", "codebook"]
    assert as_texts(sheet_cells(book["responses"])) == stored(release, f"{detail}.csv")
    explained = entries(build(release, f"{detail}.zip"))["codebook.csv"].decode("utf-8-sig")
    assert as_texts(sheet_cells(book["codebook"])) == list(csv.reader(io.StringIO(explained, newline="")))
    for sheet in book:
        assert sheet.freeze_panes == "A2" and all(cell.font.bold for cell in sheet[1])


def as_texts(rows) -> list[list[str]]:
    return [[as_text(cell) for cell in row] for row in rows]


def as_text(cell: str | float | None) -> str:
    """Return the text that a spreadsheet shows."""
    return "" if cell is None else f"{cell:g}" if isinstance(cell, float) else str(cell)


@pytest.mark.parametrize("detail", ["signs", "full"])
def test_workbook_has_digits_as_numbers_and_codes_as_texts(release, build, detail):
    book = openpyxl.load_workbook(build(release, f"{detail}.xlsx"))
    cells = [cell for name in ("responses", "codebook") for row in book[name].iter_rows() for cell in row if cell.value]
    digits = {cell.value for cell in cells if as_text(cell.value).isdigit()}
    assert digits >= {2025, 2026} and not any(isinstance(value, str) for value in digits)
    assert {cell.data_type for cell in cells if cell.value not in digits} == {"s"}
    header, *explained = sheet_cells(book["codebook"])
    codes = {row[header.index("code")] for row in explained}
    assert codes >= {cell for row in sheet_cells(book["responses"])[1:] for cell in row}, "a look-up finds each code"


def about_of(target) -> dict[str, str | int]:
    return dict(sheet_cells(openpyxl.load_workbook(target)["about"])[1:])


def test_workbook_says_what_its_rows_are(release, build):
    about, manifest = about_of(build(release, "signs.xlsx")), json.loads(release.manifest)
    assert (about["Release"], about["Rows"], about["Suppressed rows"]) == ("R-0001", 300, 12)
    assert about["What a row is"] == manifest["rows_are"] and about["Several releases"].startswith("Do not pool")
    assert [value for name, value in about.items() if name.startswith("k ")] == [11, 14]
    assert_absent(["percent of the rows"], " ".join(about))


@pytest.mark.parametrize(("detail", "measured"), [("signs", [3, 9]), ("full", [41, 77])])
def test_workbook_states_the_measured_attack_of_its_detail(release, build, detail, measured):
    attack = {"signs": {"mean_percent": 3, "worst_percent": 9}, "full": {"mean_percent": 41, "worst_percent": 77}}
    release.manifest = json.dumps(json.loads(release.manifest) | {"measured_attack": attack})
    about = about_of(build(release, f"{detail}.xlsx"))
    assert [value for name, value in about.items() if "percent" in name] == measured


def test_rows_over_the_sheet_limit_continue_on_the_next_sheet(release, build, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_SHEET_ROWS", 100)
    book = openpyxl.load_workbook(build(release, "signs.xlsx"))
    assert book.sheetnames == ["responses", "responses 2", "responses 3", "about", "codebook"]
    header, *rows = stored(release, "signs.csv")
    assert [as_texts(sheet_cells(book[name])) for name in book.sheetnames[:3]] == [
        [header, *rows[at : at + 100]] for at in (0, 100, 200)
    ]


def test_workbook_contains_no_author_and_no_creation_time(release, build):
    target = build(release, "signs.xlsx")
    found = entries(target)
    assert list(ElementTree.fromstring(found["docProps/core.xml"])) == []  # noqa: S314
    assert {date for content in found.values() for date in re.findall(rb"\d{4}-\d\d-\d\d", content)} <= {b"1980-01-01"}
    with zipfile.ZipFile(target) as archive:
        assert {(entry.date_time, entry.extra) for entry in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), b"")}


def rows_that_fail():
    yield ["a", "b"]
    yield ["1", "2"]
    raise OSError("gone")


def test_failed_workbook_leaves_no_partial_file(tmp_path):
    with pytest.raises(OSError, match="gone"):
        xlsx.write_workbook(tmp_path / "a.xlsx", rows_that_fail(), 5, [["a", "b"], ["1", "2"]], [["c"], ["d"]])
    assert list(tmp_path.iterdir()) == []


def test_more_rows_than_announced_raise_value_error(tmp_path, monkeypatch):
    monkeypatch.setattr(xlsx, "MAX_SHEET_ROWS", 1)
    with pytest.raises(ValueError, match="more than 1 rows"):
        xlsx.write_workbook(
            tmp_path / "a.xlsx", iter([["a"], ["1"], ["2"]]), 1, [["a", "b"], ["1", "2"]], [["c"], ["d"]]
        )


# Package


@pytest.mark.parametrize("detail", ["signs", "full"])
def test_package_contains_the_stored_release_unchanged(release, build, detail):
    target = build(release, f"{detail}.zip")
    found = entries(target)
    assert list(found) == [
        f"R-0001-{detail}.csv", "codebook.csv", "redcap_data_dictionary.csv",
        "datapackage.json", "tables.json", "manifest.json", "README.md",
        "load.py", "load.R", "load.sps", "load.do",
    ]  # fmt: skip
    assert found[f"R-0001-{detail}.csv"] == b"".join(file_store.read_file(release.id, f"{detail}.csv"))
    assert found["manifest.json"].decode() == release.manifest
    assert json.loads(found["tables.json"]) == release.tables
    with zipfile.ZipFile(target) as archive:
        assert {(e.date_time, e.extra, e.comment) for e in archive.infolist()} == {((1980, 1, 1, 0, 0, 0), b"", b"")}


@pytest.mark.parametrize("detail", ["signs", "full"])
def test_frictionless_accepts_the_package(release, build, tmp_path, detail):
    target = build(release, f"{detail}.zip")
    assert frictionless.validate(str(target), type="package").flatten(["type", "note"]) == []
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "out")
    report = frictionless.validate(str(tmp_path / "out" / "datapackage.json"))
    assert report.flatten(["type", "note"]) == [] and report.stats["tasks"] == 4


@pytest.mark.parametrize("name", ["signs.zip", "full.zip"])
def test_frictionless_accepts_a_release_of_sample_responses(commands, policy, build, name):
    sample_responses.store(sample_responses.generate(1500))
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    report = frictionless.validate(str(build(release, name)), type="package")
    assert report.flatten(["type", "note"]) == [] and report.stats["tasks"] == 4


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [(b"18_to_24", b"19_to_24", "constraint-error"), (b"\r\n2026,", b"\r\n2025,", "hash-count")],
)
def test_frictionless_reports_a_changed_row(release, build, tmp_path, old, new, fault):
    with zipfile.ZipFile(build(release, "full.zip")) as archive:
        archive.extractall(tmp_path / "out")
    rows = tmp_path / "out" / "R-0001-full.csv"
    assert old in rows.read_bytes()
    rows.write_bytes(rows.read_bytes().replace(old, new, 1))
    report = frictionless.validate(str(tmp_path / "out" / "datapackage.json"))
    assert fault in {found for (found,) in report.flatten(["type"])}


@pytest.fixture
def dictionary(release, build):
    """Return a function that reads the data dictionary's fields by name, for a detail."""

    def read(detail="full"):
        content = entries(build(release, f"{detail}.zip"))["redcap_data_dictionary.csv"].decode()
        assert content.startswith(REDCAP)
        return {row["Variable / Field Name"]: row for row in csv.DictReader(io.StringIO(content, newline=""))}

    return read


def test_redcap_dictionary_describes_every_column(release, dictionary):
    for detail in ("signs", "full"):
        fields = dictionary(detail)
        assert list(fields) == ["record_id", *stored(release, f"{detail}.csv")[0]]
        assert fields["record_id"]["Field Type"] == fields["period"]["Field Type"] == "text"
        assert {field["Field Type"] for name, field in fields.items() if name not in ("record_id", "period")} == {
            "radio"
        }
        assert {field["Form Name"] for field in fields.values()} == {"warning_signs"}


def test_redcap_dictionary_has_choices_and_no_branching(dictionary):
    """Rows with hidden or generalized answers contradict a condition, and REDCap then offers to erase them."""
    choices, branching = "Choices, Calculations, OR Slider Labels", "Branching Logic (Show field only if...)"
    assert dictionary("full")["sleep"][choices] == (
        "0, Not at all | 1, Several days | 2, More than half the days | 3, Nearly every day | "
        "declined, Chose not to say | not_answered, Asked, but left blank"
    )
    for detail in ("full", "signs"):
        assert not any(field[branching] for field in dictionary(detail).values())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-- under <b>3</b> [pain] & so", "&#45;- under &#60;b&#62;3&#60;/b&#62; &#91;pain&#93; &#38; so"),
        ("=1+1", "&#61;1+1"),
        ("1 + 1 = 2", "1 + 1 = 2"),
    ],
)
def test_redcap_shows_labels_and_choices_as_they_are(text, shown):
    texts = {"en": text}
    column = codebook.Column("sleep", texts, texts, (codebook.Code("a", texts),))
    header, _, field = redcap.data_dictionary([column], "form", "en")
    about = dict(zip(header, field, strict=True))
    assert about["Field Label"] == about["Field Note"] == shown and about[header[5]] == f"a, {shown}"
    assert [html.unescape(shown), cells.escape_formula(shown)] == [text, shown]


def test_workbook_and_codebook_of_a_label_like_a_formula(release, build):
    """Only a CSV file needs the guard: a workbook's cells say that they are text."""
    explained = release.codebook["signs"]
    label = {**explained[3]["label"], "en": "=1+1"}
    release.codebook = {**release.codebook, "signs": [*explained[:3], {**explained[3], "label": label}]}
    shown = {row[1] for row in sheet_cells(openpyxl.load_workbook(build(release, "signs.xlsx"))["codebook"])}
    assert "=1+1" in shown and "'=1+1" not in shown
    assert b",'=1+1," in entries(build(release, "signs.zip"))["codebook.csv"]


def test_spreadsheets_read_the_accents_of_the_codebook(release, build):
    found = entries(build(release, "full.zip"))
    marked = [name for name, content in found.items() if content.startswith(codecs.BOM_UTF8)]
    assert marked == ["codebook.csv"] and "¿Cuántos años tiene?" in found["codebook.csv"].decode("utf-8-sig")


def test_readme_describes_the_rows_and_their_limits(release, build):
    found = entries(build(release, "signs.zip"))
    text = found["README.md"].decode()
    manifest = json.loads(release.manifest)
    assert all(manifest[sentence] in text for sentence in ("rows_are", "self_selected", "limits"))
    assert "at least 14 rows (asked: 11)" in text and "In 12 of 300 rows" in text and "$" not in text
    assert "7 of 300 rows have a pattern of answers that no other row has" in text
    assert all(f"`{name}`" in text for name in found if name != "README.md")
    assert "a combination of period, age group and length of pain that stands in no row" in " ".join(text.split())
    assert "not a validated instrument" in text and "Do not pool releases" in text


def test_data_package_has_categories_and_describes_tables(release, build):
    found = entries(build(release, "full.zip"))
    resources = {about["path"]: about for about in json.loads(found["datapackage.json"])["resources"]}
    fields = {field["name"]: field for field in resources["R-0001-full.csv"]["schema"]["fields"]}
    assert fields["sleep"]["categories"][:2] == [
        {"value": "0", "label": "Not at all"},
        {"value": "1", "label": "Several days"},
    ]
    assert all([c["value"] for c in f["categories"]] == f["constraints"]["enum"] for f in fields.values())
    assert resources["tables.json"]["bytes"] == len(found["tables.json"])


def test_codebook_tells_answers_from_missing_codes(release, build):
    content = entries(build(release, "full.zip"))["codebook.csv"].decode("utf-8-sig")
    rows = {(row["column"], row["code"]): row for row in csv.DictReader(io.StringIO(content, newline=""))}
    missing = ("declined", "not_answered", "not_shown", "masked")
    assert all((row["kind"] == "missing") == (code in missing) for (_, code), row in rows.items())
    assert rows["pain_average", "10"]["kind"] == "answer"
    assert rows["pain_average", "10"]["asked_when"] == "pain is 1 or 2 or 3" and not rows["sleep", "0"]["asked_when"]


# Scripts that load the rows

TRICKY = """He said "no" \\ it's `x' $y {z} % ñ 😀"""


def scripts_of(text):
    texts = {"en": text}
    listed = tuple(codebook.Code(code, texts) for code in ("0", "3", "declined"))
    return loaders.scripts([codebook.Column("sleep", texts, texts, listed)], "R-0001-full.csv", "en")


@given(st.text(st.characters(codec="utf-8"), max_size=20))
@example(TRICKY)
def test_labels_of_any_text_stay_within_their_strings(text):
    scripts = scripts_of(text)
    program = ast.parse(scripts["load.py"])
    (labels,) = [node.value for node in program.body if isinstance(node, ast.Assign) and node.targets[0].id == "labels"]
    assert ast.literal_eval(labels) == {"sleep": {"0": text, "3": text, "declined": text}}
    assert scripts["load.R"].isascii()
    lines = scripts["load.sps"].decode().removesuffix("\n").split("\n")
    assert lines == scripts["load.sps"].decode().splitlines() and all(line.count("'") % 2 == 0 for line in lines[2:])
    labels = [line for line in scripts["load.do"].decode().splitlines() if line.startswith("label define")]
    assert len(labels) == 3 and all(line.count('"') == 2 and "`" not in line for line in labels)


@pytest.mark.parametrize(("letter", "spss"), [("a", (256, 120)), ("ñ", (128, 60))])
def test_labels_are_as_long_as_each_program_allows(letter, spss):
    scripts = {name: content.decode() for name, content in scripts_of(letter * 400).items()}
    assert [len(found) for found in re.findall(f"'({letter}+)'", scripts["load.sps"])] == [spss[0], *[spss[1]] * 3]
    labels = [len(found) for found in re.findall(f'"({letter}+)"', scripts["load.do"])]
    assert labels == [400, 400, 400, 80]
    assert ast.literal_eval(re.search("titles = ({.*?})", scripts["load.py"], re.DOTALL)[1]) == {"sleep": letter * 400}


def test_every_format_has_the_same_labels(release, build):
    """The codebook's, as the name of each column and the meaning of each code."""
    found = {name: content.decode("utf-8-sig") for name, content in entries(build(release, "full.zip")).items()}
    rows = list(csv.DictReader(io.StringIO(found["codebook.csv"], newline="")))
    names = {row["column"]: row["label_en"] for row in rows}
    assert len(set(names.values())) == len(names)
    fields = json.loads(found["datapackage.json"])["resources"][0]["schema"]["fields"]
    assert {field["name"]: field["title"] for field in fields} == names
    redcap_fields = list(csv.DictReader(io.StringIO(found["redcap_data_dictionary.csv"], newline="")))[1:]
    assert {field[redcap.NAME]: field[redcap.LABEL] for field in redcap_fields} == names
    assert redcap_fields[-1][redcap.NOTE] == rows[-1]["question_en"]
    for name, label in names.items():
        assert f"VARIABLE LABELS {name} '{label}'." in found["load.sps"]
        assert f'label variable {name} "{label}"' in found["load.do"]
        assert f'"{name}": "{label}"' in found["load.py"] and f'"{name}" = "{label}"' in found["load.R"]
    for row in rows:
        assert f"'{row['code_label_en']}'" in found["load.sps"] and f'"{row["code_label_en"]}", add' in found["load.do"]


def test_scripts_keep_numbers_and_mark_what_is_no_answer():
    scripts = {name: content.decode() for name, content in scripts_of("Often").items()}
    for line in ("('0'=0)", "('3'=3)", "('declined'=-1)", "MISSING VALUES sleep (LOWEST THRU -1)."):
        assert line in scripts["load.sps"]
    assert 'replace sleep = 3 if sleep__code == "3"' in scripts["load.do"]
    assert 'label define sleep__l .a "Often", add' in scripts["load.do"]


# All files


@pytest.mark.parametrize("name", [name for name in exporters.NAMES if not name.endswith(".csv")])
def test_same_release_gives_identical_bytes(release, build, monkeypatch, name):
    first = build(release, name).read_bytes()
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(0))
    assert build(release, name, "later").read_bytes() == first


@pytest.mark.parametrize("name", ["signs.xlsx", "full.zip"])
def test_progress_counts_every_row(release, build, name):
    done = []
    build(release, name, progress=done.append)
    assert sum(done) == 300


def test_codebook_uses_the_questionnaire_of_the_release(commands, questionnaire, build):
    """The meaning of columns and codes is stored with the release."""
    sample_responses.store(sample_responses.generate(400))
    asked = replace(questionnaire.signs[0], text={"en": "An earlier wording?", "es": "¿Otra redacción?"})
    earlier = replace(questionnaire, questions=(asked, *questionnaire.questions[1:]))
    policy = ReleasePolicy.of(commands.config["SETTINGS"], earlier)
    release = service.create(service.preview(policy, NOVEMBER), NOVEMBER, "command")
    with zipfile.ZipFile(build(release, "full.zip")) as archive:
        explained = archive.read("codebook.csv").decode()
    assert "An earlier wording?" in explained and "¿Otra redacción?" in explained
    assert questionnaire.signs[0].text["en"] not in explained


def test_download_names_begin_with_the_release_number():
    assert [exporters.download_name("R-0001", name) for name in exporters.NAMES][:2] == [
        "R-0001-signs.csv",
        "R-0001-signs.xlsx",
    ]
    assert exporters.media_type("full.csv") == "text/csv" and exporters.media_type("full.zip") == "application/zip"


@given(st.lists(st.lists(texts.filter(lambda text: text.isprintable()), min_size=2, max_size=2), min_size=1))
def test_workbook_cells_round_trip(rows):
    rows = [["a", "b"], *rows]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "a.xlsx"
        xlsx.write_workbook(target, iter(rows), len(rows) - 1, rows, rows)
        book = openpyxl.load_workbook(target)
    for sheet in book:
        found = as_texts(sheet_cells(sheet))
        assert found == rows[: len(found)] and not any("".join(row) for row in rows[len(found) :])
