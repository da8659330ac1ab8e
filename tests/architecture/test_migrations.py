"""Migrations are additive only, so that nodes of the previous version work until they are restarted."""

from __future__ import annotations

import ast

import pytest

from screening.database.engines import MIGRATIONS

FILES = sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))
ADDITIVE = {"create_table", "create_index", "add_column", "bulk_insert", "execute", "get_bind"}
"""Alembic operations that an upgrade may use; ``execute`` only for triggers on new tables."""


def destructive_operations(text):
    """Return each destructive operation of an upgrade, and each added column without default that is not nullable."""
    upgrade = next(node for node in ast.parse(text).body if getattr(node, "name", "") == "upgrade")
    found = []
    for call in (node for node in ast.walk(upgrade) if isinstance(node, ast.Call)):
        if not isinstance(call.func, ast.Attribute) or ast.unparse(call.func.value) != "op":
            continue
        if call.func.attr not in ADDITIVE:
            found.append(call.func.attr)
        if call.func.attr == "add_column":
            options = {option.arg: ast.unparse(option.value) for option in call.args[1].keywords}
            if options.get("nullable") == "False" and "server_default" not in options:
                found.append("add_column without a default")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_migration_contains_only_additive_operations(file):
    assert destructive_operations(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("op.drop_column('a', 'b')", ["drop_column"]),
        ("op.alter_column('a', 'b', nullable=False)", ["alter_column"]),
        ("op.add_column('a', sa.Column('b', sa.Text, nullable=False))", ["add_column without a default"]),
        ("op.add_column('a', sa.Column('b', sa.Text, nullable=False, server_default=''))", []),
    ],
)
def test_migration_rule_detects_destructive_operations(line, found):
    assert destructive_operations(f"def upgrade(name):\n    if name == 'main':\n        {line}\n") == found
