"""Passwords: how they are hashed, made for somebody, and told from guessable ones."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
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

LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: a stranger needs 100 million guesses or more, which waits and hashing make hopeless (Wheeler,
"zxcvbn: low-budget password strength estimation", USENIX Security 2016). It knows the 30,000 commonest passwords."""

LONGEST_LOOKED_AT = 72
"""Characters. zxcvbn takes no more, and what follows so many makes nothing worse."""


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
    from zxcvbn import zxcvbn  # its lists take half a second to load, and are seldom needed

    if zxcvbn(password[:LONGEST_LOOKED_AT], _known(names))["score"] < LEAST_SCORE:
        return lazy_gettext("That is one of the first a stranger would try. Choose another")
    return None


def _known(names: Sequence[str]) -> list[str]:
    """Names as somebody may write them in a password: whole, without what is no letter or digit, and word by word."""
    words = [part for name in names for part in (name, *re.findall(r"\w+", name))]
    return [*words, *(re.sub(r"\W", "", name) for name in names)]
