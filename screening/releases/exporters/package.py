"""The ZIP package of a release: rows, codebook, manifest, and descriptions for statistics programs and REDCap."""

import json
from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from screening.releases.exporters import cells, codebook, datapackage, loaders, redcap
from screening.releases.exporters.codebook import Column
from screening.releases.models import Release
from screening.releases.row_format import SIGNS_DETAIL

README = Template(files(__package__).joinpath("readme.md").read_text(encoding="utf-8"))

ENCODINGS = {"codebook.csv": "utf-8-sig", "redcap_data_dictionary.csv": "utf-8"}
"""A spreadsheet reads the accents of the codebook right only after a byte order mark; programs read the others."""

SIGNS_ENTRIES = {
    True: "`noticed`, however often, or `not_noticed`: not at all.",
    False: "the answers themselves; `codebook.csv` says what each code means.",
}
"""README text on the values of signs, by whether the detail is ``signs``."""

ATTACK = """\
- Measured: for whoever knows period, age group, length of pain and four answers of a person in here, {mean_percent} %
  of the rows are the only match (the mean of all sets of four answers), and {worst_percent} % with the worst set.
"""
"""README text on the measured attack; releases of earlier versions were not measured."""


def write_package(
    target: Path, release: Release, detail: str, columns: Sequence[Column], rows: Iterable[bytes]
) -> None:
    """Write the archive. ``rows`` are the bytes of the data file in pieces, which are written one by one.

    Every entry is dated 1980 and has no extra fields, so the same release yields the same bytes.
    """
    csv, manifest = f"{release.number}-{detail}.csv", json.loads(release.manifest)
    locale = codebook.locales(columns)[0]
    tables = {
        "codebook.csv": list(codebook.codebook_rows(columns)),
        "redcap_data_dictionary.csv": list(redcap.data_dictionary(columns, release.questionnaire, locale)),
    }
    contents = {name: cells.write_csv(table, ENCODINGS[name]) for name, table in tables.items()}
    resources = [
        datapackage.rows(csv, manifest["files"][f"{detail}.csv"], columns, locale),
        *(
            datapackage.small_table(name[:-4], name, contents[name], table[0], ENCODINGS[name])
            for name, table in tables.items()
        ),
    ]
    title = f"{release.number}, {detail}: {release.questionnaire} version {release.version}"
    counts = _json(release.tables)
    resources.append(datapackage.json_data("tables", "tables.json", counts))
    described = datapackage.describe(csv[:-4].lower(), title, manifest, resources)
    contents |= {
        "datapackage.json": _json(described),
        "tables.json": counts,
        "manifest.json": release.manifest.encode(),
        "README.md": readme(release, detail),
    } | loaders.scripts(columns, csv, locale)
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        with archive.open(csv, "w") as entry:
            for piece in rows:
                entry.write(piece)
        for name, content in contents.items():
            with archive.open(name, "w") as entry:
                entry.write(content)


def _json(value: Any) -> bytes:
    return f"{json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False)}\n".encode()


def readme(release: Release, detail: str) -> bytes:
    """Return what a reader of the rows must know, which goes with every format."""
    manifest = json.loads(release.manifest)
    levels = {f"level_{name}": level for name, level in manifest["levels"].items()}
    reached = {f"k_{name}": k for name, k in manifest["k"].items()}
    about = manifest | levels | reached | {"periods": ", ".join(manifest["periods"])}
    unique, measured = manifest["unique_patterns"][detail]["unique"], manifest.get("measured_attack", {}).get(detail)
    about["attack"] = ATTACK.format_map(measured) if measured else ""
    name, signs = f"{release.number}-{detail}", SIGNS_ENTRIES[detail == SIGNS_DETAIL]
    files = {"csv": f"{name}.csv", "package": f"{name}.zip"}
    return README.substitute(about, detail=detail, signs=signs, unique=unique, **files).encode()
