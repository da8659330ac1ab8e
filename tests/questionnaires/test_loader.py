"""An invalid questionnaire definition is refused with the location of the error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from screening.questionnaires.loader import LIBRARY, load
from screening.questionnaires.table_reader import DefinitionError

SOURCE = (LIBRARY / "warning_signs.toml").read_text(encoding="utf-8")


def changed(tmp_path: Path, old: str, new: str, count: int = 1) -> Path:
    """Write the clinic's definition with one replacement."""
    assert old in SOURCE
    file = tmp_path / "changed.toml"
    file.write_text(SOURCE.replace(old, new, count), encoding="utf-8")
    return file


MISTAKES = {
    "not TOML": ('id = "warning_signs"', "id = ", r"line 6"),
    "no English": ('locales = ["en", "es"]', 'locales = ["es"]', r"top level: locales: must name en"),
    "locale missing": ('en = "Sadness or anxiety", es = "Tristeza o ansiedad"', 'en = "Sadness"', r"question sadness: label\.es"),
    "empty text": ('en = "How often have you felt hopeless?"', 'en = " "', r"question hopelessness: text\.en: is missing"),
    "foreign locale": ('en = "Work"', 'fr = "Travail", en = "Work"', r"question stress: choice work: text\.fr: is not one"),
    "question twice": ('id = "sleep"', 'id = "sadness"', r"questions: id: 'sadness' is used twice"),
    "choice twice": ('code = "money"', 'code = "work"', r"question stress: choices: id: 'work' is used twice"),
    "code with a comma": ('code = "money"', 'code = "money,work"', r"choice money,work: code: must be at most 20 of"),
    "unknown branch": ('show_when = { question = "pain",', 'show_when = { question = "pains",', r"question pain_duration: show_when\.question: there is no question 'pains'"),
    "later branch": ('show_when = { question = "pain",', 'show_when = { question = "consent",', r"question pain_duration: show_when\.question: 'consent' comes later"),
    "branch to itself": ('show_when = { question = "pain",', 'show_when = { question = "pain_duration",', r"comes later"),
    "branch out of reach": ("at_least = 1", "at_least = 4", r"question pain_duration: show_when\.at_least: no choice of 'pain' has so many points"),
    "no choices": ('scale = "frequency"\n', "choices = []\n", r"question sadness: choices: there are none"),
    "choices and scale": ('numbers = [0, 10]', 'numbers = [0, 10]\nscale = "frequency"', r"question pain_average: choices: set exactly one"),
    "unknown scale": ('scale = "frequency"', 'scale = "freq"', r"question sadness: scale: there is no scale 'freq'"),
    "half a point": ("points = 2", "points = 2.5", r"scale frequency: choice 2: points: must be a whole number"),
    "points as text": ("points = 2", 'points = "2"', r"points: must be a whole number"),
    "points as truth": ("points = 1", "points = true", r"points: must be a whole number"),
    "points below nought": ("points = 1", "points = -1", r"points: must be a whole number from 0"),
    "sign without points": ("points = 1\ntext", "text", r"question sadness: points: choice '1' needs its points"),
    "urgent unknown": ('urgent = ["3"]', 'urgent = ["4"]', r"help: urgent: question 'hopelessness' has no choice '4'"),
    "urgent and support": ('urgent = ["3"]', 'urgent = ["1"]', r"help: support: an answer is either"),
    "help nowhere": ('question = "hopelessness"', 'question = "hope"', r"help: question: there is no question 'hope'"),
    "role nowhere": ('stress = "stress"', 'stress = "stresses"', r"roles: stress: there is no question"),
    "minor unknown": ('minor = "under_18"', 'minor = "child"', r"roles: minor: question 'age' has no choice 'child'"),
    "mood unknown": ('"interest", "motivation"]', '"interest", "drive"]', r"roles: mood: names a question that is none of the signs"),
    "section unknown": ('section = "stress"', 'section = "strain"', r"question stress: section: there is no section 'strain'"),
    "field unknown": ('kind = "many"', 'kind = "many"\ncolour = "red"', r"question stress: colour: is not a field"),
    "kind unknown": ('kind = "many"', 'kind = "few"', r"question stress: kind: must be one of"),
    "long name": ('id = "warning_signs"', f'id = "{"w" * 41}"', r"top level: id: must be at most 40 of"),
    "name on two lines": ('id = "warning_signs"', 'id = "warning\\nsigns"', r"top level: id: must be at most 40 of"),
    "reserved id": ('id = "age"\nsection', 'id = "review"\nsection', r"question review: id: is reserved"),
    "name with a space": ('id = "warning_signs"', 'id = "warning signs"', r"top level: id: must be at most 40 of"),
    "version nought": ("version = 1", "version = 0", r"top level: version: must be 1 to"),
    "version beyond the database": ("version = 1", "version = 3000000000", r"top level: version: must be 1 to"),
    "REDCap's field": ('id = "sadness"', 'id = "warning_signs_complete"', r"question warning_signs_complete: id: is a field of REDCap"),
    "id of 27 letters": ('id = "sadness"', f'id = "{"s" * 27}"', r"question s{27}: id: must be at most 26 of"),
    "reserved code in signs": ('code = "running_late"', 'code = "noticed"', r"choice noticed: code: is reserved"),
    "help about no sign": ('question = "hopelessness"', 'question = "stress"', r"help: question: question 'stress' is none of the signs"),
    "mood that is no sign": ('"interest", "motivation"]', '"interest", "stress"]', r"roles: mood: names a question that is none"),
    "pain that is no sign": ('pain = "pain"', 'pain = "pain_average"', r"roles: pain: question 'pain_average' must be a sign"),
    "average that is a sign": ('pain_average = "pain_average"', 'pain_average = "sleep"', r"roles: pain_average: question 'sleep' must not be a sign"),
    "length of pain with many answers": ('pain_duration = "pain_duration"', 'pain_duration = "stress"', r"roles: pain_duration: question 'stress' must take one answer"),
    "column of another role": ('pain_duration = "pain_duration"', 'pain_duration = "age"', r"question pain_duration: id: is reserved for the role"),
    "reserved code": ('code = "running_late"', 'code = "not_shown"', r"choice not_shown: code: is reserved"),
    "sign too long": ('short = { en = "Sleep trouble"', 'short = { en = "Sleeping badly or too much"', r"question sleep: short\.en: is longer than 20"),
    "chart wording too long": ('brief = { en = "Nearly every day"', 'brief = { en = "Nearly every single day"', r"choice 3: brief\.en: is longer than 17"),
    "odd step": ("Question {n} of {total}", "Question {m} of {total}", r"section signs: step\.en: may only hold"),
    "end without Spanish": ('lowest = { en = "no pain", es = "nada de dolor" }', 'lowest = { en = "no pain" }', r"question pain_average: lowest\.es"),
    "scale upside down": ("numbers = [0, 10]", "numbers = [10, 0]", r"question pain_average: numbers: the lowest"),
    "consent of three": ('code = "no"\npoints = 0', 'code = "no"\npoints = 2', r"question consent: points: the consent question needs choices"),
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "period",
        "age_band",
        "rows",
        "record_id",
        "questionnaire",
        "version",
        "_x",
        "sad__ness",
        "sadness_",
        "tristéza",
        "1st",
        "Sad",
        *["all", "and", "by", "eq", "ge", "gt", "le", "lt", "ne", "not", "or", "to", "with"],
        *["byte", "double", "float", "if", "in", "int", "long", "str20", "strl", "using"],
    ],
)
def test_id_that_no_release_can_hold_is_refused(tmp_path, name):
    with pytest.raises(
        DefinitionError, match=rf"^changed\.toml: question {name}: id: (is reserved|must be at most 26)"
    ):
        load(changed(tmp_path, 'id = "sadness"', f'id = "{name}"'))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_definition_error_names_file_question_and_field(tmp_path, mistake):
    old, new, message = MISTAKES[mistake]
    with pytest.raises(DefinitionError) as refusal:
        load(changed(tmp_path, old, new))
    assert str(refusal.value).startswith("changed.toml: ")
    assert re.search(message, str(refusal.value)), str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_definition_file_error_names_the_file(tmp_path):
    with pytest.raises(DefinitionError, match=r"nowhere\.toml"):
        load(tmp_path / "nowhere.toml")


