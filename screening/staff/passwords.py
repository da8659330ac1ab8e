"""Passwords: how they are hashed, made for somebody, and told from guessable ones."""

from __future__ import annotations

import secrets
from functools import lru_cache

from flask_babel import lazy_gettext
from flask_babel.speaklater import LazyString
from passlib.context import CryptContext
from passlib.pwd import genphrase

SCHEME = "argon2"
COSTS = {"argon2__memory_cost": 64 * 1024, "argon2__time_cost": 3, "argon2__parallelism": 4}
"""Argon2id with 64 MiB and 3 passes over 4 lanes (RFC 9106, section 4, second choice); Flask-Security has the same."""

CONTEXT = CryptContext([SCHEME], **COSTS)

SHORTEST = 12
LONGEST = 200
"""Characters. A longer one is a mistake, or meant to keep the server busy."""

OBVIOUS = (
    *("password", "passwort", "contraseña", "contrasena", "qwertyuiop", "asdfghjkl", "letmein", "welcome", "iloveyou"),
    *("123456789", "987654321", "abcdefgh", "changeme", "trustno1", "administrator", "bienvenido"),
)
"""A password that is made of one of these and little else is the first to be tried."""

LITTLE = 4
"""So few letters beside an obvious word do not save it, nor do digits."""


def hashed(password: str) -> str:
    """A password as it is stored."""
    return str(CONTEXT.hash(password))


def check_nobodys(password: str) -> None:
    """Take as long as checking a real password, for an account that is not there."""
    CONTEXT.verify(password, _nobodys_hash())


@lru_cache(1)
def _nobodys_hash() -> str:
    return hashed(secrets.token_urlsafe())


def temporary() -> str:
    """A password to hand over and to be changed at once: five short words, 51 bits."""
    return str(genphrase(length=5, wordset="eff_short", sep="-"))


def problem(password: str, *names: str) -> LazyString | None:
    """Why a new password cannot be taken; None when it can.

    ``names`` is what others know: the e-mail address, the person's name, the clinic's.
    """
    if len(password) < SHORTEST:
        return lazy_gettext("Use at least 12 characters. A few words in a row are easy to remember")
    if len(password) > LONGEST or "\0" in password:
        return lazy_gettext("That is too long for a password")
    plain = _plain(password)
    known = (*OBVIOUS, *(part for name in names for part in (name, name.partition("@")[0])))
    if len(set(plain)) < 5 or any(_is_mostly(plain, _plain(word)) for word in known):
        return lazy_gettext("That is one of the first a stranger would try. Choose another")
    return None


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _is_mostly(plain: str, word: str) -> bool:
    rest = plain.replace(word, "")
    return len(word) >= 4 and word in plain and sum(character.isalpha() for character in rest) <= LITTLE
