"""The REDCap data dictionary of a release: of an archive, so without branching, which generalized rows contradict."""

import re
from collections.abc import Iterator, Sequence

from screening.releases.exporters.cells import FORMULA
from screening.releases.exporters.codebook import PERIOD, Code, Column

HEADERS = (
    "Variable / Field Name",
    "Form Name",
    "Section Header",
    "Field Type",
    "Field Label",
    "Choices, Calculations, OR Slider Labels",
    "Field Note",
    "Text Validation Type OR Show Slider Number",
    "Text Validation Min",
    "Text Validation Max",
    "Identifier?",
    "Branching Logic (Show field only if...)",
    "Required Field?",
    "Custom Alignment",
    "Question Number (surveys only)",
    "Matrix Group Name",
    "Matrix Ranking?",
    "Field Annotation",
)
"""The columns that REDCap requires in a data dictionary."""

NAME, FORM, TYPE, LABEL, CHOICES, NOTE = (HEADERS[place] for place in (0, 1, 3, 4, 5, 6))

SYNTAX = re.compile(rf"[&<>\[\]]|\A{FORMULA.pattern}")
"""What REDCap takes for HTML or for the name of a field, and what a spreadsheet takes for a formula."""

RECORD_ID = "record_id"


def data_dictionary(columns: Sequence[Column], form: str, locale: str) -> Iterator[list[str]]:
    """Yield the dictionary as rows of cells, header first, in one language. ``form`` names the instrument."""
    yield list(HEADERS)
    yield _field(form, {NAME: RECORD_ID, TYPE: "text", LABEL: "Record ID", NOTE: "Number the rows when you import"})
    for column in columns:
        about = {NAME: column.name, LABEL: _text(column.label[locale]), NOTE: _text(column.question[locale])}
        yield _field(form, about | _answers(column, locale))


def _field(form: str, about: dict[str, str]) -> list[str]:
    return [(about | {FORM: form}).get(header, "") for header in HEADERS]


def _answers(column: Column, locale: str) -> dict[str, str]:
    """Return field type and choices. A period is text, since not every REDCap allows the hyphen of ``2026-Q4``."""
    if column.name == PERIOD:
        return {TYPE: "text"}
    return {TYPE: "radio", CHOICES: " | ".join(_choice(code, locale) for code in column.codes)}


def _choice(code: Code, locale: str) -> str:
    """Return a choice in REDCap's syntax, in which ``|`` separates choices."""
    return f"{code.code}, {_text(code.text[locale]).replace('|', '/')}"


def _text(text: str) -> str:
    """Return a text that REDCap shows as it is: it reads labels, notes and choices as HTML."""
    return SYNTAX.sub(lambda found: f"&#{ord(found[0])};", text)
