"""The modules of ``screening/`` are free of everyday words for which the field has a term."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from screening.config import ROOT

WORDS = re.compile(r"\b(told|nobody|somebody|laid|gives? back|given back)\b", re.IGNORECASE)
GETTEXT = {"_", "gettext", "lazy_gettext", "ngettext", "lazy_ngettext", "pgettext", "lazy_pgettext"}
# Texts for visitors that are not translated by gettext.
VISITOR_TEXTS = ("Nobody at the clinic watches your answers live.", "nobody answers its phone.")
MODULES = {str(file.relative_to(ROOT)) for file in (ROOT / "screening").rglob("*.py")}


def translated(tree: ast.AST) -> set[ast.AST]:
    """The nodes inside the arguments of gettext calls."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = [(call, ast.unparse(call.func).rpartition(".")[2]) for call in calls]
    return {node for call, name in names if name in GETTEXT for part in call.args for node in ast.walk(part)}


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each comment, name and string but gettext's, visitors' and one-word strings, which are codes."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.NAME):
            yield token.start[0], token.string
    tree = ast.parse(source)
    exempt = translated(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in exempt:
            text = "" if any(exception in node.value for exception in VISITOR_TEXTS) else node.value
            yield node.lineno, re.sub(r"``.*?``|^\S*$", "", text)


def found(source: str) -> list[str]:
    """Each listed word with the line where its comment, name or string begins."""
    return sorted(f"line {line}: {word[0]}" for line, text in prose(source) for word in WORDS.finditer(text))


def test_modules_have_no_word_of_the_list():
    words = {name: found((ROOT / name).read_text(encoding="utf-8")) for name in MODULES}
    assert {name: lines for name, lines in words.items() if lines} == {}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('"""Nobody reads this."""', ["line 1: Nobody"]),
        ('def f():\n    """Return it.\n\n    Somebody is told.\n    """', ["line 2: Somebody", "line 2: told"]),
        ("x = 1  # where it was laid", ["line 1: laid"]),
        ("x = 1\n# gives back, is given back, to give back", ["line 2: give back", "line 2: given back", "line 2: gives back"]),
        ("told = 1", ["line 1: told"]),
        ('log.warning("nobody is there: %s", _("x"))', ["line 1: nobody"]),
        ('f"{x} was told"', ["line 1: told"]),
        ('f"{_(x)} was told"', ["line 1: told"]),
        ('_("Nobody will call")', []),
        ('flask_babel.lazy_gettext("Nobody" " will call")', []),
        ('ngettext("%(n)s told", "%(n)s were told", n)', []),
        ('"""The filter ``nobody``."""', []),
        ('owner = "nobody"', []),
        ('"""An untold story, overlaid."""', []),
    ],
)  # fmt: skip
def test_listed_words_are_found_outside_of_gettext(source, words):
    assert found(source) == words


def test_each_exempt_visitor_text_is_in_use():
    sources = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "screening").rglob("*.py"))
    assert [text for text in VISITOR_TEXTS if text not in sources] == []
