"""The machine-readable description of a package: a Frictionless Data Package (specs.frictionlessdata.io)."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from screening.releases.exporters.codebook import Column

DataPackage = dict[str, Any]


def describe(name: str, title: str, manifest: Mapping[str, Any], resources: Sequence[DataPackage]) -> DataPackage:
    """Return the description. ``name`` is used in URLs: lower-case letters, digits, ``-``, ``_`` and ``.``."""
    return {
        "profile": "data-package",
        "name": name,
        "title": title,
        "description": " ".join(manifest[sentence] for sentence in ("rows_are", "self_selected", "limits")),
        "resources": list(resources),
    }


def rows(path: str, stored: Mapping[str, Any], columns: Sequence[Column], locale: str) -> DataPackage:
    """Describe the data file. ``stored`` has its ``sha256`` and ``bytes``; cells are limited to the column's codes."""
    fields = [
        {
            "name": column.name,
            "type": "string",
            "title": column.label[locale],
            "description": column.question[locale],
            "categories": [{"value": code.code, "label": code.text[locale]} for code in column.codes],
            "constraints": {"required": True, "enum": [code.code for code in column.codes]},
        }
        for column in columns
    ]
    return _resource("rows", path, stored["sha256"], stored["bytes"], fields, "utf-8")


def small_table(name: str, path: str, content: bytes, header: Sequence[str], encoding: str) -> DataPackage:
    """Describe a small table, given as bytes."""
    fields = [{"name": column, "type": "string"} for column in header]
    return _resource(name, path, hashlib.sha256(content).hexdigest(), len(content), fields, encoding)


def json_data(name: str, path: str, content: bytes) -> DataPackage:
    """Describe a JSON file, given as bytes."""
    return {
        "name": name,
        "path": path,
        "format": "json",
        "mediatype": "application/json",
        "encoding": "utf-8",
        "bytes": len(content),
        "hash": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "description": "Counts of the whole release; a count that is null is small, or would give a small one away.",
    }


def _resource(name: str, path: str, sha256: str, size: int, fields: list[DataPackage], encoding: str) -> DataPackage:
    """Describe a table. Only an empty cell is a missing value: declined, not answered, not shown and masked differ."""
    return {
        "profile": "tabular-data-resource",
        "name": name,
        "path": path,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": encoding,
        "bytes": size,
        "hash": f"sha256:{sha256}",
        "dialect": {"delimiter": ",", "lineTerminator": "\r\n", "quoteChar": '"', "doubleQuote": True, "header": True},
        "schema": {"fields": fields, "missingValues": [""]},
    }
