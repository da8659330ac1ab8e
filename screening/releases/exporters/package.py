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
        "README.md": _readme(manifest, detail, csv).encode(),
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


def _readme(manifest: dict[str, Any], detail: str, csv: str) -> str:
    levels = {f"level_{name}": level for name, level in manifest["levels"].items()}
    reached = {f"k_{name}": k for name, k in manifest["k"].items()}
    about = manifest | levels | reached | {"periods": ", ".join(manifest["periods"])}
    unique = manifest["unique_patterns"][detail]["unique"]
    return README.substitute(about, detail=detail, csv=csv, signs=SIGNS_ENTRIES[detail == SIGNS_DETAIL], unique=unique)
