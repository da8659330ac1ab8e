"""Reads fields of TOML tables by type; errors name file, table and field."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

from screening.questionnaires.model import Texts


class DefinitionError(ValueError):
    """A definition is invalid. The message names the file, the question and the field."""


class TableReader:
    """Reads the tables of one file. Every method may raise DefinitionError; ``where`` names the table in errors."""

    def __init__(self, file: str, data: dict[str, Any]) -> None:
        self.file = file
        self.data = data
        self.locales: tuple[str, ...] = ()

    def fail(self, where: str, field: str, problem: str) -> DefinitionError:
        """Return the error to raise, with file, table and field."""
        return DefinitionError(f"{self.file}: {where}: {field}: {problem}")

    def unique(self, names: Iterable[str], where: str) -> None:
        """Require unique names."""
        seen: set[str] = set()
        for name in names:
            if name in seen:
                raise self.fail(where, "id", f"{name!r} is used twice")
            seen.add(name)

    def only(self, table: dict[str, Any], where: str, allowed: set[str]) -> None:
        """Require that a table has no other fields."""
        for field in table:
            if field not in allowed:
                raise self.fail(where, field, "is not a field of this table")

    def table(self, table: dict[str, Any], where: str, field: str) -> dict[str, Any]:
        """Return a field that is a table."""
        value = table.get(field)
        if not isinstance(value, dict):
            raise self.fail(where, field, "is missing, or not a table")
        return value

    def tables(self, table: dict[str, Any], where: str, field: str, required: bool = True) -> list[dict[str, Any]]:
        """Return a field that is a list of tables."""
        value = table.get(field, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.fail(where, field, "must be a list of tables")
        if required and not value:
            raise self.fail(where, field, "there are none")
        return value

    def string(self, table: dict[str, Any], where: str, field: str) -> str:
        """Return a field that is a non-empty text."""
        value = table.get(field)
        if not isinstance(value, str) or not value.strip():
            raise self.fail(where, field, "is missing, or not a text")
        return value

    def strings(self, table: dict[str, Any], where: str, field: str) -> tuple[str, ...]:
        """Return a field that is a non-empty list of texts."""
        value = table.get(field)
        if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
            raise self.fail(where, field, "must be a list of texts")
        return tuple(value)

    def whole(self, table: dict[str, Any], where: str, field: str) -> int:
        """Return a field that is a whole number from 0."""
        value = table.get(field)
        if type(value) is not int or value < 0:
            raise self.fail(where, field, "must be a whole number from 0")
        return value

    def texts(
        self, table: dict[str, Any], where: str, field: str, required: bool = True, longest: int | None = None
    ) -> Texts:
        """Return a field that is a text in every language; empty when it is optional and absent."""
        value = table.get(field, {})
        if not isinstance(value, dict):
            raise self.fail(where, field, 'must give a text for each language, like { en = "..." }')
        if not value and not required:
            return MappingProxyType({})
        for locale in self.locales:
            text = value.get(locale)
            if not isinstance(text, str) or not text.strip():
                raise self.fail(where, f"{field}.{locale}", "is missing")
            if longest is not None and len(text) > longest:
                raise self.fail(where, f"{field}.{locale}", f"is longer than {longest} letters")
        for locale in value:
            if locale not in self.locales:
                raise self.fail(where, f"{field}.{locale}", "is not one of the locales")
        return MappingProxyType(dict(value))
