"""Scripts of a package that load its rows with labels: pandas, R, SPSS or PSPP, and Stata."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from screening.releases.exporters.codebook import MISSING, Code, Column

NUMBER = re.compile(r"0|[1-9]\d{0,3}")
SPSS_LABEL, SPSS_VALUE = 256, 120
"""Most bytes of a variable's label and of a value's (IBM SPSS Statistics, "Variable labels", "Value labels")."""

STATA_LABEL, STATA_VALUE = 80, 32_000
"""Most letters of a variable's label, and bytes of a value's (Stata, [R] Limits)."""

PYTHON = '''\
"""Loads the rows with pandas: `rows` has the codes, `labeled` their labels, `answered` only answers, in numbers.

`titles` has the label of each column: `labeled.rename(columns=titles)`.
"""

from pathlib import Path

import pandas as pd

missing = [{missing}]
titles = {{
{titles}
}}
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
# Each column has its own label as the attribute "label", as packages such as haven and labelled do.
# Set the working directory to this folder first.
missing <- c({missing})
titles <- c(
{titles}
)
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
  attr(labeled[[name]], "label") <- attr(answered[[name]], "label") <- titles[[name]]
}}
"""


def scripts(columns: Sequence[Column], csv: str, locale: str) -> dict[str, bytes]:
    """Return the scripts by name, which load the file ``csv`` beside them, with labels in one language."""
    texts = {
        "load.py": _filled(PYTHON, columns, csv, locale, "    {}: {}", "{{{}}}"),
        "load.R": _filled(R, columns, csv, locale, "  {} = {}", "c({})"),
        "load.sps": _spss(columns, csv, locale),
        "load.do": _stata(columns, csv, locale),
    }
    return {name: text.encode() for name, text in texts.items()}


def _filled(template: str, columns: Sequence[Column], csv: str, locale: str, pair: str, several: str) -> str:
    """Return a script of Python or R. ``pair`` and ``several`` are how it writes a name with its value, and a list."""

    def pairs(values: Mapping[str, str]) -> list[str]:
        return [pair.format(_quoted(name), value) for name, value in values.items()]

    codes = {column.name: {code.code: _quoted(code.text[locale]) for code in column.codes} for column in columns}
    labels = {name: several.format(", ".join(map(str.strip, pairs(texts)))) for name, texts in codes.items()}
    return template.format(
        csv=csv,
        missing=", ".join(map(_quoted, MISSING)),
        titles=",\n".join(pairs({column.name: _quoted(column.label[locale]) for column in columns})),
        labels=",\n".join(pairs(labels)),
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
            f"VARIABLE LABELS {column.name} {_spss_text(column.label[locale], SPSS_LABEL)}.",
            f"VALUE LABELS {column.name}",
            *(f"  {number} {_spss_text(code.text[locale], SPSS_VALUE)}" for number, code in numbered),
            "  .",
            f"MISSING VALUES {column.name} (LOWEST THRU -1).",
        ]
    return "\n".join([*lines, "EXECUTE.", ""])


def _spss_text(text: str, most: int) -> str:
    """Return a string of so many bytes at most."""
    return "'" + _cut(" ".join(text.split()), most).replace("'", "''") + "'"


def _cut(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")


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
                f"label define {column.name}__l {number} {_stata_text(_cut(code.text[locale], STATA_VALUE))}, add"
                for number, code in numbered
            ),
            f"label values {column.name} {column.name}__l",
            f"label variable {column.name} {_stata_text(column.label[locale][:STATA_LABEL])}",
        ]
    return "\n".join([*lines, ""])


def _stata_text(text: str) -> str:
    """Return a string without what Stata expands or takes for its end."""
    return '"' + " ".join(text.split()).replace('"', "'").replace("`", "'").replace("$", r"\$") + '"'
