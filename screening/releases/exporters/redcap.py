"""The REDCap data dictionary of a release."""

from collections.abc import Iterator, Sequence

from screening.releases.anonymise import SUPPRESSED
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

NAME, FORM, TYPE, LABEL, CHOICES, NOTE, BRANCHING = (HEADERS[place] for place in (0, 1, 3, 4, 5, 6, 11))

RECORD_ID = "record_id"


def data_dictionary(columns: Sequence[Column], form: str, locale: str) -> Iterator[list[str]]:
    """Yield the dictionary as rows of cells, header first, in one language. ``form`` names the instrument."""
    yield list(HEADERS)
    yield _field(form, {NAME: RECORD_ID, TYPE: "text", LABEL: "Record ID", NOTE: "Number the rows when you import"})
    codes = {column.name: {code.code for code in column.codes} for column in columns}
    for column in columns:
        about = {NAME: column.name, LABEL: column.question[locale], NOTE: column.label[locale]}
        yield _field(form, about | _answers(column, locale) | {BRANCHING: _branching(column, codes)})


def _field(form: str, about: dict[str, str]) -> list[str]:
    return [(about | {FORM: form}).get(header, "") for header in HEADERS]


def _answers(column: Column, locale: str) -> dict[str, str]:
    """Return field type and choices. A period is text, since not every REDCap allows the hyphen of ``2026-Q4``."""
    if column.name == PERIOD:
        return {TYPE: "text"}
    return {TYPE: "radio", CHOICES: " | ".join(_choice(code, locale) for code in column.codes)}


def _choice(code: Code, locale: str) -> str:
    """Return a choice in REDCap's syntax, in which ``|`` separates choices."""
    return f"{code.code}, {code.text[locale].replace('|', '/')}"


def _branching(column: Column, codes: dict[str, set[str]]) -> str:
    """Return the condition to show a field: the answers on which it depends, and suppressed answers."""
    if column.asked_when is None:
        return ""
    sign, asked = column.asked_when
    if not codes[sign].issuperset(asked):
        return ""
    wanted = [*asked, *(code for code in [SUPPRESSED] if code in codes[sign])]
    return " or ".join(f"[{sign}] = '{code}'" for code in wanted)
