"""Scripts of a package that load its rows with labels: pandas, R, SPSS or PSPP, and Stata."""

import re
from collections.abc import Callable, Iterator, Sequence

from screening.releases.exporters.codebook import MISSING, Code, Column

NUMBER = re.compile(r"0|[1-9]\d{0,3}")
LABEL_LETTERS = 60
"""Most letters of a label in SPSS, which allows 120 bytes, and in Stata, which allows 80 letters."""

PYTHON = '''\
"""Loads the rows with pandas: `rows` has the codes, `labeled` their labels, `answered` only answers, in numbers."""

from pathlib import Path

import pandas as pd

missing = [{missing}]
labels = {{
{labels}
}}
rows = pd.read_csv(Path(__file__).with_name("{csv}"), dtype=str, keep_default_na=False)
labeled = pd.DataFrame(
    {{
        name: pd.Categorical(rows[name].map(codes), categories=list(dict.fromkeys(codes.values())))
        for name, codes in labels.items()
    }}
)
answered = rows.mask(rows.isin(missing))
for name, codes in labels.items():
    if all(code.isdigit() for code in codes if code not in missing):
        answered[name] = pd.to_numeric(answered[name])
'''

R = """\
# Loads the rows: `rows` has the codes, `labeled` their labels, `answered` only answers, in numbers.
# Set the working directory to this folder first.
missing <- c({missing})
labels <- list(
{labels}
)
rows <- read.csv("{csv}", colClasses = "character", na.strings = character(), check.names = FALSE)
labeled <- rows
answered <- rows
for (name in names(labels)) {{
  codes <- labels[[name]]
  labeled[[name]] <- factor(rows[[name]], levels = names(codes), labels = unname(codes))
  answered[[name]][rows[[name]] %in% missing] <- NA
  if (all(grepl("^[0-9]+$", setdiff(names(codes), missing)))) answered[[name]] <- as.numeric(answered[[name]])
}}
"""


def scripts(columns: Sequence[Column], csv: str, locale: str) -> dict[str, bytes]:
    """Return the scripts by name, which load the file ``csv`` beside them, with labels in one language."""
    missing = ", ".join(map(_quoted, MISSING))
    texts = {
        "load.py": PYTHON.format(
            csv=csv, missing=missing, labels=_maps(columns, locale, "    {}: {{{}}},", ": ", "\n")
        ),
        "load.R": R.format(csv=csv, missing=missing, labels=_maps(columns, locale, "  {} = c({})", " = ", ",\n")),
        "load.sps": _spss(columns, csv, locale),
        "load.do": _stata(columns, csv, locale),
    }
    return {name: text.encode() for name, text in texts.items()}


def _maps(columns: Sequence[Column], locale: str, line: str, between: str, after: str) -> str:
    """Return each column's labels by code in the syntax of Python or R."""
    return after.join(
        line.format(
            _quoted(column.name),
            ", ".join(f"{_quoted(code.code)}{between}{_quoted(code.text[locale])}" for code in column.codes),
        )
        for column in columns
    )


def _quoted(text: str) -> str:
    """Return a string literal of Python and R, in ASCII, since R may read scripts in another encoding."""
    return '"' + "".join(map(_letter, text)) + '"'


def _letter(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    place = ord(letter)
    return letter if 32 <= place < 127 else f"\\u{place:04x}" if place < 1 << 16 else f"\\U{place:08x}"


def _numbered(column: Column, missing: Callable[[int], str]) -> Iterator[tuple[str, Code]]:
    """Yield each code with its number: itself where all answers are numbers, else its place from 1."""
    answers = [code.code for code in column.codes if code.code not in MISSING]
    are_numbers = all(map(NUMBER.fullmatch, answers))
    for code in column.codes:
        if code.code in MISSING:
            yield missing(MISSING.index(code.code)), code
        else:
            yield (code.code if are_numbers else str(answers.index(code.code) + 1)), code


def _spss(columns: Sequence[Column], csv: str, locale: str) -> str:
    """Return the script for SPSS and PSPP. No column of a release has ``__`` in its name, so ``__code`` is free."""
    lines = [
        "* Loads the rows: each column in numbers with labels, and its codes as text in another that ends in __code.",
        "* Set the folder first, with CD.",
        f"GET DATA /TYPE=TXT /FILE='{csv}' /ENCODING='UTF-8' /ARRANGEMENT=DELIMITED /FIRSTCASE=2",
        '  /DELIMITERS="," /VARIABLES=',
        *(f"  {column.name}__code A40" for column in columns),
        "  .",
    ]
    for column in columns:
        numbered = list(_numbered(column, lambda place: str(-1 - place)))
        lines += [
            f"RECODE {column.name}__code",
            *(f"  ('{code.code}'={number})" for number, code in numbered),
            f"  INTO {column.name}.",
            f"FORMATS {column.name} (F4.0).",
            f"VARIABLE LABELS {column.name} {_spss_text(column.label[locale])}.",
            f"VALUE LABELS {column.name}",
            *(f"  {number} {_spss_text(code.text[locale])}" for number, code in numbered),
            "  .",
            f"MISSING VALUES {column.name} (LOWEST THRU -1).",
        ]
    return "\n".join([*lines, "EXECUTE.", ""])


def _spss_text(text: str) -> str:
    return "'" + " ".join(text.split())[:LABEL_LETTERS].replace("'", "''") + "'"


def _stata(columns: Sequence[Column], csv: str, locale: str) -> str:
    """Return the script for Stata."""
    lines = [
        "* Loads the rows: each column in numbers with labels, and its codes as text in another that ends in __code.",
        "* Set the folder first, with cd.",
        f'import delimited using "{csv}", varnames(1) stringcols(_all) case(preserve) encoding("utf-8") clear',
    ]
    for column in columns:
        numbered = list(_numbered(column, lambda place: f".{'abcde'[place]}"))
        lines += [
            f"rename {column.name} {column.name}__code",
            f"generate int {column.name} = .",
            *(f'replace {column.name} = {number} if {column.name}__code == "{code.code}"' for number, code in numbered),
            *(
                f"label define {column.name}__l {number} {_stata_text(code.text[locale])}, add"
                for number, code in numbered
            ),
            f"label values {column.name} {column.name}__l",
            f"label variable {column.name} {_stata_text(column.label[locale])}",
        ]
    return "\n".join([*lines, ""])


def _stata_text(text: str) -> str:
    """Return a string without what Stata expands or takes for its end."""
    short = " ".join(text.split())[:LABEL_LETTERS]
    return '"' + short.replace('"', "'").replace("`", "'").replace("$", r"\$") + '"'
