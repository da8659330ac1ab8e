"""An invalid hierarchy file is refused with the field's name, before any release is read."""

from __future__ import annotations

import pytest

from screening.config import SettingsError
from screening.releases import hierarchies

SOURCE = hierarchies.FILE.read_text(encoding="utf-8")

MISTAKES = {
    "not TOML": ("weight = 1", "weight =", r"ladders\.toml: .*line"),
    "a detail missing": ("[period]\nweight = 1\n", "", r"must have the tables period, age_band, pain_duration"),
    "no weight": ("[age_band]\nweight = 2", "[age_band]\nweight = 0", r"age_band: weight must be a whole number from 1"),
    "level without id": ('id = "four_groups"', 'id = ""', r"age_band: level '' must have a unique id"),
    "level called any": ('id = "four_groups"', 'id = "any"', r"level 'any' must have a unique id"),
    "level twice": ('id = "three_groups"', 'id = "four_groups"', r"level 'four_groups' must have a unique id"),
    "a language missing": ('{ en = "25 to 44", es = "De 25 a 44" }', '{ en = "25 to 44" }', r"group '25_to_44' needs a text in en, es"),
    "code of an answer": ('code = "25_to_44"', 'code = "25_to_34"', r"group '25_to_34' needs a code that is no answer's"),
    "code with a comma": ('code = "25_to_44"', 'code = "25,44"', r"needs a code that is no answer's, at most 20 of"),
    "unknown answer": ('of = ["25_to_34", "35_to_44"]', 'of = ["25_to_34", "35_to_45"]', r"of must list answers' codes"),
    "in two groups": ('of = ["45_to_54", "55_to_64"]', 'of = ["35_to_44", "55_to_64"]', r"each in one group"),
    "not coarser": ('of = ["18_to_24", "25_to_34", "35_to_44"]', 'of = ["18_to_24", "25_to_34"]', r"level 'three_groups' must be coarser than four_groups"),
    "no pain with pain": ('of = ["under_3_months", "3_to_12_months"]', 'of = ["under_3_months", "not_shown"]', r"must not be grouped, except"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_invalid_hierarchy_file_error_names_the_field(questionnaire, tmp_path, mistake):
    old, new, message = mistake
    assert old in SOURCE
    file = tmp_path / "ladders.toml"
    file.write_text(SOURCE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SettingsError, match=message):
        hierarchies.load(questionnaire, file)


def test_missing_hierarchy_file_error_names_the_file(questionnaire, tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        hierarchies.load(questionnaire, tmp_path / "nowhere.toml")


def test_periods_generalize_from_month_to_quarter_to_year(questionnaire):
    period = hierarchies.load(questionnaire).for_periods(["2026-03", "2026-04", "2025-12"], "month")[0]
    assert [level.id for level in period.levels] == ["month", "quarter", "year", "any"]
    assert [level.generalized["2026-03"] for level in period.levels] == ["2026-03", "2026-Q1", "2026", "any"]
    assert period.levels[1].generalized == {"2026-03": "2026-Q1", "2026-04": "2026-Q2", "2025-12": "2025-Q4"}


def test_year_is_the_finest_period_without_a_determination(questionnaire):
    period = hierarchies.load(questionnaire).for_periods(["2026-03"], "year")[0]
    assert [level.id for level in period.levels] == ["year", "any"]


def test_no_pain_is_never_grouped_with_a_pain_duration(questionnaire):
    for level in hierarchies.load(questionnaire).pain_duration[:-1]:
        assert [
            code for code, generalized in level.generalized.items() if generalized == level.generalized["not_shown"]
        ] == ["not_shown"]