def test_loaded_definition_is_immutable(questionnaire):
    with pytest.raises(AttributeError):
        questionnaire.version = 2
    with pytest.raises(TypeError):
        questionnaire.questions[0].text["en"] = "?"


def test_warning_signs_questionnaire_matches_the_specification(questionnaire):
    ids = [sign.id for sign in questionnaire.signs]
    assert ids == ["sadness", "sleep", "hopelessness", "interest", "appetite", "motivation", "pain"]
    for sign in questionnaire.signs:
        assert [(c.code, c.points) for c in sign.choices] == [
            ("0", 0),
            ("1", 1),
            ("2", 2),
            ("3", 3),
            ("declined", None),
        ]
    consent = questionnaire.roles.consent
    for question in questionnaire.questions:
        assert ("declined" in question.by_code) == (question.id != consent)


def test_numbers_say_what_their_ends_mean(tmp_path):
    choices = load(LIBRARY / "warning_signs.toml").by_id["pain_average"].choices
    assert [choice.text["en"] for choice in choices] == [
        "0, no pain",
        *map(str, range(1, 10)),
        "10, worst pain",
        "Prefer not to say",
    ]
    bare = changed(tmp_path, 'lowest = { en = "no pain", es = "nada de dolor" }', "")
    assert load(bare).by_id["pain_average"].choices[0].text["es"] == "0"
