"""The rows of a release as an instrument of REDCap: its data dictionary."""

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
"""The columns of a data dictionary, as REDCap asks for them."""

NAME, FORM, TYPE, LABEL, CHOICES, NOTE, BRANCHING = (HEADERS[place] for place in (0, 1, 3, 4, 5, 6, 11))

RECORD_ID = "record_id"


def data_dictionary(columns: Sequence[Column], form: str, locale: str) -> Iterator[list[str]]:
    """The dictionary as rows of cells, its header first, in one language. ``form`` names the instrument."""
    yield list(HEADERS)
    yield _field(form, {NAME: RECORD_ID, TYPE: "text", LABEL: "Record ID", NOTE: "Number the rows when you import"})
    codes = {column.name: {code.code for code in column.codes} for column in columns}
    for column in columns:
        about = {NAME: column.name, LABEL: column.question[locale], NOTE: column.label[locale]}
        yield _field(form, about | _answers(column, locale) | {BRANCHING: _branching(column, codes)})


def _field(form: str, about: dict[str, str]) -> list[str]:
    return [(about | {FORM: form}).get(header, "") for header in HEADERS]


def _answers(column: Column, locale: str) -> dict[str, str]:
    """How a column is answered. A period is text: ``2026-Q4`` has a hyphen, which not every REDCap takes in a code."""
    if column.name == PERIOD:
        return {TYPE: "text"}
    return {TYPE: "radio", CHOICES: " | ".join(_choice(code, locale) for code in column.codes)}


def _choice(code: Code, locale: str) -> str:
    """A choice as REDCap writes it; the bar is what it sets choices apart with."""
    return f"{code.code}, {code.text[locale].replace('|', '/')}"


def _branching(column: Column, codes: dict[str, set[str]]) -> str:
    """When to show a field: with the answers it was asked after, and where it is hidden whether it was."""
    if column.asked_when is None:
        return ""
    sign, asked = column.asked_when
    if not codes[sign].issuperset(asked):
        return ""
    wanted = [*asked, *(code for code in [SUPPRESSED] if code in codes[sign])]
    return " or ".join(f"[{sign}] = '{code}'" for code in wanted)
