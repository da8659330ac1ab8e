"""The scripts of a package, run by pandas, R and PSPP: labels and counts are those of the codebook and the rows."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from screening.releases import exporters, file_store
from tests.support import release_factory

MISSING = ("declined", "not_answered", "not_shown", "masked", "any")

PYTHON = """
import json, runpy
loaded = runpy.run_path("load.py")
labeled, answered = loaded["labeled"], loaded["answered"]
print(json.dumps({name: labeled[name].astype(str).value_counts().to_dict() for name in labeled}))
print(json.dumps({name: int(answered[name].notna().sum()) for name in answered}))
print(json.dumps(loaded["titles"]))
"""

R = """
source("load.R")
for (name in names(labeled)) {
  found <- table(labeled[[name]])
  for (label in names(found)) cat(name, label, found[[label]], "\\n", sep = "\\t")
  cat(name, "", sum(!is.na(answered[[name]])), attr(labeled[[name]], "label"), "\\n", sep = "\\t")
}
"""


@pytest.fixture(params=["signs", "full"])
def package(commands, questionnaire, tmp_path, request) -> Path:
    """Return the folder of an unpacked package."""
    release = release_factory.release(questionnaire)
    target = tmp_path / "package.zip"
    data = file_store.read_file(release.id, f"{request.param}.csv")
    exporters.build(release, f"{request.param}.zip", data, target)
    with zipfile.ZipFile(target) as archive:
        archive.extractall(tmp_path / "package")
    return tmp_path / "package"


def expected(package: Path) -> tuple[dict[str, Counter[str]], dict[str, int]]:
    """Return the rows of each label by column, and the answers of each column that are not missing."""
    codebook = csv.DictReader(io.StringIO((package / "codebook.csv").read_text(encoding="utf-8-sig")))
    labels = {(row["column"], row["code"]): row["code_label_en"] for row in codebook}
    rows = list(csv.DictReader(io.StringIO(next(package.glob("R-*.csv")).read_text(encoding="utf-8"))))
    counts = {name: Counter(labels[name, row[name]] for row in rows) for name in rows[0]}
    return counts, {name: sum(row[name] not in MISSING for row in rows) for name in rows[0]}


def titles(package: Path) -> dict[str, str]:
    """Return the label of each column."""
    codebook = csv.DictReader(io.StringIO((package / "codebook.csv").read_text(encoding="utf-8-sig")))
    return {row["column"]: row["label_en"] for row in codebook}


def run(package: Path, *words: str) -> str:
    done = subprocess.run(words, cwd=package, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_pandas_script_gives_labels_of_the_codebook(package):
    labels, answered, named = map(json.loads, run(package, sys.executable, "-c", PYTHON).splitlines())
    assert (labels, answered) == expected(package) and named == titles(package)


def test_r_script_gives_labels_of_the_codebook(package):
    labels: dict[str, dict[str, int]] = {}
    answered, named = {}, {}
    for line in run(package, "Rscript", "--vanilla", "-e", R).splitlines():
        name, label, rows = line.split("\t")[:3]
        if label and int(rows):
            labels.setdefault(name, {})[label] = int(rows)
        elif not label:
            answered[name], named[name] = int(rows), line.split("\t")[3]
    assert (labels, answered) == expected(package) and named == titles(package)


def test_pspp_script_gives_labels_of_the_codebook(package):
    counts, answered = expected(package)
    syntax = [
        "INSERT FILE='load.sps'.",
        *(f"STRING {name}__l (A120).\nCOMPUTE {name}__l = VALUELABEL({name})." for name in counts),
        *(f"COMPUTE {name}__a = NMISS({name}) = 0." for name in counts),
        f"SAVE TRANSLATE /OUTFILE='out.csv' /TYPE=CSV /FIELDNAMES /REPLACE /KEEP={' '.join(f'{name}__l {name}__a' for name in counts)}.",
    ]
    (package / "check.sps").write_text("\n".join(syntax) + "\n", encoding="utf-8")
    run(package, "pspp", "--syntax-encoding=UTF-8", "check.sps")
    rows = list(csv.DictReader(io.StringIO((package / "out.csv").read_text(encoding="utf-8"))))
    assert {name: Counter(row[f"{name}__l"].strip() for row in rows) for name in counts} == counts
    assert {name: sum(float(row[f"{name}__a"]) for row in rows) for name in counts} == answered
